//! Jobs that submit jobs: a tree, whose leaves count themselves.

use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crate::rivals::{ByHandUnbounded, RustyPool, THREADS, ThreadPool};
use crate::subject::Spawn;
use lockgate_workerpool::thread::{Engine, Pool, Queue};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const DEPTH: u32 = 15;
const LEAVES: u64 = 1 << DEPTH;
/// All but the root are submitted from inside.
const JOBS: u64 = 2 * LEAVES - 1;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(20);
    vec![entries!(scenario("inside/stealing"), tree():
            Stealing, Shared, SharedUnbounded, Rayon, Tokio, ByHandUnbounded, ThreadPool, RustyPool)]
}

/// Who runs the tree. There is one pool of each kind, for ever: its jobs need no count of owners.
trait Inside: Subject + 'static {
    /// From outside.
    fn start(job: impl FnOnce() + Send + 'static);

    /// From a job.
    fn spawn(job: impl FnOnce() + Send + 'static);
}

/// One operation is a job of the tree.
fn tree<P: Inside>() -> impl FnMut(u64) -> Sample {
    P::start(|| ());
    move |jobs| {
        let trees = jobs.div_ceil(JOBS);
        let start = Instant::now();
        for _ in 0..trees {
            let before = leaves();
            P::start(|| grow::<P>(DEPTH));
            // It sleeps: whoever runs the tree has both cores.
            while leaves() - before < LEAVES {
                thread::sleep(Duration::from_micros(20));
            }
            assert_eq!(leaves() - before, LEAVES, "{}: every leaf counts once", P::NAME);
        }
        Sample::time(trees * JOBS, start.elapsed())
    }
}

fn grow<P: Inside>(depth: u32) {
    if depth == 0 {
        return count();
    }
    for _ in 0..2 {
        P::spawn(move || grow::<P>(depth - 1));
    }
}

/// A line for each thread that counts.
#[repr(align(128))]
struct Line(AtomicU64);

static LINES: [Line; 16] = [const { Line(AtomicU64::new(0)) }; 16];

fn count() {
    thread_local!(static LINE: &'static Line = {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        &LINES[NEXT.fetch_add(1, Ordering::Relaxed) as usize % LINES.len()]
    });
    LINE.with(|line| line.0.fetch_add(1, Ordering::Release));
}

fn leaves() -> u64 {
    LINES.iter().map(|line| line.0.load(Ordering::Acquire)).sum()
}

macro_rules! ours {
    ($($name:ident $label:literal $role:expr, $engine:expr, $queue:expr;)*) => {$(
        struct $name;

        impl $name {
            fn pool() -> &'static Pool<'static> {
                static POOL: OnceLock<Pool<'static>> = OnceLock::new();
                POOL.get_or_init(|| {
                    let builder = Pool::builder().threads(THREADS).engine($engine).queue($queue);
                    builder.build().expect("two threads")
                })
            }
        }

        impl Subject for $name {
            const NAME: &'static str = $label;
            const ROLE: Role = $role;
        }

        impl Inside for $name {
            fn start(job: impl FnOnce() + Send + 'static) {
                Self::pool().spawn(job).expect("the pool is open");
            }

            fn spawn(job: impl FnOnce() + Send + 'static) {
                Self::pool().spawn(job).expect("the pool is open");
            }
        }
    )*};
}
ours! {
    Stealing "ours" Role::Ours, Engine::Stealing, Queue::Bounded(1024);
    // A queue of 1024 is full soon: then jobs run inside the one that submits them.
    Shared "ours, one queue" Role::Rival, Engine::Shared, Queue::Bounded(1024);
    SharedUnbounded "ours, one queue, unbounded" Role::Rival, Engine::Shared, Queue::Unbounded;
}

/// Those that need a pool to be submitted to.
macro_rules! by_pool {
    ($($name:ident),*) => {$(
        impl Inside for $name {
            fn start(job: impl FnOnce() + Send + 'static) {
                <Self as Inside>::spawn(job);
            }

            fn spawn(job: impl FnOnce() + Send + 'static) {
                static POOL: OnceLock<$name> = OnceLock::new();
                Spawn::spawn(POOL.get_or_init(Spawn::new), job);
            }
        }
    )*};
}
by_pool!(ByHandUnbounded, ThreadPool, RustyPool);

struct Rayon;

impl Subject for Rayon {
    const NAME: &'static str = "rayon";
}

impl Inside for Rayon {
    fn start(job: impl FnOnce() + Send + 'static) {
        static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
        let pool = POOL.get_or_init(|| {
            let builder = rayon::ThreadPoolBuilder::new().num_threads(THREADS);
            builder.build().expect("two threads")
        });
        pool.spawn(job);
    }

    fn spawn(job: impl FnOnce() + Send + 'static) {
        rayon::spawn(job);
    }
}

struct Tokio;

impl Subject for Tokio {
    const NAME: &'static str = "tokio::spawn";
}

impl Inside for Tokio {
    fn start(job: impl FnOnce() + Send + 'static) {
        static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
        let runtime = RUNTIME.get_or_init(|| {
            let builder = &mut tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(THREADS).build().expect("two threads")
        });
        runtime.spawn(async move { job() });
    }

    fn spawn(job: impl FnOnce() + Send + 'static) {
        tokio::spawn(async move { job() });
    }
}
