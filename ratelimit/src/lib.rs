//! A token bucket for threads and async tasks that waits in order, changes at run time, and never
//! grants too much.
//!
//! ```
//! # #[cfg(feature = "sync")] {
//! use lockgate_ratelimit::{Quota, RateLimiter};
//!
//! let limiter = RateLimiter::new(Quota::per_second(500).burst(20));
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         let limiter = &limiter;
//!         scope.spawn(move || {
//!             for _ in 0..10 {
//!                 limiter.acquire(1).wait()?;
//!                 // ... at most 500 of these a second, all threads together, and 20 at once ...
//!             }
//!             Ok::<(), lockgate_ratelimit::AcquireError>(())
//!         });
//!     }
//! });
//! # }
//! ```
//!
//! # Threads and tasks
//!
//! Every operation that may have to wait returns a *wait*. A thread calls `.wait()` on it, a
//! task `.await`s it: one object, one line, one set of rules.
//!
//! | | a thread | a task |
//! |---|---|---|
//! | wait for 3 tokens | `limiter.acquire(3).wait()?` | `limiter.acquire(3).await?` |
//! | but no longer than `d` | `.wait_timeout(d)?`, `.wait_deadline(t)?` | `.within(d).await?`, `.by(t).await?` |
//! | give up | the deadline, or [`close`](RateLimiter::close) | drop it |
//! | wait elsewhere | `limiter.acquire_owned(3).wait()?` | `limiter.acquire_owned(3).await?` |
//! | do not wait | [`limiter.try_acquire(3)?`](RateLimiter::try_acquire) | the same |
//! | what is there, at most 64 | [`limiter.try_up_to(64)`](RateLimiter::try_up_to) | the same |
//! | be told when, and sleep yourself | [`limiter.reserve(3)?`](RateLimiter::reserve) | the same |
//! | pay afterwards | [`limiter.consume_debt(3)?`](RateLimiter::consume_debt) | the same |
//!
//! # Semantics
//!
//! * **The bucket.** It holds *burst* tokens at most and is supplied evenly at its *rate*. In any
//!   stretch of time Δ no more than burst + rate · Δ are granted. It starts full, unless
//!   [`initial`](Quota::initial) says otherwise.
//! * **Exact.** A rate is the fraction that it was made from, and supply is computed from the time
//!   since the last change, not from call to call: 7 a minute are 7 a minute after a year, however
//!   often somebody asks. Periods from 1 ns to 366 days and bursts to `u32::MAX` work or are an
//!   error when they are made; nothing wraps or saturates.
//! * **In order.** Whoever waits or reserves is promised a moment at once, and moments are given in
//!   order of arrival. So nobody overtakes, a large request is not starved by small ones, and
//!   whoever is late to use his tokens keeps nobody waiting.
//! * **What can never be granted fails.** More than the burst gets
//!   [`ExceedsBurst`](AcquireError::ExceedsBurst) at once. A request for nothing succeeds.
//! * **Denials** say [when to come again](Denied::retry_after), to the nanosecond, and write nothing:
//!   a flood of them costs others no cache line.
//! * **Deadlines** fail at once and take nothing if they cannot be met. They bound the waiting: where
//!   the tokens are there, a deadline is not looked at, and a time-out of zero is a `try_acquire`.
//! * **Cancelling.** Dropping a wait or a [`Reservation`] before its turn gives back what nobody behind
//!   it was made to wait for: all of it at the end of the line. Those behind keep the moment that
//!   they were promised. After its turn, its tokens are used. One that is forgotten (`mem::forget`)
//!   costs its tokens, and nothing else.
//! * **Changes at run time.** [`set_rate`](RateLimiter::set_rate), [`set_burst`](RateLimiter::set_burst)
//!   and [`replace`](RateLimiter::replace) count from when they are made; [`Inherit`] says what becomes
//!   of the tokens. Those who wait are told, and wait by the new rate; a deadline that cannot be met
//!   any more fails then. A [`Reservation`] keeps the moment that its holder was told.
//! * **Pausing.** [`pause_until`](RateLimiter::pause_until) grants and supplies nothing until a moment,
//!   which is what a server means by `Retry-After`. What is in the bucket stays there.
//! * **Closing** fails everybody who comes, and everybody who waits and whose tokens are not there,
//!   for good.
//! * **Giving back.** [`refund`](RateLimiter::refund) and [`set_tokens`](RateLimiter::set_tokens) put
//!   tokens in, for those who wait first. They are the only ways to more than burst + rate · Δ.
//! * **Clocks.** Time comes from a [`Clock`](clock::Clock): [`Monotonic`](clock::Monotonic) by default,
//!   [`Manual`](clock::Manual) in tests, or one of your own. By its
//!   readings there is never more than burst + rate · Δ, also when it stands still or steps back; where
//!   they lie behind the real time by up to L (a thread was interrupted, the clock is cached), by that
//!   there may be what L supplies more, once. A bucket that ran over is counted to the unit, rounded
//!   down (two nanoseconds of supply; 2⁻³² of a token where one takes longer than four seconds): so much
//!   earlier the next token may come.
//! * **Waiting** for real time uses the timer of the tokio runtime where one is current, else one
//!   thread of this crate's, which is started when it is first needed and ends when it is not. A
//!   thread that blocks parks by itself.
//! * **Panics.** No code of yours runs under a lock: wakers are cloned, called and dropped outside.
//!   Constructors without a `Result` panic on what is out of range; in a `const` that is an error of
//!   compilation. Waiting panics on a tokio runtime without `enable_time`, and where the system
//!   refuses the timer thread.
//! * **Memory.** A limiter takes some 800 bytes and allocates nothing as long as nobody waits, whatever is
//!   asked of it. A wait that has to sleep takes a timer, and a place in a list that is used again.
//!
//! # How to choose the burst
//!
//! The burst is what you allow at once after a pause, so on a server it is what a client may send
//! together. Where your own side waits for its turn, it is also what makes up for timers. tokio's
//! timer ticks every millisecond and rounds up; a thread is woken some 0.1 ms late; a busy machine is
//! worse at both. What is supplied in the meantime has to fit into the bucket, or it is lost:
//!
//! | who waits | burst for a rate R and a timer's granularity g |
//! |---|---|
//! | one task or thread, again and again | 1 + R · g at least: for 1000 a second on tokio 3 (g = 2 ms), for 10 000 a second 21 |
//! | many at the same time | any: their moments are promised before the timer rings, so none is lost |
//! | whoever asks for `n` at a time | `n` at least, plus the above |
//!
//! With `burst(1)` there is never less than an interval between two grants, and a lone task on a
//! millisecond timer gets a fraction of a rate above a thousand a second. So either give it
//! the burst or let it ask for several tokens at once.
//!
//! # A trap
//!
//! **The ready path takes no part in a runtime's cooperative budget.** A task that finds tokens again
//! and again never yields here. In a loop that awaits nothing else, add a
//! `tokio::task::yield_now().await` every so often, or wrap the wait:
//! `tokio::task::coop::cooperative(limiter.acquire(1)).await`.
//!
//! # When not to use it
//!
//! * So many *at a time*, rather than per second: that is a semaphore.
//! * One limit for several processes or machines: this one lives in memory. Give each its share, or
//!   ask a store.
//! * "Never more than N in any window of a minute", to the letter: a bucket grants up to burst + N.
//!   Give it a rate of N − burst a minute, or keep a log of moments.
//! * Spacing packets by microseconds: no timer here is that fine. Ask `try_acquire` in a loop of your own.
//! * A limit for each of many keys: not a map of limiters, but [`Keyed`], which has a bound.
//!
//! # Coming from Go
//!
//! | `golang.org/x/time/rate` | here |
//! |---|---|
//! | `rate.NewLimiter(10, 3)` | `RateLimiter::new(Quota::per_second(10).burst(3))` |
//! | `rate.Every(d)`, `rate.Limit(2.5)` | [`Rate::every(d)`](Rate::every), `Rate::per(5, Duration::from_secs(2))` |
//! | `rate.Inf` | [`Rate::INF`], [`Quota::INF`] |
//! | a limit of 0 | [`Rate::ZERO`], [`Quota::ZERO`] |
//! | `lim.Allow()`, `lim.AllowN(t, n)` | `limiter.try_acquire(n).is_ok()`; the error says when |
//! | `lim.Wait(ctx)`, `lim.WaitN(ctx, n)` | `limiter.acquire(n).wait()`, or `.await`; it gives the time waited |
//! | `ctx` with a deadline | `.wait_deadline(t)`, or `.by(t).await`; it fails at once here, too |
//! | `ctx` cancelled | dropping the future; [`close`](RateLimiter::close) |
//! | `r := lim.ReserveN(t, n)`, `r.OK()` | [`limiter.reserve(n)`](RateLimiter::reserve), `is_ok()` |
//! | `r.Delay()`, `r.Cancel()` | [`delay`](Reservation::delay), [`cancel`](Reservation::cancel); a reservation that is dropped is cancelled: [`commit`](Reservation::commit) it |
//! | `lim.SetLimit(l)`, `lim.SetBurst(b)` | [`set_rate`](RateLimiter::set_rate), [`set_burst`](RateLimiter::set_burst); those who wait are re-timed |
//! | `lim.Limit()`, `lim.Burst()`, `lim.Tokens()` | [`quota`](RateLimiter::quota), [`tokens`](RateLimiter::tokens) |
//! | times as arguments: `AllowN(t, n)` | a [clock], for instance [`Manual`](clock::Manual) |
//! | `rate.Sometimes{First, Every, Interval}` | [`Sometimes`] |
//! | time that moves back: counted twice | grants less, as long as it lies back |
//! | `n` above the burst | [`ExceedsBurst`](AcquireError::ExceedsBurst) |
//!
//! # Features
//!
//! | feature | default | means | brings |
//! |---|---|---|---|
//! | `sync` | yes | `.wait()`, `.wait_timeout()`, `.wait_deadline()` | parking_lot |
//! | `async` | yes | `impl Future` for the waits, throttled streams | tokio (`rt`, `time`), futures-core |
//! | `quanta` | | `clock::Tsc`, the processor's counter | quanta |
//! | `tower` | | layers for clients and, with `http`, keyed ones for servers | tower-layer, tower-service |
//! | `http` | | `Retry-After` and the `RateLimit` headers, written and read | http, httpdate |
//! | `serde` | | quotas in configuration files | serde, humantime |
//! | `tracing` | | an event for each denial and each change | tracing |
//!
//! Any executor drives the waits: without a tokio runtime, a thread of this crate's keeps the time.
//!
//! # Memory ordering
//!
//! A limiter counts; it hands nothing over. Do not publish data by it: that one grant came after
//! another promises nothing about what their holders did. What was done before a change
//! ([`set_rate`](RateLimiter::set_rate), [`pause_until`](RateLimiter::pause_until),
//! [`close`](RateLimiter::close) and their kin) happens before whatever is granted, denied or failed
//! by the new configuration: a change is a Release operation on the word that every decision reads by
//! Acquire. [`tokens`](RateLimiter::tokens) and [`quota`](RateLimiter::quota) are snapshots.
//!
//! # Design
//!
//! States, arithmetic, protocols, hazards with their models and mutants, and what was rejected are in
//! [DESIGN.md](https://docs.rs/crate/lockgate-ratelimit/latest/source/DESIGN.md).
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sync", feature = "async")),
    allow(dead_code, reason = "without a way to wait, only what never waits is reachable")
)]

