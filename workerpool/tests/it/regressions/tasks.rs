//! The same of pools of tasks, on a runtime of one thread and on one of two.

use crate::support::{Counter, PATIENCE, TaskGate, occupied, on_both, turns_until};
use lockgate_workerpool::task::{Pool, Queue, Reject};
use lockgate_workerpool::{JobError, Reason};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::task::yield_now;

/// A pool of one worker, which is busy until the gate opens, and a queue of `bound`.
async fn busy(bound: usize) -> (Pool, TaskGate) {
    let pool = Pool::builder().limit(1).queue(Queue::Bounded(bound)).build().unwrap();
    let gate = occupied(&pool, 1).await;
    (pool, gate)
}

/// ants#141, 36c4272, 8d03fcf: nobody told submitters that waited of the end. Both ends, here.
#[test]
fn ants_141_release_while_submitters_wait() {
    on_both(|| async {
        for now in [false, true] {
            let (pool, gate) = busy(1).await;
            let queued = pool.submit(async { 1 }).await.unwrap();
            let blocked: Vec<_> = (0..8)
                .map(|_| {
                    let pool = pool.clone();
                    tokio::spawn(async move { pool.spawn(async {}).await.unwrap_err().reason })
                })
                .collect();
            turns_until(|| pool.metrics().waiting == 8).await;
            if now {
                drop(pool.shutdown_now());
            } else {
                drop(pool.shutdown());
            }
            for task in blocked {
                assert_eq!(task.await.unwrap(), Reason::Closed);
            }
            gate.open(1);
            pool.shutdown().await;
            assert_eq!(queued.await.is_ok(), !now);
        }
    });
}

/// ants#146, dbcb6a1: every worker panicked, and submitters waited until the pool was swept.
#[test]
fn ants_146_panics_make_room_for_whoever_waits() {
    on_both(|| async {
        let pool = Pool::builder().limit(2).queue(Queue::Handoff).build().unwrap();
        let submitters: Vec<_> = (0..4)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    for _ in 0..50 {
                        let job = async { std::panic::resume_unwind(Box::new("quiet")) };
                        pool.spawn(job).await.unwrap();
                    }
                })
            })
            .collect();
        for submitter in submitters {
            submitter.await.unwrap();
        }
        pool.wait_idle().await;
        assert_eq!((pool.metrics().panicked, pool.metrics().running), (200, 0));
        assert_eq!(pool.run(async { 1 }).await.unwrap(), 1);
    });
}

/// ants#272: a signal came before the wait for it, and only the purge ticker hid it.
#[test]
fn ants_272_no_signal_is_lost_between_the_look_and_the_wait() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).build().unwrap();
        let submitters: Vec<_> = (0..3)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    for _ in 0..500 {
                        pool.spawn(async {}).await.unwrap();
                    }
                })
            })
            .collect();
        for submitter in submitters {
            submitter.await.unwrap();
        }
        pool.wait_idle().await;
        assert_eq!(pool.metrics().completed, 1500);
    });
}

/// ants#6, fbd1703: a pool that grew by several woke one of those that waited.
#[test]
fn ants_6_growing_serves_as_many_as_there_are_workers() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).build().unwrap();
        let gate = occupied(&pool, 1).await;
        let submitters: Vec<_> = (0..5)
            .map(|_| {
                let (pool, gate) = (pool.clone(), gate.clone());
                tokio::spawn(async move { pool.spawn(gate.pass()).await.unwrap() })
            })
            .collect();
        turns_until(|| pool.metrics().waiting == 5).await;
        pool.resize(6).unwrap();
        gate.come(5).await;
        gate.open(6);
        for submitter in submitters {
            submitter.await.unwrap();
        }
    });
}

