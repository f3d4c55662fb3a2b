//! One call through a breaker: what every request pays.

use crate::harness::threads::{Padded, Placement, Quota, together};
use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crate::naive::Naive;
use crate::ours::{Consecutive, Count, Run, Time, TimeCached};
use crate::rivals::{Breaker2x, Failsafe, FailsafeDefault, Recloser};
use crate::subject::{Counted, Ended, Floor, Guard};
use std::hint::black_box;
use std::time::Instant;

/// How many operations a thread takes from the quota at a time.
const PORTION: i64 = 64;

pub fn scenarios() -> Vec<Scenario> {
    let one = |name: &str| Scenario::new(name, Unit::Wall);
    let two = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(10).needs_two_cores();
    vec![
        entries!(one("closed/consecutive"), closed(0):
            Consecutive, Floor, Failsafe, Recloser, Breaker2x, Naive),
        entries!(one("closed/count"), closed(0):
            Count, Floor, Counted, Failsafe, Recloser, Breaker2x, Naive),
        entries!(one("closed/time-cached"), closed(0):
            TimeCached, Floor, Failsafe, FailsafeDefault, Recloser, Breaker2x, Naive),
        entries!(one("closed/time"), closed(0): Time, Floor, FailsafeDefault),
        entries!(one("open"), open(): Consecutive, Failsafe, Recloser, Breaker2x, Naive),
        entries!(one("failures-1/consecutive"), closed(100):
            Consecutive, Floor, Failsafe, Recloser, Breaker2x, Naive),
        entries!(one("failures-1/count"), closed(100):
            Count, Floor, Failsafe, Recloser, Breaker2x, Naive),
        entries!(one("failures-1/time-cached"), closed(100): TimeCached, Floor, FailsafeDefault),
        entries!(one("failures-50/consecutive"), closed(2):
            Consecutive, Floor, Failsafe, Recloser, Breaker2x, Naive),
        entries!(one("failures-50/count"), closed(2):
            Count, Floor, Failsafe, Recloser, Breaker2x, Naive),
        entries!(one("failures-50/time-cached"), closed(2): TimeCached, Floor, FailsafeDefault),
        entries!(one("poll-once"), closed(0): Run, Breaker2x),
        entries!(two("closed/consecutive/two-threads"), two_threads():
            Consecutive, Floor, Failsafe, Recloser, Naive),
        entries!(two("closed/count/two-threads"), two_threads():
            Count, Floor, Failsafe, Recloser, Naive),
        entries!(two("closed/consecutive/per-thread"), per_thread(): Together, Alone, Apart),
    ]
}

/// Ours once more, by the number of threads that there are.
trait Crowd: Subject {
    const THREADS: usize;
    /// Whether they have one breaker, or one each.
    const SHARED: bool = true;
}

struct Together;

impl Subject for Together {
    const NAME: &'static str = "two threads";
    const ROLE: Role = Role::Ours;
}

impl Crowd for Together {
    const THREADS: usize = 2;
}

/// Whom two threads are compared with.
struct Alone;

impl Subject for Alone {
    const NAME: &'static str = "one thread";
}

impl Crowd for Alone {
    const THREADS: usize = 1;
}

/// Two threads that share nothing, for scale: where two cores are two threads of one, that takes longer than one thread,
/// too.
struct Apart;

impl Subject for Apart {
    const NAME: &'static str = "two threads, a breaker each";
    const ROLE: Role = Role::Floor;
}

impl Crowd for Apart {
    const THREADS: usize = 2;
    const SHARED: bool = false;
}

/// So many calls of each thread, and what they take of its time.
fn per_thread<W: Crowd>() -> impl FnMut(u64) -> Sample {
    let guards = [Padded(Consecutive::closed()), Padded(Consecutive::closed())];
    move |ops| {
        let (elapsed, well) = together(W::THREADS, Placement::Pinned, |thread| {
            let guard = &guards[if W::SHARED { 0 } else { thread }].0;
            let calls = (0..ops).map(|_| guard.call(|| black_box(Ok(()))));
            calls.filter(|ended| *ended == Ended::Well).count() as u64
        });
        assert!(well.iter().all(|well| *well == ops), "{}", W::NAME);
        Sample::time(ops, elapsed.wall)
    }
}

/// Each so-many-th call fails; none, if 0.
fn closed<G: Guard>(nth: u64) -> impl FnMut(u64) -> Sample {
    // Made when it is needed: some have a thread.
    let mut guard = None;
    move |ops| {
        let guard = &*guard.get_or_insert_with(G::closed);
        let (mut well, mut left) = (0, 1);
        let start = Instant::now();
        for _ in 0..ops {
            left -= 1;
            let fails = left == 0 && nth > 0;
            if left == 0 {
                left = nth.max(u64::from(nth == 0) << 40);
            }
            let ended = guard.call(|| if black_box(fails) { Err(()) } else { Ok(()) });
            assert!(ended != Ended::Rejected, "{}: it is closed", G::NAME);
            well += u64::from(ended == Ended::Well);
        }
        let time = start.elapsed();
        let failures = ops.checked_div(nth).map_or(0, |whole| whole + u64::from(ops % nth != 0));
        assert_eq!(well, ops - failures, "{}: each call ends as it ends", G::NAME);
        Sample::time(ops, time)
    }
}

fn open<G: Guard>() -> impl FnMut(u64) -> Sample {
    let mut guard = None;
    move |ops| {
        let guard = &*guard.get_or_insert_with(G::open);
        let mut rejected = 0;
        let start = Instant::now();
        for _ in 0..ops {
            let ended = black_box(guard).call(|| Ok(()));
            rejected += u64::from(ended == Ended::Rejected);
        }
        let time = start.elapsed();
        assert_eq!(rejected, ops, "{}: it is open", G::NAME);
        Sample::time(ops, time)
    }
}

fn two_threads<G: Guard>() -> impl FnMut(u64) -> Sample {
    let guard = Padded(G::closed());
    move |ops| {
        let quota = Quota::new(ops, PORTION);
        let (elapsed, well) = together(2, Placement::Pinned, |_| {
            let mut well = 0;
            loop {
                let portion = quota.take();
                if portion == 0 {
                    return well;
                }
                for _ in 0..portion {
                    let ended = guard.0.call(|| black_box(Ok(())));
                    well += u64::from(ended == Ended::Well);
                }
            }
        });
        assert_eq!(well.iter().sum::<u64>(), ops, "{}", G::NAME);
        Sample::time(ops, elapsed.wall)
    }
}
