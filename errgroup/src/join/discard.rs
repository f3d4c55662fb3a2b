//! Nothing is kept.

use super::Join;
use crate::cause::Cause;
use crate::error::{BuildError, Panicked, TaskId};
use std::ops::ControlFlow;

/// Results are dropped, errors too: for tasks that tell in another way, or whose end is all that
/// matters. Nothing ends the group but a cancel, and a panic unless panics count as errors.
///
/// It keeps nothing, however long the group lives.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::Discard, thread};
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let sent = AtomicUsize::new(0);
/// thread::scope(Builder::with(Discard), |g| {
///     for n in 0..10 {
///         let sent = &sent;
///         g.spawn(move |_| {
///             if n == 3 {
///                 return Err("nobody listens");
///             }
///             sent.fetch_add(1, Ordering::Relaxed);
///             Ok(())
///         });
///     }
/// })?;
/// assert_eq!(sent.into_inner(), 9);
/// # }
/// # Ok::<(), lockgate_errgroup::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl<T, E> Join<T, E> for Discard {
    type Output = Result<(), BuildError>;

    fn complete(&mut self, _: usize, result: Result<T, E>) -> ControlFlow<()> {
        drop(result);
        ControlFlow::Continue(())
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        drop(panicked);
        ControlFlow::Continue(())
    }

    fn cancelled(&mut self, _: Cause) {}

    fn stragglers(&mut self, _: Vec<TaskId>) {}

    fn finish(self) -> Self::Output {
        Ok(())
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(error)
    }

    fn wants_values(&self) -> bool {
        false
    }
}
