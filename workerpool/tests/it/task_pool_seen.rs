//! Pools of tasks: what is seen of them, and what it costs those who did not ask.

use crate::support::{TaskGate, on_both, runtime};
use lockgate_workerpool::task::{Pool, Queue, Reject};
use lockgate_workerpool::{BuildError, JobState, Timings, WorkerState};
use std::time::{Duration, Instant};
use tokio::task::yield_now;

fn timed(timings: Timings) -> Pool {
    Pool::builder().limit(2).queue(Queue::Unbounded).timings(timings).build().unwrap()
}

/// A job that takes so long at the least, on the clock, and waits now and then.
async fn takes(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        yield_now().await;
    }
}

#[test]
fn no_times_are_kept_unless_asked_for() {
    on_both(|| async {
        assert!(Pool::new(1).unwrap().times().is_none());
        let error = Pool::builder().timings(Timings::Sampled(0)).build().unwrap_err();
        assert!(matches!(error, BuildError::Timings(0)));
    });
}

#[test]
fn all_times_of_all_ways_in_are_kept() {
    on_both(|| async {
        let pool = timed(Timings::All);
        let (least, part) = (Duration::from_millis(2), pool.subpool(1));
        pool.submit(takes(least)).await.unwrap().await.unwrap();
        pool.try_submit(takes(least)).unwrap().await.unwrap();
        pool.spawn(takes(least)).await.unwrap();
        part.spawn(takes(least)).await.unwrap();
        pool.reserve().await.unwrap().submit(takes(least)).unwrap().await.unwrap();
        pool.run(takes(least)).await.unwrap();
        drop(pool.submit_batch([takes(least), takes(least)]).await.unwrap());
        pool.spawn_batch([takes(least)]).await.unwrap();
        pool.map([least], takes).await.unwrap();
        let group = pool.group::<()>();
        let job = async move {
            takes(least).await;
            Ok(())
        };
        group.spawn(job).await.unwrap();
        pool.wait_idle().await;
        let times = pool.times().unwrap();
        assert_eq!((times.run.count(), times.wait.count()), (11, 11));
        assert!(times.run.min().unwrap() >= least, "what it waits for counts");
    });
}

#[test]
fn a_wait_is_as_long_as_it_was() {
    on_both(|| async {
        let pool = timed(Timings::All);
        pool.pause();
        let start = Instant::now();
        let job = pool.submit(async { Instant::now() }).await.unwrap();
        takes(Duration::from_millis(5)).await;
        pool.resume();
        let waited = job.await.unwrap() - start;
        pool.wait_idle().await;
        let kept = pool.times().unwrap().wait.max().unwrap();
        assert!(Duration::from_millis(5) <= kept && kept <= waited, "{kept:?} of {waited:?}");
    });
}

#[test]
fn a_sample_is_one_of_each_so_many() {
    on_both(|| async {
        for each in [1, 7, 100] {
            let pool = timed(Timings::Sampled(each));
            for _ in 0..700 {
                pool.spawn(async {}).await.unwrap();
            }
            pool.wait_idle().await;
            assert_eq!(pool.times().unwrap().run.count(), 700 / u64::from(each));
        }
    });
}

/// What did not run has no times; what panicked, or was aborted while it ran, has.
#[test]
fn jobs_that_did_not_run_are_not_timed() {
    on_both(|| async {
        let pool = timed(Timings::All);
        pool.pause();
        let aborted = pool.submit(async {}).await.unwrap();
        assert!(aborted.abort());
        pool.submitter().deadline(Instant::now()).spawn(async {}).await.unwrap();
        let quiet = async { std::panic::resume_unwind(Box::new("quiet")) };
        let panics = pool.submit(quiet).await.unwrap();
        pool.resume();
        let _: () = panics.await.unwrap_err().to_string().clear();
        let gate = TaskGate::new();
        let waits = pool.submit(gate.clone().pass()).await.unwrap();
        gate.come(1).await;
        assert!(waits.abort() && waits.await.is_err());
        pool.wait_idle().await;
        assert_eq!(pool.times().unwrap().run.count(), 2);
    });
}

