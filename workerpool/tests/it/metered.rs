//! What a meter tells, by a recorder of the tests' own.

use crate::recorder::Numbers;
use crate::support::{Gate, until};
use lockgate_workerpool::Timings;
use lockgate_workerpool::metered::{
    JOBS, LANE_QUEUED, QUEUED, REJECTIONS, RUN, SUBMITTED, WAIT, WAITING, WORKERS, describe,
};
use lockgate_workerpool::thread::{Pool, Queue, Reject};

fn pool() -> Pool<'static> {
    let builder = Pool::builder().threads(1).name("io").lanes(2).queue(Queue::Bounded(2));
    builder.reject(Reject::Fail).timings(Timings::All).build().unwrap()
}

#[test]
fn what_has_changed_is_told() {
    let (numbers, pool) = (Numbers::default(), pool());
    let meter = pool.meter();
    let gate = Gate::default();
    let waits = gate.clone();
    pool.spawn(move || waits.pass()).unwrap();
    until("it runs", || pool.metrics().running == 1 && pool.metrics().queued == 0);
    drop(pool.submit(|| std::panic::resume_unwind(Box::new("quiet"))).unwrap());
    let aborted = pool.lane(1).submit(|| ()).unwrap();
    assert!(pool.spawn(|| ()).is_err());
    numbers.during(|| meter.publish());
    let told = |metric, labels| numbers.value(metric, labels);
    assert_eq!((told(SUBMITTED, ""), told(REJECTIONS, "")), (3.0, 1.0));
    assert_eq!((told(WORKERS, ",state=running"), told(WORKERS, ",state=idle")), (1.0, 0.0));
    assert_eq!((told(QUEUED, ""), told(WAITING, "")), (2.0, 0.0));
    assert_eq!((told(LANE_QUEUED, ",lane=0"), told(LANE_QUEUED, ",lane=1")), (1.0, 1.0));
    assert!(numbers.values(RUN).is_empty());
    assert!(aborted.abort());
    gate.open();
    pool.wait_idle().wait();
    // What does not change is not told twice.
    numbers.during(|| (0..3).for_each(|_| meter.publish()));
    assert_eq!((told(SUBMITTED, ""), told(QUEUED, "")), (3.0, 0.0));
    let ended = |outcome: &str| numbers.value(JOBS, &format!(",outcome={outcome}"));
    assert_eq!((ended("completed"), ended("panicked"), ended("aborted")), (1.0, 1.0, 1.0));
    assert_eq!((numbers.values(RUN).len(), numbers.values(WAIT).len()), (2, 2));
    let longest = pool.times().unwrap().run.max().unwrap().as_secs_f64();
    let told_longest = numbers.values(RUN).into_iter().fold(0.0, f64::max);
    assert!((told_longest - longest).abs() <= longest * 0.01, "{told_longest} for {longest}");
}

/// Two of one name are counted together, and one that is gone shows nothing.
#[test]
fn a_meter_that_is_gone_takes_its_gauges_along() {
    let (numbers, first, second) = (Numbers::default(), pool(), pool());
    let meters = [first.meter(), second.meter()];
    for pool in [&first, &second] {
        pool.pause();
        pool.spawn(|| ()).unwrap();
    }
    numbers.during(|| meters.iter().for_each(|meter| meter.publish()));
    assert_eq!(numbers.value(QUEUED, ""), 2.0);
    let [one, two] = meters;
    numbers.during(|| drop(one));
    assert_eq!(numbers.value(QUEUED, ""), 1.0);
    numbers.during(|| drop(two));
    assert_eq!(numbers.value(QUEUED, ""), 0.0);
    assert_eq!(numbers.value(SUBMITTED, ""), 2.0, "counters only go up");
}

#[test]
fn each_is_described() {
    let numbers = Numbers::default();
    numbers.during(describe);
    let mut described = numbers.described.lock().unwrap().clone();
    described.sort_unstable();
    let mut all = [JOBS, LANE_QUEUED, QUEUED, REJECTIONS, RUN, SUBMITTED, WAIT, WAITING, WORKERS];
    all.sort_unstable();
    assert_eq!(described, all);
}
