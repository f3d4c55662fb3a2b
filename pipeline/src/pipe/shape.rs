//! What gives a stream another shape: batches, buffers that drop, lines for each key, two that become one.

use super::Pipe;
use crate::batch::{Batched, By, Each};
use crate::buffer::Buffered;
use crate::join::{Merged, Zipped};
use crate::lane::Overflow;
use crate::opts::Opts;
use crate::par::{BufferJob, Par};
use crate::partition::{ByKey, Partition, Plain};
use crate::stage::Stage;
use std::hash::Hash;
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

/// A line for each key.
impl<S: Stage, P> Pipe<S, P> {
    /// What `f` makes of each item, several at once, but one after the other for items that have the same
    /// key: each worker has its own keys. Results of one key come in the order of the items; those of
    /// different keys as they come, whether the options say `ordered` or not.
    ///
    /// A key that takes long stops others of its worker, and the rest when the
    /// [`window`](Opts::window) is full. There is one thread more than there are workers: it runs what is
    /// before the stage, and `key`.
    ///
    /// # Panics
    ///
    /// A panic of `f` or `key` ends the pipeline and goes on, with its payload, in whoever runs it.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::{opts, thread};
    ///
    /// let events = [("ann", "opens"), ("bob", "opens"), ("ann", "writes"), ("ann", "closes")];
    /// let seen: Vec<String> = thread::from_iter(events)
    ///     .par_partition_by(opts("log").workers(4), |(who, _)| *who, |(who, what)| {
    ///         format!("{who} {what}")
    ///     })
    ///     .filter(|line| line.starts_with("ann"))
    ///     .collect()?;
    /// assert_eq!(seen, ["ann opens", "ann writes", "ann closes"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn par_partition_by<K, U, Q, F>(
        self,
        opts: impl Into<Opts>,
        key: Q,
        f: F,
    ) -> Pipe<Partition<S, ByKey<Q>, Plain<F>>, P>
    where
        K: Hash,
        Q: FnMut(&S::Item) -> K + Send,
        F: Fn(S::Item) -> U + Send + Sync,
    {
        let (key, call) = (ByKey(key), Plain(f));
        Pipe::new(Partition { inner: self.stage, opts: opts.into(), key, call })
    }
}

/// Two that become one.
impl<S: Stage, P> Pipe<S, P> {
    /// The items of both as they come, those of each in their order. It ends when both have ended; the
    /// first of them that fails ends it, after what has come from the other before.
    ///
    /// Each has a thread of its own for what is before, and up to 256 items of both may be on their way.
    /// Both can fail with the same error, or not at all: see [`map_err`](Pipe::map_err).
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    ///
    /// let (odd, even) = (thread::from_iter([1, 3, 5]), thread::from_iter([2, 4]));
    /// let mut all: Vec<u32> = odd.merge(even).collect()?;
    /// all.sort();
    /// assert_eq!(all, [1, 2, 3, 4, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge<Z, Q>(self, other: Pipe<Z, Q>) -> Pipe<Merged<S, Z>, P>
    where
        Z: Stage<Item = S::Item, Error = S::Error>,
    {
        Pipe::new(Merged { left: self.stage, right: other.stage })
    }

    /// Pairs of an item of each, until one of them has ended: like [`Iterator::zip`], it asks this one
    /// first, and an item without another half is dropped. Both run on the thread of what comes next, as operators do; a stage with workers, or a
    /// [`buffer`](Self::buffer), works ahead.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    ///
    /// let squares = thread::from_iter(1..).par_map(2, |n: u32| n * n);
    /// let named: Vec<_> = thread::from_iter(["one", "two"]).zip(squares).collect()?;
    /// assert_eq!(named, [("one", 1), ("two", 4)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn zip<Z, Q>(self, other: Pipe<Z, Q>) -> Pipe<Zipped<S, Z>, P>
    where
        Z: Stage<Error = S::Error>,
    {
        Pipe::new(Zipped { left: self.stage, right: other.stage })
    }
}
