//! The guard: permits that are held, given back on drop.

use crate::error::WeightError;
use crate::primitives::Arc;
use crate::semaphore::Semaphore;
use std::fmt;
use std::mem;
use std::ops::Deref;

/// Permits of a semaphore, given back when it is dropped.
///
/// `S` is how it reaches its semaphore: `&Semaphore` for a permit that borrows, and
/// `Arc<Semaphore>` for one that owns, which [`OwnedPermit`] names.
///
/// Giving back is one atomic addition while nobody waits. It never blocks, it may be done from
/// any thread, and what the holder did happens before what the next holder does.
///
/// # Panics
///
/// Dropping a permit calls the wakers of those whom it serves. Should one of them panic, the
/// others are called all the same and then the panic goes on, unless the thread is unwinding
/// already. The permits are back in any case.
///
/// # Examples
///
/// ```
/// # use lockgate_semaphore::Semaphore;
/// let sem = Semaphore::new(10);
/// let mut permit = sem.try_acquire(6)?;
/// let part = permit.split(2).expect("it holds 6");
/// assert_eq!((permit.weight(), part.weight(), sem.available()), (4, 2, 4));
/// permit.merge(part);
/// permit.release_some(5).expect("it holds 6");
/// assert_eq!((permit.weight(), sem.available()), (1, 9));
/// # Ok::<(), lockgate_semaphore::TryAcquireError>(())
/// ```
#[must_use = "a permit is given back as soon as it is dropped"]
#[clippy::has_significant_drop]
pub struct Permit<S: Deref<Target = Semaphore>> {
    /// INVARIANT: `Drop` gives the permits back before this field, which may be the last owner
    /// of the semaphore, is dropped (compare glibc bug 12674).
    sem: S,
    weight: usize,
}

/// A permit that owns its semaphore, and so may go to another thread or task.
pub type OwnedPermit = Permit<Arc<Semaphore>>;

impl<S: Deref<Target = Semaphore>> Permit<S> {
    /// `weight` permits that are taken already.
    #[inline]
    pub(crate) const fn new(sem: S, weight: usize) -> Self {
        Self { sem, weight }
    }

    /// The number of permits that it holds.
    #[inline]
    pub const fn weight(&self) -> usize {
        self.weight
    }

    /// The semaphore that they belong to.
    #[inline]
    pub const fn semaphore(&self) -> &S {
        &self.sem
    }

    /// Adds the permits of `other` to this one.
    ///
    /// # Panics
    ///
    /// If the two belong to different semaphores. Both are given back as usual when the panic
    /// drops them.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            std::ptr::eq::<Semaphore>(&*self.sem, &*other.sem),
            "only permits of the same semaphore can be merged"
        );
        self.weight += mem::take(&mut other.weight);
    }

    /// Splits `n` permits off into a permit of their own.
    ///
    /// # Errors
    ///
    /// If it holds fewer than `n`; it keeps what it holds.
    pub fn split(&mut self, n: usize) -> Result<Self, WeightError>
    where
        S: Clone,
    {
        let rest = self.without(n)?;
        let sem = self.sem.clone();
        self.weight = rest;
        Ok(Self { sem, weight: n })
    }

    /// Gives `n` permits back and keeps the others.
    ///
    /// # Errors
    ///
    /// If it holds fewer than `n`; it keeps what it holds.
    pub fn release_some(&mut self, n: usize) -> Result<(), WeightError> {
        self.weight = self.without(n)?;
        self.sem.release(n);
        Ok(())
    }

    /// Drops the permit without giving back: the semaphore's limit is lower by its weight from
    /// now on.
    ///
    /// Queued requests that are larger than the new limit fail with
    /// [`ExceedsLimit`](crate::AcquireError::ExceedsLimit).
    /// [`set_limit`](Semaphore::set_limit) raises the limit again. Forgetting stops at a limit of 0,
    /// under which every request for a permit fails so.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_semaphore::Semaphore;
    /// let sem = Semaphore::new(3);
    /// sem.try_acquire(1)?.forget();
    /// assert_eq!((sem.limit(), sem.available()), (2, 2));
    /// # Ok::<(), lockgate_semaphore::TryAcquireError>(())
    /// ```
    pub fn forget(mut self) {
        let weight = mem::take(&mut self.weight);
        self.sem.forget(weight);
    }

    /// Takes the guard off the permits.
    pub(crate) fn into_weight(mut self) -> usize {
        mem::take(&mut self.weight)
    }

    fn without(&self, n: usize) -> Result<usize, WeightError> {
        let weight = self.weight;
        weight.checked_sub(n).ok_or(WeightError { requested: n, weight })
    }
}

impl<S: Deref<Target = Semaphore>> Drop for Permit<S> {
    #[inline]
    fn drop(&mut self) {
        // A permit that was merged, forgotten or empty has nothing to tell the semaphore.
        if self.weight != 0 {
            self.sem.release(self.weight);
        }
    }
}

impl<S: Deref<Target = Semaphore>> fmt::Debug for Permit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("weight", &self.weight).finish_non_exhaustive()
    }
}
