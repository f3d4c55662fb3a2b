//! Ours, with each kind of policy.

use crate::harness::{Role, Subject};
use crate::subject::{Ended, Guard};
use futures::task::noop_waker;
use lockgate_breaker::clock::{Cached, Clock, Monotonic};
use lockgate_breaker::{Backoff, Breaker, Error, Policy, Window};
use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn build<C: Clock>(policy: Policy, clock: C) -> Breaker<C> {
    let open_for = Backoff::fixed(HOUR);
    let builder = Breaker::builder("bench").policy(policy).open_for(open_for).clock(clock);
    builder.build().expect("good numbers")
}

fn ended<E>(result: Result<(), Error<E>>) -> Ended {
    match result {
        Ok(()) => Ended::Well,
        Err(Error::Inner(_)) => Ended::Failed,
        Err(Error::Rejected(_)) => Ended::Rejected,
    }
}

/// Refreshed every millisecond.
fn cached() -> Cached {
    static CLOCK: OnceLock<Cached> = OnceLock::new();
    CLOCK.get_or_init(|| Cached::with_thread(Duration::from_millis(1)).expect("a thread")).clone()
}

fn last() -> Window {
    Window::time(Duration::from_secs(10), 10)
}

macro_rules! ours {
    ($($name:ident, $text:literal, $clock:ty, $make:expr, $policy:expr;)+) => {$(
        pub struct $name(Breaker<$clock>);

        impl Subject for $name {
            const NAME: &'static str = $text;
            const ROLE: Role = Role::Ours;
        }

        impl Guard for $name {
            fn closed() -> Self {
                Self(build($policy, $make))
            }

            fn open() -> Self {
                let breaker = build($policy, $make);
                breaker.force_open_for(HOUR);
                Self(breaker)
            }

            #[inline]
            fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
                ended(self.0.call(work))
            }
        }
    )+};
}

ours! {
    Consecutive, "ours", Monotonic, Monotonic::new(), Policy::consecutive_failures(1_000);
    Count, "ours/count", Monotonic, Monotonic::new(), Policy::failure_rate(0.9);
    Time, "ours/time", Monotonic, Monotonic::new(), Policy::failure_rate(0.9).window(last());
    TimeCached, "ours/time-cached", Cached, cached(), Policy::failure_rate(0.9).window(last());
}

/// As somebody sees it who makes the call himself.
pub struct ByPermit(Breaker);

impl Subject for ByPermit {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Guard for ByPermit {
    fn closed() -> Self {
        Self(build(Policy::consecutive_failures(1_000), Monotonic::new()))
    }

    fn open() -> Self {
        let this = Self::closed();
        this.0.force_open_for(HOUR);
        this
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        let Ok(permit) = self.0.try_acquire() else { return Ended::Rejected };
        let result = work();
        permit.record(&result);
        if result.is_ok() { Ended::Well } else { Ended::Failed }
    }
}

/// As a task sees it: a future that is ready when it is first polled.
pub struct Run(Breaker);

impl Subject for Run {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

pub fn poll_once<T>(future: impl Future<Output = T>) -> T {
    let waker = noop_waker();
    match pin!(future).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

impl Guard for Run {
    fn closed() -> Self {
        Self(build(Policy::consecutive_failures(1_000), Monotonic::new()))
    }

    fn open() -> Self {
        let this = Self::closed();
        this.0.force_open_for(HOUR);
        this
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        ended(poll_once(self.0.run(async { work() })))
    }
}
