//! The tests of Go's pools, by name and by what they assert: pond v2 (a2e34e8), ants v2 (76ddb18),
//! gammazero/workerpool (22a7e8d) and sourcegraph/conc.
//!
//! Where Go cancels a context, here `shutdown_now` hands back what waits: there is no other way in
//! which a pool could leave jobs alone that it has accepted.
//!
//! | what cannot occur here | in Go | why |
//! |---|---|---|
//! | a size of 0 that means no limit | pond's `ResizeWithZeroMaxConcurrency` | it is an error: `pond::pool_resize_to_zero` |
//! | a job that ends its thread | pond's `TaskInvokesGoexit` | Rust has no `Goexit`; a panic without a message comes closest: `pond::task_invokes_goexit` |
//! | a pool that is opened again | ants' `RebootNewPool` | closed is closed, and a new pool costs nothing more: `ants::reboot_new_pool` |
//! | a pool whose workers are allocated before | ants' `PreMalloc` variants | workers take no memory of the pool's before they are started |
//! | a pool with one function for all values | ants' `PoolWithFunc` variants | `Workers` is that, and has tests of its own in `workers.rs`; what the variants assert beside is asserted of jobs here |
//! | a bound for submitters that wait, beside that of the queue | ants' `MaxBlockingSubmit` | who waits is not bounded; who may not wait is told: `ants::max_blocking_submit` |
//! | a panic that ends the process | gammazero's `PanicDo`, ants' `PanicWithoutHandler` | it is the result of the job: `gammazero::panic_do` |
//! | a pool that rethrows a panic from `Wait` | conc | it is the result of the handle: `conc::panics_do_not_exhaust_goroutines` |