/// ants#113, 94a7a7f, ef60172, pond#104, 94bbb62: a submit that met the end left a worker behind for ever, was
/// counted by nobody, or panicked.
#[test]
fn pond_104_a_submit_during_the_stop_runs_or_comes_back() {
    on_both(|| async {
        for round in 0..100 {
            let (pool, ran) = (Pool::new(2).unwrap(), Counter::default());
            let (other, runs) = (pool.clone(), ran.clone());
            let submitter = tokio::spawn(async move {
                for _ in 0..round % 4 {
                    yield_now().await;
                }
                other.submit(async move { runs.add() }).await
            });
            for _ in 0..round % 3 {
                yield_now().await;
            }
            pool.shutdown().await;
            let metrics = match submitter.await.unwrap() {
                Ok(job) => {
                    // Whoever was accepted came before the end, which was waited for.
                    assert_eq!(job.await.unwrap(), 1);
                    assert_eq!(pool.metrics().completed, 1);
                    pool.metrics()
                }
                Err(rejected) => {
                    assert_eq!((rejected.reason, ran.value()), (Reason::Closed, 0));
                    assert_eq!(rejected.into_job().await, 1);
                    pool.metrics()
                }
            };
            assert_eq!((metrics.workers, metrics.queued), (0, 0));
        }
    });
}

/// pond#61, pond#138, a2e34e8: what waited when the pool was cancelled kept `Wait` from its end.
#[test]
fn pond_138_what_is_taken_out_keeps_nobody_waiting() {
    on_both(|| async {
        let (pool, gate) = busy(100).await;
        let part = pool.subpool(1);
        let mut jobs = Vec::new();
        for n in 0..20 {
            jobs.push(part.submit(async move { n }).await.unwrap());
        }
        let waits = pool.clone();
        let waiter = tokio::spawn(async move { waits.wait_idle().await });
        drop(pool.purge());
        for job in jobs {
            assert!(matches!(job.await, Err(JobError::Aborted)));
        }
        gate.open(1);
        waiter.await.unwrap();
        assert_eq!((pool.metrics().aborted, part.pending()), (20, 0));
        let next = part.submit(async { 3 }).await.unwrap();
        assert_eq!(next.await.unwrap(), 3, "the subpool goes on");
    });
}

/// pond#108, 18e306d, 198a10d, 543ed3a: submitters that waited for a small queue hung each other.
#[test]
fn pond_108_many_submitters_share_one_place() {
    on_both(|| async {
        for bound in [0, 1, 2] {
            let pool = Pool::builder().limit(1).queue(Queue::Bounded(bound)).build().unwrap();
            let submitters: Vec<_> = (0..8)
                .map(|_| {
                    let pool = pool.clone();
                    tokio::spawn(async move {
                        let mut sum = 0;
                        for n in 0..100 {
                            sum += pool.submit(async move { n }).await.unwrap().await.unwrap();
                        }
                        sum
                    })
                })
                .collect();
            for submitter in submitters {
                assert_eq!(submitter.await.unwrap(), 4950);
            }
        }
    });
}

/// pond 53914d0: the queue's memory kept what it had given out. Here also what was aborted, and the
/// handle that nobody waits for.
#[test]
fn pond_53914d0_nothing_keeps_what_a_job_captured() {
    on_both(|| async {
        let (pool, gate) = busy(100).await;
        let dropped = Counter::default();
        let mut jobs = Vec::new();
        for _ in 0..10 {
            let capture = dropped.on_drop();
            jobs.push(pool.submit(async move { drop(capture) }).await.unwrap());
        }
        assert!(jobs.iter().take(5).all(|job| job.abort()));
        assert_eq!(dropped.value(), 5);
        gate.open(1);
        pool.wait_idle().await;
        assert_eq!(dropped.value(), 10);
        drop(jobs);
    });
}

