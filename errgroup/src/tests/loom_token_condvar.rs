//! Condition variables whose waits are cancelled.

use crate::primitives::{Arc, Explore, Mutex, explore, thread};
use crate::{CancelToken, Cancelled, Condvar};

struct Jobs {
    count: Mutex<usize>,
    more: Condvar,
}

impl Jobs {
    fn new() -> Arc<Self> {
        Arc::new(Self { count: Mutex::new(0), more: Condvar::new() })
    }

    fn take(&self, token: &CancelToken) -> Result<(), Cancelled> {
        let mut count = self.count.lock();
        while *count == 0 {
            count = self.more.wait(token, count, || self.count.lock())?;
        }
        *count -= 1;
        Ok(())
    }

    fn add(&self) {
        *self.count.lock() += 1;
        self.more.notify_one();
    }

    #[track_caller]
    fn assert_left(&self, count: usize) {
        assert_eq!(*self.count.lock(), count);
        assert!(format!("{:?}", self.more).contains("waiting: 0"), "{:?}", self.more);
    }
}

/// T9: a thread finds nothing to do and is about to wait, while the token is cancelled
/// (llvm#76807): it does not sleep through it.
#[test]
fn cancel_meets_a_thread_that_waits_for_a_condition() {
    explore(Explore::All, || {
        let (jobs, token) = (Jobs::new(), CancelToken::new());
        let worker = {
            let (jobs, token) = (Arc::clone(&jobs), token.clone());
            thread::spawn(move || jobs.take(&token))
        };
        token.cancel();
        assert!(worker.join().unwrap().is_err());
        jobs.assert_left(0);
    });
}

/// T9: the same while it is notified.
#[test]
fn notify_meets_a_thread_that_waits_for_a_condition() {
    explore(Explore::All, || {
        let (jobs, token) = (Jobs::new(), CancelToken::new());
        let worker = {
            let (jobs, token) = (Arc::clone(&jobs), token.clone());
            thread::spawn(move || jobs.take(&token))
        };
        jobs.add();
        worker.join().unwrap().unwrap();
        jobs.assert_left(0);
    });
}

/// T9: notified and cancelled at once: it does the job, or it leaves it.
#[test]
fn notify_meets_cancel() {
    explore(Explore::All, || {
        let (jobs, token) = (Jobs::new(), CancelToken::new());
        let worker = {
            let (jobs, token) = (Arc::clone(&jobs), token.clone());
            thread::spawn(move || jobs.take(&token))
        };
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        jobs.add();
        let done = worker.join().unwrap().is_ok();
        assert!(canceller.join().unwrap());
        jobs.assert_left(usize::from(!done));
    });
}

/// T9: of two threads, one is cancelled while one is notified: whoever is left hears of it.
#[test]
fn cancelled_thread_leaves_the_notification_to_the_next() {
    explore(Explore::All, || {
        let jobs = Jobs::new();
        let tokens = [CancelToken::new(), CancelToken::new()];
        let [first, second] = tokens.clone().map(|token| {
            let jobs = Arc::clone(&jobs);
            thread::spawn(move || jobs.take(&token))
        });
        tokens[0].cancel();
        jobs.add();
        if first.join().unwrap().is_ok() {
            tokens[1].cancel();
            assert!(second.join().unwrap().is_err());
        } else {
            second.join().unwrap().unwrap();
        }
        jobs.assert_left(0);
    });
}