use crate::support::{Counter, Gate, ends, until};
use lockgate_workerpool::thread::{Pool, Queue, Reject};
use lockgate_workerpool::{GroupError, JobError, Reason, ResizeError, ShutdownError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Occupies so many workers until the gate opens.
fn occupy(pool: &Pool<'static>, workers: usize) -> Gate {
    let (gate, started) = (Gate::default(), Counter::default());
    for _ in 0..workers {
        let (waits, starts) = (gate.clone(), started.clone());
        let job = move || {
            starts.add();
            waits.pass();
        };
        pool.spawn(job).unwrap();
    }
    until("they run", || started.value() == workers);
    gate
}

mod pond {
    use super::*;

    #[test]
    fn stop_and_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
        ends(|| {
            let pool = Pool::new(1).unwrap();
            let gate = occupy(&pool, 1);
            let queued: Vec<_> = (0..10).map(|n| pool.submit(move || n).unwrap()).collect();
            drop(pool.shutdown_now());
            gate.open();
            pool.shutdown().wait().unwrap();
            assert!(queued.into_iter().all(|job| matches!(job.wait(), Err(JobError::Aborted))));
        });
    }

    #[test]
    fn subpool_stop_and_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
        ends(|| {
            let pool = Pool::new(4).unwrap();
            let part = pool.subpool(1);
            let (gate, started) = (Gate::default(), Counter::default());
            let (waits, starts) = (gate.clone(), started.clone());
            let running = part.submit(move || {
                starts.add();
                waits.pass();
            });
            until("it runs", || started.value() == 1);
            // These stand aside: other workers are free, and it is not their turn.
            let queued: Vec<_> = (0..10).map(|n| part.submit(move || n).unwrap()).collect();
            drop(pool.shutdown_now());
            gate.open();
            pool.shutdown().wait().unwrap();
            running.unwrap().wait().unwrap();
            assert!(queued.into_iter().all(|job| matches!(job.wait(), Err(JobError::Aborted))));
            assert_eq!(part.pending(), 0);
        });
    }

    #[test]
    fn task_group_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
        ends(|| {
            let pool = Pool::new(2).unwrap();
            let gate = occupy(&pool, 2);
            let group = pool.group::<()>();
            let jobs: Vec<_> = (0..10).map(|n| group.submit(move || Ok(n)).unwrap()).collect();
            let stops = pool.clone();
            let stopper = thread::spawn(move || drop(stops.shutdown_now()));
            assert!(matches!(group.wait(), Err(GroupError::Job(JobError::Aborted))));
            for job in jobs {
                assert!(matches!(job.wait(), Err(JobError::Aborted)));
            }
            stopper.join().unwrap();
            gate.open();
        });
    }

    #[test]
    fn submit_while_stopping() {
        ends(|| {
            let pool = Pool::new(10).unwrap();
            let gate = occupy(&pool, 10);
            let accepted = pool.submit(|| 1).unwrap();
            let stop = pool.shutdown();
            let rejected = pool.submit(|| 2).unwrap_err();
            assert_eq!(rejected.reason, Reason::Closed);
            assert_eq!(pool.spawn(|| ()).unwrap_err().reason, Reason::Closed);
            gate.open();
            stop.wait().unwrap();
            assert_eq!(accepted.wait().unwrap(), 1);
        });
    }

    #[test]
    fn submit_while_stopping_has_no_race() {
        for _ in 0..50 {
            ends(|| {
                let pool = Pool::new(3).unwrap();
                let ran = Counter::default();
                let submitters: Vec<_> = (0..4)
                    .map(|_| {
                        let (pool, ran) = (pool.clone(), ran.clone());
                        thread::spawn(move || {
                            let count = || {
                                let ran = ran.clone();
                                pool.spawn(move || {
                                    ran.add();
                                })
                            };
                            (0..).take_while(|_| count().is_ok()).count()
                        })
                    })
                    .collect();
                pool.submit(|| ()).unwrap().wait().unwrap();
                pool.shutdown().wait().unwrap();
                let accepted: usize = submitters.into_iter().map(|it| it.join().unwrap()).sum();
                assert_eq!(ran.value(), accepted, "accepted is run");
            });
        }
    }

    #[test]
    fn pool_with_queue_size_zero() {
        let builder = Pool::builder().threads(1).queue(Queue::Handoff).reject(Reject::Fail);
        let pool = builder.build().unwrap();
        let gate = occupy(&pool, 1);
        assert_eq!(pool.try_submit(|| ()).unwrap_err().reason, Reason::Full);
        gate.open();
        pool.wait_idle().wait();
        assert_eq!(pool.try_submit(|| 5).unwrap().wait().unwrap(), 5);
    }

    #[test]
    fn pool_with_queue_size_one() {
        let builder = Pool::builder().threads(1).queue(Queue::Bounded(1)).reject(Reject::Fail);
        let pool = builder.build().unwrap();
        let gate = occupy(&pool, 1);
        let queued = pool.try_submit(|| 5).unwrap();
        assert_eq!(pool.try_submit(|| ()).unwrap_err().reason, Reason::Full);
        gate.open();
        assert_eq!(queued.wait().unwrap(), 5);
    }

    #[test]
    fn pool_resize() {
        ends(|| {
            let pool = Pool::builder().threads(1).queue(Queue::Unbounded).build().unwrap();
            let gate = occupy(&pool, 1);
            let started = Counter::default();
            for _ in 0..9 {
                let (waits, starts) = (gate.clone(), started.clone());
                let job = move || {
                    starts.add();
                    waits.pass();
                };
                pool.spawn(job).unwrap();
            }
            assert_eq!((pool.metrics().running, pool.metrics().queued), (1, 9));
            pool.resize(3..=3).unwrap();
            until("two more run", || started.value() == 2);
            assert_eq!(pool.metrics().queued, 7);
            pool.resize(1..=1).unwrap();
            gate.open();
            pool.wait_idle().wait();
            until("two have gone", || pool.metrics().workers == 1);
            assert_eq!((started.value(), pool.threads()), (9, 1..=1));
        });
    }

    #[test]
    fn pool_resize_to_zero() {
        let pool = Pool::new(2).unwrap();
        let error = pool.resize(0..=0).unwrap_err();
        assert!(matches!(error, ResizeError::Threads { min: 0, max: 0 }));
        assert_eq!(pool.threads(), 2..=2, "nothing has changed");
    }

    /// The bound of the queue stays what it was.
    #[test]
    fn pool_resize_with_queue_size() {
        let builder = Pool::builder().threads(2).queue(Queue::Bounded(1)).reject(Reject::Fail);
        let pool = builder.build().unwrap();
        let gate = occupy(&pool, 2);
        pool.spawn(|| ()).unwrap();
        assert!(pool.spawn(|| ()).is_err());
        pool.resize(1..=1).unwrap();
        assert!(pool.spawn(|| ()).is_err());
        pool.resize(3..=3).unwrap();
        until("the third takes it", || pool.metrics().completed == 1);
        gate.open();
    }

    #[test]
    fn task_invokes_goexit() {
        let pool = Pool::new(1).unwrap();
        for _ in 0..10 {
            let job = pool.submit(|| std::panic::resume_unwind(Box::new(()))).unwrap();
            match job.wait() {
                Err(JobError::Panicked(panicked)) => assert_eq!(panicked.message(), None),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pool.submit(|| 3).unwrap().wait().unwrap(), 3);
        assert_eq!(pool.metrics().workers, 1, "it is still there");
    }

    /// Subpools may promise more than the pool has; what they have in common is the pool's.
    #[test]
    fn subpool_with_overlapping_concurrency() {
        ends(|| {
            let pool = Pool::builder().threads(5).queue(Queue::Unbounded).build().unwrap();
            let parts = [pool.subpool(3), pool.subpool(4)];
            let most: Arc<Mutex<[usize; 3]>> = Arc::default();
            let running: Arc<Mutex<[usize; 3]>> = Arc::default();
            for turn in 0..400 {
                let of = turn % 2;
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                let job = move || {
                    let note = |by: fn(usize) -> usize| {
                        let mut running = running.lock().unwrap();
                        running[of] = by(running[of]);
                        running[2] = by(running[2]);
                        let mut most = most.lock().unwrap();
                        (0..3).for_each(|at| most[at] = most[at].max(running[at]));
                    };
                    note(|count| count + 1);
                    thread::yield_now();
                    note(|count| count - 1);
                };
                parts[of].spawn(job).unwrap();
            }
            pool.wait_idle().wait();
            let most = *most.lock().unwrap();
            assert!(most[0] <= 3 && most[1] <= 4 && most[2] <= 5, "{most:?}");
            assert_eq!(pool.metrics().completed, 400);
        });
    }

    /// What a job captured is gone when the job is over, though the queue keeps its memory.
    #[test]
    fn buffer_with_pointer_to_large_object() {
        let pool = Pool::builder().threads(1).queue(Queue::Unbounded).build().unwrap();
        let gate = occupy(&pool, 1);
        let large = Arc::new(vec![0_u8; 1 << 20]);
        let jobs: Vec<_> = (0..100)
            .map(|_| {
                let large = Arc::clone(&large);
                pool.submit(move || large.len()).unwrap()
            })
            .collect();
        assert_eq!(Arc::strong_count(&large), 101);
        gate.open();
        pool.wait_idle().wait();
        assert_eq!(Arc::strong_count(&large), 1, "handles keep results, and nothing else");
        assert!(jobs.into_iter().all(|job| job.wait().unwrap() == 1 << 20));
    }
}

