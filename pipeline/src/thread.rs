//! Pipelines on threads.

use crate::pipe::Pipe;
use crate::stage::FromIter;

/// A pipeline of the items of an iterator, a collection, or a channel's receiver.
///
/// It is asked for one item after the other, by whoever comes next: by this thread, or by the workers
/// of a stage, one of them at a time.
///
/// # Examples
///
/// ```
/// use lockgate_pipeline::thread;
///
/// let sum = thread::from_iter(1..=10).map(|n| n * n).filter(|n| n % 2 == 0).fold(0, |a, b| a + b)?;
/// assert_eq!(sum, 220);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_iter<I: IntoIterator>(iter: I) -> Pipe<FromIter<I::IntoIter>> {
    Pipe::new(FromIter { iter: iter.into_iter(), prefetch: 1 })
}
