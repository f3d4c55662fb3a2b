//! Each job runs in a span that tells its pool, lane and name; what goes wrong is an event.

use crate::subscriber::Recorder;
use lockgate_workerpool::thread::{Pool, Queue, Reject};

#[test]
fn a_job_runs_in_the_span_of_whoever_submitted_it() {
    let recorder = Recorder::default();
    let pool = Pool::builder().threads(1).name("io").lanes(2).build().unwrap();
    let job = recorder.during(|| pool.named("backup").lane(1).submit(|| 1).unwrap());
    assert_eq!(job.wait().unwrap(), 1);
    recorder.during(|| pool.spawn(|| ()).unwrap());
    pool.wait_idle().wait();
    assert_eq!(
        recorder.told(),
        [
            r#"1: job pool="io" lane=1 name="backup""#,
            "1 entered",
            "1 left",
            "1 closed",
            r#"2: job pool="io" lane=0"#,
            "2 entered",
            "2 left",
            "2 closed",
        ]
    );
}

#[test]
fn what_goes_wrong_is_told() {
    let recorder = Recorder::default();
    let builder = Pool::builder().threads(1).name("io").queue(Queue::Bounded(1));
    let pool = builder.reject(Reject::Fail).build().unwrap();
    // A worker's subscriber is its own; here it is whoever runs the job.
    let inner = pool.clone();
    let inside = recorder.clone();
    let outer = pool.submit(move || {
        inside.during(|| {
            let quiet = || std::panic::resume_unwind(Box::new("quiet"));
            let job = inner.submit(quiet).unwrap();
            drop(job.wait());
        });
    });
    outer.unwrap().wait().unwrap();
    let told = recorder.told();
    assert!(told.iter().any(|it| it == r#"ERROR message=a job panicked pool="io""#), "{told:?}");
    recorder.during(|| {
        pool.pause();
        drop(pool.submit(|| ()).unwrap());
        assert!(pool.submit(|| ()).is_err());
        assert_eq!(pool.shutdown_now().len(), 1);
        pool.shutdown().wait().unwrap();
    });
    let told = recorder.told();
    let events: Vec<_> = told.iter().filter(|it| it.contains("message=")).collect();
    assert_eq!(
        events,
        [
            r#"DEBUG message=job rejected pool="io" reason=the queue is full"#,
            r#"INFO message=shutdown pool="io" returned=1"#,
        ]
    );
}

#[test]
fn every_refusal_is_told() {
    let recorder = Recorder::default();
    let builder = |reject| Pool::builder().threads(1).queue(Queue::Bounded(1)).reject(reject);
    let pool = builder(Reject::Fail).name("io").build().unwrap();
    let told = |by: &dyn Fn()| {
        recorder.during(by);
        recorder.told().into_iter().filter(|it| it.contains("job rejected")).collect::<Vec<_>>()
    };
    pool.pause();
    let group = pool.group::<()>();
    let first = group.submit(|| Ok(())).unwrap();
    let full = r#"DEBUG message=job rejected pool="io" reason=the queue is full"#;
    assert_eq!(told(&|| assert!(group.spawn(|| Ok(())).is_err())), [full]);
    group.cancel();
    drop(first);
    let cancelled = r#"DEBUG message=job rejected pool="io" reason=the group is cancelled"#;
    assert_eq!(told(&|| assert!(group.spawn(|| Ok(())).is_err())), [cancelled]);
    pool.shutdown().wait().unwrap();
    let closed = r#"DEBUG message=job rejected pool="io" reason=the pool is shut down"#;
    assert_eq!(told(&|| assert!(pool.map([1], |n| n).wait().is_err())), [closed]);
    assert_eq!(told(&|| assert!(pool.run(|| ()).wait().is_err())), [closed]);

    for (reject, refusals) in [(Reject::Fail, 2), (Reject::DropNewest, 2), (Reject::DropOldest, 2)]
    {
        let workers = builder(reject).name("io").build_workers(|_: u8| ()).unwrap();
        workers.pause();
        let push_all = || (0..3).for_each(|n| _ = workers.push(n));
        assert_eq!(told(&push_all), vec![full; refusals], "{reject:?}");
        assert_eq!(workers.metrics().rejected, refusals as u64);
        let slot = workers.purge().pop().map(|_| workers.reserve().wait().unwrap());
        workers.shutdown().wait().unwrap();
        let slot = std::cell::Cell::new(slot);
        assert_eq!(told(&|| assert!(slot.take().unwrap().push(3).is_err())), [closed]);
    }
}

#[test]
fn a_subscriber_that_panics_breaks_nothing() {
    let recorder = Recorder { panics: true, ..Recorder::default() };
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(1)).reject(Reject::Fail);
    let pool = builder.build().unwrap();
    recorder.during(|| {
        assert_eq!(pool.named("it").submit(|| 2).unwrap().wait().unwrap(), 2);
        pool.wait_idle().wait();
        pool.pause();
        drop(pool.submit(|| ()).unwrap());
        assert!(pool.submit(|| ()).is_err());
        pool.shutdown().wait().unwrap();
    });
    assert_eq!(pool.metrics().completed, 2);
    assert!(!recorder.told().is_empty());
}
