//! How a parallel stage is to run.

use crate::crew::Plan;
use crate::error::BuildError;
use crate::state::{Order, Window};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// How a parallel stage is to run: numbers, a name, and the order of its results.
///
/// A plain number stands for so many workers. Values are checked when the pipeline starts, and one that
/// is out of range is a [`BuildError`] then.
///
/// # Examples
///
/// ```
/// use lockgate_pipeline::{opts, thread};
///
/// let lengths: Vec<usize> = thread::from_iter(["gate", "lock", ""])
///     .par_map(opts("measure").workers(2).window(64), str::len)
///     .collect()?;
/// assert_eq!(lengths, [4, 4, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a stage is given them"]
pub struct Opts {
    pub(crate) name: Option<Cow<'static, str>>,
    workers: usize,
    window: Option<usize>,
    chunk: Option<usize>,
    order: Order,
}

/// Options of a stage with this name, which reports and errors show; one worker until it is said
/// otherwise.
pub fn opts(name: impl Into<Cow<'static, str>>) -> Opts {
    Opts { name: Some(name.into()), ..Opts::new() }
}

impl From<usize> for Opts {
    /// So many workers.
    fn from(workers: usize) -> Self {
        Self::new().workers(workers)
    }
}

impl Default for Opts {
    fn default() -> Self {
        Self::new()
    }
}

/// How many workers a stage may have.
const WORKERS: RangeInclusive<usize> = 1..=1024;
/// How many items may be under way in a stage.
const WINDOW: RangeInclusive<usize> = 1..=65_536;
/// How many items may make a chunk.
const CHUNK: RangeInclusive<usize> = 1..=4096;
/// Chunks under way for each worker, where the window is not said …
const CHUNKS_FOR_EACH: usize = 8;
/// … and for all of them, at the least.
const CHUNKS_AT_LEAST: usize = 64;
/// The same for chunks of more than one item, which are fast: some milliseconds' work, since whoever
/// reads may have to wait so long for a core that the workers have.
const CHUNKS_OF_FAST: usize = 512;
/// Chunks under way at the most, where the window is said: each has a slot that is there from the start.
const CHUNKS_AT_MOST: usize = 2048;
/// A chunk of items that are found to be fast is no larger than this, in items and in bytes.
const CHUNK_ITEMS: usize = 512;
const CHUNK_BYTES: usize = 8 * 1024;

impl Opts {
    /// One worker, ordered, with a window and chunks that are found out.
    pub fn new() -> Self {
        Self { name: None, workers: 1, window: None, chunk: None, order: Order::AsTaken }
    }

    /// The name, which reports and errors show.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// How many workers, from 1 to 1024: how many calls of the stage's function run at once.
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// How many items of the stage may be under way, from 1 to 65 536: taken from the stage before,
    /// and their results not yet used up by the next. It bounds the memory, and how far an ordered
    /// stage gets ahead of an item that takes long. There are at most 2048 chunks under way, however
    /// small.
    ///
    /// Unless it is said: 8 for each worker and at least 64, while items travel alone, as they do
    /// when they take some fifty microseconds or more. Items that are found to be faster travel in chunks,
    /// of at most 512 items and 8 KiB, and then it is so many times as many.
    pub fn window(self, items: usize) -> Self {
        Self { window: Some(items), ..self }
    }

    /// How many items travel together at the most, from 1 to 4096; and no fewer, if so many are there.
    /// Unless it is said, it is found out by how long they take.
    pub fn chunk(self, items: usize) -> Self {
        Self { chunk: Some(items), ..self }
    }

    /// Results leave in the order of the items. This is the default.
    pub fn ordered(self) -> Self {
        Self { order: Order::AsTaken, ..self }
    }

    /// Results leave as they come.
    pub fn unordered(self) -> Self {
        Self { order: Order::AsDone, ..self }
    }

    pub(crate) fn named(&self, default: &'static str) -> Cow<'static, str> {
        self.name.clone().unwrap_or(Cow::Borrowed(default))
    }

    /// The most items that may be under way.
    pub(crate) fn bound(&self, bytes: usize) -> usize {
        let by_default = || self.chunks_by_default().saturating_mul(self.largest_chunk(bytes));
        self.window.unwrap_or_else(by_default)
    }

    fn chunks_by_default(&self) -> usize {
        self.workers.saturating_mul(CHUNKS_FOR_EACH).max(CHUNKS_AT_LEAST)
    }

    fn largest_chunk(&self, bytes: usize) -> usize {
        let of_bytes = || (CHUNK_BYTES / bytes.max(1)).clamp(1, CHUNK_ITEMS);
        let most = self.chunk.unwrap_or_else(of_bytes);
        // Else one worker would take the whole window, and the others none.
        let share = self.window.map_or(most, |window| window / self.workers.max(1) / 2);
        most.min(share.max(1))
    }

    /// These options for items of so many bytes, checked.
    pub(crate) fn plan(&self, bytes: usize, name: &str) -> Result<Plan, BuildError> {
        check(name, "workers", self.workers, WORKERS)?;
        check(name, "window", self.window.unwrap_or(1), WINDOW)?;
        check(name, "chunk", self.chunk.unwrap_or(1), CHUNK)?;
        let (chunks, alone) = match self.window {
            Some(window) => (window.min(CHUNKS_AT_MOST), window.min(CHUNKS_AT_MOST)),
            None => (CHUNKS_OF_FAST.max(self.chunks_by_default()), self.chunks_by_default()),
        };
        Ok(Plan {
            order: self.order,
            workers: self.workers,
            window: Window { chunks: chunks as u64, alone: alone as u64, items: self.bound(bytes) },
            chunk: self.largest_chunk(bytes),
            is_fixed: self.chunk.is_some(),
        })
    }
}

/// Whether an option is in its range.
pub(crate) fn check(
    stage: &str,
    option: &'static str,
    value: usize,
    range: RangeInclusive<usize>,
) -> Result<(), BuildError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    let stage = Cow::Owned(stage.to_owned());
    Err(BuildError::OutOfRange { stage, option, value, least, most })
}
