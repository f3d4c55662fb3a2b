use crate::harness::{Role, Subject};
use crate::subject::{Await, Gate, Resize, Wait};
use lockgate_semaphore::{Permit, Semaphore};
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
    #[inline]
    fn acquire(&self, n: usize) -> impl Future<Output = Self::Permit<'_>> + Send {
        let wait = self.0.acquire(n);
        async move { wait.await.expect("never closed") }
    }
}

impl Resize for Ours {
    fn resize(&self, _from: usize, to: usize) {
        self.0.set_limit(to).expect("within bounds");
    }
}