/// pond#68: `Wait` came back while jobs still ran. The pool's, and a group's that fails.
#[test]
fn pond_68_rest_is_when_the_last_job_is_over() {
    on_both(|| async {
        let pool = Pool::builder().limit(4).queue(Queue::Unbounded).build().unwrap();
        for round in 0..100 {
            let ended = Counter::default();
            for _ in 0..4 {
                let ended = ended.clone();
                let job = async move {
                    yield_now().await;
                    ended.tick();
                };
                pool.spawn(job).await.unwrap();
            }
            pool.wait_idle().await;
            assert_eq!(ended.value(), 4);

            let (started, ended, fails) = (Counter::default(), Counter::default(), round % 2 == 1);
            let group = pool.group::<()>();
            for n in 0..8 {
                let (started, ended) = (started.clone(), ended.clone());
                let job = async move {
                    started.tick();
                    yield_now().await;
                    ended.tick();
                    if fails && n == 0 { Err(()) } else { Ok(()) }
                };
                // An error that is known already refuses those that come later.
                let refused = group.spawn(job).await.is_err();
                assert!(!refused || fails);
            }
            assert_eq!(group.await.is_err(), fails);
            assert_eq!(ended.value(), started.value(), "what started has ended");
            assert!(fails || ended.value() == 8);
        }
    });
}

/// rayon#592, rayon#1174, rayon#1181, rayon#1269: whoever waited with a lock in its hands ran a job that
/// wanted the same lock.
#[test]
fn rayon_592_whoever_waits_with_a_lock_runs_nobody_who_wants_it() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Unbounded).build().unwrap();
        let lock = Arc::new(tokio::sync::Mutex::new(0));
        let (inner, held) = (pool.clone(), Arc::clone(&lock));
        assert!(pool.pause());
        let first = pool.submit(async move {
            let mut held = held.lock().await;
            let yields = async {
                yield_now().await;
                1
            };
            *held += inner.run(yields).await.unwrap();
        });
        let first = first.await.unwrap();
        let mut others = Vec::new();
        for _ in 0..10 {
            let lock = Arc::clone(&lock);
            // `try_lock` would fail where the first has run one of them.
            others.push(pool.submit(async move { *lock.try_lock().unwrap() += 1 }).await.unwrap());
        }
        pool.resume();
        first.await.unwrap();
        for job in others {
            job.await.unwrap();
        }
        assert_eq!(*lock.lock().await, 11);
    });
}

/// threadpool#13, threadpool#112: a panic was seen by nobody.
#[test]
fn threadpool_112_every_panic_is_told_to_somebody() {
    on_both(|| async {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tells = Arc::clone(&told);
        let on_panic = move |panicked: &lockgate_workerpool::Panicked| {
            tells.lock().unwrap().push(panicked.message().unwrap_or("?").to_owned());
        };
        let pool = Pool::builder().limit(1).on_panic(on_panic).build().unwrap();
        pool.spawn(async { panic!("spawned") }).await.unwrap();
        let late = pool.submitter().deadline(Instant::now() + PATIENCE);
        late.spawn(async { panic!("spawned with a deadline") }).await.unwrap();
        pool.subpool(1).spawn(async { panic!("spawned in a subpool") }).await.unwrap();
        let job = pool.submit(async { panic!("submitted") }).await.unwrap();
        let Err::<(), _>(JobError::Panicked(panicked)) = job.await else { panic!("it panicked") };
        assert_eq!(panicked.message(), Some("submitted"));
        pool.wait_idle().await;
        let told = told.lock().unwrap();
        assert_eq!(*told, ["spawned", "spawned with a deadline", "spawned in a subpool"]);
    });
}

/// executors#13: a second shutdown panicked.
#[test]
fn executors_13_a_second_shutdown_is_the_same() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        pool.submit(async {}).await.unwrap().await.unwrap();
        let (first, second) = (pool.shutdown(), pool.shutdown());
        second.await;
        first.await;
        assert!(pool.shutdown_now().is_empty());
        pool.shutdown().await;
    });
}

