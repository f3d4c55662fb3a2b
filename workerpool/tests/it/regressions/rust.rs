//! rayon, threadpool, executors, bellperson and tokio.

use super::busy;
use crate::support::{Counter, until};
use lockgate_workerpool::thread::{Pool, Queue, scope};
use lockgate_workerpool::{JobError, Reason};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

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