mod ants {
    use super::*;

    #[test]
    fn purge_pool() {
        let builder = Pool::builder().threads(0..=20).keep_alive(Duration::from_millis(1));
        let pool = builder.build().unwrap();
        let gate = occupy(&pool, 20);
        assert_eq!(pool.metrics().workers, 20);
        gate.open();
        until("they have gone", || pool.metrics().workers == 0);
        assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1);
    }

    #[test]
    fn max_blocking_submit() {
        ends(|| {
            let pool = Pool::builder().threads(10).queue(Queue::Handoff).build().unwrap();
            let gate = occupy(&pool, 10);
            let waits = pool.clone();
            let blocked = thread::spawn(move || waits.submit(|| 4).unwrap().wait().unwrap());
            until("it waits", || pool.metrics().waiting == 1);
            assert_eq!(pool.try_submit(|| ()).unwrap_err().reason, Reason::Full);
            let turn = pool.reserve().wait_timeout(Duration::from_millis(2));
            assert!(turn.is_err(), "whoever may wait for so long only is told so");
            gate.open();
            assert_eq!(blocked.join().unwrap(), 4);
        });
    }

    #[test]
    fn reboot_new_pool() {
        let pool = Pool::new(5).unwrap();
        pool.submit(|| ()).unwrap().wait().unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(pool.spawn(|| ()).unwrap_err().reason, Reason::Closed);
        pool.resume();
        pool.resize(2..=2).unwrap();
        assert_eq!(pool.spawn(|| ()).unwrap_err().reason, Reason::Closed, "it stays so");
        assert_eq!(pool.metrics().workers, 0);
        let again = Pool::new(5).unwrap();
        assert_eq!(again.submit(|| 2).unwrap().wait().unwrap(), 2);
    }

    /// Those that wait for a worker go on at once.
    #[test]
    fn pool_tune_scale_up() {
        ends(|| {
            let pool = Pool::builder().threads(2).queue(Queue::Handoff).build().unwrap();
            let gate = occupy(&pool, 2);
            let done = Counter::default();
            let blocked: Vec<_> = (0..4)
                .map(|_| {
                    let (pool, gate, done) = (pool.clone(), gate.clone(), done.clone());
                    thread::spawn(move || {
                        pool.spawn(move || gate.pass()).unwrap();
                        done.add();
                    })
                })
                .collect();
            until("they wait", || pool.metrics().waiting == 4);
            assert_eq!(pool.metrics().running, 2);
            pool.resize(3..=3).unwrap();
            until("one goes on", || done.value() == 1);
            until("a third worker has its job", || pool.metrics().running == 3);
            assert_eq!(pool.metrics().waiting, 3);
            pool.resize(6..=6).unwrap();
            for thread in blocked {
                thread.join().unwrap();
            }
            gate.open();
        });
    }

    #[test]
    fn release_when_running_pool() {
        ends(|| {
            let pool = Pool::builder().threads(1).queue(Queue::Handoff).build().unwrap();
            let gate = occupy(&pool, 1);
            let submitters: Vec<_> = (0..30)
                .map(|n| {
                    let pool = pool.clone();
                    thread::spawn(move || pool.submit(move || n).map(|job| job.wait().unwrap()))
                })
                .collect();
            until("they wait", || pool.metrics().waiting == 30);
            assert_eq!(pool.shutdown_timeout(Duration::ZERO), Err(ShutdownError::Timeout));
            for submitter in submitters {
                assert_eq!(submitter.join().unwrap().unwrap_err().reason, Reason::Closed);
            }
            gate.open();
            pool.shutdown().wait().unwrap();
        });
    }

    #[test]
    fn panic_handler() {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tells = Arc::clone(&told);
        let builder = Pool::builder().threads(1..=10).on_panic(move |panicked| {
            tells.lock().unwrap().push(panicked.message().unwrap_or("?").into());
        });
        let pool = builder.build().unwrap();
        pool.spawn(|| panic!("Oops!")).unwrap();
        pool.wait_idle().wait();
        assert_eq!(*told.lock().unwrap(), ["Oops!"]);
        assert_eq!((pool.metrics().panicked, pool.metrics().running), (1, 0));
    }

    /// The same where somebody has the handle: it is told, and nobody else.
    #[test]
    fn panic_handler_of_a_job_with_a_handle() {
        let told = Counter::default();
        let tells = told.clone();
        let on_panic = move |_: &_| {
            tells.add();
        };
        let pool = Pool::builder().threads(2).on_panic(on_panic).build().unwrap();
        let job = pool.submit(|| panic!("Oops!")).unwrap();
        assert!(matches!(job.wait(), Err(JobError::Panicked(_))));
        assert_eq!(told.value(), 0);
    }

    #[test]
    fn pool_panic_without_handler() {
        let pool = Pool::new(10).unwrap();
        pool.spawn(|| panic!("Oops!")).unwrap();
        assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1);
        pool.wait_idle().wait();
        assert_eq!((pool.metrics().panicked, pool.metrics().workers), (1, 10));
    }
}