#[test]
fn a_snapshot_lists_what_has_a_name() {
    on_both(|| async {
        let (pool, gate) =
            (Pool::builder().limit(1).name("hooks").build().unwrap(), TaskGate::new());
        let running = pool.named("runs").submit(gate.clone().pass()).await.unwrap();
        gate.come(1).await;
        pool.spawn(async {}).await.unwrap();
        let queued = pool.named("waits").submit(async {}).await.unwrap();
        let snapshot = pool.snapshot();
        assert_eq!(&*snapshot.name, "hooks");
        let jobs: Vec<_> =
            snapshot.jobs.iter().map(|it| (it.name.as_deref(), it.state, it.age)).collect();
        let (runs, waits) = (Some("runs"), Some("waits"));
        assert_eq!(jobs, [(runs, JobState::Running, None), (waits, JobState::Queued, None)]);
        assert!(snapshot.jobs.iter().all(|job| job.thread.is_none()), "any thread may poll it");
        let workers: Vec<_> =
            snapshot.workers.iter().map(|it| (it.name.as_deref(), it.state)).collect();
        assert_eq!(workers, [(Some("hooks-0"), WorkerState::Running)]);
        assert_eq!(snapshot.metrics.queued, 2);
        let text = snapshot.to_string();
        assert!(
            text.contains("\n  worker hooks-0: Running\n  job 0 \"runs\": Running\n"),
            "{text}"
        );
        assert!(queued.abort());
        assert_eq!(pool.snapshot().jobs.len(), 1, "what is aborted is not listed any more");
        gate.open(1);
        running.await.unwrap();
        assert!(pool.snapshot().jobs.is_empty());
    });
}

#[test]
fn a_pool_that_observes_lists_all_with_their_ages() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).lanes(2).observe().build().unwrap();
        let gate = TaskGate::new();
        let job = pool.submit(gate.clone().pass()).await.unwrap();
        gate.come(1).await;
        pool.lane(1).spawn(async {}).await.unwrap();
        takes(Duration::from_millis(3)).await;
        let jobs = pool.snapshot().jobs;
        let lanes: Vec<_> = jobs.iter().map(|job| (job.lane, job.state)).collect();
        assert_eq!(lanes, [(0, JobState::Running), (1, JobState::Queued)]);
        assert!(jobs.iter().all(|job| job.age >= Some(Duration::from_millis(3))));
        gate.open(1);
        job.await.unwrap();
        pool.wait_idle().await;
        assert!(pool.snapshot().jobs.is_empty());
    });
}

/// However it ends, it is not listed any more.
#[test]
fn whatever_becomes_of_a_job_the_list_forgets_it() {
    let runtime = runtime(2);
    let pool = runtime.block_on(async {
        let builder = Pool::builder().limit(1).queue(Queue::Bounded(1)).reject(Reject::DropNewest);
        let (pool, gate) = (builder.observe().build().unwrap(), TaskGate::new());
        pool.spawn(gate.clone().pass()).await.unwrap();
        gate.come(1).await;
        drop(pool.run(async {}));
        let queued = pool.submit(async {}).await.unwrap();
        assert!(pool.submit(async {}).await.unwrap().await.is_err(), "dropped");
        assert!(pool.try_submit(async {}).is_err());
        assert_eq!(pool.snapshot().jobs.len(), 2);
        assert_eq!(pool.purge().len(), 1);
        assert!(queued.await.is_err());
        let aborted = pool.submit(async {}).await.unwrap();
        assert!(aborted.abort());
        assert_eq!(pool.snapshot().jobs.len(), 1);
        pool
    });
    drop(runtime);
    assert!(pool.snapshot().jobs.is_empty(), "lost with the runtime");
}

