//! How a pipeline is started, and how it ends: its threads, and the one that stops them all.

use crate::control::Control;
use crate::edge::Cancel;
use crate::error::{BuildError, Fault, RunError};
use crate::feed::Feed;
use crate::primitives::Arc;
use crate::report::Report;
use crate::stage::Stage;
use crate::stats::{Stats, Watch};
use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::panic::resume_unwind;
use std::thread::{self, Builder, JoinHandle, Scope, ScopedJoinHandle};

/// What a pipeline's stages leave here when they are started: jobs for threads, and what stops them.
pub struct Launch<'env> {
    pub(crate) control: Arc<Control>,
    edges: Vec<Arc<dyn Cancel + 'env>>,
    jobs: Vec<Job<'env>>,
    stats: Vec<Arc<Stats>>,
    refusal: Option<BuildError>,
}

type Run<'env> = Box<dyn FnOnce() + Send + 'env>;

struct Job<'env> {
    stage: Cow<'static, str>,
    index: usize,
    run: Run<'env>,
}

impl<'env> Launch<'env> {
    pub(crate) fn new() -> Self {
        Self {
            control: Arc::new(Control::new()),
            edges: Vec::new(),
            jobs: Vec::new(),
            stats: Vec::new(),
            refusal: None,
        }
    }

    /// The numbers of a stage, which the report shows.
    pub(crate) fn stats(&mut self, name: Cow<'static, str>, workers: usize) -> Arc<Stats> {
        let stats = Arc::new(Stats::new(name, workers));
        self.stats.push(Arc::clone(&stats));
        stats
    }

    pub(crate) fn edge(&mut self, edge: Arc<dyn Cancel + 'env>) {
        self.edges.push(edge);
    }

    pub(crate) fn job(
        &mut self,
        stage: Cow<'static, str>,
        index: usize,
        run: impl FnOnce() + Send + 'env,
    ) {
        self.jobs.push(Job { stage, index, run: Box::new(run) });
    }

    /// The pipeline is not to be started. The first reason counts.
    pub(crate) fn refuse(&mut self, error: BuildError) {
        self.refusal.get_or_insert(error);
    }

    /// What stops it, and the threads that it needs.
    #[allow(clippy::type_complexity, reason = "used once on each side")]
    fn split(mut self) -> Result<(Arc<Canceller<'env>>, Vec<Job<'env>>), BuildError> {
        match self.refusal.take() {
            Some(error) => Err(error),
            None => {
                let Self { control, edges, stats, jobs, .. } = self;
                // This thread reads.
                control.set_threads(jobs.len() + 1);
                let watch = Watch::start();
                Ok((Arc::new(Canceller { control, edges, stats, watch }), jobs))
            }
        }
    }
}

impl fmt::Debug for Launch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

/// What stops every stage of a pipeline, and knows their numbers.
pub(crate) struct Canceller<'env> {
    pub(crate) control: Arc<Control>,
    edges: Vec<Arc<dyn Cancel + 'env>>,
    stats: Vec<Arc<Stats>>,
    watch: Watch,
}

impl Canceller<'_> {
    pub(crate) fn cancel(&self) {
        self.control.cancel();
        for edge in &self.edges {
            edge.cancel();
        }
    }

    pub(crate) fn report(&self) -> Report {
        Report::of(&self.stats, self.watch.nanos())
    }
}

impl fmt::Debug for Canceller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").field("control", &self.control).finish_non_exhaustive()
    }
}

/// Stops the pipeline when it goes, by a panic too.
struct CancelOnDrop<'a, 'env>(&'a Canceller<'env>);

impl Drop for CancelOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn builder(stage: &str, index: usize) -> Builder {
    // A thread's name has no NUL.
    Builder::new().name(format!("{stage}-{index}").replace('\0', "?"))
}

/// What a fault is to whoever runs the pipeline. A panic goes on.
pub(crate) fn settle<E>(fault: Fault<E>) -> RunError<E> {
    match fault {
        Fault::Failed(failed) => RunError::Failed(failed),
        Fault::Overflowed(overflowed) => RunError::Overflowed(overflowed),
        Fault::Cancelled => RunError::Aborted,
        Fault::Panicked(payload) => resume_unwind(payload),
    }
}

/// Runs a pipeline on threads that may borrow, and `body`, which reads it, on this one.
pub(crate) fn run<'env, S: Stage + 'env, R>(
    plan: S,
    body: impl FnOnce(&mut S::Running) -> Result<R, Fault<S::Error>>,
) -> Result<(R, Report), RunError<S::Error>> {
    let mut launch = Launch::<'env>::new();
    let mut running = plan.start(&mut launch);
    let (canceller, jobs) = launch.split()?;
    let outcome =
        if jobs.is_empty() { body(&mut running) } else { scoped(&canceller, jobs, running, body)? };
    match outcome {
        Ok(result) => Ok((result, canceller.report())),
        Err(fault) => Err(settle(fault)),
    }
}

fn scoped<'env, F: Feed + 'env, R>(
    canceller: &Canceller<'env>,
    jobs: Vec<Job<'env>>,
    mut running: F,
    body: impl FnOnce(&mut F) -> Result<R, Fault<F::Error>>,
) -> Result<Result<R, Fault<F::Error>>, BuildError> {
    thread::scope(|scope| {
        let guard = CancelOnDrop(canceller);
        let threads = spawn_scoped(scope, jobs)?;
        let outcome = body(&mut running);
        drop(running);
        drop(guard);
        // One by one: the end of the scope does not wait for thread-locals (rust-lang/rust#116237).
        let ended: Vec<_> = threads.into_iter().map(ScopedJoinHandle::join).collect();
        match (outcome, ended.into_iter().find_map(Result::err)) {
            // A value that was left over panicked when it was dropped.
            (Ok(_), Some(payload)) => resume_unwind(payload),
            (outcome, _) => Ok(outcome),
        }
    })
}

fn spawn_scoped<'scope>(
    scope: &'scope Scope<'scope, '_>,
    jobs: Vec<Job<'scope>>,
) -> Result<Vec<ScopedJoinHandle<'scope, ()>>, BuildError> {
    let spawn = |Job { stage, index, run }| {
        let spawned = builder(&stage, index).spawn_scoped(scope, run);
        spawned.map_err(|error| BuildError::Thread { stage, error })
    };
    jobs.into_iter().map(spawn).collect()
}

/// A pipeline that runs on threads of its own.
#[derive(Debug)]
pub(crate) struct Detached<F> {
    pub(crate) running: F,
    pub(crate) canceller: Arc<Canceller<'static>>,
    pub(crate) threads: Vec<JoinHandle<()>>,
}

/// Starts a pipeline that owns what it uses.
pub(crate) fn detach<S: Stage + 'static>(plan: S) -> Result<Detached<S::Running>, BuildError> {
    let mut launch = Launch::new();
    let running = plan.start(&mut launch);
    let (canceller, jobs) = launch.split()?;
    let mut threads = Vec::with_capacity(jobs.len());
    for Job { stage, index, run } in jobs {
        match builder(&stage, index).spawn(run) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                canceller.cancel();
                join(threads);
                return Err(BuildError::Thread { stage, error });
            }
        }
    }
    Ok(Detached { running, canceller, threads })
}

/// Waits for threads to end. What they panicked with is a value that panicked when it was dropped.
pub(crate) fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        drop(thread.join());
    }
}

/// For a fault of a pipeline that cannot fail.
pub(crate) fn never<E>(never: Infallible) -> E {
    match never {}
}