mod gammazero {
    use super::*;

    #[test]
    fn stop_race() {
        ends(|| {
            let pool = Pool::new(20).unwrap();
            let gate = occupy(&pool, 20);
            let stoppers: Vec<_> = (0..5)
                .map(|_| {
                    let pool = pool.clone();
                    thread::spawn(move || pool.shutdown().wait().unwrap())
                })
                .collect();
            until("it is closed", || pool.is_shut_down());
            assert_eq!(pool.metrics().workers, 20, "nobody goes before the jobs are over");
            gate.open();
            for stopper in stoppers {
                stopper.join().unwrap();
                assert_eq!(pool.metrics().workers, 0);
            }
        });
    }

    /// What is said of the queue is no more than what was put there.
    #[test]
    fn waiting_queue_size_race() {
        ends(|| {
            const JOBS: usize = 2000;
            let pool = Pool::builder().threads(4).queue(Queue::Unbounded).build().unwrap();
            let submitters: Vec<_> = (0..4)
                .map(|_| {
                    let pool = pool.clone();
                    thread::spawn(move || {
                        for _ in 0..JOBS / 4 {
                            pool.spawn(thread::yield_now).unwrap();
                            let metrics = pool.metrics();
                            let seen = metrics.queued as u64 + metrics.completed;
                            assert!(seen <= metrics.submitted, "{metrics:?}");
                            assert!(metrics.running + metrics.idle <= metrics.workers);
                        }
                    })
                })
                .collect();
            submitters.into_iter().for_each(|it| it.join().unwrap());
            pool.wait_idle().wait();
            assert_eq!(pool.metrics().queued, 0);
        });
    }

