//! The rivals among threads, each by the calls that its own documentation recommends.

use crate::harness::Subject;
use crate::subject::{Slices, Threads};
use parking_lot::{Condvar, Mutex};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A thread for each task, without a limit.
pub struct Std;

impl Subject for Std {
    const NAME: &'static str = "std::thread::scope";
}

impl Threads for Std {
    fn run<F: Fn() + Sync>(_limit: usize, tasks: usize, task: &F) {
        thread::scope(|scope| {
            for _ in 0..tasks {
                scope.spawn(task);
            }
        });
    }
}

/// A thread for each task, without a limit.
pub struct Crossbeam;

impl Subject for Crossbeam {
    const NAME: &'static str = "crossbeam::thread::scope";
}

impl Threads for Crossbeam {
    fn run<F: Fn() + Sync>(_limit: usize, tasks: usize, task: &F) {
        let result = crossbeam_utils::thread::scope(|scope| {
            for _ in 0..tasks {
                scope.spawn(move |_| task());
            }
        });
        result.expect("no task panics");
    }
}

/// Its threads are there before, and are not started for each scope. Tasks cannot fail.
pub struct RayonInPlace;

impl Subject for RayonInPlace {
    const NAME: &'static str = "rayon/in_place_scope";
}

impl Threads for RayonInPlace {
    fn run<F: Fn() + Sync>(limit: usize, tasks: usize, task: &F) {
        pool(limit).in_place_scope(|scope| {
            for _ in 0..tasks {
                scope.spawn(move |_| task());
            }
        });
    }
}

/// The same, spawning from one of its own threads.
pub struct RayonScope;

impl Subject for RayonScope {
    const NAME: &'static str = "rayon/scope";
}

impl Threads for RayonScope {
    fn run<F: Fn() + Sync>(limit: usize, tasks: usize, task: &F) {
        pool(limit).scope(|scope| {
            for _ in 0..tasks {
                scope.spawn(move |_| task());
            }
        });
    }
}

/// Splits the slice in halves, which the other thread may steal.
pub struct RayonIter;

impl Subject for RayonIter {
    const NAME: &'static str = "rayon/par_iter";
}

impl Slices for RayonIter {
    fn for_each<F: Fn(&u64) + Sync>(threads: usize, items: &[u64], body: &F) {
        pool(threads).install(|| items.par_iter().for_each(body));
    }
}

/// What a user writes by hand: an index that scoped threads and the caller count up.
pub struct Index;

impl Subject for Index {
    const NAME: &'static str = "atomic index";
}

impl Slices for Index {
    fn for_each<F: Fn(&u64) + Sync>(threads: usize, items: &[u64], body: &F) {
        let next = AtomicUsize::new(0);
        together(threads, &|| {
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                body(item);
            }
        });
    }
}

/// The same with guided chunks: each the share of one thread in what is left, halved.
pub struct Guided;

impl Subject for Guided {
    const NAME: &'static str = "atomic index, guided";
}

impl Slices for Guided {
    fn for_each<F: Fn(&u64) + Sync>(threads: usize, items: &[u64], body: &F) {
        let next = AtomicUsize::new(0);
        let end = |start: usize| start + (items.len() - start).div_ceil(2 * threads);
        let advance = |start| (start < items.len()).then(|| end(start));
        together(threads, &|| {
            while let Ok(start) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance) {
                items[start..end(start)].iter().for_each(body);
            }
        });
    }
}

fn together(threads: usize, work: &(impl Fn() + Sync)) {
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
}

/// One pool for all scenarios, of as many threads as the first one asks for.
pub fn pool(threads: usize) -> &'static ThreadPool {
    static POOL: OnceLock<ThreadPool> = OnceLock::new();
    let build = || ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    let pool = POOL.get_or_init(build);
    assert_eq!(pool.current_num_threads(), threads);
    pool
}

/// What a user writes by hand: scoped threads that take boxed closures from a queue without
/// bounds, here with parking_lot's locks. Tasks cannot fail.
pub struct Queue;

impl Subject for Queue {
    const NAME: &'static str = "hand-made queue";
}

#[derive(Default)]
struct Jobs<'a> {
    line: Mutex<Line<'a>>,
    changed: Condvar,
}

#[derive(Default)]
struct Line<'a> {
    jobs: VecDeque<Box<dyn FnOnce() + Send + 'a>>,
    closed: bool,
}

impl Jobs<'_> {
    fn serve(&self) {
        let mut line = self.line.lock();
        loop {
            if let Some(job) = line.jobs.pop_front() {
                drop(line);
                job();
                line = self.line.lock();
            } else if line.closed {
                return;
            } else {
                self.changed.wait(&mut line);
            }
        }
    }
}

impl Threads for Queue {
    fn run<F: Fn() + Sync>(limit: usize, tasks: usize, task: &F) {
        let jobs = Jobs::default();
        thread::scope(|scope| {
            for _ in 0..limit {
                scope.spawn(|| jobs.serve());
            }
            for _ in 0..tasks {
                jobs.line.lock().jobs.push_back(Box::new(task));
                jobs.changed.notify_one();
            }
            jobs.line.lock().closed = true;
            jobs.changed.notify_all();
        });
    }
}
