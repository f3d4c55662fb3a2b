//! The rivals, each by the calls that its own documentation recommends.

use crate::harness::Subject;
use crate::subject::{Await, BlockOn, Gate, Named, Resize, Wait};
use std::future::Future;

pub type TokioBlockOn = BlockOn<Tokio>;
pub type AsyncbandBlockOn = BlockOn<Asyncband>;

pub struct Tokio(tokio::sync::Semaphore);

impl Subject for Tokio {
    const NAME: &'static str = "tokio";
    const FIFO: bool = true;
}

impl Named for Tokio {
    const BLOCK_ON: &'static str = "tokio/block_on";
}

/// tokio counts in `u32` here.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("benchmarks ask for few permits")
}

impl Gate for Tokio {
    type Permit<'a> = tokio::sync::SemaphorePermit<'a>;

    fn new(permits: usize) -> Self {
        Self(tokio::sync::Semaphore::new(permits))
    }

    #[inline]
    fn try_acquire(&self, n: usize) -> Option<Self::Permit<'_>> {
        if n == 1 { self.0.try_acquire() } else { self.0.try_acquire_many(narrow(n)) }.ok()
    }
}

impl Wait for Tokio {
    #[inline]
    fn wait(&self, n: usize) -> Self::Permit<'_> {
        let permit = if n == 1 {
            self.0.blocking_acquire()
        } else {
            self.0.blocking_acquire_many(narrow(n))
        };
        permit.expect("never closed")
    }
}

impl Await for Tokio {
    type Granted<'a> = Result<Self::Permit<'a>, tokio::sync::AcquireError>;

    #[inline]
    fn acquire(&self, n: usize) -> impl Future<Output = Self::Granted<'_>> + Send {
        self.0.acquire_many(narrow(n))
    }

    #[inline]
    fn permit<'a>(granted: Self::Granted<'a>) -> Self::Permit<'a> {
        granted.expect("never closed")
    }
}

impl Resize for Tokio {
    fn resize(&self, from: usize, to: usize) {
        if from < to {
            self.0.add_permits(to - from);
        } else {
            // It forgets none that is held: the workload must leave as many free.
            assert_eq!(self.0.forget_permits(from - to), from - to);
        }
    }
}

pub struct Asyncband(asyncband::semaphore::Semaphore);

impl Subject for Asyncband {
    const NAME: &'static str = "asyncband";
    const FIFO: bool = true;
}

impl Named for Asyncband {
    const BLOCK_ON: &'static str = "asyncband/block_on";
}

impl Gate for Asyncband {
    type Permit<'a> = asyncband::semaphore::SemaphorePermit<'a>;

    fn new(permits: usize) -> Self {
        Self(asyncband::semaphore::Semaphore::new(permits))
    }

    #[inline]
    fn try_acquire(&self, n: usize) -> Option<Self::Permit<'_>> {
        self.0.try_acquire(n)
    }
}

impl Await for Asyncband {
    type Granted<'a> = Self::Permit<'a>;

    #[inline]
    fn acquire(&self, n: usize) -> impl Future<Output = Self::Granted<'_>> + Send {
        self.0.acquire(n)
    }

    #[inline]
    fn permit<'a>(granted: Self::Granted<'a>) -> Self::Permit<'a> {
        granted
    }
}

impl Resize for Asyncband {
    fn resize(&self, from: usize, to: usize) {
        if from < to { self.0.release(to - from) } else { self.0.reduce_permits(from - to) }
    }
}

/// Has no weights, and lets newcomers pass those who wait.
pub struct AsyncLock(async_lock::Semaphore);

impl Subject for AsyncLock {
    const NAME: &'static str = "async-lock";
}

impl Gate for AsyncLock {
    type Permit<'a> = async_lock::SemaphoreGuard<'a>;

    fn new(permits: usize) -> Self {
        Self(async_lock::Semaphore::new(permits))
    }

    #[inline]
    fn try_acquire(&self, n: usize) -> Option<Self::Permit<'_>> {
        assert_eq!(n, 1, "async-lock has no weights");
        self.0.try_acquire()
    }
}

impl Wait for AsyncLock {
    #[inline]
    fn wait(&self, n: usize) -> Self::Permit<'_> {
        assert_eq!(n, 1, "async-lock has no weights");
        self.0.acquire_blocking()
    }
}

impl Await for AsyncLock {
    type Granted<'a> = Self::Permit<'a>;

    #[inline]
    fn acquire(&self, n: usize) -> impl Future<Output = Self::Granted<'_>> + Send {
        assert_eq!(n, 1, "async-lock has no weights");
        self.0.acquire()
    }

    #[inline]
    fn permit<'a>(granted: Self::Granted<'a>) -> Self::Permit<'a> {
        granted
    }
}

/// What a user writes by hand: a count, a mutex and a condition variable, here of parking_lot.
/// One signal per permit is right only while all requests weigh the same, as here: the hand-made
/// semaphore at its best.
pub struct ParkingLot {
    free: parking_lot::Mutex<usize>,
    freed: parking_lot::Condvar,
}

pub struct ParkingLotPermit<'a> {
    of: &'a ParkingLot,
    n: usize,
}

impl Drop for ParkingLotPermit<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.of.free.lock() += self.n;
        self.of.freed.notify_one();
    }
}

impl Subject for ParkingLot {
    const NAME: &'static str = "parking_lot/condvar";
}

impl Gate for ParkingLot {
    type Permit<'a> = ParkingLotPermit<'a>;

    fn new(permits: usize) -> Self {
        Self { free: parking_lot::Mutex::new(permits), freed: parking_lot::Condvar::new() }
    }

    #[inline]
    fn try_acquire(&self, n: usize) -> Option<Self::Permit<'_>> {
        let mut free = self.free.lock();
        *free = free.checked_sub(n)?;
        Some(ParkingLotPermit { of: self, n })
    }
}

impl Wait for ParkingLot {
    #[inline]
    fn wait(&self, n: usize) -> Self::Permit<'_> {
        let mut free = self.free.lock();
        while *free < n {
            self.freed.wait(&mut free);
        }
        *free -= n;
        ParkingLotPermit { of: self, n }
    }
}

/// The same by hand, of std.
pub struct Std {
    free: std::sync::Mutex<usize>,
    freed: std::sync::Condvar,
}

pub struct StdPermit<'a> {
    of: &'a Std,
    n: usize,
}

impl Drop for StdPermit<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.of.free.lock().expect("no panic inside") += self.n;
        self.of.freed.notify_one();
    }
}

impl Subject for Std {
    const NAME: &'static str = "std/condvar";
}

impl Gate for Std {
    type Permit<'a> = StdPermit<'a>;

    fn new(permits: usize) -> Self {
        Self { free: std::sync::Mutex::new(permits), freed: std::sync::Condvar::new() }
    }

    #[inline]
    fn try_acquire(&self, n: usize) -> Option<Self::Permit<'_>> {
        let mut free = self.free.lock().expect("no panic inside");
        *free = free.checked_sub(n)?;
        Some(StdPermit { of: self, n })
    }
}

impl Wait for Std {
    #[inline]
    fn wait(&self, n: usize) -> Self::Permit<'_> {
        let free = self.free.lock().expect("no panic inside");
        let mut free = self.freed.wait_while(free, |free| *free < n).expect("no panic inside");
        *free -= n;
        StdPermit { of: self, n }
    }
}
