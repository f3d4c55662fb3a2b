//! What went wrong elsewhere: one test per defect, with the commit or issue that tells its story.
//! Races that a model can hold are in `src/tests/loom_*.rs`; here they run for real.
//!
//! | what cannot occur here | reference | why |
//! |---|---|---|
//! | a release that races with a reboot | ants b40e489, 95dad45 | closed is closed: `go_parity::ants::reboot_new_pool` |
//! | waiters that depend on a timer, which happens to tick | ants#272 | no timer touches them; `ants_272_…` has none |
//! | a thread that a job ends | pond#135, pond#136 | Rust has no `Goexit`; `go_parity::pond::task_invokes_goexit` |
//! | a dispatcher whose lock everybody needs | pond 1d93c12 | there is no dispatcher: workers fetch their jobs |
//! | one shard that is full, or asleep, beside others | tokio#7757, tokio#8057 | one queue, one lock, one count |
//! | stealing that runs a stranger where somebody waits | rayon#592, rayon#1174, rayon#1181, rayon#1269 | whoever waits runs the job that he waits for, and no other: `rayon_592_…` |
//! | workers that look for work in vain, and burn a core | rayon#642, rayon#576, rayon#390, rayon#343, amethyst#780 | they sleep when they find nothing: `rayon_642_…` |
//! | queues that nobody sees, without an end | tokio#4955, tokio#7261, tokio#2143 | bounded by default; `Metrics::queued`, `Pool::reserve` |
//! | a most number of threads that never comes, for the queue has no end | `ThreadPoolExecutor` | a pool grows before it queues: `java_an_unbounded_queue_…` |
//! | threads that are injected, one each half second, into a pool that starves | .NET | what waits inside runs inside, and who would wait for ever is told |

use crate::support::{Counter, Gate, until};
use lockgate_workerpool::thread::{Pool, Queue, Reject, scope};
use lockgate_workerpool::{JobError, Reason, ShutdownError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A pool of one worker, which is busy until the gate opens, and a queue of `bound`.
fn busy(bound: usize) -> (Pool<'static>, Gate) {
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(bound));
    let (pool, gate) = (builder.build().unwrap(), Gate::default());
    let (waits, started) = (gate.clone(), Counter::default());
    let starts = started.clone();
    let job = move || {
        starts.add();
        waits.pass();
    };
    pool.spawn(job).unwrap();
    until("it runs", || started.value() == 1);
    (pool, gate)
}

/// ants#141, 36c4272, 8d03fcf: nobody told submitters that waited of the end. Both ends, here.
#[test]
fn ants_141_release_while_submitters_wait() {
    for now in [false, true] {
        let (pool, gate) = busy(1);
        let queued = pool.submit(|| 1).unwrap();
        let blocked: Vec<_> = (0..8)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || pool.spawn(|| ()).unwrap_err().reason)
            })
            .collect();
        until("they wait", || pool.metrics().waiting == 8);
        if now {
            drop(pool.shutdown_now());
        } else {
            drop(pool.shutdown());
        }
        for thread in blocked {
            assert_eq!(thread.join().unwrap(), Reason::Closed);
        }
        gate.open();
        pool.shutdown().wait().unwrap();
        assert_eq!(queued.wait().is_ok(), !now);
    }
}

/// ants#146, dbcb6a1: every worker panicked, and submitters waited until the pool was swept.
#[test]
fn ants_146_panics_make_room_for_whoever_waits() {
    let pool = Pool::builder().threads(2).queue(Queue::Handoff).build().unwrap();
    let submitters: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || {
                for _ in 0..50 {
                    pool.spawn(|| std::panic::resume_unwind(Box::new("quiet"))).unwrap();
                }
            })
        })
        .collect();
    submitters.into_iter().for_each(|it| it.join().unwrap());
    pool.wait_idle().wait();
    assert_eq!((pool.metrics().panicked, pool.metrics().workers), (200, 2));
}

/// ants#272: a signal came before the wait for it, and only the purge ticker hid it.
#[test]
fn ants_272_no_signal_is_lost_between_the_look_and_the_wait() {
    let pool = Pool::builder().threads(1).queue(Queue::Handoff).build().unwrap();
    let submitters: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || (0..500).for_each(|_| pool.spawn(|| ()).unwrap()))
        })
        .collect();
    submitters.into_iter().for_each(|it| it.join().unwrap());
    pool.wait_idle().wait();
    assert_eq!(pool.metrics().completed, 1500);
}

