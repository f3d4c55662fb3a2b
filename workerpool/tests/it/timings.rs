//! How long jobs wait and run; what is seen of them while they live.

use crate::support::{Counter, Gate, until};
use lockgate_workerpool::thread::{Pool, Queue, Reject};
use lockgate_workerpool::{BuildError, JobState, Timings, WorkerState};
use std::thread;
use std::time::{Duration, Instant};

fn timed(timings: Timings) -> Pool<'static> {
    Pool::builder().threads(2).queue(Queue::Unbounded).timings(timings).build().unwrap()
}

/// A job that takes so long at the least, on the clock.
fn takes(time: Duration) -> impl FnOnce() + Send {
    move || {
        let start = Instant::now();
        while start.elapsed() < time {
            thread::yield_now();
        }
    }
}

#[test]
fn no_times_are_kept_unless_asked_for() {
    assert!(Pool::new(1).unwrap().times().is_none());
    let error = Pool::builder().timings(Timings::Sampled(0)).build().unwrap_err();
    assert!(matches!(error, BuildError::Timings(0)));
    let text = "timings is one of each 0 jobs: it must be one of each 1 or more";
    assert_eq!(error.to_string(), text);
}

#[test]
fn all_times_of_all_ways_in_are_kept() {
    let pool = timed(Timings::All);
    let (least, part) = (Duration::from_millis(2), pool.subpool(1));
    pool.submit(takes(least)).unwrap().wait().unwrap();
    pool.spawn(takes(least)).unwrap();
    part.spawn(takes(least)).unwrap();
    pool.reserve().wait().unwrap().submit(takes(least)).unwrap().wait().unwrap();
    pool.run(takes(least)).wait().unwrap();
    pool.submit_batch([takes(least), takes(least)]).unwrap();
    pool.wait_idle().wait();
    let times = pool.times().unwrap();
    assert_eq!((times.run.count(), times.wait.count()), (7, 7));
    assert!(times.run.min().unwrap() >= least);
    assert!(times.run.mean() <= times.run.max());
    let listed: u64 = times.run.buckets().map(|(_, count)| count).sum();
    assert_eq!(listed, 7);
}

#[test]
fn a_wait_is_as_long_as_it_was() {
    let pool = timed(Timings::All);
    pool.pause();
    let start = Instant::now();
    let job = pool.submit(Instant::now).unwrap();
    takes(Duration::from_millis(5))();
    pool.resume();
    let waited = job.wait().unwrap() - start;
    let kept = pool.times().unwrap().wait.max().unwrap();
    assert!(Duration::from_millis(5) <= kept && kept <= waited, "{kept:?} of {waited:?}");
}

#[test]
fn a_sample_is_one_of_each_so_many() {
    for each in [1, 7, 100] {
        let pool = timed(Timings::Sampled(each));
        for _ in 0..700 {
            pool.spawn(|| ()).unwrap();
        }
        pool.wait_idle().wait();
        assert_eq!(pool.times().unwrap().run.count(), 700 / u64::from(each));
    }
}

/// What did not run has no times, and what panicked has.
#[test]
fn jobs_that_did_not_run_are_not_timed() {
    let pool = timed(Timings::All);
    pool.pause();
    let aborted = pool.submit(|| ()).unwrap();
    assert!(aborted.abort());
    pool.submitter().deadline(Instant::now()).spawn(|| ()).unwrap();
    let panics = pool.submit(|| std::panic::resume_unwind(Box::new("quiet"))).unwrap();
    pool.resume();
    assert!(panics.wait().is_err());
    pool.wait_idle().wait();
    assert_eq!(pool.times().unwrap().run.count(), 1);
}

