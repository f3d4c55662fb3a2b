//! How a pool rests, grows and ends: what the pools of closures and of values have in common.

use super::builder::{Handles, Threads};
use super::house::{House, Work};
use crate::engine::{Item, Wait};
use crate::error::{BuildError, ResizeError, ShutdownError};
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Deadline};
use crate::trace;
use crate::waiters::Ticket;
use std::fmt;
use std::task::Waker;
use std::time::Duration;

/// What the clones of a pool share, and its workers do not.
pub(super) struct Owner<'env, W: Work> {
    house: Arc<House<'env, W>>,
    handles: Arc<Handles>,
}

impl<'env, W: Work + 'env> Owner<'env, W> {
    pub(super) fn start(house: House<'env, W>, handles: Arc<Handles>) -> Result<Self, BuildError> {
        // Where a thread is refused, the drop ends those that were started.
        let owner = Self { house: Arc::new(house), handles };
        owner.house.hire().map_err(BuildError::Spawn)?;
        Ok(owner)
    }

    pub(super) const fn house(&self) -> &Arc<House<'env, W>> {
        &self.house
    }

    pub(super) fn resize(&self, threads: Threads) -> Result<(), ResizeError> {
        let Threads { min, max } = threads;
        if !threads.is_valid() {
            return Err(ResizeError::Threads { min, max });
        }
        let max = self.house.adapt.as_ref().map_or(max, |adapt| adapt.begin(threads));
        self.house.start(self.house.engine.resize(min, max));
        self.house.hire().map_err(ResizeError::Spawn)
    }

    pub(super) fn resume(&self) {
        self.house.start(self.house.engine.resume());
    }

    pub(super) fn wait_idle(&self) -> WaitIdle<'_> {
        WaitIdle { house: &*self.house, ticket: None }
    }

    /// Takes no more; with `now`, gives back what waits.
    pub(super) fn close(&self, now: bool) -> Vec<Item<W>> {
        close(&self.house, now)
    }

    pub(super) fn shutdown(&self) -> Shutdown<'env> {
        self.close(false);
        let house: Arc<House<'env, W>> = Arc::clone(&self.house);
        Shutdown { house, handles: Arc::clone(&self.handles), ticket: None }
    }
}

/// Takes no more; with `now`, gives back what waits.
fn close<W: Work>(house: &Arc<House<'_, W>>, now: bool) -> Vec<Item<W>> {
    let first = !house.engine.is_closed();
    let (items, start) = house.engine.close(now);
    house.start(start);
    if first || !items.is_empty() {
        trace::shutdown(house.hooks.pool(), items.len());
    }
    items
}

/// One for each pool, dropped with the last clone.
impl<W: Work> Drop for Owner<'_, W> {
    fn drop(&mut self) {
        let items = close(&self.house, false);
        debug_assert!(items.is_empty(), "they run");
        // A job of the pool would wait for itself.
        if !self.house.is_inside() {
            let mut ticket = None;
            wait_ended(&*self.house, &mut ticket, None);
            join(&self.handles);
        }
    }
}