/// ants#6, fbd1703: a pool that grew by several woke one of those that waited.
#[test]
fn ants_6_growing_serves_as_many_as_there_are_workers() {
    let pool = Pool::builder().threads(1).queue(Queue::Handoff).build().unwrap();
    let (gate, started) = (Gate::default(), Counter::default());
    let submitters: Vec<_> = (0..6)
        .map(|_| {
            let (pool, gate, started) = (pool.clone(), gate.clone(), started.clone());
            thread::spawn(move || {
                let job = move || {
                    started.add();
                    gate.pass();
                };
                pool.spawn(job).unwrap();
            })
        })
        .collect();
    until("one runs, the others wait", || started.value() == 1 && pool.metrics().waiting == 5);
    pool.resize(6..=6).unwrap();
    until("all run", || started.value() == 6);
    gate.open();
    submitters.into_iter().for_each(|it| it.join().unwrap());
}

/// ants#113, 94a7a7f, ef60172: a submit that met the end left a worker behind for ever.
#[test]
fn ants_113_no_worker_outlives_a_submit_that_meets_the_end() {
    for _ in 0..100 {
        let pool = Pool::builder().threads(0..=2).build().unwrap();
        let other = pool.clone();
        let submitter =
            thread::spawn(move || (0..10).filter(|_| other.spawn(|| ()).is_ok()).count());
        pool.shutdown().wait().unwrap();
        let accepted = submitter.join().unwrap();
        // Whoever was accepted came before the end, which was waited for.
        let metrics = pool.metrics();
        assert_eq!((metrics.workers, metrics.completed), (0, accepted as u64));
    }
}

/// pond#61, pond#138, a2e34e8: what waited when the pool was cancelled kept `Wait` from its end.
#[test]
fn pond_138_what_is_taken_out_keeps_nobody_waiting() {
    let (pool, gate) = busy(100);
    let part = pool.subpool(1);
    let jobs: Vec<_> = (0..20).map(|n| part.submit(move || n).unwrap()).collect();
    let waits = pool.clone();
    let waiter = thread::spawn(move || waits.wait_idle().wait());
    drop(pool.purge());
    assert!(jobs.into_iter().all(|job| matches!(job.wait(), Err(JobError::Aborted))));
    gate.open();
    waiter.join().unwrap();
    assert_eq!((pool.metrics().aborted, part.pending()), (20, 0));
    assert_eq!(part.submit(|| 3).unwrap().wait().unwrap(), 3, "the subpool goes on");
}

/// pond#108, 18e306d, 198a10d, 543ed3a: submitters that waited for a small queue hung each other.
#[test]
fn pond_108_many_submitters_share_one_place() {
    for bound in [0, 1, 2] {
        let pool = Pool::builder().threads(1).queue(Queue::Bounded(bound)).build().unwrap();
        let submitters: Vec<_> = (0..8)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || {
                    (0..100).map(|n| pool.submit(move || n).unwrap().wait().unwrap()).sum::<u32>()
                })
            })
            .collect();
        assert!(submitters.into_iter().all(|it| it.join().unwrap() == 4950));
    }
}

/// pond#104, 94bbb62: a submit during the stop was counted by nobody, or panicked.
#[test]
fn pond_104_a_submit_during_the_stop_runs_or_comes_back() {
    for _ in 0..100 {
        let pool = Pool::new(1).unwrap();
        let (other, ran) = (pool.clone(), Counter::default());
        let runs = ran.clone();
        let submitter = thread::spawn(move || other.submit(move || runs.add()));
        pool.shutdown().wait().unwrap();
        match submitter.join().unwrap() {
            Ok(job) => assert_eq!(job.wait().unwrap(), 1),
            Err(rejected) => assert_eq!((ran.value(), (rejected.into_job())()), (0, 1)),
        }
    }
}

/// pond 53914d0: the queue's memory kept what it had given out. Here also what was aborted, and the
/// handle that nobody waits for.
#[test]
fn pond_53914d0_nothing_keeps_what_a_job_captured() {
    let (pool, gate) = busy(100);
    let dropped = Counter::default();
    let jobs: Vec<_> = (0..10)
        .map(|_| {
            let capture = dropped.on_drop();
            pool.submit(move || drop(capture)).unwrap()
        })
        .collect();
    assert!(jobs.iter().take(5).all(|job| job.abort()));
    assert_eq!(dropped.value(), 5);
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(dropped.value(), 10);
    drop(jobs);
}

