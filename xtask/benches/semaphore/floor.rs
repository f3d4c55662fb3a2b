//! The bare atomics that no semaphore can do without: one compare-and-swap loop to take, one
//! `fetch_add` to give back. It has no queue, cannot wait but by spinning, and is not a rival.

use crate::harness::{Role, Subject};
use crate::subject::{Await, Gate, Wait};
use std::future::{Future, ready};
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Floor(AtomicUsize);

pub struct Permit<'a> {
    free: &'a AtomicUsize,
    n: usize,
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.free.fetch_add(self.n, Ordering::Release);
    }
}

impl Subject for Floor {
    const NAME: &'static str = "floor";
    const ROLE: Role = Role::Floor;
}

impl Gate for Floor {
    type Permit<'a> = Permit<'a>;

    fn new(permits: usize) -> Self {
        Self(AtomicUsize::new(permits))
    }

    #[inline]
    fn try_acquire(&self, n: usize) -> Option<Permit<'_>> {
        let mut free = self.0.load(Ordering::Relaxed);
        loop {
            let rest = free.checked_sub(n)?;
            match self.0.compare_exchange_weak(free, rest, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(Permit { free: &self.0, n }),
                Err(now) => free = now,
            }
        }
    }
}

impl Wait for Floor {
    #[inline]
    fn wait(&self, n: usize) -> Permit<'_> {
        loop {
            if let Some(permit) = self.try_acquire(n) {
                return permit;
            }
            hint::spin_loop();
        }
    }
}

impl Await for Floor {
    type Granted<'a> = Permit<'a>;

    #[inline]
    fn acquire(&self, n: usize) -> impl Future<Output = Permit<'_>> + Send {
        ready(self.wait(n))
    }

    #[inline]
    fn permit<'a>(granted: Self::Granted<'a>) -> Self::Permit<'a> {
        granted
    }
}
