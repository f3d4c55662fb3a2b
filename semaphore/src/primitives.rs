//! The facade: the only file that names `std`, `parking_lot` or `loom` primitives.
//!
//! One real file, linked into every crate of the family, so that each stays independent and
//! all are checked alike. It offers the *intersection* of its three back ends:
//!
//! * `Mutex::lock` gives a guard, never a `Result`: no user code runs under a lock of ours, so
//!   poisoning has nothing to protect. No `try_lock`, no `Weak`.
//! * Nothing here may be relied on for SeqCst *accesses*, which loom treats as AcqRel.
//! * Time is a [`Deadline`]: an instant in a real build, and in a model a flag that a timer
//!   thread fires, so that every order of time-out and grant is explored.
//! * Constructors are `const` except in a model; [`const_fn`] hides the difference.
//!
//! | `cfg` | `Mutex` | atomics, threads | `Deadline` |
//! |---|---|---|---|
//! | feature `sync` | parking_lot | std | `Instant` |
//! | without `sync` | std | std | `Instant` |
//! | `all(test, lockgate_loom)` | loom | loom | a flag |
#![allow(dead_code, unused_imports, unused_macros, reason = "no crate uses all of the facade")]

// LOOM: the standard `Arc` in a model too: `Wake` and `self: &Arc<Self>` take no other, and the
// count is not part of any algorithm here. Models that want leaks reported use `TrackedArc`.
pub(crate) use std::sync::Arc;

#[cfg(all(test, lockgate_loom))]
pub(crate) use model::*;
#[cfg(not(all(test, lockgate_loom)))]
pub(crate) use real::*;

/// Declares a function `const`, except in a model, where no constructor can be.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(all(test, lockgate_loom)))]
        $(#[$meta])*
        $vis const fn $($rest)*
        #[cfg(all(test, lockgate_loom))]
        $(#[$meta])*
        $vis fn $($rest)*
    };
}
pub(crate) use const_fn;

/// A relaxed load whose value is only a hint.
#[inline]
pub(crate) fn peek(word: &atomic::AtomicIsize) -> isize {
    // ORDERING: Relaxed: a hint; whoever acts on it confirms it by a read-modify-write.
    word.load(atomic::Ordering::Relaxed)
}

#[cfg(not(all(test, lockgate_loom)))]
mod real {
    #[cfg(feature = "sync")]
    pub(crate) use parking_lot::{Mutex as Inner, MutexGuard};
    pub(crate) use std::hint;
    #[cfg(not(feature = "sync"))]
    pub(crate) use std::sync::{Mutex as Inner, MutexGuard};
    pub(crate) use std::thread_local;
    use std::time::{Duration, Instant};

    /// Whether no time passes.
    pub(crate) const IS_MODEL: bool = false;

    pub(crate) mod atomic {
        /// A part of a value that is read piece by piece, beside a word that confirms it afterwards.
        pub(crate) use std::sync::atomic::AtomicU64 as Piece;
        /// What a test writes to see whether it is seen: the same everywhere but in a model.
        pub(crate) use std::sync::atomic::AtomicUsize as Witness;
        pub(crate) use std::sync::atomic::{
            AtomicBool, AtomicIsize, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }

    pub(crate) mod thread {
        #![allow(clippy::disallowed_methods, reason = "the facade is where threads may park")]
        pub(crate) use std::thread::{
            Builder, JoinHandle, Thread, ThreadId, current, spawn, yield_now,
        };
        use std::time::Duration;

        pub(crate) fn park() {
            std::thread::park();
        }

        pub(crate) fn park_timeout(duration: Duration) {
            std::thread::park_timeout(duration);
        }
    }

    /// Stays off a contended cache line for `rounds` turns.
    pub(crate) fn spin(rounds: u32) {
        for _ in 0..rounds {
            hint::spin_loop();
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(Inner<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Inner::new(value))
        }

        #[inline]
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            #[cfg(feature = "sync")]
            return self.0.lock();
            #[cfg(not(feature = "sync"))]
            return self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// A moment that a wait does not outlast.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Deadline(Instant);

    #[allow(clippy::disallowed_methods, reason = "the facade is where the clock may be read")]
    impl Deadline {
        pub(crate) const fn at(instant: Instant) -> Self {
            Self(instant)
        }

        pub(crate) const fn instant(&self) -> Instant {
            self.0
        }

        /// `None` when the moment is beyond what the clock can express: that is, never.
        pub(crate) fn after(duration: Duration) -> Option<Self> {
            Instant::now().checked_add(duration).map(Self)
        }

        pub(crate) fn has_passed(&self) -> bool {
            Instant::now() >= self.0
        }

        /// How long ago it was; nothing if it is still to come.
        pub(crate) fn elapsed(&self) -> Duration {
            Instant::now().saturating_duration_since(self.0)
        }

        pub(crate) fn is_before(&self, other: &Self) -> bool {
            self.0 < other.0
        }

        /// Parks the calling thread, at the latest until the deadline.
        pub(crate) fn park(&self) {
            let left = self.0.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::park_timeout(left);
            }
        }
    }