    #[test]
    fn pause() {
        ends(|| {
            let pool = Pool::new(25).unwrap();
            let ran = Counter::default();
            let running = pool.submit(|| 1).unwrap();
            assert_eq!(running.wait().unwrap(), 1);
            assert!(pool.pause());
            let runs = ran.clone();
            let job = pool.submit(move || runs.add()).unwrap();
            let job = job.wait_timeout(Duration::from_millis(5)).unwrap_err();
            assert_eq!((ran.value(), pool.metrics().queued), (0, 1));
            // Twice is once.
            assert!(pool.pause());
            pool.resume();
            assert_eq!(job.wait().unwrap(), 1);
            pool.pause();
            let job = pool.submit(|| 2).unwrap();
            pool.shutdown().wait().unwrap();
            assert_eq!(job.wait().unwrap(), 2, "the end ends a pause");
            assert!(!pool.pause());
        });
    }

    #[test]
    fn worker_leak() {
        let alive = Counter::default();
        let (starts, stopped) = (alive.clone(), Counter::default());
        let stops = stopped.clone();
        let builder = Pool::builder().threads(8).on_start(move || {
            starts.add();
        });
        let pool = builder
            .on_stop(move || {
                stops.add();
            })
            .build()
            .unwrap();
        for _ in 0..100 {
            pool.spawn(|| ()).unwrap();
        }
        pool.shutdown().wait().unwrap();
        assert_eq!((alive.value(), stopped.value()), (8, 8));
    }

    #[test]
    fn overflow() {
        ends(|| {
            let pool = Pool::builder().threads(2).queue(Queue::Unbounded).build().unwrap();
            let gate = occupy(&pool, 2);
            let queued: Vec<_> = (0..64).map(|n| pool.submit(move || n).unwrap()).collect();
            let returned = pool.shutdown_now();
            gate.open();
            pool.shutdown().wait().unwrap();
            assert_eq!(returned.len(), 64, "what did not start is handed back");
            returned.into_iter().for_each(|job| job.run());
            assert!(queued.into_iter().enumerate().all(|(n, job)| job.wait().unwrap() == n));
        });
    }

    #[test]
    fn panic_do() {
        let pool = Pool::new(1).unwrap();
        let job = pool.submit(|| panic!("Oops!")).unwrap();
        let Err(JobError::Panicked(panicked)) = job.wait() else { panic!("it panicked") };
        assert_eq!(panicked.message(), Some("Oops!"));
        assert_eq!(*panicked.into_payload().downcast::<&str>().unwrap(), "Oops!");
        assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1);
    }
}

mod conc {
    use super::*;

    #[test]
    fn panics_do_not_exhaust_goroutines() {
        let pool = Pool::new(2).unwrap();
        let jobs: Vec<_> = (0..10).map(|_| pool.submit(|| panic!("super bad thing"))).collect();
        for job in jobs {
            assert!(matches!(job.unwrap().wait(), Err(JobError::Panicked(_))));
        }
        pool.wait_idle().wait();
        assert_eq!((pool.metrics().panicked, pool.metrics().workers), (10, 2));
    }

    #[test]
    fn deterministic_order() {
        let pool = Pool::builder().threads(8).queue(Queue::Unbounded).build().unwrap();
        let jobs = (0..1000).map(|n| {
            let job = move || {
                if n % 7 == 0 {
                    thread::yield_now();
                }
                n
            };
            pool.submit(job).unwrap()
        });
        let jobs: Vec<_> = jobs.collect();
        assert!(jobs.into_iter().map(|job| job.wait().unwrap()).eq(0..1000));
    }

    #[test]
    fn reuse() {
        let pool = Pool::new(3).unwrap();
        for round in 1..=5 {
            let done = Counter::default();
            for _ in 0..100 {
                let done = done.clone();
                pool.spawn(move || {
                    done.add();
                })
                .unwrap();
            }
            pool.wait_idle().wait();
            assert_eq!((done.value(), pool.metrics().completed), (100, round * 100));
        }
    }

    #[test]
    fn limit() {
        for threads in [1, 10, 100] {
            let pool = Pool::builder().threads(0..=threads).build().unwrap();
            let running: Arc<(AtomicUsize, AtomicUsize)> = Arc::default();
            for _ in 0..threads * 10 {
                let running = Arc::clone(&running);
                let job = move || {
                    let (now, most) = &*running;
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                };
                pool.spawn(job).unwrap();
            }
            pool.wait_idle().wait();
            assert!(pool.metrics().workers <= threads);
            assert_eq!(pool.metrics().completed, threads as u64 * 10);
            assert!((1..=threads).contains(&running.1.load(Ordering::SeqCst)));
        }
    }
}