mod acquire;
mod alarm;
pub mod clock;
#[cfg(feature = "serde")]
mod config;
mod core;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod keyed;
mod limiter;
#[cfg(feature = "sync")]
mod parker;
mod primitives;
mod quota;
mod reservation;
mod several;
mod sometimes;
mod state;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "sync", feature = "async"))]
mod throttle;
#[cfg(not(all(test, lockgate_loom)))]
mod timer;
#[cfg(all(test, lockgate_loom))]
#[path = "tests/model_timer.rs"]
mod timer;
#[cfg(feature = "tower")]
pub mod tower;
mod trace;
mod waiters;

pub use acquire::{Acquire, AcquireOwned};
pub use error::{
    AcquireError, CapacityError, DebtError, Denied, DeniedReason, QuotaError, TokensError,
};
pub use keyed::{Keyed, KeyedAcquire, KeyedAcquireOwned, KeyedBuilder, Policy, ipv6_prefix};
pub use limiter::RateLimiter;
pub use quota::{Quota, Rate};
pub use reservation::Reservation;
pub use several::{AcquireAll, acquire_all, acquire_all_owned, try_acquire_all};
pub use sometimes::Sometimes;
pub use state::Inherit;
#[cfg(feature = "sync")]
pub use throttle::ThrottledIter;
#[cfg(feature = "async")]
pub use throttle::ThrottledStream;
#[cfg(any(feature = "sync", feature = "async"))]
pub use throttle::{OneEach, Refused};