    /// Lends the calling thread's parker to `run`: made once per thread, so that waiting
    /// allocates nothing. It is taken out of its place while lent, so a wait inside a wait (a
    /// waker that waits) gets one of its own instead of the outer one's wake-ups.
    #[cfg(feature = "sync")]
    pub(crate) fn cached_parker<R>(run: impl FnOnce(&crate::parker::Parker) -> R) -> R {
        use crate::parker::Parker;
        use std::cell::Cell;
        thread_local!(static PARKER: Cell<Option<Parker>> = const { Cell::new(None) });
        // A thread whose locals are gone already may still wait, in a destructor.
        let cached = PARKER.try_with(Cell::take).ok().flatten();
        let parker = cached.unwrap_or_else(Parker::new);
        let result = run(&parker);
        let _ = PARKER.try_with(|place| place.set(Some(parker)));
        result
    }

    /// On how many cores the threads of this process can run at the same time.
    #[cfg(feature = "sync")]
    pub(crate) fn usable_cores() -> usize {
        crate::cores::usable()
    }

    /// When a spin that starts now has to end, or `None` when there is nothing to spin for.
    ///
    /// A park and unpark across cores takes 30–60 µs where a spin round trip takes 0.06 µs, so
    /// 10 µs are well spent, unless the one who is to wake us needs the very core we burn.
    #[cfg(feature = "sync")]
    pub(crate) fn spin_deadline(limit: Option<&Deadline>) -> Option<Deadline> {
        const SPIN: Duration = Duration::from_micros(10);
        if usable_cores() < 2 {
            return None;
        }
        let end = Deadline::after(SPIN)?;
        Some(match limit {
            Some(limit) if limit.is_before(&end) => *limit,
            _ => end,
        })
    }
}

#[cfg(all(test, lockgate_loom))]
mod model {
    pub(crate) use loom::hint;
    pub(crate) use loom::sync::Arc as TrackedArc;
    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::thread_local;
    use std::time::{Duration, Instant};

    /// LOOM: no time passes, but for deadlines that are fired.
    pub(crate) const IS_MODEL: bool = true;

    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize as Witness, Ordering, fence};
        // LOOM: its loads stay loads, see `explore`: each is confirmed by the word beside it, whose
        // loads are exchanges, and eight exchanges in a row are more than can be explored.
        pub(crate) use loom::sync::atomic::AtomicU64 as Piece;
        use std::ops::Deref;
        use std::sync::atomic::AtomicBool as RealFlag;

        pub(super) static LOADS_EXCHANGE: RealFlag = RealFlag::new(false);

