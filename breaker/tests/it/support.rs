//! Breakers by a manual clock.

use lockgate_breaker::clock::{Clock, Manual};
use lockgate_breaker::{Backoff, Breaker, Builder, Error, Policy, State, Transition};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long the circuits of these tests stay open.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn builder(clock: &Manual, policy: Policy) -> Builder<Manual> {
    let open_for = Backoff::fixed(WAIT).jitter(0.0);
    Breaker::builder("test").policy(policy).open_for(open_for).clock(clock.clone())
}

/// Opens at the first failure.
pub(crate) fn touchy(clock: &Manual) -> Builder<Manual> {
    builder(clock, Policy::consecutive_failures(1))
}

pub(crate) fn succeed<C: Clock>(breaker: &Breaker<C>) {
    assert_eq!(breaker.call(|| Ok::<_, ()>(1)), Ok(1));
}

pub(crate) fn fail<C: Clock>(breaker: &Breaker<C>) {
    assert_eq!(breaker.call(|| Err::<(), _>(7)), Err(Error::Inner(7)));
}

pub(crate) fn is_rejected<C: Clock>(breaker: &Breaker<C>) -> bool {
    match breaker.call(|| Ok::<_, ()>(())) {
        Ok(()) => false,
        Err(error) => error.is_rejected(),
    }
}

/// Open, with its open time over.
pub(crate) fn due(builder: Builder<Manual>, clock: &Manual) -> Breaker<Manual> {
    let breaker = builder.build().unwrap();
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    breaker
}

/// Everything that a listener is told.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Transition>>>);

impl Log {
    pub(crate) fn of<C: Clock>(breaker: &Breaker<C>) -> Self {
        let log = Self::default();
        let to = log.clone();
        breaker.on_transition(move |it| to.0.lock().unwrap().push(it.clone())).forever();
        log
    }

    pub(crate) fn all(&self) -> Vec<Transition> {
        self.0.lock().unwrap().clone()
    }

    /// The states, after a look that each begins where the one before ended.
    pub(crate) fn path(&self) -> Vec<State> {
        let log = self.0.lock().unwrap();
        for pair in log.windows(2) {
            assert!(pair[0].number < pair[1].number);
            assert_eq!(pair[0].to, pair[1].from);
        }
        log.iter().map(|it| it.to).collect()
    }
}
