//! Groups: whoever waits for one hears of its end, however its jobs end.

use super::loom_support::Pool;
use crate::primitives::{Explore, explore, thread};
use crate::thread::group::Group;
use crate::{GroupError, JobError, Reason};

/// H31: the first error comes while another job of the group waits: that one does not run, and the wait
/// returns.
#[test]
fn first_error_meets_what_waits() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::new(1, 2);
        let group = Group::of(&pool.house);
        group.spawn(|| Err(7)).unwrap();
        // By itself it may find the group cancelled.
        let second = group.submit(|| Ok(()));
        assert!(matches!(group.wait(), Err(GroupError::Failed(7))));
        match second {
            Ok(job) => assert!(matches!(job.wait(), Err(JobError::Aborted))),
            Err(rejected) => assert_eq!(rejected.reason, Reason::Cancelled),
        }
        pool.end();
    });
}

/// H31: a group is cancelled while a worker comes for its job; the wait returns.
#[test]
fn cancel_meets_the_worker() {
    explore(Explore::All, || {
        let pool = Pool::new(1, 1);
        let group = Group::<u8>::of(&pool.house);
        group.spawn(|| Ok(())).unwrap();
        group.cancel();
        assert!(matches!(group.wait(), Err(GroupError::Cancelled)));
        pool.end();
    });
}

/// H32: a job is submitted while its group is cancelled, before anything could start: it comes back, or
/// it is aborted.
#[test]
fn submit_meets_cancel() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::empty(0, 2, None);
        pool.house.engine.pause();
        let group = Group::<u8>::of(&pool.house);
        let handle = group.handle();
        let cancels = thread::spawn(move || handle.cancel());
        let submitted = group.submit(|| Ok(()));
        cancels.join().unwrap();
        let start = pool.house.engine.resume();
        pool.house.start(start);
        match submitted {
            Ok(job) => assert!(matches!(job.wait(), Err(JobError::Aborted))),
            Err(rejected) => assert_eq!(rejected.reason, Reason::Cancelled),
        }
        assert!(matches!(group.wait(), Err(GroupError::Cancelled)));
        pool.end();
    });
}