        macro_rules! atomics {
            ($($name:ident $value:ty),*) => {$(
                #[derive(Debug)]
                pub(crate) struct $name(loom::sync::atomic::$name);

                impl $name {
                    pub(crate) fn new(value: $value) -> Self {
                        Self(loom::sync::atomic::$name::new(value))
                    }

                    /// LOOM: see [`explore`](super::explore).
                    pub(crate) fn load(&self, order: Ordering) -> $value {
                        // ORDERING: Relaxed: it changes between models only.
                        if !LOADS_EXCHANGE.load(Ordering::Relaxed) {
                            return self.0.load(order);
                        }
                        // Never there, so nothing is ever written.
                        let no = <$value>::MAX;
                        self.0.compare_exchange(no, no, order, order).unwrap_or_else(|is| is)
                    }
                }

                impl Deref for $name {
                    type Target = loom::sync::atomic::$name;

                    fn deref(&self) -> &Self::Target { &self.0 }
                }
            )*};
        }
        atomics!(AtomicIsize isize, AtomicU8 u8, AtomicU64 u64, AtomicUsize usize);
    }

    pub(crate) mod thread {
        pub(crate) use loom::thread::{
            JoinHandle, Thread, ThreadId, current, park, spawn, yield_now,
        };
    }

    pub(crate) mod future {
        pub(crate) use loom::future::block_on;
    }

    /// LOOM: standing aside is no step of any algorithm.
    pub(crate) fn spin(_: u32) {}

    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// LOOM: a deadline is a flag. A thread of the model plays the timer and fires it.
    #[derive(Clone, Debug)]
    pub(crate) struct Deadline(std::sync::Arc<Timer>);

    #[derive(Debug)]
    struct Timer {
        fired: atomic::AtomicBool,
        sleeper: Mutex<Option<thread::Thread>>,
    }

    impl Deadline {
        pub(crate) fn unfired() -> Self {
            Self(std::sync::Arc::new(Timer {
                fired: atomic::AtomicBool::new(false),
                sleeper: Mutex::new(None),
            }))
        }

        pub(crate) fn fire(&self) {
            // ORDERING: Release pairs with the Acquire in `has_passed`.
            self.0.fired.store(true, atomic::Ordering::Release);
            let sleeper = self.0.sleeper.lock().take();
            if let Some(sleeper) = sleeper {
                sleeper.unpark();
            }
        }

        /// LOOM: the public calls take instants; no model uses them.
        pub(crate) fn at(_: Instant) -> Self {
            unreachable!("a model makes its own deadlines")
        }

        pub(crate) fn elapsed(&self) -> Duration {
            unreachable!("no time passes in a model")
        }

        pub(crate) fn instant(&self) -> Instant {
            unreachable!("a model's deadline is no instant")
        }

        pub(crate) fn after(_: Duration) -> Option<Self> {
            unreachable!("a model makes its own deadlines")
        }

        pub(crate) fn has_passed(&self) -> bool {
            // ORDERING: Acquire pairs with the Release in `fire`.
            self.0.fired.load(atomic::Ordering::Acquire)
        }

        pub(crate) fn is_before(&self, _: &Self) -> bool {
            true
        }

        pub(crate) fn park(&self) {
            *self.0.sleeper.lock() = Some(thread::current());
            if !self.has_passed() {
                thread::park();
            }
            self.0.sleeper.lock().take();
        }
    }

    /// LOOM: nothing of one execution may outlive it, so no parker is kept for the next wait.
    #[cfg(feature = "sync")]
    pub(crate) fn cached_parker<R>(run: impl FnOnce(&crate::parker::Parker) -> R) -> R {
        run(&crate::parker::Parker::new())
    }

    /// LOOM: as if there were two.
    #[cfg(feature = "sync")]
    pub(crate) fn usable_cores() -> usize {
        2
    }

    /// LOOM: a spin adds schedules and no behaviour: parking explores the same wake-ups.
    #[cfg(feature = "sync")]
    pub(crate) fn spin_deadline(_: Option<&Deadline>) -> Option<Deadline> {
        None
    }

    /// How a model explores.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Explore {
        /// Every schedule.
        All,
        /// Every schedule with at most this many preemptions.
        Preemptions(usize),
    }

    /// Runs a model and prints the one line that `cargo xtask loom` reads. loom itself is silent
    /// about how much it explored, and passes when its time is up.
    ///
    /// Each model runs twice. To know which orders of operations are worth trying, loom remembers
    /// only the last access to an atomic: a load by A is forgotten when B loads, and that B's next
    /// write might come before A's load is never tried, silently. So in the second run a load is an
    /// exchange that fails, which loom does not overlook; in the first it is a load, which may find
    /// an old value. The loads of a `Witness`, which tells whether something is seen, stay loads, and
    /// so do those of a `Piece`.
    #[allow(clippy::print_stdout, reason = "the line that the runner of models reads")]
    #[allow(clippy::disallowed_methods, reason = "outside the model, where time is real")]
    pub(crate) fn explore(how: Explore, model: impl Fn() + Sync + Send + 'static) {
        const DEEP_FOR: Duration = Duration::from_secs(150);
        let deep = std::env::var_os("LOCKGATE_LOOM_DEEP").is_some();
        let bound = match how {
            Explore::Preemptions(bound) if !deep => Some(bound),
            _ => None,
        };
        let counted = std::sync::Arc::new((std::sync::Mutex::new(0_u64), model));
        let start = Instant::now();
        let mut truncated = false;
        for loads_exchange in [false, true] {
            // ORDERING: Relaxed: no model runs now.
            atomic::LOADS_EXCHANGE.store(loads_exchange, atomic::Ordering::Relaxed);
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound = bound;
            builder.max_duration = deep.then_some(DEEP_FOR);
            let counted = std::sync::Arc::clone(&counted);
            let start = Instant::now();
            builder.check(move || {
                *counted.0.lock().unwrap() += 1;
                (counted.1)();
            });
            truncated |= deep && start.elapsed() >= DEEP_FOR;
        }
        println!(
            "lockgate-model iterations={} bound={} truncated={truncated} ms={}",
            counted.0.lock().unwrap(),
            bound.map_or_else(|| "none".into(), |bound| bound.to_string()),
            start.elapsed().as_millis(),
        );
    }
}
