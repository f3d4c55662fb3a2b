//! The rivals of the token, each by the calls that its own documentation recommends.

use crate::harness::Subject;
use crate::subject::{Flag, Park, Token, Tree, Wait};
use event_listener::Event;
use futures::executor::block_on;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub struct TokioUtil(CancellationToken);

impl Subject for TokioUtil {
    const NAME: &'static str = "tokio_util";
}

impl Flag for TokioUtil {
    fn new() -> Self {
        Self(CancellationToken::new())
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    #[inline]
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl Token for TokioUtil {}

impl Tree for TokioUtil {
    #[inline]
    fn child(&self) -> Self {
        Self(self.0.child_token())
    }
}

impl Wait for TokioUtil {
    fn new() -> Self {
        Flag::new()
    }

    #[inline]
    fn wait(&self) -> impl Future {
        self.0.cancelled()
    }
}

/// Has no blocking wait: a thread polls the future.
impl Park for TokioUtil {
    fn new() -> Self {
        Flag::new()
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    fn park(&self) {
        block_on(self.0.cancelled());
    }
}

/// What a user writes by hand: a flag that is shared, and for which nobody can wait.
#[derive(Clone)]
pub struct Shared(Arc<AtomicBool>);

impl Subject for Shared {
    const NAME: &'static str = "Arc<AtomicBool>";
}

impl Flag for Shared {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    #[inline]
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Token for Shared {}

/// What one builds such a token of: a place in a list, without the token.
pub struct EventListener(Event);

impl Subject for EventListener {
    const NAME: &'static str = "event-listener";
}

impl Wait for EventListener {
    fn new() -> Self {
        Self(Event::new())
    }

    #[inline]
    fn wait(&self) -> impl Future {
        self.0.listen()
    }
}

/// A flag behind a mutex, and a condition variable.
#[derive(Default)]
pub struct StdCondvar {
    cancelled: std::sync::Mutex<bool>,
    changed: std::sync::Condvar,
}

impl Subject for StdCondvar {
    const NAME: &'static str = "std/condvar";
}

impl Park for StdCondvar {
    fn new() -> Self {
        Self::default()
    }

    fn cancel(&self) {
        *self.cancelled.lock().expect("no panic inside") = true;
        self.changed.notify_all();
    }

    fn park(&self) {
        let cancelled = self.cancelled.lock().expect("no panic inside");
        drop(self.changed.wait_while(cancelled, |cancelled| !*cancelled));
    }
}

/// The same, of parking_lot.
#[derive(Default)]
pub struct ParkingLot {
    cancelled: parking_lot::Mutex<bool>,
    changed: parking_lot::Condvar,
}

impl Subject for ParkingLot {
    const NAME: &'static str = "parking_lot/condvar";
}

impl Park for ParkingLot {
    fn new() -> Self {
        Self::default()
    }

    fn cancel(&self) {
        *self.cancelled.lock() = true;
        self.changed.notify_all();
    }

    fn park(&self) {
        let mut cancelled = self.cancelled.lock();
        self.changed.wait_while(&mut cancelled, |cancelled| !*cancelled);
    }
}
