//! A task costs one allocation: its box, or its place in the runtime.
//!
//! A binary of its own, because it replaces the allocator by one that counts, for each thread by
//! itself. So the tasks of threads are counted where they are spawned, and those of a runtime of
//! one thread altogether.
#![cfg(any(feature = "sync", feature = "async"))]

use allocation_counter::measure;
use lockgate_errgroup::Builder;
use lockgate_errgroup::join::FirstError;

const TASKS: u64 = 1000;

/// How often `body` allocates.
fn allocations(body: impl FnOnce()) -> u64 {
    measure(body).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(std::hint::black_box(1)))), 1);
}

#[test]
fn a_builder_allocates_nothing() {
    assert_eq!(allocations(|| drop(Builder::<FirstError<()>>::new().limit(3).backlog(2))), 0);
}

#[cfg(feature = "sync")]
mod threads {
    use super::{TASKS, allocations};
    use allocation_counter::measure;
    use lockgate_errgroup::join::FirstError;
    use lockgate_errgroup::thread::{self, Group};
    use lockgate_errgroup::{Builder, CancelToken};
    use std::hint::black_box;

    type Plain = Builder<FirstError<()>>;

    /// `BenchmarkGo`. Its tasks capture something: a box of nothing is no allocation.
    #[test]
    fn benchmark_go() {
        for limit in [1, 2] {
            let mut spawns = 0;
            thread::scope(Plain::new().limit(limit), |g| {
                let spawn = |tasks| {
                    for task in 0..tasks {
                        g.spawn(move |_| {
                            black_box(task);
                            Ok(())
                        });
                    }
                };
                // Its queue grows to its length, its threads are started.
                spawn(TASKS);
                spawns = allocations(|| spawn(TASKS));
            })
            .unwrap();
            // A few for threads that come late.
            assert!(spawns <= TASKS + 50, "{spawns} for {TASKS} tasks, limit {limit}");
        }
    }

    #[test]
    fn a_task_that_captures_nothing_costs_nothing() {
        let mut spawns = 0;
        thread::scope(Plain::new().limit(1), |g| {
            (0..TASKS).for_each(|_| drop(g.spawn(|_| Ok(()))));
            spawns = allocations(|| (0..TASKS).for_each(|_| drop(g.spawn(|_| Ok(())))));
        })
        .unwrap();
        assert!(spawns <= 50, "{spawns} for {TASKS} tasks");
    }

    #[test]
    fn what_is_refused_leaves_nothing() {
        let group = Group::<(), ()>::build(Builder::new().limit(1)).unwrap();
        group.token().cancel();
        let count = allocations(|| {
            for task in 0..TASKS {
                let spawned = group.spawn(move |_| {
                    black_box(task);
                    Ok(())
                });
                assert!(spawned.is_rejected());
            }
        });
        assert_eq!(count, 0);
    }

    /// conc#91: what is derived from a parent stays there.
    #[test]
    fn a_group_leaves_nothing_at_its_parent() {
        let parent = CancelToken::new();
        let groups = || {
            for _ in 0..100 {
                thread::scope::<(), (), _>(Plain::new().token(&parent), |_| {}).unwrap();
            }
        };
        groups();
        let info = measure(groups);
        assert_eq!((info.count_current, info.bytes_current), (0, 0));
    }
}

#[cfg(feature = "async")]
mod tasks {
    use super::{TASKS, allocations};
    use allocation_counter::measure;
    use lockgate_errgroup::join::FirstError;
    use lockgate_errgroup::task::Group;
    use lockgate_errgroup::{Builder, CancelToken};
    use std::hint::black_box;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::runtime::Runtime;

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    fn builder(limit: Option<usize>) -> Builder<FirstError<()>> {
        limit.map_or_else(Builder::new, |limit| Builder::new().limit(limit))
    }

    fn spawn(runtime: &Runtime, group: &Group<(), ()>) {
        runtime.block_on(async {
            for task in 0..TASKS {
                group
                    .spawn(move |_| async move {
                        black_box(task);
                        Ok(())
                    })
                    .await;
            }
            group.wait_idle().await;
        });
    }

