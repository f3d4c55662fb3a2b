//! The semaphore: what users call. How the word and the line work together is in `protocol.rs`.

use crate::acquire::Acquire;
use crate::builder::Builder;
use crate::error::{AcquireError, LimitError, TryAcquireError};
use crate::idle::Idle;
use crate::permit::Permit;
use crate::primitives::atomic::{AtomicIsize, AtomicUsize, Ordering};
use crate::primitives::{Arc, Mutex, const_fn};
use crate::state::{CLOSED, Line, MAX_PERMITS, Need, Word};
use crate::waiters::WakeBatch;
use std::fmt;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A weighted, FIFO-fair semaphore on which threads and async tasks wait in one queue.
///
/// See the [crate page](crate) for what it promises about fairness, closing, panics and
/// cancellation, and for when to use something else.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_semaphore::Semaphore;
///
/// static CONNECTIONS: Semaphore = Semaphore::new(8);
///
/// let permit = CONNECTIONS.acquire(1).wait()?;
/// assert_eq!(CONNECTIONS.available(), 7);
/// drop(permit);
/// assert_eq!(CONNECTIONS.available(), 8);
/// # }
/// # Ok::<(), lockgate_semaphore::AcquireError>(())
/// ```
pub struct Semaphore {
    /// See [`Word`].
    pub(crate) word: AtomicIsize,
    /// Written with the line locked; a read outside the lock is a snapshot.
    pub(crate) limit: AtomicUsize,
    pub(crate) max_waiters: usize,
    pub(crate) line: Apart<Mutex<Line>>,
}

/// On cache lines of its own.
///
/// Where everybody waits, permits go from hand to hand and the word stays as it is: a look at it
/// costs nothing, unless it lies beside the lock, which everybody writes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

// No user code runs under the lock and no operation leaves the word and the line apart, so what
// a panic of the user's interrupts is never the semaphore.
impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}

impl Semaphore {
    /// The largest number of permits that a semaphore can have: `usize::MAX >> 3`.
    pub const MAX_PERMITS: usize = MAX_PERMITS;

    const_fn! {
        /// A semaphore with `permits` permits, all free, on which any number of requests may wait.
        ///
        /// # Panics
        ///
        /// If `permits` is 0 or above [`MAX_PERMITS`](Self::MAX_PERMITS); in a `static` that is a
        /// compile-time error. Zero is refused because every request for a permit would exceed
        /// such a limit, so that it could only ever fail; where the number is not known to be
        /// good, use [`builder`](Self::builder).
        ///
        /// # Examples
        ///
        /// ```
        /// # use lockgate_semaphore::Semaphore;
        /// static DISK: Semaphore = Semaphore::new(4);
        /// assert_eq!(DISK.limit(), 4);
        /// ```
        #[must_use]
        #[track_caller]
        pub const fn new(permits: usize) -> Self {
            assert!(
                0 < permits && permits <= MAX_PERMITS,
                "a semaphore has between 1 and Semaphore::MAX_PERMITS permits"
            );
            Self::with_checked(permits, usize::MAX)
        }
    }

    /// Starts a semaphore with `permits` permits and options.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_semaphore::Semaphore;
    /// let sem = Semaphore::builder(10).max_waiters(100).build()?;
    /// # Ok::<(), lockgate_semaphore::LimitError>(())
    /// ```
    pub const fn builder(permits: usize) -> Builder {
        Builder::new(permits)
    }

    const_fn! {
        pub(crate) const fn with_checked(permits: usize, max_waiters: usize) -> Self {
            Self {
                word: AtomicIsize::new(Word::open(permits).0),
                limit: AtomicUsize::new(permits),
                max_waiters,
                line: Apart(Mutex::new(Line::new())),
            }
        }
    }