/// pond#68: `Wait` came back while jobs still ran.
#[test]
fn pond_68_rest_is_when_the_last_job_is_over() {
    let pool = Pool::new(4).unwrap();
    for _ in 0..200 {
        let ended = Counter::default();
        for _ in 0..4 {
            let ended = ended.clone();
            let job = move || {
                thread::yield_now();
                ended.add();
            };
            pool.spawn(job).unwrap();
        }
        pool.wait_idle().wait();
        assert_eq!(ended.value(), 4);
    }
}

/// gammazero 3890c21, 064b8cd, 85cc841: `Stop` came back before the workers had gone.
#[test]
fn gammazero_85cc841_the_end_is_when_the_threads_have_gone() {
    struct Local(Counter);

    impl Drop for Local {
        fn drop(&mut self) {
            thread::yield_now();
            self.0.add();
        }
    }

    thread_local!(static LOCAL: std::cell::RefCell<Option<Local>> = const { std::cell::RefCell::new(None) });

    for by_drop in [false, true] {
        let gone = Counter::default();
        let counts = gone.clone();
        let on_start = move || LOCAL.set(Some(Local(counts.clone())));
        let pool = Pool::builder().threads(4).on_start(on_start).build().unwrap();
        pool.submit(|| ()).unwrap().wait().unwrap();
        if by_drop {
            drop(pool);
        } else {
            pool.shutdown().wait().unwrap();
        }
        assert_eq!(gone.value(), 4, "their locals have gone, so their threads have");
    }
}

/// rayon#688, rayon#1242: nobody could wait for the end of the threads.
#[test]
fn rayon_688_a_pool_that_is_dropped_has_ended() {
    let (stopped, ran) = (Counter::default(), Counter::default());
    let stops = stopped.clone();
    let on_stop = move || {
        stops.add();
    };
    let pool = Pool::builder().threads(3).on_stop(on_stop).build().unwrap();
    let runs = ran.clone();
    let job = move || {
        runs.add();
    };
    pool.spawn(job).unwrap();
    drop(pool);
    assert_eq!((stopped.value(), ran.value()), (3, 1));
}

/// rayon#592, rayon#1174, rayon#1181, rayon#1269: whoever waited with a lock in its hands stole a job that
/// wanted the same lock.
#[test]
fn rayon_592_whoever_waits_with_a_lock_runs_nobody_who_wants_it() {
    let pool = Pool::builder().threads(1).queue(Queue::Unbounded).build().unwrap();
    let lock = Arc::new(Mutex::new(0));
    let (inner, held) = (pool.clone(), Arc::clone(&lock));
    pool.pause();
    let first = pool.submit(move || {
        let mut held = held.lock().unwrap();
        *held += inner.submit(|| 1).unwrap().wait().unwrap();
    });
    let others: Vec<_> = (0..10)
        .map(|_| {
            let lock = Arc::clone(&lock);
            // `try_lock` would fail where the first has run one of them.
            pool.submit(move || *lock.try_lock().unwrap() += 1).unwrap()
        })
        .collect();
    pool.resume();
    first.unwrap().wait().unwrap();
    others.into_iter().for_each(|job| job.wait().unwrap());
    assert_eq!(*lock.lock().unwrap(), 11);
}

/// rayon#642, rayon#576, rayon#390, rayon#343, amethyst#780: idle workers took a whole core.
#[cfg(target_os = "linux")]
#[test]
fn rayon_642_idle_workers_sleep() {
    // State and time of each thread of the pool, as the system tells them: `S`, and ticks of 10 ms.
    fn workers() -> Vec<(String, u64)> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let named = tasks.filter(|task| {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            name.starts_with("sleepy-")
        });
        let told = named.map(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap();
            let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
            let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
            (fields[0].to_owned(), ticks(11) + ticks(12))
        });
        told.collect()
    }
    let pool = Pool::builder().threads(4).name("sleepy").build().unwrap();
    for _ in 0..20 {
        pool.submit(|| ()).unwrap().wait().unwrap();
    }
    let sleep = || workers().iter().filter(|(state, _)| state == "S").count() == 4;
    until("all sleep", sleep);
    let used = || workers().iter().map(|(_, ticks)| ticks).sum::<u64>();
    let (before, start) = (used(), Instant::now());
    // Time goes by on purpose: it is what an idle pool has to let go by.
    thread::sleep(Duration::from_millis(300));
    let (cpu, wall) = ((used() - before) * 10, start.elapsed().as_millis() as u64);
    assert!(cpu * 10 <= wall, "{cpu} ms of CPU in {wall} ms");
    assert!(sleep());
}

