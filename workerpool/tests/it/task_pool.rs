//! Pools of tasks: results, order, bounds, turns.

use crate::support::{Counter, TaskGate, on_both, runtime};
use lockgate_workerpool::task::{Pool, Queue};
use lockgate_workerpool::{BuildError, JobError, Reason, ResizeError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::yield_now;

#[test]
fn each_job_has_its_result() {
    on_both(|| async {
        let pool = Pool::builder().limit(3).queue(Queue::Bounded(2)).build().unwrap();
        let mut jobs = Vec::new();
        for n in 0..200_u32 {
            let job = async move {
                if n % 3 == 0 {
                    yield_now().await;
                }
                n * 2
            };
            jobs.push(pool.submit(job).await.unwrap());
        }
        for (n, job) in (0..).zip(jobs) {
            assert_eq!(job.await.unwrap(), n * 2);
        }
        pool.shutdown().await;
        let metrics = pool.metrics();
        assert_eq!((metrics.completed, metrics.submitted, metrics.workers), (200, 200, 0));
    });
}

#[test]
fn no_more_than_the_limit_run_and_no_more_tasks_exist() {
    on_both(|| async {
        let pool = Pool::builder().limit(3).queue(Queue::Unbounded).build().unwrap();
        let (running, gate) = (Counter::default(), TaskGate::new());
        let live = tokio::runtime::Handle::current().metrics();
        let before = live.num_alive_tasks();
        for _ in 0..50 {
            let (running, gate) = (running.clone(), gate.clone());
            pool.spawn(async move {
                running.add();
                gate.pass().await;
            })
            .await
            .unwrap();
        }
        gate.come(3).await;
        for _ in 0..20 {
            yield_now().await;
        }
        assert_eq!((running.value(), pool.metrics().queued), (3, 47));
        assert_eq!(live.num_alive_tasks() - before, 3);
        pool.resize(5).unwrap();
        gate.come(2).await;
        assert_eq!((running.value(), pool.limit()), (5, 5));
        pool.resize(1).unwrap();
        gate.open(50);
        pool.wait_idle().await;
        assert_eq!((running.value(), pool.metrics().completed), (50, 50));
        assert!(pool.metrics().workers <= 1, "those that are too many have gone");
    });
}

#[test]
fn jobs_of_a_lane_start_in_order_and_urgent_ones_first() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).lanes(2).build().unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        pool.pause();
        for n in 0..20 {
            let order = Arc::clone(&order);
            let job = async move { order.lock().unwrap().push(n) };
            pool.lane(usize::from(n % 2 == 0)).spawn(job).await.unwrap();
        }
        assert_eq!(pool.metrics().lanes, [10, 10]);
        pool.resume();
        pool.wait_idle().await;
        let expected: Vec<_> = (1..20).step_by(2).chain((0..20).step_by(2)).collect();
        assert_eq!(*order.lock().unwrap(), expected);
    });
}

#[test]
fn a_panic_stays_with_its_job() {
    on_both(|| async {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tells = Arc::clone(&told);
        let pool = Pool::builder()
            .limit(1)
            .on_panic(move |panicked| {
                tells.lock().unwrap().push(panicked.message().map(str::to_owned));
            })
            .build()
            .unwrap();
        let first = pool.submit(async { std::panic::panic_any("first") }).await.unwrap();
        let second = pool.submit(async { yield_now().await }).await.unwrap();
        let Err(JobError::Panicked(panicked)) = first.await else { panic!("it panicked") };
        assert_eq!(panicked.message(), Some("first"));
        second.await.unwrap();
        pool.spawn(async { panic!("alone") }).await.unwrap();
        pool.wait_idle().await;
        assert_eq!(*told.lock().unwrap(), [Some("alone".to_owned())]);
        let metrics = pool.metrics();
        assert_eq!((metrics.panicked, metrics.completed, metrics.workers), (2, 1, 1));
    });
}