    /// Takes `n` permits if they are free and nobody waits. Never waits itself.
    ///
    /// It fails while anyone stands in line, even if `n` permits are free: those are kept for
    /// the request in front, which may need more. `n == 0` always succeeds unless closed.
    ///
    /// # Errors
    ///
    /// [`Closed`](TryAcquireError::Closed), [`ExceedsLimit`](TryAcquireError::ExceedsLimit) if
    /// `n` is above the limit, else [`NoPermits`](TryAcquireError::NoPermits); in this order.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_semaphore::{Semaphore, TryAcquireError};
    /// let sem = Semaphore::new(3);
    /// let two = sem.try_acquire(2)?;
    /// assert_eq!(sem.try_acquire(2).unwrap_err(), TryAcquireError::NoPermits);
    /// # drop(two); Ok::<(), TryAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self, n: usize) -> Result<Permit<&Self>, TryAcquireError> {
        self.try_take(Need::exactly(n)).map(|weight| Permit::new(self, weight))
    }

    /// [`try_acquire`](Self::try_acquire) with a permit that owns its semaphore.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    #[inline]
    pub fn try_acquire_owned(
        self: &Arc<Self>,
        n: usize,
    ) -> Result<Permit<Arc<Self>>, TryAcquireError> {
        self.try_take(Need::exactly(n)).map(|weight| Permit::new(Arc::clone(self), weight))
    }

    /// Takes what is free, at least `min` and at most `max` permits. Never waits.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire) with `min`.
    ///
    /// # Panics
    ///
    /// If `min > max`.
    #[inline]
    #[track_caller]
    pub fn try_acquire_up_to(
        &self,
        min: usize,
        max: usize,
    ) -> Result<Permit<&Self>, TryAcquireError> {
        self.try_take(range(min, max)).map(|weight| Permit::new(self, weight))
    }

    /// [`try_acquire_up_to`](Self::try_acquire_up_to) with a permit that owns its semaphore.
    ///
    /// # Errors
    ///
    /// As [`try_acquire_up_to`](Self::try_acquire_up_to).
    ///
    /// # Panics
    ///
    /// If `min > max`.
    #[inline]
    #[track_caller]
    pub fn try_acquire_up_to_owned(
        self: &Arc<Self>,
        min: usize,
        max: usize,
    ) -> Result<Permit<Arc<Self>>, TryAcquireError> {
        self.try_take(range(min, max)).map(|weight| Permit::new(Arc::clone(self), weight))
    }

    /// Takes the whole limit if no permit is held and nobody waits. Never waits.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire) with the limit.
    pub fn try_acquire_all(&self) -> Result<Permit<&Self>, TryAcquireError> {
        self.try_take(Need::All).map(|weight| Permit::new(self, weight))
    }

    /// [`try_acquire_all`](Self::try_acquire_all) with a permit that owns its semaphore.
    ///
    /// # Errors
    ///
    /// As [`try_acquire_all`](Self::try_acquire_all).
    pub fn try_acquire_all_owned(self: &Arc<Self>) -> Result<Permit<Arc<Self>>, TryAcquireError> {
        self.try_take(Need::All).map(|weight| Permit::new(Arc::clone(self), weight))
    }

    /// A wait for `n` permits, all at once and in the order of arrival.
    ///
    /// Nothing happens before it is waited for or polled. A thread calls `.wait()`, a task
    /// `.await`s; [`Acquire`] tells of a trap.
    ///
    /// # Errors
    ///
    /// The wait fails at once with [`ExceedsLimit`](AcquireError::ExceedsLimit) if `n` is above
    /// the limit, and with [`QueueFull`](AcquireError::QueueFull) if it had to queue and may
    /// not; at once or later with [`Closed`](AcquireError::Closed). `n == 0` succeeds at once,
    /// unless the semaphore is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait gives up its place, or gives its permits back if they were granted
    /// already. Nothing is lost and nobody behind it is held up.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(all(feature = "sync", feature = "async"))] {
    /// # use lockgate_semaphore::{AcquireError, Semaphore};
    /// let sem = Semaphore::new(3);
    /// let light = sem.acquire(1).wait()?; // a thread
    /// # futures::executor::block_on(async {
    /// let heavy = sem.acquire(2).await?; // a task
    /// # drop((light, heavy)); Ok::<(), AcquireError>(())
    /// # })?;
    /// # }
    /// # Ok::<(), lockgate_semaphore::AcquireError>(())
    /// ```
    #[inline]
    pub const fn acquire(&self, n: usize) -> Acquire<&Self> {
        Acquire::new(self, Need::exactly(n))
    }

    /// [`acquire`](Self::acquire) with a wait and a permit that own their semaphore, to be
    /// moved into a thread or a task.
    #[inline]
    pub fn acquire_owned(self: &Arc<Self>, n: usize) -> Acquire<Arc<Self>> {
        Acquire::new(Arc::clone(self), Need::exactly(n))
    }

    /// A wait for `min` permits that takes what is free at the grant, up to `max`.
    ///
    /// The primitive of batches: one wait, one grant, and [`Permit::weight`] tells for how many
    /// items. It stands in line like any request of weight `min`; with a `min` of 0 it never
    /// waits, and gets nothing while others do.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire) with `min`.
    ///
    /// # Panics
    ///
    /// If `min > max`.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// # use lockgate_semaphore::Semaphore;
    /// let sem = Semaphore::new(10);
    /// let batch = sem.acquire_up_to(1, 64).wait()?;
    /// assert_eq!(batch.weight(), 10);
    /// # }
    /// # Ok::<(), lockgate_semaphore::AcquireError>(())
    /// ```
    #[inline]
    #[track_caller]
    pub const fn acquire_up_to(&self, min: usize, max: usize) -> Acquire<&Self> {
        Acquire::new(self, range(min, max))
    }

    /// [`acquire_up_to`](Self::acquire_up_to), owning its semaphore.
    ///
    /// # Panics
    ///
    /// If `min > max`.
    #[inline]
    #[track_caller]
    pub fn acquire_up_to_owned(self: &Arc<Self>, min: usize, max: usize) -> Acquire<Arc<Self>> {
        Acquire::new(Arc::clone(self), range(min, max))
    }

    /// A wait for every permit: the whole limit as it is at the moment of the grant.
    ///
    /// The permit is exclusive: nobody else holds one, unless the limit grows afterwards. Where
    /// Go's users write `Acquire(ctx, size)` to wait for all workers, this needs no second copy
    /// of the size and stays right when the limit changes. To wait without holding anybody up,
    /// use [`wait_idle`](Self::wait_idle).
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire); [`ExceedsLimit`](AcquireError::ExceedsLimit) only if the
    /// whole limit was [forgotten](Permit::forget).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub const fn acquire_all(&self) -> Acquire<&Self> {
        Acquire::new(self, Need::All)
    }

    /// [`acquire_all`](Self::acquire_all), owning its semaphore.
    #[inline]
    pub fn acquire_all_owned(self: &Arc<Self>) -> Acquire<Arc<Self>> {
        Acquire::new(Arc::clone(self), Need::All)
    }

    /// A wait until no permit is held and no request is queued.
    ///
    /// It takes no permit and stands in nobody's way, so new requests may keep it waiting; after
    /// [`close`](Self::close) there are none, and the two together are a graceful shutdown. It
    /// ends if the semaphore was idle at any moment after the wait began. While such a wait is
    /// pending, acquiring and releasing go through a lock.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait ends it; there is nothing to lose.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// # use lockgate_semaphore::Semaphore;
    /// let sem = Semaphore::new(2);
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| sem.acquire(1).wait().map(|_permit| { /* work */ }));
    ///     }
    /// });
    /// sem.close();
    /// sem.wait_idle().wait();
    /// # }
    /// ```
    #[inline]
    pub const fn wait_idle(&self) -> Idle<&Self> {
        Idle::new(self)
    }

    /// [`wait_idle`](Self::wait_idle), owning its semaphore.
    #[inline]
    pub fn wait_idle_owned(self: &Arc<Self>) -> Idle<Arc<Self>> {
        Idle::new(Arc::clone(self))
    }

    /// Changes the limit, up or down, at once and without waiting.
    ///
    /// Growing grants what now fits. Shrinking takes free permits first; what is held stays
    /// held, and the rest is a debt that releases pay off: [`available`](Self::available) is 0
    /// until then. Queued requests that are larger than the new limit fail with
    /// [`ExceedsLimit`](AcquireError::ExceedsLimit). A closed semaphore stays closed.
    ///
    /// # Errors
    ///
    /// If `limit` is 0 or above [`MAX_PERMITS`](Self::MAX_PERMITS), before anything changed.
    ///
    /// # Panics
    ///
    /// If a waker that it calls panics, after all of them were called.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_semaphore::Semaphore;
    /// let sem = Semaphore::new(4);
    /// let held = sem.try_acquire(4).unwrap();
    /// sem.set_limit(1)?;
    /// drop(held);
    /// assert_eq!((sem.available(), sem.limit()), (1, 1));
    /// # Ok::<(), lockgate_semaphore::LimitError>(())
    /// ```
    pub fn set_limit(&self, limit: usize) -> Result<(), LimitError> {
        if limit == 0 || limit > MAX_PERMITS {
            return Err(LimitError { limit });
        }
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        let old = self.limit();
        self.store_limit(limit, &mut line, &mut batch);
        // ORDERING: Relaxed: a change of the limit publishes nothing, and as a read-modify-write
        // it carries on the release sequences of the permits that came back before it.
        let change = Word::permits_delta(limit) - Word::permits_delta(old);
        self.word.fetch_add(change, Ordering::Relaxed);
        if !line.is_empty() || !batch.is_empty() {
            self.settle_and_wake(line, 0, &mut batch);
        }
        Ok(())
    }

    /// The number of permits that may be held at a time.
    pub fn limit(&self) -> usize {
        // ORDERING: Relaxed: a snapshot of one number; the word carries all synchronisation.
        self.limit.load(Ordering::Relaxed)
    }

    /// The number of free permits: 0 while the semaphore is in debt after its limit shrank.
    ///
    /// A snapshot. While a request waits that needs more, free permits are kept for it.
    pub fn available(&self) -> usize {
        self.snapshot().permits().max(0) as usize
    }

    /// The number of permits that are held, granted waits that nobody polled yet included.
    pub fn in_use(&self) -> usize {
        // The limit and its part of the word change together under the lock.
        let _line = self.line.lock();
        (self.limit() as isize - self.snapshot().permits()) as usize
    }

    /// The number of requests that wait in line, those of [`wait_idle`](Self::wait_idle) not
    /// among them.
    pub fn waiters(&self) -> usize {
        if self.snapshot().has_waiters() { self.line.lock().acquirers.len() } else { 0 }
    }

    /// Closes the semaphore: everybody in line fails with
    /// [`Closed`](AcquireError::Closed), and so does every later request.
    ///
    /// Permits that are held stay valid and can be given back; a wait that was granted before
    /// still gives its permit. Closing is final and may be repeated.
    ///
    /// # Panics
    ///
    /// If a waker that it calls panics, after all of them were called.
    pub fn close(&self) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        // ORDERING: Release pairs with the Acquire in `is_closed`: who sees the semaphore closed
        // sees what was done before it was.
        self.word.fetch_or(CLOSED, Ordering::Release);
        line.fail_all(AcquireError::Closed, &mut batch);
        self.settle_and_wake(line, 0, &mut batch);
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `close`.
        Word(self.word.load(Ordering::Acquire)).is_closed()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("limit", &self.limit())
            .field("available", &self.available())
            .field("waiters", &self.waiters())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

#[track_caller]
const fn range(min: usize, max: usize) -> Need {
    assert!(min <= max, "the minimum of permits is above the maximum");
    Need::Range { min, max }
}