/// What a wait for rest or for the end needs of a pool, whatever its jobs are.
trait Rests: Send + Sync {
    fn poll_quiet(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Wait<()>;
    fn leave_quiet(&self, ticket: Ticket);
    fn poll_ended(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Wait<()>;
    fn leave_ended(&self, ticket: Ticket);
    fn asks_from_inside(&self) -> bool;
}

impl<W: Work> Rests for House<'_, W> {
    fn poll_quiet(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Wait<()> {
        self.engine.poll_quiet(ticket, waker)
    }

    fn leave_quiet(&self, ticket: Ticket) {
        self.engine.leave_quiet(ticket);
    }

    fn poll_ended(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Wait<()> {
        self.engine.poll_ended(ticket, waker)
    }

    fn leave_ended(&self, ticket: Ticket) {
        self.engine.leave_ended(ticket);
    }

    fn asks_from_inside(&self) -> bool {
        self.is_inside()
    }
}

fn wait_ended(house: &dyn Rests, ticket: &mut Option<Ticket>, deadline: Option<&Deadline>) -> bool {
    let ended = drive(deadline, |waker| match house.poll_ended(ticket, waker) {
        Wait::Ready(()) => Step::Ready(()),
        Wait::Queued => Step::Queued { spin: false },
    });
    ended.is_some()
}

fn join(handles: &Handles) {
    for handle in handles.take() {
        // Jobs' panics are caught: this one would be of a thread-local's destructor, and the
        // process has printed it.
        let _ = handle.join();
    }
}

/// The wait for the moment when a pool has nothing to do: a request, which does nothing until it is
/// waited for. See [`Pool::wait_idle`](super::Pool::wait_idle).
///
/// # Cancel safety
///
/// Dropped at any time, it leaves the line of those who wait; the pool goes on.
#[must_use = "a request does nothing until it is waited for"]
pub struct WaitIdle<'p> {
    house: &'p dyn Rests,
    ticket: Option<Ticket>,
}

impl WaitIdle<'_> {
    /// Waits. A job of the pool that waits so waits for itself.
    pub fn wait(mut self) {
        self.wait_until(None);
    }

    /// Waits for no longer than `timeout`; `false` when the time is over.
    #[must_use]
    pub fn wait_timeout(mut self, timeout: Duration) -> bool {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    pub(crate) fn wait_until(&mut self, deadline: Option<&Deadline>) -> bool {
        let quiet = drive(deadline, |waker| match self.house.poll_quiet(&mut self.ticket, waker) {
            Wait::Ready(()) => Step::Ready(()),
            Wait::Queued => Step::Queued { spin: true },
        });
        quiet.is_some()
    }
}

impl Drop for WaitIdle<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.house.leave_quiet(ticket);
        }
    }
}

#[cfg(feature = "async")]
impl Future for WaitIdle<'_> {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        let Self { house, ticket } = &mut *self;
        match house.poll_quiet(ticket, cx.waker()) {
            Wait::Ready(()) => std::task::Poll::Ready(()),
            Wait::Queued => std::task::Poll::Pending,
        }
    }
}

/// A shutdown that is under way: a handle for its end. See [`Pool::shutdown`](super::Pool::shutdown). Dropping it changes
/// nothing.
///
/// # Cancel safety
///
/// Dropped at any time, it leaves the end to come by itself: the pool is shut down all the same.
pub struct Shutdown<'env> {
    house: Arc<dyn Rests + 'env>,
    handles: Arc<Handles>,
    ticket: Option<Ticket>,
}

impl Shutdown<'_> {
    /// Waits until every worker has ended, and its thread is joined.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Inside`] when a job of the pool asks, which would wait for itself.
    pub fn wait(mut self) -> Result<(), ShutdownError> {
        self.wait_until(None)
    }

    /// Waits for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`ShutdownError`]: the time is over, or a job of the pool asks.
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<(), ShutdownError> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    pub(crate) fn wait_until(&mut self, deadline: Option<&Deadline>) -> Result<(), ShutdownError> {
        if self.house.asks_from_inside() {
            return Err(ShutdownError::Inside);
        }
        if !wait_ended(&*self.house, &mut self.ticket, deadline) {
            return Err(ShutdownError::Timeout);
        }
        join(&self.handles);
        Ok(())
    }
}

impl Drop for Shutdown<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.house.leave_ended(ticket);
        }
    }
}

/// Ready when the last worker takes no more jobs; its thread ends at the same time.
#[cfg(feature = "async")]
impl Future for Shutdown<'_> {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        let Self { house, ticket, .. } = &mut *self;
        match house.poll_ended(ticket, cx.waker()) {
            Wait::Ready(()) => std::task::Poll::Ready(()),
            Wait::Queued => std::task::Poll::Pending,
        }
    }
}

impl fmt::Debug for WaitIdle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitIdle").finish_non_exhaustive()
    }
}

impl fmt::Debug for Shutdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").finish_non_exhaustive()
    }
}