#[test]
fn a_panic_of_a_drop_is_the_jobs_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let bomb = Bomb;
        // It is held by the future beyond its end.
        let job = std::future::poll_fn(move |_| {
            let _held = &bomb;
            std::task::Poll::Ready(5)
        });
        let ended = pool.submit(job).await.unwrap().await;
        assert!(matches!(ended, Err(JobError::Panicked(_))));
        assert_eq!(pool.submit(async { 6 }).await.unwrap().await.unwrap(), 6);
    });
}

#[test]
fn a_deadline_that_has_passed_keeps_a_job_from_starting() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let (ran, dropped) = (Counter::default(), Counter::default());
        pool.pause();
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let (runs, held) = (ran.clone(), dropped.on_drop());
        let late = pool.submitter().deadline(past).submit(async move {
            let _held = held;
            runs.add()
        });
        let late = late.await.unwrap();
        let runs = ran.clone();
        let loose = async move {
            runs.add();
        };
        pool.submitter().deadline(past).spawn(loose).await.unwrap();
        let future = Instant::now() + Duration::from_secs(600);
        let early = pool.submitter().deadline(future).submit(async { 7 }).await.unwrap();
        pool.resume();
        assert!(matches!(late.await, Err(JobError::Expired)));
        assert_eq!(early.await.unwrap(), 7);
        pool.wait_idle().await;
        assert_eq!((ran.value(), dropped.value(), pool.metrics().expired), (0, 1, 2));
    });
}

#[test]
fn the_line_of_a_key_has_lanes_and_deadlines() {
    on_both(|| async {
        let pool = Pool::builder().limit(2).lanes(2).build().unwrap();
        let (keys, order) = (pool.keyed::<&str>(), Arc::new(Mutex::new(Vec::new())));
        pool.pause();
        let note = |what: &'static str| {
            let order = Arc::clone(&order);
            async move { order.lock().unwrap().push(what) }
        };
        let line = keys.line("a");
        let late = line.submitter().deadline(Instant::now()).submit(note("late")).await.unwrap();
        line.submitter().lane(1).spawn(note("less urgent")).await.unwrap();
        keys.spawn("a", note("by the key")).await.unwrap();
        line.spawn(note("by the line")).await.unwrap();
        assert_eq!((line.cap(), line.pending(), keys.len()), (1, 4, 1));
        pool.resume();
        pool.wait_idle().await;
        assert!(matches!(late.await, Err(JobError::Expired)));
        assert_eq!(*order.lock().unwrap(), ["by the key", "by the line", "less urgent"]);
    });
}

#[test]
fn jobs_of_a_key_run_one_after_the_other_and_those_of_a_subpool_by_its_cap() {
    on_both(|| async {
        let pool = Pool::new(4).unwrap();
        let keyed = pool.keyed();
        let log = Arc::new(Mutex::new(Vec::new()));
        for n in 0..40 {
            let log = Arc::clone(&log);
            let job = async move {
                log.lock().unwrap().push((n % 2, n, true));
                yield_now().await;
                log.lock().unwrap().push((n % 2, n, false));
            };
            keyed.spawn(n % 2, job).await.unwrap();
        }
        pool.wait_idle().await;
        for key in 0..2 {
            let log = log.lock().unwrap();
            let of_key: Vec<_> = log.iter().filter(|entry| entry.0 == key).collect();
            let numbers = (key..40).step_by(2).flat_map(|n| [(key, n, true), (key, n, false)]);
            assert!(of_key.into_iter().copied().eq(numbers));
        }
        let (part, gate) = (pool.subpool(2), TaskGate::new());
        for _ in 0..5 {
            part.submitter().spawn(gate.clone().pass()).await.unwrap();
        }
        gate.come(2).await;
        let other = pool.submit(async { 1 }).await.unwrap();
        assert_eq!(other.await.unwrap(), 1, "the pool has more to give");
        assert_eq!((part.pending(), pool.metrics().queued, part.cap()), (5, 3, 2));
        gate.open(5);
        pool.wait_idle().await;
        assert_eq!(part.pending(), 0);
    });
}

