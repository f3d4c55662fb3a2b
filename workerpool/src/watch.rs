//! What a pool keeps of its jobs while they live, for whoever asked to see: names, ages, times.
//!
//! A job that nobody wants to see has no tag, and costs one look at a flag. The tag of another is
//! made before the pool's lock is taken and dropped when the job has its end, whichever that is.

use crate::error::Panicked;
use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::primitives::{Arc, Deadline, Mutex, thread_local};
use crate::snapshot::{JobState, LiveJob};
use crate::timings::{Sheets, Times, Timings};
use crate::trace::Span;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

pub(crate) type OnPanic = Arc<dyn Fn(&Panicked) + Send + Sync>;

/// What is known of a pool's jobs.
pub(crate) struct Watch {
    name: Arc<str>,
    timings: Timings,
    observes: bool,
    /// Whose turn it is to be timed.
    turn: AtomicUsize,
    sheets: Sheets,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    next: u64,
    jobs: BTreeMap<u64, Seen>,
}

struct Seen {
    name: Option<Arc<str>>,
    lane: u16,
    /// Submitted, or started; `None` where no ages are wanted.
    since: Option<Instant>,
    /// Who runs it.
    thread: Option<Arc<str>>,
    running: bool,
}

thread_local! {
    // LOOM: its locals have no constant initialisers.
    #[allow(clippy::missing_const_for_thread_local, reason = "the model cannot")]
    /// Which sheet this thread writes its times on; 0 until it is known.
    static SEAT: Cell<usize> = Cell::new(0);
}

fn now() -> Option<Instant> {
    Deadline::after(Duration::ZERO).map(|now| now.instant())
}

impl Watch {
    pub(crate) fn new(name: &str, timings: Timings, observes: bool, workers: usize) -> Self {
        let workers = if timings == Timings::Off { 1 } else { workers };
        Self {
            name: name.into(),
            timings,
            observes,
            turn: AtomicUsize::new(0),
            sheets: Sheets::new(workers),
            live: Mutex::new(Live::default()),
        }
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What is to be known of a job that is about to be submitted, if anything.
    #[inline]
    pub(crate) fn tag(self: &Arc<Self>, name: Option<&str>, lane: u16) -> Option<Box<Tag>> {
        let times = match self.timings {
            Timings::Off => false,
            Timings::Sampled(each) => self.is_sampled(each),
            Timings::All => true,
        };
        let listed = self.observes || name.is_some();
        let span = Span::of_job(&self.name, lane, name);
        (times || listed || !span.is_none()).then(|| self.make_tag(name, lane, times, listed, span))
    }

    fn is_sampled(&self, each: u32) -> bool {
        // ORDERING: Relaxed: a turn, which publishes nothing.
        self.turn.fetch_add(1, Ordering::Relaxed) % (each as usize) == 0
    }

    #[cold]
    fn make_tag(
        self: &Arc<Self>,
        name: Option<&str>,
        lane: u16,
        times: bool,
        listed: bool,
        span: Span,
    ) -> Box<Tag> {
        let submitted = if times || self.observes { now() } else { None };
        let id = listed.then(|| {
            let since = if self.observes { submitted } else { None };
            let seen =
                Seen { name: name.map(Arc::from), lane, since, thread: None, running: false };
            let mut live = self.live.lock();
            let id = live.next;
            live.next += 1;
            live.jobs.insert(id, seen);
            id
        });
        let submitted = if times { submitted } else { None };
        let watch = Some(Arc::clone(self));
        Box::new(Tag { watch, id, submitted, started: None, span, on_panic: None })
    }

    fn starts(&self, id: u64, at: Option<Instant>, here: bool) {
        let thread = if here { std::thread::current().name().map(Arc::from) } else { None };
        if let Some(seen) = self.live.lock().jobs.get_mut(&id) {
            seen.running = true;
            seen.thread = thread;
            seen.since = seen.since.and(at);
        }
    }

    pub(crate) fn times(&self) -> Option<Times> {
        (self.timings != Timings::Off).then(|| self.sheets.sum())
    }

    pub(crate) fn jobs(&self) -> Vec<LiveJob> {
        let now = if self.observes { now() } else { None };
        let age = |since: Instant| now.map(|now| now.saturating_duration_since(since));
        let live = self.live.lock();
        let told = live.jobs.iter().map(|(id, seen)| LiveJob {
            id: *id,
            name: seen.name.clone(),
            lane: seen.lane.into(),
            state: if seen.running { JobState::Running } else { JobState::Queued },
            age: seen.since.and_then(age),
            thread: seen.thread.clone(),
        });
        told.collect()
    }
}

/// What is to be known of one job. Dropped, it says that the job is over.
pub(crate) struct Tag {
    watch: Option<Arc<Watch>>,
    /// Under which it is listed.
    id: Option<u64>,
    /// If it is timed.
    submitted: Option<Instant>,
    /// If somebody wants to know.
    started: Option<Instant>,
    span: Span,
    /// Nobody has a handle: this is told of its panic.
    on_panic: Option<OnPanic>,
}

impl Tag {
    /// Of a job that has no handle, whatever else is to be known of it.
    pub(crate) fn detached(tag: Option<Box<Self>>, on_panic: Option<&OnPanic>) -> Box<Self> {
        let mut tag = tag.unwrap_or_else(|| {
            let (span, submitted, started) = (Span::none(), None, None);
            Box::new(Self { watch: None, id: None, submitted, started, span, on_panic: None })
        });
        tag.on_panic = on_panic.cloned();
        tag
    }

    pub(crate) const fn on_panic(&self) -> Option<&OnPanic> {
        self.on_panic.as_ref()
    }

    /// Runs the job, which does not panic.
    #[cfg(feature = "sync")]
    pub(crate) fn around<R>(&mut self, job: impl FnOnce() -> R) -> R {
        self.start(true);
        let result = self.enter(job);
        self.end();
        result
    }

    /// The job starts; `here`: on this thread, which it does not leave.
    pub(crate) fn start(&mut self, here: bool) {
        let Some(watch) = &self.watch else { return };
        let observes = watch.observes && self.id.is_some();
        self.started = if self.submitted.is_some() || observes { now() } else { None };
        if let Some(id) = self.id {
            watch.starts(id, self.started, here);
        }
    }

    /// Runs a part of it, which does not panic, inside its span.
    pub(crate) fn enter<R>(&self, part: impl FnOnce() -> R) -> R {
        self.span.around(part)
    }

    /// The job is over.
    pub(crate) fn end(&self) {
        let Some(watch) = &self.watch else { return };
        if let (Some(submitted), Some(started)) = (self.submitted, self.started) {
            let wait = started.saturating_duration_since(submitted);
            let run = now().map_or(Duration::ZERO, |ended| ended - started);
            watch.sheets.record(seat(), wait, run);
        }
    }
}

/// The number of this thread, among all that ever ran a job which was timed.
fn seat() -> usize {
    // LOOM: no atomic of the model's, whose statics end with an iteration: a number is no part of
    // any algorithm.
    static SEATS: AtomicU32 = AtomicU32::new(1);
    SEAT.with(|seat| {
        if seat.get() == 0 {
            // ORDERING: Relaxed: a number, which publishes nothing.
            seat.set(SEATS.fetch_add(1, Ordering::Relaxed) as usize);
        }
        seat.get()
    })
}

impl Drop for Tag {
    fn drop(&mut self) {
        if let (Some(watch), Some(id)) = (&self.watch, self.id) {
            let seen = watch.live.lock().jobs.remove(&id);
            drop(seen);
        }
        self.span.close();
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tag").field("id", &self.id).finish_non_exhaustive()
    }
}
