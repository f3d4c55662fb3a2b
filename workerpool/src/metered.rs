//! What a [`Meter`] tells [metrics](https://docs.rs/metrics), whichever recorder the program has.
//!
//! | name | what | labels |
//! |---|---|---|
//! | [`SUBMITTED`] | jobs that were accepted | `name` |
//! | [`JOBS`] | jobs that have ended | `name`, `outcome`: `completed`, `failed`, `panicked`, `aborted`, `expired` |
//! | [`REJECTIONS`] | jobs that were refused or dropped for want of room | `name` |
//! | [`WORKERS`] | workers | `name`, `state`: `running`, `idle` |
//! | [`QUEUED`] | jobs that wait, in all lanes | `name` |
//! | [`LANE_QUEUED`] | those of each lane, as [`Metrics::lanes`] has them | `name`, `lane` |
//! | [`WAITING`] | submitters that wait for a place | `name` |
//! | [`WAIT`], [`RUN`] | how long jobs waited and ran, in seconds, where the pool keeps [times](crate::Timings) | `name` |
//!
//! `name` is the pool's. Nothing is told while jobs are submitted and run: a meter tells what has changed
//! since it told last, whenever it is asked to, so that a job costs the same with it and without. Pools that
//! have the same name are counted together. A time is told to within 1 %.
//!
//! The recorder is the user's code: it is called outside every lock of the pool, and a panic of it is the
//! caller's of [`Meter::publish`].

use crate::engine::{Engine, Entry};
use crate::hooks::Hooks;
use crate::metrics::Metrics;
use crate::primitives::{Arc, Mutex};
use crate::timings::{Histogram, Times};
use metrics::{Counter, Gauge, Unit, counter, gauge, histogram};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A counter: jobs that were accepted.
pub const SUBMITTED: &str = "workerpool_submitted_total";
/// A counter: jobs that have ended.
pub const JOBS: &str = "workerpool_jobs_total";
/// A counter: jobs that were refused or dropped for want of room.
pub const REJECTIONS: &str = "workerpool_rejections_total";
/// A gauge: workers.
pub const WORKERS: &str = "workerpool_workers";
/// A gauge: jobs that wait, in all lanes.
pub const QUEUED: &str = "workerpool_queued";
/// A gauge: jobs that wait in one lane.
pub const LANE_QUEUED: &str = "workerpool_lane_queued";
/// A gauge: submitters that wait for a place.
pub const WAITING: &str = "workerpool_waiting";
/// A histogram: how long jobs waited, in seconds.
pub const WAIT: &str = "workerpool_wait_seconds";
/// A histogram: how long jobs ran, in seconds.
pub const RUN: &str = "workerpool_run_seconds";

/// Tells the recorder what each is, once it has been installed.
pub fn describe() {
    metrics::describe_counter!(SUBMITTED, Unit::Count, "jobs that were accepted");
    metrics::describe_counter!(JOBS, Unit::Count, "jobs that have ended, by how");
    metrics::describe_counter!(REJECTIONS, Unit::Count, "jobs that found no room or no pool");
    metrics::describe_gauge!(WORKERS, Unit::Count, "workers, by what they do");
    metrics::describe_gauge!(QUEUED, Unit::Count, "jobs that wait");
    metrics::describe_gauge!(LANE_QUEUED, Unit::Count, "jobs that wait, by lane");
    metrics::describe_gauge!(WAITING, Unit::Count, "submitters that wait for a place");
    metrics::describe_histogram!(WAIT, Unit::Seconds, "how long jobs waited");
    metrics::describe_histogram!(RUN, Unit::Seconds, "how long jobs ran");
}

/// Tells the recorder of the program what a pool does: the `meter` of a pool of threads or tasks.
///
/// Dropped, it takes back what its gauges show. It keeps the pool from nothing: only its clones do.
pub struct Meter<'env> {
    source: Box<dyn Fn() -> (Metrics, Option<Times>) + Send + Sync + 'env>,
    name: Arc<str>,
    told: Mutex<(Metrics, Option<Times>)>,
}

impl<'env> Meter<'env> {
    fn of<J: Entry + 'env, H: Send + Sync + 'env>(
        house: &Arc<H>,
        parts: fn(&H) -> (&Engine<J>, &Hooks),
    ) -> Self {
        let house = Arc::clone(house);
        let name = parts(&house).1.pool().unwrap_or_default().into();
        let source = move || {
            let (engine, hooks) = parts(&house);
            (engine.metrics(), hooks.times())
        };
        Meter { source: Box::new(source), name, told: Mutex::new((Metrics::default(), None)) }
    }
}