#[test]
fn jobs_that_are_ready_at_once_leave_others_of_the_runtime_their_turn() {
    runtime(1).block_on(async {
        let pool = Pool::builder().limit(1).queue(Queue::Unbounded).build().unwrap();
        let ran = Counter::default();
        for _ in 0..10_000 {
            let runs = ran.clone();
            let job = async move {
                runs.add();
            };
            assert!(pool.try_submit(job).is_ok());
        }
        let runs = ran.clone();
        let seen = tokio::spawn(async move { runs.value() }).await.unwrap();
        assert!(seen < 200, "{seen} jobs ran before another task had a turn");
        pool.wait_idle().await;
        assert_eq!(ran.value(), 10_000);
    });
}

#[test]
fn knobs_say_what_they_accept() {
    assert!(matches!(Pool::new(1), Err(BuildError::NoRuntime)));
    let runtime = runtime(1);
    let built = |limit, lanes| {
        Pool::builder().limit(limit).lanes(lanes).runtime(runtime.handle().clone()).build()
    };
    assert_eq!(built(0, 1).unwrap_err().to_string(), "limit is 0: it must be 1 or more");
    assert_eq!(built(1, 0).unwrap_err().to_string(), "lanes is 0: it must be in 1..=65535");
    let pool = built(2, 65_535).unwrap();
    let refused = pool.resize(0);
    assert!(matches!(refused, Err(ResizeError::Limit(0))));
    assert_eq!(pool.limit(), 2);
    assert_eq!(pool.metrics().workers, 0, "nobody is started before there is a job");
}

#[test]
fn who_is_outside_of_the_runtime_submits_too() {
    let runtime = runtime(2);
    let pool = Pool::builder().limit(2).runtime(runtime.handle().clone()).build().unwrap();
    let other = pool.clone();
    let submits = std::thread::spawn(move || {
        let jobs = (0..100).map(|n| other.try_submit(async move { n }).unwrap());
        jobs.collect::<Vec<_>>()
    });
    let jobs = submits.join().unwrap();
    // Any executor may wait, and hand jobs over.
    futures::executor::block_on(async {
        for (n, job) in (0..100).zip(jobs) {
            assert_eq!(job.await.unwrap(), n);
        }
        assert_eq!(pool.run(async { 5 }).await.unwrap(), 5);
        pool.shutdown().await;
        let late = pool.try_submit(async { 6 }).unwrap_err();
        assert_eq!(late.reason, Reason::Closed);
        assert_eq!(late.into_job().await, 6);
    });
}

#[cfg(feature = "sync")]
#[test]
fn threads_and_tasks_use_one_pool() {
    let runtime = runtime(2);
    let pool =
        Pool::builder().limit(2).queue(Queue::Bounded(1)).runtime(runtime.handle().clone()).build();
    let pool = pool.unwrap();
    let sum = Counter::default();
    let adds = |sum: &Counter| {
        let sum = sum.clone();
        async move { sum.add() }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..100 {
                    pool.submit(adds(&sum)).wait().unwrap().wait().unwrap();
                    pool.reserve().wait().unwrap().submit(adds(&sum)).unwrap().wait().unwrap();
                    pool.run(adds(&sum)).wait().unwrap();
                    pool.spawn(async { yield_now().await }).wait().unwrap();
                }
            });
        }
        let (pool, sum) = (pool.clone(), sum.clone());
        let task = runtime.spawn(async move {
            for _ in 0..100 {
                pool.submit(adds(&sum)).await.unwrap().await.unwrap();
            }
        });
        runtime.block_on(task).unwrap();
    });
    pool.wait_idle().wait();
    assert!(
        pool.submit(std::future::pending::<()>()).wait().is_ok_and(|job| job
            .wait_timeout(Duration::from_millis(1))
            .is_err_and(|job| job.abort()))
    );
    pool.shutdown().wait().unwrap();
    assert_eq!(sum.value(), 700);
    assert_eq!(pool.metrics().completed, 900);
}