#[test]
fn a_snapshot_lists_workers_and_jobs() {
    let pool = Pool::builder().threads(2).name("io").lanes(2).observe().build().unwrap();
    let (gate, started) = (Gate::default(), Counter::default());
    let (waits, starts) = (gate.clone(), started.clone());
    let job = move || {
        starts.add();
        waits.pass();
        thread::current().name().map(str::to_owned)
    };
    let running = pool.named("first").submit(job).unwrap();
    until("it runs", || started.value() == 1);
    pool.pause();
    pool.named("second").lane(1).spawn(|| ()).unwrap();
    let third = pool.submit(|| ()).unwrap();
    let named = || pool.snapshot().workers.iter().filter(|it| it.name.is_some()).count();
    until("both have begun", || named() == 2);
    let snapshot = pool.snapshot();
    assert_eq!((&*snapshot.name, snapshot.metrics.queued), ("io", 2));
    let mut names: Vec<_> = snapshot.workers.iter().filter_map(|it| it.name.as_deref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["io-0", "io-1"]);
    let busy = snapshot.workers.iter().filter(|it| it.state == WorkerState::Running);
    let busy: Vec<_> = busy.map(|it| it.name.clone()).collect();
    let [first, second, unnamed] = &*snapshot.jobs else { panic!("{snapshot}") };
    assert_eq!((first.name.as_deref(), first.state), (Some("first"), JobState::Running));
    assert_eq!(busy, std::slice::from_ref(&first.thread));
    assert_eq!((second.name.as_deref(), second.state), (Some("second"), JobState::Queued));
    assert_eq!((second.lane, unnamed.lane, &unnamed.name), (1, 0, &None));
    assert!(snapshot.jobs.iter().all(|job| job.age.is_some()));
    let text = snapshot.to_string();
    assert!(text.contains("\n  job 0 \"first\": Running on io-"), "{text}");
    let age = |at: usize| pool.snapshot().jobs[at].age;
    let before = age(0);
    until("it grows older", || age(0) > before);
    // What is aborted is gone at once, though somebody has the handle.
    assert!(third.abort());
    assert_eq!(pool.snapshot().jobs.len(), 2);
    gate.open();
    assert_eq!(running.wait().unwrap().as_deref(), busy[0].as_deref());
    pool.resume();
    pool.wait_idle().wait();
    assert!(pool.snapshot().jobs.is_empty());
}

#[test]
fn names_are_listed_without_ages_where_nobody_observes() {
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(1)).reject(Reject::Fail);
    let pool = builder.build().unwrap();
    pool.pause();
    pool.named("known").spawn(|| ()).unwrap();
    // One that is refused is not listed.
    assert!(pool.named("refused").spawn(|| ()).is_err());
    assert!(pool.named("refused").submit(|| ()).is_err());
    let snapshot = pool.snapshot();
    let [job] = &*snapshot.jobs else { panic!("{snapshot}") };
    assert_eq!((job.name.as_deref(), job.age), (Some("known"), None));
    drop(pool.purge());
    assert!(pool.snapshot().jobs.is_empty());
    pool.spawn(|| ()).unwrap();
    assert!(pool.snapshot().jobs.is_empty(), "it has no name");
}

#[test]
fn a_panic_of_a_named_job_is_told_all_the_same() {
    let told = Counter::default();
    let tells = told.clone();
    let on_panic = move |panicked: &lockgate_workerpool::Panicked| {
        assert_eq!(panicked.message(), Some("named"));
        tells.add();
    };
    let pool = Pool::builder().threads(1).on_panic(on_panic).build().unwrap();
    pool.named("it").spawn(|| panic!("named")).unwrap();
    pool.wait_idle().wait();
    assert_eq!((told.value(), pool.snapshot().jobs.len()), (1, 0));
}

/// What the system, and so a debugger, shows.
#[cfg(target_os = "linux")]
#[test]
fn threads_are_called_as_the_pool_with_a_number() {
    let pool = Pool::builder().threads(3).name("debugged").build().unwrap();
    let seen = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|it| std::fs::read_to_string(it.path().join("comm")).ok());
        let mut ours: Vec<_> =
            names.map(|it| it.trim().to_owned()).filter(|it| it.starts_with("debugged-")).collect();
        ours.sort_unstable();
        ours
    };
    until("they have names", || seen() == ["debugged-0", "debugged-1", "debugged-2"]);
    pool.shutdown().wait().unwrap();
}

#[test]
fn jobs_of_a_batch_are_seen_as_others_are() {
    let told = Counter::default();
    let tells = told.clone();
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(4)).reject(Reject::Fail);
    let builder = builder.timings(Timings::All).observe().on_panic(move |_| tells.tick());
    let pool = builder.build().unwrap();
    pool.pause();
    let job = |_| || panic!("a job");
    let named = pool.named("batch");
    let refused = named.spawn_batch((0..6).map(job)).unwrap_err();
    assert_eq!((refused.accepted.len(), refused.rejected.len()), (4, 2));
    let seen = pool.snapshot().jobs;
    assert_eq!(seen.iter().filter(|job| job.name.as_deref() == Some("batch")).count(), 4);
    drop(refused);
    pool.resume();
    pool.wait_idle().wait();
    assert_eq!((told.value(), pool.metrics().rejected), (4, 2));
    assert_eq!(pool.times().unwrap().run.count(), 4);
    let soon = Instant::now() + Duration::from_secs(3600);
    pool.submitter().deadline(soon).spawn_batch([|| panic!("a job")]).unwrap();
    pool.wait_idle().wait();
    assert_eq!(told.value(), 5, "a deadline keeps no panic from the hook");
}