/// threadpool#13, threadpool#112: a panic was seen by nobody.
#[test]
fn threadpool_112_every_panic_is_told_to_somebody() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tells = Arc::clone(&told);
    let on_panic = move |panicked: &lockgate_workerpool::Panicked| {
        tells.lock().unwrap().push(panicked.message().unwrap_or("?").to_owned());
    };
    let pool = Pool::builder().threads(1).on_panic(on_panic).build().unwrap();
    pool.spawn(|| panic!("spawned")).unwrap();
    let late = Instant::now() + crate::support::PATIENCE;
    pool.submitter().deadline(late).spawn(|| panic!("spawned with a deadline")).unwrap();
    pool.subpool(1).spawn(|| panic!("spawned in a subpool")).unwrap();
    let job = pool.submit(|| panic!("submitted")).unwrap();
    let Err(JobError::Panicked(panicked)) = job.wait() else { panic!("it panicked") };
    assert_eq!(panicked.message(), Some("submitted"));
    pool.wait_idle().wait();
    let told = told.lock().unwrap();
    assert_eq!(*told, ["spawned", "spawned with a deadline", "spawned in a subpool"]);
}

/// threadpool, rusty_pool and others: jobs that wait for jobs, all workers full of them.
#[test]
fn threadpool_workers_that_all_wait_for_jobs_of_the_pool() {
    fn sum(pool: &Pool<'static>, numbers: Vec<u64>) -> u64 {
        if let [number] = *numbers {
            return number;
        }
        let (mut left, inner) = (numbers, pool.clone());
        let right = left.split_off(left.len() / 2);
        let job = pool.submit(move || sum(&inner, right)).unwrap();
        sum(pool, left) + job.wait().unwrap()
    }
    for threads in [1, 2] {
        let pool = Pool::builder().threads(threads).queue(Queue::Unbounded).build().unwrap();
        let inner = pool.clone();
        let job = pool.submit(move || sum(&inner, (1..=512).collect()));
        assert_eq!(job.unwrap().wait().unwrap(), 512 * 513 / 2);
    }
}

/// executors#13: a second shutdown panicked. bellperson#204: scopes inside each other's jobs.
#[test]
fn executors_13_a_second_shutdown_is_the_same() {
    let pool = Pool::new(2).unwrap();
    let (first, second) = (pool.shutdown(), pool.shutdown());
    second.wait().unwrap();
    first.wait().unwrap();
    assert!(pool.shutdown_now().is_empty());
    pool.shutdown_timeout(Duration::ZERO).unwrap();
    drop(pool);
    let total = scope(Pool::builder().threads(1), |outer| {
        let job = outer.submit(|| {
            scope(Pool::builder().threads(1), |inner| inner.submit(|| 3).unwrap().wait().unwrap())
        });
        job.unwrap().wait().unwrap().unwrap()
    });
    assert_eq!(total.unwrap(), 3);
}

/// tokio#8406, tokio#8408: the system refused a thread, and the job stayed in a queue that nobody served.
#[test]
fn tokio_8406_a_refused_thread_orphans_nothing() {
    let refused = Pool::builder().threads(0..=1).stack_size(1 << 60).build().unwrap();
    for _ in 0..3 {
        let rejected = refused.submit(|| 7).unwrap_err();
        assert!(matches!(rejected.reason, Reason::NoThread(_)));
        assert_eq!((rejected.into_job())(), 7);
        let batch = refused.submit_batch([|| 1, || 2]).unwrap_err();
        assert_eq!((batch.accepted.len(), batch.rejected.len()), (0, 2));
    }
    assert!(refused.resize(1..=1).is_err());
    assert_eq!((refused.metrics().workers, refused.metrics().queued), (0, 0));
    refused.shutdown().wait().unwrap();
}