/// tokio#6439, tokio#7922, tokio#8056: idle workers were counted twice, or once too little, when those that leave,
/// a wake-up and the end met. Here they leave for a smaller limit.
#[test]
fn tokio_8056_idle_workers_are_counted_once() {
    on_both(|| async {
        let pool = Pool::new(3).unwrap();
        for round in 0..300_usize {
            pool.resize(1 + round % 3).unwrap();
            let mut jobs = Vec::new();
            for n in 0..3 {
                jobs.push(pool.submit(async move { round + n }).await.unwrap());
            }
            for (n, job) in jobs.into_iter().enumerate() {
                assert_eq!(job.await.unwrap(), round + n);
            }
            let metrics = pool.metrics();
            assert!(metrics.workers <= 3 && metrics.idle + metrics.running <= metrics.workers);
        }
        pool.shutdown().await;
        let metrics = pool.metrics();
        assert_eq!((metrics.workers, metrics.idle, metrics.running), (0, 0, 0));
        assert_eq!(metrics.completed, 900);
    });
}

/// tokio#525, tokio#621, tokio#459, tokio#507: a job came while the last worker fell asleep.
#[test]
fn tokio_525_no_wake_up_is_lost() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        for n in 0..2000 {
            assert_eq!(pool.submit(async move { n }).await.unwrap().await.unwrap(), n);
        }
    });
}

/// tokio#4955, tokio#7261, tokio#2143: a queue that nobody sees. "The permit before the spawn".
#[test]
fn tokio_4955_what_waits_is_seen_and_has_a_bound() {
    on_both(|| async {
        let (pool, gate) = busy(2).await;
        pool.spawn(async {}).await.unwrap();
        let slot = pool.reserve().await.unwrap();
        assert_eq!(pool.metrics().queued, 1, "a place that is reserved is no job");
        assert_eq!(pool.try_submit(async {}).unwrap_err().reason, Reason::Full);
        drop(slot.submit(async {}).unwrap());
        assert_eq!(pool.metrics().queued, 2);
        gate.open(1);
    });
}

/// tokio#6547: whoever waited for a `JoinSet` kept all others from adding to it.
#[test]
fn tokio_6547_jobs_are_added_while_somebody_waits_for_the_others() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Unbounded).build().unwrap();
        let (group, gate) = (pool.group::<()>(), TaskGate::new());
        let (handle, first) = (group.handle(), gate.clone());
        let held = async move {
            first.pass().await;
            Ok(())
        };
        group.spawn(held).await.unwrap();
        let waiter = tokio::spawn(group);
        gate.come(1).await;
        let ran = Counter::default();
        for _ in 0..3 {
            let runs = ran.clone();
            let job = async move {
                runs.tick();
                Ok(())
            };
            handle.spawn(job).await.unwrap();
        }
        assert!(!waiter.is_finished());
        gate.open(1);
        waiter.await.unwrap().unwrap();
        assert_eq!(ran.value(), 3);
    });
}

/// `ThreadPoolExecutor`: with an unbounded queue the most number of workers is never reached.
#[test]
fn java_an_unbounded_queue_does_not_keep_a_pool_small() {
    on_both(|| async {
        let pool = Pool::builder().limit(4).queue(Queue::Unbounded).build().unwrap();
        // They are there when all four run at once.
        occupied(&pool, 4).await.open(4);
        pool.wait_idle().await;
    });
}

/// folly: a job that submits into a full queue that blocks waits for itself.
#[test]
fn folly_a_job_that_submits_into_a_full_queue_goes_on() {
    on_both(|| async {
        for reject in [Reject::Block, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest] {
            let builder = Pool::builder().limit(1).queue(Queue::Handoff).reject(reject);
            let pool = builder.build().unwrap();
            let inner = pool.clone();
            let outer = async move {
                match inner.submit(async { 2 }).await {
                    Ok(job) => Ok(job.await.ok()),
                    Err(rejected) => Err(rejected.reason),
                }
            };
            let nested = pool.run(outer).await.unwrap();
            match reject {
                // Without a queue there is no oldest.
                Reject::DropOldest => assert_eq!(nested, Err(Reason::Full)),
                Reject::DropNewest => assert_eq!(nested, Ok(None)),
                _ => assert_eq!(nested, Ok(Some(2))),
            }
        }
    });
}