#[cfg(feature = "sync")]
impl<'env> crate::thread::Pool<'env> {
    /// What tells the recorder of [`metrics`](https://docs.rs/metrics) of this pool, each time that it is
    /// asked to. One for a pool is enough: two would count everything twice.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::builder().threads(2).name("io").build()?;
    /// let meter = pool.meter();
    /// // ... each ten seconds, or when somebody scrapes:
    /// meter.publish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn meter(&self) -> Meter<'env> {
        Meter::of(self.house(), |house| (&house.engine, &house.hooks))
    }
}

#[cfg(feature = "async")]
impl crate::task::Pool {
    /// What tells the recorder of [`metrics`](https://docs.rs/metrics) of this pool, each time that it is
    /// asked to. One for a pool is enough: two would count everything twice.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::builder().limit(2).name("hooks").build()?;
    /// let meter = pool.meter();
    /// // ... each ten seconds, or when somebody scrapes:
    /// meter.publish();
    /// # Ok(())
    /// # }
    /// ```
    pub fn meter(&self) -> Meter<'static> {
        Meter::of(self.house(), |house| (&house.engine, &house.hooks))
    }
}

impl Meter<'_> {
    /// Tells what has changed since the last time: counters and histograms what was added, gauges
    /// what is.
    pub fn publish(&self) {
        let (metrics, times) = (self.source)();
        let before = {
            let mut told = self.told.lock();
            if metrics.submitted < told.0.submitted {
                // Somebody else has told more meanwhile.
                return;
            }
            std::mem::replace(&mut *told, (metrics.clone(), times.clone()))
        };
        self.count(&metrics, &before.0);
        self.gauge(&metrics, &before.0);
        if let Some(times) = &times {
            let before = before.1.as_ref();
            self.tell_times(WAIT, &times.wait, before.map(|it| &it.wait));
            self.tell_times(RUN, &times.run, before.map(|it| &it.run));
        }
    }

    fn count(&self, now: &Metrics, before: &Metrics) {
        let name = || Arc::clone(&self.name);
        let add = |counter: Counter, now: u64, before: u64| {
            counter.increment(now.saturating_sub(before));
        };
        let jobs = |outcome: &'static str| counter!(JOBS, "name" => name(), "outcome" => outcome);
        add(counter!(SUBMITTED, "name" => name()), now.submitted, before.submitted);
        add(jobs("completed"), now.completed, before.completed);
        add(jobs("failed"), now.failed, before.failed);
        add(jobs("panicked"), now.panicked, before.panicked);
        add(jobs("aborted"), now.aborted, before.aborted);
        add(jobs("expired"), now.expired, before.expired);
        add(counter!(REJECTIONS, "name" => name()), now.rejected, before.rejected);
    }

    /// By how much they changed: several pools of one name would overwrite one another.
    fn gauge(&self, now: &Metrics, before: &Metrics) {
        let name = || Arc::clone(&self.name);
        let add = |gauge: Gauge, now: usize, before: usize| {
            if now >= before {
                gauge.increment((now - before) as f64);
            } else {
                gauge.decrement((before - now) as f64);
            }
        };
        let workers = |state: &'static str| gauge!(WORKERS, "name" => name(), "state" => state);
        add(workers("running"), now.running, before.running);
        add(workers("idle"), now.idle, before.idle);
        add(gauge!(QUEUED, "name" => name()), now.queued, before.queued);
        add(gauge!(WAITING, "name" => name()), now.waiting, before.waiting);
        for lane in 0..now.lanes.len().max(before.lanes.len()) {
            let of = |metrics: &Metrics| metrics.lanes.get(lane).copied().unwrap_or(0);
            let gauge = gauge!(LANE_QUEUED, "name" => name(), "lane" => lane.to_string());
            add(gauge, of(now), of(before));
        }
    }

    fn tell_times(&self, metric: &'static str, now: &Histogram, before: Option<&Histogram>) {
        let histogram = histogram!(metric, "name" => Arc::clone(&self.name));
        for (time, count) in now.since(before) {
            histogram.record_many(time.as_secs_f64(), usize::try_from(count).unwrap_or(usize::MAX));
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        let before = std::mem::take(&mut *self.told.lock()).0;
        // It may be a drop that unwinds already, where a second panic aborts.
        let gone = || self.gauge(&Metrics::default(), &before);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(gone)) {
            crate::error::drop_payload(payload);
        }
    }
}

impl fmt::Debug for Meter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("name", &self.name).finish_non_exhaustive()
    }
}
