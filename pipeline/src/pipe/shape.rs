//! What gives a stream another shape: batches, and buffers that drop.

use super::Pipe;
use crate::batch::{Batched, By, Each};
use crate::buffer::Buffered;
use crate::lane::Overflow;
use crate::par::{BufferJob, Par};
use crate::stage::Stage;
use std::time::Duration;

/// Batches by number, by weight, and by time.
impl<S: Stage, P> Pipe<S, P> {
    /// Items in batches: one goes on when it has `size` items, or `time` after its first item was taken,
    /// with what it has then; and at the end, at a drain, and before an error. There is no batch without
    /// an item.
    ///
    /// The time runs while somebody waits for the batch. While nobody does, because what comes after is
    /// busy, it fills up, and items that are too many for it wait where they are. With a time of zero a
    /// batch is what is there already; with [`Duration::MAX`] it waits until it is full. The clock is the
    /// system's monotonic one.
    ///
    /// After a stage with workers a batch costs no hop. After a source, whose `next` cannot be told to
    /// stop waiting, it has a thread of its own for everything before, like [`buffer`](Self::buffer).
    ///
    /// # Errors
    ///
    /// A size of 0 is a [`BuildError`](crate::BuildError) when the pipeline starts.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let (rows, receiver) = mpsc::channel();
    /// let mut batches =
    ///     thread::from_iter(receiver).batch(1000, Duration::from_millis(5)).into_iter();
    /// rows.send("a row").unwrap();
    /// // It does not wait for 999 more.
    /// assert_eq!(batches.next().unwrap().unwrap(), ["a row"]);
    /// # drop(rows);
    /// ```
    pub fn batch(self, size: usize, time: Duration) -> Pipe<Batched<S, Each>, P> {
        Pipe::new(Batched { inner: self.stage, most: size, time, weigh: Each })
    }

    /// As [`batch`](Self::batch), where `weight` says how much an item counts, at least 1: a batch never
    /// weighs more than `most`, unless it is a single item.
    ///
    /// # Errors
    ///
    /// If `most` is 0, as with [`batch`](Self::batch).
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    /// use std::time::Duration;
    ///
    /// let lines = ["aaaa", "bbb", "cc", "ddddddddd", "e"];
    /// let packets: Vec<Vec<&str>> =
    ///     thread::from_iter(lines).batch_weighted(8, Duration::MAX, |line| line.len()).collect()?;
    /// assert_eq!(packets, [vec!["aaaa", "bbb"], vec!["cc"], vec!["ddddddddd"], vec!["e"]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn batch_weighted<F>(
        self,
        most: usize,
        time: Duration,
        weight: F,
    ) -> Pipe<Batched<S, By<F>>, P>
    where
        F: FnMut(&S::Item) -> usize,
    {
        Pipe::new(Batched { inner: self.stage, most, time, weigh: By(weight) })
    }
}

/// What a [`buffer`](Pipe::buffer) does when it is full.
impl<S: Stage, P> Pipe<Par<S, BufferJob>, P> {
    /// Has the buffer drop items, or fail, when it is full: for a source that goes on whether somebody
    /// reads or not. What is dropped is counted: `overflowed` in the [`Report`](crate::Report).
    ///
    /// The buffer takes from what is before it whatever there is. What waits in it are at most as many
    /// items as it was given; what comes after takes them one by one, or as many as its chunks have.
    ///
    /// # Errors
    ///
    /// With [`Overflow::Fail`] the first item that has no place ends the pipeline, with
    /// [`RunError::Overflowed`](crate::RunError::Overflowed), after everything that had one has come
    /// through.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::{Overflow, thread};
    ///
    /// // However slow the reader, it gets the latest one next.
    /// let report = thread::from_iter(0..1000)
    ///     .buffer(1)
    ///     .overflow(Overflow::DropOldest)
    ///     .for_each(|sample| assert!(sample < 1000))?;
    /// let buffer = report.stage("buffer").unwrap();
    /// assert_eq!(buffer.given + buffer.overflowed, 1000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn overflow(self, overflow: Overflow) -> Pipe<Buffered<S>, P> {
        Pipe::new(Buffered::new(self.stage, overflow))
    }
}
