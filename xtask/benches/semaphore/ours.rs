use crate::harness::{Role, Subject};
use crate::subject::{Await, Gate, Resize, Wait};
use lockgate_semaphore::{AcquireError, Permit, Semaphore};
use std::future::Future;

pub struct Ours(Semaphore);

impl Subject for Ours {
    const NAME: &'static str = "lockgate";
    const ROLE: Role = Role::Ours;
    const FIFO: bool = true;
}

impl Gate for Ours {
    type Permit<'a> = Permit<&'a Semaphore>;

    fn new(permits: usize) -> Self {
        Self(Semaphore::new(permits))
    }

    #[inline]
    fn try_acquire(&self, n: usize) -> Option<Self::Permit<'_>> {
        self.0.try_acquire(n).ok()
    }

    fn queued(&self) -> Option<usize> {
        Some(self.0.waiters())
    }
}

impl Wait for Ours {
    #[inline]
    fn wait(&self, n: usize) -> Self::Permit<'_> {
        self.0.acquire(n).wait().expect("never closed")
    }
}

impl Await for Ours {
    type Granted<'a> = Result<Self::Permit<'a>, AcquireError>;

    #[inline]
    fn acquire(&self, n: usize) -> impl Future<Output = Self::Granted<'_>> + Send {
        self.0.acquire(n)
    }

    #[inline]
    fn permit<'a>(granted: Self::Granted<'a>) -> Self::Permit<'a> {
        granted.expect("never closed")
    }
}

impl Resize for Ours {
    fn resize(&self, _from: usize, to: usize) {
        self.0.set_limit(to).expect("within bounds");
    }
}