    /// `BenchmarkGo`, the tasks' runs included.
    #[test]
    fn benchmark_go() {
        for limit in [None, Some(1), Some(8)] {
            let (runtime, group) = (runtime(), Group::build(builder(limit)).unwrap());
            spawn(&runtime, &group);
            let count = allocations(|| spawn(&runtime, &group));
            // A few for the runners and their decks, which come and go.
            assert!(count <= TASKS + 100, "{count} for {TASKS} tasks, limit {limit:?}");
        }
    }

    /// In a runtime of several threads a spawner frees what it has allocated, though others ran it,
    /// and what it keeps until then is bounded: also behind a task that lasts.
    #[test]
    fn a_spawner_has_its_memory_back() {
        const MOST: u64 = 1024 * 1024;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        for lasting in [false, true] {
            let runs = Arc::new(AtomicU64::new(0));
            let _inside = runtime.enter();
            let group = Group::<(), ()>::build(builder(None)).unwrap();
            let info = measure(|| {
                if lasting {
                    group.try_spawn(|_| std::future::pending()).unwrap();
                }
                for task in 1..=20 * TASKS {
                    let counted = Arc::clone(&runs);
                    let spawned = group.try_spawn(move |_| async move {
                        counted.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    });
                    spawned.unwrap();
                    while task % 100 == 0 && runs_of(&runs) < task {
                        std::thread::yield_now();
                    }
                }
            });
            assert_eq!(runs_of(&runs), 20 * TASKS);
            assert!(info.count_total >= 20 * TASKS, "{} allocations", info.count_total);
            assert!(info.bytes_max < MOST, "{} bytes at once", info.bytes_max);
            group.abort();
        }
    }

    /// What is spawned from inside is not kept: it is the workers' to free, and those share no lock.
    #[test]
    fn from_inside_nothing_is_kept() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let _inside = runtime.enter();
        let group = Group::<(), ()>::build(builder(None)).unwrap();
        let (give, inside) = std::sync::mpsc::channel();
        let spawned = group.try_spawn(move |cx| async move {
            give.send(cx).unwrap();
            Ok(())
        });
        spawned.unwrap();
        let (cx, runs) = (inside.recv().unwrap(), Arc::new(AtomicU64::new(0)));
        let info = measure(|| {
            for task in 1..=10 * TASKS {
                let counted = Arc::clone(&runs);
                let spawned = cx.try_spawn(move |_| async move {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
                spawned.unwrap();
                while task % 100 == 0 && runs_of(&runs) < task {
                    std::thread::yield_now();
                }
            }
        });
        // But for those that were over before the spawn returned.
        let left = info.count_current;
        assert!(left >= 5 * TASKS as i64, "only {left} were not freed by the spawner");
    }

    fn runs_of(count: &Arc<AtomicU64>) -> u64 {
        count.load(Ordering::Relaxed)
    }

    /// One that waits costs no more: its place among those who wait is used again.
    #[test]
    fn a_task_that_waits_costs_no_more() {
        for limit in [None, Some(8)] {
            let (runtime, group) = (runtime(), Group::<(), ()>::build(builder(limit)).unwrap());
            let spawn = || {
                runtime.block_on(async {
                    for _ in 0..TASKS {
                        group
                            .spawn(|_| async {
                                tokio::task::yield_now().await;
                                Ok(())
                            })
                            .await;
                    }
                    group.wait_idle().await;
                });
            };
            spawn();
            let count = allocations(spawn);
            assert!(count <= TASKS + 100, "{count} for {TASKS} tasks, limit {limit:?}");
        }
    }

    #[test]
    fn a_group_leaves_nothing_at_its_parent() {
        let (runtime, parent) = (runtime(), CancelToken::new());
        for limit in [None, Some(2)] {
            let groups = || {
                runtime.block_on(async {
                    for _ in 0..100 {
                        let builder = builder(limit).token(&parent);
                        let group = Group::<(), ()>::build(builder).unwrap();
                        group.spawn(|_| async { Ok(()) }).await;
                        group.join().await.unwrap();
                    }
                });
            };
            groups();
            let info = measure(groups);
            assert_eq!((info.count_current, info.bytes_current), (0, 0), "{limit:?}");
        }
    }
}