/// tokio#6439, tokio#7922, tokio#8056: idle workers were counted twice, or once too little, when a time-out, a
/// wake-up and the end met.
#[test]
fn tokio_8056_idle_workers_are_counted_once() {
    let short = Duration::from_micros(50);
    let pool = Pool::builder().threads(0..=3).keep_alive(short).build().unwrap();
    for round in 0..500_u32 {
        let jobs: Vec<_> = (0..3).map(|n| pool.submit(move || round + n).unwrap()).collect();
        for (n, job) in (0..).zip(jobs) {
            assert_eq!(job.wait().unwrap(), round + n);
        }
        let metrics = pool.metrics();
        assert!(metrics.workers <= 3 && metrics.idle + metrics.running <= metrics.workers);
        if round % 5 == 0 {
            // About as long as they stay: a job finds them leaving.
            let start = Instant::now();
            while start.elapsed() < short {
                std::hint::spin_loop();
            }
        }
    }
    until("all have gone", || pool.metrics().workers == 0);
    let metrics = pool.metrics();
    assert_eq!((metrics.idle, metrics.running, metrics.completed), (0, 0, 1500));
    pool.shutdown().wait().unwrap();
}

/// tokio#525, tokio#621, tokio#459, tokio#507: a job came while the last worker fell asleep.
#[test]
fn tokio_525_no_wake_up_is_lost() {
    let pool = Pool::new(2).unwrap();
    for n in 0..5000 {
        assert_eq!(pool.submit(move || n).unwrap().wait().unwrap(), n);
    }
}

/// tokio#4955, tokio#7261, tokio#2143: a queue that nobody sees. "The permit before the spawn".
#[test]
fn tokio_4955_what_waits_is_seen_and_has_a_bound() {
    let (pool, gate) = busy(2);
    pool.spawn(|| ()).unwrap();
    let slot = pool.reserve().wait().unwrap();
    assert_eq!(pool.metrics().queued, 1, "a place that is reserved is no job");
    assert_eq!(pool.try_submit(|| ()).unwrap_err().reason, Reason::Full);
    drop(slot.submit(|| ()).unwrap());
    assert_eq!(pool.metrics().queued, 2);
    gate.open();
}

/// `ThreadPoolExecutor`: with an unbounded queue the most number of threads is never reached.
#[test]
fn java_an_unbounded_queue_does_not_keep_a_pool_small() {
    let builder = Pool::builder().threads(1..=4).queue(Queue::Unbounded);
    let (pool, gate, started) = (builder.build().unwrap(), Gate::default(), Counter::default());
    for _ in 0..4 {
        let (waits, starts) = (gate.clone(), started.clone());
        let job = move || {
            starts.add();
            waits.pass();
        };
        pool.spawn(job).unwrap();
    }
    until("all four run at once", || started.value() == 4);
    gate.open();
}

/// folly: a job that submits into a full queue that blocks waits for itself.
#[test]
fn folly_a_job_that_submits_into_a_full_queue_goes_on() {
    for reject in [Reject::Block, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest] {
        let builder = Pool::builder().threads(1).queue(Queue::Handoff).reject(reject);
        let pool = builder.build().unwrap();
        let inner = pool.clone();
        let job = pool.run(move || inner.submit(|| 2).map(|job| job.wait().ok()));
        let nested = job.wait().unwrap();
        match reject {
            // Without a queue there is no oldest.
            Reject::DropOldest => assert_eq!(nested.unwrap_err().reason, Reason::Full),
            Reject::DropNewest => assert_eq!(nested.unwrap(), None),
            _ => assert_eq!(nested.unwrap(), Some(2)),
        }
    }
}

/// The end, asked for and dropped by those who would wait for themselves.
#[test]
fn a_job_that_ends_its_own_pool_does_not_wait_for_itself() {
    let stopped = Counter::default();
    let stops = stopped.clone();
    let on_stop = move || {
        stops.add();
    };
    let pool = Pool::builder().threads(2).on_stop(on_stop).build().unwrap();
    let (inner, gate) = (pool.clone(), Gate::default());
    let waits = gate.clone();
    let job = pool.submit(move || {
        waits.pass();
        let told = inner.shutdown().wait();
        // The last clone, on a worker.
        drop(inner);
        told
    });
    let after = pool.submit(|| 9).unwrap();
    drop(after);
    let job = job.unwrap();
    // `Job` keeps the pool's queue, and no clone of the pool.
    let thread = thread::spawn(move || drop(pool));
    gate.open();
    assert_eq!(job.wait().unwrap(), Err(ShutdownError::Inside));
    thread.join().unwrap();
    until("both workers have gone", || stopped.value() == 2);
}
