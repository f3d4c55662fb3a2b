//! The last member leaves while others wait, come, or give up waiting.

use crate::primitives::atomic::{Ordering, Witness};
use crate::primitives::{Arc, Deadline, Explore, explore, thread};
use crate::wait_group::{Member, WaitEmptyOwned, WaitGroup};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

/// What a member does before it leaves.
struct Work(Witness);

impl Work {
    fn new() -> Arc<Self> {
        Arc::new(Self(Witness::new(0)))
    }

    fn is_done(&self) -> bool {
        // ORDERING: Relaxed on purpose: whatever makes it visible is the group's doing.
        self.0.load(Ordering::Relaxed) == 1
    }

    fn do_and_leave(self: &Arc<Self>, member: Member) -> thread::JoinHandle<()> {
        let work = Arc::clone(self);
        thread::spawn(move || {
            // ORDERING: as in `is_done`.
            work.0.store(1, Ordering::Relaxed);
            drop(member);
        })
    }
}

/// A wait that stands in line, with a waker that does nothing.
fn queued(group: &WaitGroup) -> WaitEmptyOwned {
    let mut wait = group.clone().wait_owned();
    assert!(!poll(&mut wait));
    wait
}

fn poll(wait: &mut WaitEmptyOwned) -> bool {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// No member, no mark, nobody in line.
#[track_caller]
fn assert_at_rest(group: &WaitGroup) {
    // ORDERING: Relaxed: the threads are joined.
    assert_eq!(group.0.word.load(Ordering::Relaxed), 0);
    let line = group.0.line.lock();
    assert!(line.is_empty());
    assert!(!format!("{:?}", *line).contains("Settled"), "{:?}", *line);
}

/// The last member leaves while a thread begins to wait: it is woken, and sees the work.
#[test]
fn wait_meets_the_last_leave() {
    explore(Explore::All, || {
        let (group, work) = (WaitGroup::new(), Work::new());
        let worker = work.do_and_leave(group.enter());
        group.wait().wait();
        assert!(work.is_done());
        worker.join().unwrap();
        assert_at_rest(&group);
    });
}

/// A look that finds the group empty sees the work, too.
#[test]
fn count_of_none_sees_the_work() {
    explore(Explore::All, || {
        let (group, work) = (WaitGroup::new(), Work::new());
        let worker = work.do_and_leave(group.enter());
        if group.count() == 0 {
            assert!(work.is_done());
        }
        worker.join().unwrap();
        assert_at_rest(&group);
    });
}

/// Two members leave at the same time: the later one ends the wait, which has seen both.
#[test]
fn wait_sees_every_member() {
    explore(Explore::All, || {
        let (group, works) = (WaitGroup::new(), [Work::new(), Work::new()]);
        let workers = works.each_ref().map(|work| work.do_and_leave(group.enter()));
        group.wait().wait();
        assert!(works.iter().all(|work| work.is_done()));
        for worker in workers {
            worker.join().unwrap();
        }
        assert_at_rest(&group);
    });
}

/// Two threads wait, and one member leaves: both go on.
#[test]
fn two_waits_meet_the_last_leave() {
    explore(Explore::Preemptions(3), || {
        let (group, work) = (WaitGroup::new(), Work::new());
        let worker = work.do_and_leave(group.enter());
        let other = {
            let (wait, work) = (group.clone().wait_owned(), Arc::clone(&work));
            thread::spawn(move || {
                wait.wait();
                assert!(work.is_done());
            })
        };
        group.wait().wait();
        assert!(work.is_done());
        worker.join().unwrap();
        other.join().unwrap();
        assert_at_rest(&group);
    });
}

/// The group is empty for a moment, and somebody enters at once: who stood in line goes on, and
/// who comes to wait for the newcomer is not taken for one of those.
#[test]
fn newcomer_meets_the_last_leave() {
    explore(Explore::All, || {
        let (group, work) = (WaitGroup::new(), Work::new());
        let member = group.enter();
        let mut first = queued(&group);
        let newcomer = {
            let (group, work) = (group.clone(), Arc::clone(&work));
            thread::spawn(move || {
                let member = group.enter();
                let mut second = group.clone().wait_owned();
                let early = poll(&mut second);
                assert!(!early, "the newcomer is still there");
                // The one before has left, or will; nobody is settled for that by a moment at
                // which the newcomer was there.
                assert!(!poll(&mut second), "the newcomer is still there");
                work.0.store(1, Ordering::Relaxed);
                drop(member);
                second
            })
        };
        drop(member);
        let was_empty = poll(&mut first);
        let mut second = newcomer.join().unwrap();
        assert!(was_empty || work.is_done());
        assert!(poll(&mut first) && poll(&mut second));
        drop((first, second));
        assert_at_rest(&group);
    });
}

/// A wait is dropped while the last member leaves: the other one ends, and the mark is neither
/// taken from under it nor left behind.
#[test]
fn dropped_wait_meets_the_last_leave() {
    explore(Explore::All, || {
        let group = WaitGroup::new();
        let member = group.enter();
        let [first, mut second] = [(); 2].map(|()| queued(&group));
        let canceller = thread::spawn(move || drop(first));
        drop(member);
        assert!(poll(&mut second));
        canceller.join().unwrap();
        drop(second);
        assert_at_rest(&group);
    });
}

/// The only wait is dropped while the last member leaves, which may find the mark gone.
#[test]
fn only_wait_is_dropped_at_the_last_leave() {
    explore(Explore::All, || {
        let group = WaitGroup::new();
        let member = group.enter();
        let wait = queued(&group);
        let canceller = thread::spawn(move || drop(wait));
        drop(member);
        canceller.join().unwrap();
        assert_at_rest(&group);
        // Where the member stays, it need not take the lock for nobody when it leaves.
        let member = group.enter();
        drop(queued(&group));
        // ORDERING: Relaxed: nobody else is here.
        assert_eq!(group.0.word.load(Ordering::Relaxed), 2, "one member, and no mark");
        drop(member);
    });
}

/// The deadline of a wait passes while the last member leaves: either way nothing stays behind,
/// and what ended before the deadline is no time-out.
#[test]
fn timeout_meets_the_last_leave() {
    explore(Explore::Preemptions(3), || {
        let (group, deadline) = (WaitGroup::new(), Deadline::unfired());
        let work = Work::new();
        let worker = work.do_and_leave(group.enter());
        let timer = {
            let deadline = deadline.clone();
            thread::spawn(move || deadline.fire())
        };
        if group.wait().wait_until(&deadline).is_ok() {
            assert!(work.is_done());
        }
        worker.join().unwrap();
        timer.join().unwrap();
        assert_at_rest(&group);
    });
}

/// Members in bulk leave one by one in two threads.
#[test]
fn bulk_leaves_in_parts() {
    explore(Explore::All, || {
        let (group, work) = (WaitGroup::new(), Work::new());
        let mut members = group.enter_many(3);
        let worker = work.do_and_leave(members.next().unwrap());
        let mut wait = queued(&group);
        drop(members);
        if poll(&mut wait) {
            assert!(work.is_done());
        }
        worker.join().unwrap();
        assert!(poll(&mut wait));
        drop(wait);
        assert_at_rest(&group);
    });
}