#[cfg(feature = "metrics")]
#[test]
fn a_meter_tells_what_has_changed() {
    use crate::recorder::Numbers;
    use lockgate_workerpool::metered::{JOBS, QUEUED, REJECTIONS, RUN, SUBMITTED, WORKERS};
    on_both(|| async {
        let builder = Pool::builder().limit(1).name("io").queue(Queue::Bounded(1));
        let pool = builder.reject(Reject::Fail).timings(Timings::All).build().unwrap();
        let (numbers, meter, gate) = (Numbers::default(), pool.meter(), TaskGate::new());
        pool.spawn(gate.clone().pass()).await.unwrap();
        gate.come(1).await;
        let quiet = async { std::panic::resume_unwind(Box::new("quiet")) };
        let panics = pool.submit::<_>(quiet).await.unwrap();
        assert!(pool.spawn(async {}).await.is_err());
        numbers.during(|| meter.publish());
        let told = |metric, labels| numbers.value(metric, labels);
        assert_eq!((told(SUBMITTED, ""), told(REJECTIONS, ""), told(QUEUED, "")), (2.0, 1.0, 1.0));
        assert_eq!(told(WORKERS, ",state=running"), 1.0);
        gate.open(1);
        let _: () = drop(panics.await.map(|(): ()| ()));
        pool.wait_idle().await;
        numbers.during(|| meter.publish());
        assert_eq!(told(JOBS, ",outcome=completed"), 1.0);
        assert_eq!(told(JOBS, ",outcome=panicked"), 1.0);
        assert_eq!(numbers.values(RUN).len(), 2);
        numbers.during(|| drop(meter));
        assert_eq!(told(QUEUED, ""), 0.0);
    });
}

/// A job's span is entered for each poll, and left while the job waits.
#[cfg(feature = "tracing")]
#[test]
fn a_job_is_polled_in_its_span() {
    use crate::subscriber::Recorder;
    let recorder = Recorder::default();
    let told = recorder.clone();
    // The subscriber is that of the one thread that polls.
    recorder.during(|| {
        runtime(1).block_on(async {
            let builder = Pool::builder().limit(1).name("io").lanes(2).queue(Queue::Bounded(1));
            let pool = builder.reject(Reject::Fail).build().unwrap();
            let job = pool.named("backup").lane(1).submit(yield_now()).await.unwrap();
            job.await.unwrap();
            let span = [
                r#"1: job pool="io" lane=1 name="backup""#,
                "1 entered",
                "1 left",
                "1 entered",
                "1 left",
                "1 closed",
            ];
            assert_eq!(told.told(), span);
            let quiet = async { std::panic::resume_unwind(Box::new("quiet")) };
            pool.spawn(quiet).await.unwrap();
            pool.wait_idle().await;
            pool.pause();
            pool.spawn(async {}).await.unwrap();
            assert!(pool.spawn(async {}).await.is_err());
            assert_eq!(pool.shutdown_now().len(), 1);
            pool.shutdown().await;
        });
    });
    let told = recorder.told();
    let events: Vec<_> = told.iter().filter(|it| it.contains("message=")).collect();
    assert_eq!(
        events,
        [
            r#"ERROR message=a job panicked pool="io""#,
            r#"DEBUG message=job rejected pool="io" reason=the queue is full"#,
            r#"INFO message=shutdown pool="io" returned=1"#,
        ]
    );
}

#[cfg(feature = "tracing")]
#[test]
fn a_subscriber_that_panics_breaks_nothing() {
    use crate::subscriber::Recorder;
    use crate::support::Counter;
    let recorder = Recorder { panics: true, ..Recorder::default() };
    recorder.during(|| {
        runtime(1).block_on(async {
            let builder = Pool::builder().limit(1).queue(Queue::Bounded(1)).reject(Reject::Fail);
            let (pool, ran) = (builder.build().unwrap(), Counter::default());
            let runs = ran.clone();
            let job = async move {
                yield_now().await;
                runs.add()
            };
            assert_eq!(pool.named("it").submit(job).await.unwrap().await.unwrap(), 1);
            pool.pause();
            drop(pool.submit(async {}).await.unwrap());
            assert!(pool.submit(async {}).await.is_err());
            pool.shutdown().await;
            assert_eq!(pool.metrics().completed, 2);
        });
    });
    assert!(!recorder.told().is_empty());
}
