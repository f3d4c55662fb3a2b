//! Rest and end: they are told to whoever waits, and lose nothing.

use super::loom_support::{Note, Pool};
use crate::Reason;
use crate::engine::Wait;
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Explore, explore, thread};

/// H3: a job comes while the pool is shut down: it runs, or it comes back.
#[test]
fn submit_meets_shutdown() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::new(1, 1);
        let closer = pool.clone();
        let closes = thread::spawn(move || closer.close());
        let note = Note::new();
        let writes = Arc::clone(&note);
        let submitted = pool.submitter().try_submit(move || writes.write());
        match submitted {
            Ok(job) => {
                job.wait().unwrap();
                assert!(note.is_seen());
            }
            Err(rejected) => {
                assert_eq!(rejected.reason, Reason::Closed);
                assert!(!note.is_seen());
            }
        }
        closes.join().unwrap();
        pool.end();
    });
}

/// H4: the end comes to workers that sleep, or are about to.
#[test]
fn shutdown_meets_workers_that_fall_asleep() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::new(2, 1);
        pool.end();
    });
}

/// H10: somebody waits for rest while the last job ends, and sees what it did.
#[test]
fn wait_idle_meets_the_last_job() {
    explore(Explore::All, || {
        let pool = Pool::new(1, 1);
        let note = Note::new();
        let writes = Arc::clone(&note);
        pool.submitter().spawn(move || writes.write()).unwrap();
        let mut ticket = None;
        drive(None, |waker| match pool.house.engine.poll_quiet(&mut ticket, waker) {
            Wait::Ready(()) => Step::Ready(()),
            Wait::Queued => Step::Queued { spin: false },
        });
        assert!(note.is_seen());
        pool.end();
    });
}

/// H13: the end comes in a pause, and while it ends.
#[test]
fn pause_meets_shutdown() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::new(1, 1);
        pool.house.engine.pause();
        let job = pool.submitter().submit(|| 1).unwrap();
        let other = pool.clone();
        let resumes = thread::spawn(move || {
            let start = other.house.engine.resume();
            other.house.start(start);
        });
        pool.close();
        assert_eq!(job.wait().unwrap(), 1);
        resumes.join().unwrap();
        pool.end();
    });
}
