//! Jobs and the workers that come for them: nobody sleeps for ever, and nothing runs twice.

use super::loom_support::{Note, Pool};
use crate::JobError;
use crate::primitives::{Arc, Deadline, Explore, explore, thread};

/// H1: a job comes while the worker falls asleep; whoever waits sees what it did.
#[test]
fn submit_meets_a_worker_that_falls_asleep() {
    explore(Explore::All, || {
        let pool = Pool::new(1, 1);
        let note = Note::new();
        let writes = Arc::clone(&note);
        let job = pool.submitter().submit(move || writes.write()).unwrap();
        job.wait().unwrap();
        assert!(note.is_seen());
        pool.end();
    });
}

/// H2: two jobs, and one worker that was called for the first.
#[test]
fn two_jobs_and_one_that_is_on_its_way() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::new(1, 2);
        let first = pool.submitter().submit(|| 1).unwrap();
        let second = pool.submitter().submit(|| 2).unwrap();
        assert_eq!(first.wait().unwrap() + second.wait().unwrap(), 3);
        pool.end();
    });
}

/// H41: a job comes while the worker, which had one, gives way before it sleeps.
#[test]
fn submit_meets_a_worker_that_lingers() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::lingering(1, 2);
        let first = pool.submitter().submit(|| 1).unwrap();
        assert_eq!(first.wait().unwrap(), 1);
        let second = pool.submitter().submit(|| 2).unwrap();
        assert_eq!(second.wait().unwrap(), 2);
        pool.end();
    });
}

/// H6: a job panics; the worker takes the next one.
#[test]
fn panic_meets_the_next_job() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::new(1, 2);
        let quiet = || -> u8 { std::panic::resume_unwind(Box::new("quiet")) };
        let first = pool.submitter().submit(quiet).unwrap();
        let second = pool.submitter().submit(|| 2).unwrap();
        assert!(matches!(first.wait(), Err(JobError::Panicked(_))));
        assert_eq!(second.wait().unwrap(), 2);
        pool.end();
    });
}

/// H7: a worker that was idle for long goes while a job comes.
#[test]
fn expiry_meets_submit() {
    explore(Explore::Preemptions(3), || {
        let expires = Deadline::unfired();
        let pool = Pool::empty(0, 1, Some(expires.clone()));
        pool.submitter().submit(|| ()).unwrap().wait().unwrap();
        let timer = thread::spawn(move || expires.fire());
        let job = pool.submitter().submit(|| 2).unwrap();
        assert_eq!(job.wait().unwrap(), 2);
        timer.join().unwrap();
        pool.end();
    });
}

/// H12: a job is aborted while a worker comes for it: it runs, or it does not, and its handle says
/// which.
#[test]
fn abort_meets_the_worker() {
    explore(Explore::All, || {
        let pool = Pool::new(1, 1);
        let note = Note::new();
        let writes = Arc::clone(&note);
        let job = pool.submitter().submit(move || writes.write()).unwrap();
        let aborted = job.abort();
        match job.wait() {
            Ok(()) => assert!(!aborted && note.is_seen()),
            Err(JobError::Aborted) => assert!(aborted && !note.is_seen()),
            Err(other) => panic!("{other}"),
        }
        pool.end();
    });
}
