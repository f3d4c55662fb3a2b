//! Jobs that submit jobs: pushed beside the line, and never out of sight.

use super::loom_support::{Bell, Note, Pool};
use crate::engine::{Grant, Wait};
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{JobError, Reason};

/// H23: a job submits another while the second worker falls asleep, and waits for it by means that
/// the pool does not know: only the second worker can run it.
#[test]
fn push_inside_meets_a_worker_that_falls_asleep() {
    explore(Explore::Preemptions(2), || {
        let pool = Pool::stealing(2..=2, 2);
        let bell = Bell::new();
        let (inner, rings, note) = (pool.clone(), Arc::clone(&bell), Note::new());
        let writes = Arc::clone(&note);
        let job = move || {
            // The first borrows places, at the line; the second is pushed beside it.
            inner.submitter().spawn(|| ()).unwrap();
            inner.submitter().spawn(move || rings.ring()).unwrap();
            bell.wait();
            writes.write();
        };
        pool.submitter().submit(job).unwrap().wait().unwrap();
        assert!(note.is_seen());
        pool.end();
    });
}

/// H23: a job is pushed beside the line, in a place that became free there, while a worker arrives
/// for another and so ends the time in which nobody has to be called. The third is started when it
/// is.
#[test]
fn push_beside_the_line_meets_an_arrival() {
    explore(Explore::Preemptions(2), || {
        let pool = Pool::stealing(2..=3, 3);
        let [parent, outside, all] = [(); 3].map(|()| Bell::new());
        let (inner, outer) = (pool.clone(), pool.clone());
        let (waits, done) = (Arc::clone(&outside), Arc::clone(&all));
        let pushes = move || {
            let rings = [Arc::clone(&parent), outside, all];
            inner.submitter().spawn(move || rings.iter().for_each(|bell| bell.ring())).unwrap();
            parent.wait();
        };
        pool.submitter().spawn(move || outer.submitter().spawn(pushes).unwrap()).unwrap();
        pool.submitter().spawn(move || waits.wait()).unwrap();
        done.wait();
        pool.end();
    });
}

/// H24: two jobs are pushed inside, and a worker that is on its way takes one of them: the other is
/// not forgotten because somebody was on the way.
#[test]
fn two_pushed_inside_and_one_that_is_on_its_way() {
    explore(Explore::Preemptions(1), || {
        let pool = Pool::stealing(3..=3, 3);
        let [first, second, met] = [(); 3].map(|()| Bell::new());
        let (inner, waits) = (pool.clone(), Arc::clone(&met));
        let job = move || {
            let (rings, other) = (Arc::clone(&first), Arc::clone(&second));
            let meets = move || {
                rings.ring();
                other.wait();
            };
            inner.submitter().spawn(meets).unwrap();
            let meets = move || {
                second.ring();
                first.wait();
                met.ring();
            };
            inner.submitter().spawn(meets).unwrap();
            waits.wait();
        };
        pool.submitter().submit(job).unwrap().wait().unwrap();
        pool.end();
    });
}

/// H25: a shutdown takes out what waits, while a job submits another and its worker takes it: it
/// runs, or it is handed back, or it is refused.
#[test]
fn push_inside_meets_shutdown_now() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::stealing(1..=1, 1);
        let inner = pool.clone();
        let job = move || inner.submitter().submit(|| 7).map_err(|rejected| rejected.reason);
        let outer = pool.submitter().submit(job).unwrap();
        let (returned, start) = pool.house.engine.close(true);
        pool.house.start(start);
        let handed_back = returned.len();
        for item in returned {
            crate::thread::house::Work::refuse(item.entry, JobError::Aborted);
        }
        let lost = match outer.wait() {
            Err(JobError::Aborted) => 1,
            Ok(Err(reason)) => {
                assert_eq!(reason, Reason::Closed);
                0
            }
            Ok(Ok(inner)) => match inner.wait() {
                Ok(seven) => {
                    assert_eq!(seven, 7);
                    0
                }
                Err(JobError::Aborted) => 1,
                Err(other) => panic!("{other}"),
            },
            Err(other) => panic!("{other}"),
        };
        assert_eq!(handed_back, lost, "what did not run came back");
        pool.end();
    });
}

/// H26: a pause begins and ends while a job submits another: it runs all the same.
#[test]
fn push_inside_meets_a_pause() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::stealing(1..=1, 2);
        let inner = pool.clone();
        let job = move || inner.submitter().submit(|| 7).unwrap();
        let outer = pool.submitter().submit(job).unwrap();
        let other = pool.clone();
        let pauses = thread::spawn(move || {
            other.house.engine.pause();
            let start = other.house.engine.resume();
            other.house.start(start);
        });
        assert_eq!(outer.wait().unwrap().wait().unwrap(), 7);
        pauses.join().unwrap();
        pool.end();
    });
}

/// H27: somebody waits for a place that is lent to a worker, or taken by what its job submitted.
#[test]
fn wait_for_a_place_meets_a_push_inside() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::stealing(1..=1, 1);
        let inner = pool.clone();
        let job = move || inner.submitter().try_submit(|| ()).is_ok();
        let outer = pool.submitter().submit(job).unwrap();
        let mut ticket = None;
        let found = drive(None, |waker| match pool.house.engine.poll_place(&mut ticket, waker) {
            Wait::Ready(grant) => Step::Ready(grant),
            Wait::Queued => Step::Queued { spin: false },
        });
        assert_eq!(found, Some(Grant::Place));
        pool.house.engine.unreserve();
        outer.wait().unwrap();
        pool.end();
    });
}
