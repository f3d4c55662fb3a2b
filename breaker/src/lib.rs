//! A circuit breaker for threads and async tasks that costs nothing when closed and never wedges.
//!
//! ```
//! use lockgate_breaker::{Breaker, Error};
//!
//! let breaker = Breaker::new("payments");
//! match breaker.call(|| "7".parse::<u8>()) {
//!     Ok(value) => assert_eq!(value, 7),
//!     Err(Error::Inner(error)) => panic!("the call failed: {error}"),
//!     Err(Error::Rejected(rejected)) => panic!("the call was not made: {rejected}"),
//! }
//! ```
//!
//! # Threads and tasks
//!
//! | | a thread | a task |
//! |---|---|---|
//! | make a call | [`breaker.call(work)`](Breaker::call) | `breaker.run(work()).await` |
//! | with your own idea of failure | [`breaker.call_with(&classifier, work)`](Breaker::call_with) | `breaker.run(work()).classified_by(classifier).await` |
//! | make it yourself | [`breaker.try_acquire()?`](Breaker::try_acquire), and [tell](Permit::record) how it went | the same, or [`try_acquire_owned`](Breaker::try_acquire_owned) |
//! | be told of transitions | [`on_transition`](Breaker::on_transition), or [`subscribe`](Breaker::subscribe) and `.next().wait()` | the same, and `.next().await`; it is a `Stream`, too |
//!
//! No call waits: it goes through at once, or is rejected at once.
//!
//! # Semantics
//!
//! * **Closed.** Calls go through. The [`Policy`] looks at how they end, and opens the circuit.
//! * **Open.** Calls are rejected until the open time is over, see [`Backoff`]. Nothing happens when it is
//!   over: the next call is the first probe.
//! * **Half open.** [`probes`](Builder::probes) calls go through, exactly, and no more however many threads
//!   come at the same moment. If enough of them succeed it closes; as soon as too few are left it
//!   opens again, for longer if the back-off says so.
//! * **Results belong to the state in which their call began.** One that comes after a transition is
//!   [`Stale`](Recorded::Stale) and changes nothing: it does not close a circuit, open it again, or
//!   lengthen the time that it is open.
//! * **The lease.** A probe that has not come back in [`probe_lease`](Builder::probe_lease), because it hangs or was
//!   forgotten, is given up: as many others go through, and its result will be stale.
//! * **Cancelling.** A call that is dropped counts as the [`DropPolicy`] says: by default as a failure if it had
//!   taken as long as [`call_deadline`](Builder::call_deadline), and not at all if not. A probe's place is
//!   free again at once.
//! * **Panics** of a call are failures, and go on.
//! * **Forced states.** [`force_open`](Breaker::force_open), [`disable`](Breaker::disable) and
//!   [`metrics_only`](Breaker::metrics_only) hold until somebody says otherwise, [`reset`](Breaker::reset)
//!   for instance. The policy does not touch them.
//! * **Listeners** are told of transitions in their order, one at a time, outside every lock, by a thread
//!   that makes calls; see [`on_transition`](Breaker::on_transition).
//! * **Your code** runs under no lock: no call, classifier, judge, listener or back-off. The one exception are keys of a
//!   [`Registry`], which are hashed, compared and cloned under its own; calls do not take that.
//! * **Clocks.** Time comes from a [`Clock`](clock::Clock): real time by default. The policy of failures in a row
//!   reads it for transitions only; windows of time and limits for slow calls read it for every call.
//! * **Memory.** A breaker allocates when it is built, and when a transition is told. A call allocates
//!   nothing.
//!
//! # How to choose a policy
//!
//! | if | then |
//! |---|---|
//! | it is either up or down | [`consecutive_failures`](Policy::consecutive_failures): the cheapest, and the first to notice |
//! | it fails a little all the time | [`failure_rate`](Policy::failure_rate), with a [`min_calls`](Policy::min_calls) that a quiet hour does not reach by chance |
//! | traffic comes and goes | a [window of time](Window::time): what was an hour ago does not count |
//! | it refuses what is too much for it | [`client_throttle`](Policy::client_throttle): it gets a little more than it accepts, and nothing opens |
//! | it gets slow before it fails | [`slow_call_rate`](Policy::slow_call_rate), beside another, by [`any`](Policy::any) |
//!
//! And `retry(breaker(timeout(call)))`, in this order: the breaker has to see the time-out, and the retry
//! the rejection, which is no failure of the call and says when to come again.
//!
//! # When not to use it
//!
//! * For faults that lie in the request: they say nothing of the other side. Classify them as
//!   [`Success`](Outcome::Success).
//! * Against too many calls of your own: that is a rate limiter, or a semaphore.
//! * One for many hosts: one that is down says nothing of the others. See [`Registry`].
//! * For several processes by one store: a store on the path of each call is one more thing that may be
//!   down. Let each process learn for itself, and tell the others:
//!   [`apply_remote_hint`](Breaker::apply_remote_hint).
//!
//! # Coming from Go
//!
//! | `sony/gobreaker` | here |
//! |---|---|
//! | `NewCircuitBreaker(Settings{Name: n})` | [`Breaker::new(n)`](Breaker::new), [`Breaker::builder(n)`](Breaker::builder) |
//! | `cb.Execute(f)` | [`breaker.call(f)`](Breaker::call) |
//! | `Allow()` and `done(err)` of the two-step one | [`try_acquire`](Breaker::try_acquire) and [`Permit::record`]; dropped, it is not forgotten |
//! | `MaxRequests` (1) | [`probes`](Builder::probes) (1) |
//! | `Interval` (never), `BucketPeriod` | [`Window::time`]; a call that straddles a border counts here |
//! | `Timeout` (60 s) | [`open_for`](Builder::open_for) (5 s, doubling up to 60 s) |
//! | `ReadyToTrip` (more than 5 in a row) | a [`Policy`] (5 in a row), or [`Policy::custom`] |
//! | `IsSuccessful`, `IsExcluded` | [`Classify`] with [`Outcome::Ignore`] |
//! | `OnStateChange`, under the lock | [`on_transition`](Breaker::on_transition), outside it |
//! | `State()`, which may change it | [`state`](Breaker::state), which does not |
//! | `ErrOpenState`, `ErrTooManyRequests` | [`Error::Rejected`] with the state and when to come again |
//!
//! # Coming from resilience4j
//!
//! | `CircuitBreakerConfig` and its default | here and its default |
//! |---|---|
//! | `failureRateThreshold` 50 % of `slidingWindowSize` 100 calls | [`Policy::failure_rate`]`(0.5)`, of 100 calls; but if nothing is said, five failures in a row |
//! | `minimumNumberOfCalls` 100 | [`min_calls`](Policy::min_calls) 10 |
//! | `slidingWindowType` `COUNT_BASED` or `TIME_BASED` | [`Window::count`], [`Window::time`] with buckets of your own |
//! | `slowCallRateThreshold` 100 %, `slowCallDurationThreshold` 60 s, always counted | [`Policy::slow_call_rate`], and no clock is read without it |
//! | `waitDurationInOpenState` 60 s | [`open_for`](Builder::open_for) 5 s, doubling up to 60 s, 10 % jitter |
//! | `permittedNumberOfCallsInHalfOpenState` 10 | [`probes`](Builder::probes) 1, of which all have to succeed |
//! | `maxWaitDurationInHalfOpenState` 0: for ever | [`probe_lease`](Builder::probe_lease) 30 s |
//! | `automaticTransitionFromOpenToHalfOpenEnabled`, a thread | none: [`state`](Breaker::state) says half open when it is due |
//! | `recordExceptions`, `ignoreExceptions` | [`Classify`] |
//! | `CallNotPermittedException` | [`Error::Rejected`], with when to come again |
//! | `transitionToForcedOpenState`, `…DisabledState`, `…MetricsOnlyState`, `reset` | [`force_open`](Breaker::force_open), [`disable`](Breaker::disable), [`metrics_only`](Breaker::metrics_only), [`reset`](Breaker::reset) |
//! | `CircuitBreakerRegistry` | [`Registry`], which forgets idle ones |
//!
//! # Features
//!
//! | feature | default | means | brings |
//! |---|---|---|---|
//! | `sync` | yes | `.wait()` for the next transition | parking_lot |
//! | `async` | yes | `run` for futures, on any executor; transitions as a `Stream` | pin-project-lite, futures-core |
//! | `tower` | | layers: a breaker before a service, or one for each key | tower-layer, tower-service |
//! | `http` | | what responses mean, and `Retry-After` | http, httpdate |
//! | `serde` | | breakers in configuration files | serde, humantime |
//! | `tracing` | | an event for each transition (`info`) and each rejection (`debug`) | tracing |
//! | `metrics` | | counters of calls, rejections and transitions, and the state as a gauge | metrics |
//!
//! # Memory ordering
//!
//! A transition is a Release operation on the word that every call reads by Acquire: what was done before a
//! circuit was closed or opened happens before whatever is admitted or rejected by that. Between two calls
//! that are admitted in the same state there is no order.
//!
//! # Design
//!
//! States, protocols, hazards with their models and mutants, and what was rejected are in
//! [DESIGN.md](https://docs.rs/crate/lockgate-breaker/latest/source/DESIGN.md).
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
mod breaker;
mod builder;
pub mod clock;
#[cfg(feature = "serde")]
mod config;
mod core;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod error;
mod events;
mod gauge;
mod hint;
#[cfg(feature = "http")]
pub mod http;
mod inner;
#[cfg(feature = "metrics")]
pub mod metrics;
mod outcome;
#[cfg(feature = "sync")]
mod parker;
mod permit;
mod policy;
mod primitives;
mod registry;
#[cfg(feature = "async")]
mod run;
mod state;
mod subscription;
mod throttle;
#[cfg(feature = "tower")]
pub mod tower;
mod trace;
mod window;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use breaker::{Breaker, Snapshot};
pub use builder::Builder;
#[cfg(feature = "serde")]
pub use config::{BackoffConfig, BreakerConfig, PolicyConfig, WindowConfig};
pub use error::{BuildError, Error, RecvError, Rejected};
pub use events::{Listener, Reason, Transition};
pub use hint::Hinted;
pub use outcome::{Classify, DropPolicy, ErrIsFailure, Outcome, Recorded};
pub use permit::{OwnedPermit, Permit};
pub use policy::{Policy, Window};
pub use registry::Registry;
#[cfg(feature = "async")]
pub use run::Run;
pub use state::State;
#[cfg(any(feature = "sync", feature = "async"))]
pub use subscription::NextTransition;
pub use subscription::Subscription;
pub use window::Counts;
