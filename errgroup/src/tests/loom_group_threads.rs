//! Threads of a group, who spawns and who joins: nobody sleeps for ever, and nothing is counted
//! twice.

use super::group_support::{Dropped, Threads, builder, panic_of, quiet_panic, spawn};
use super::token_support::{Count, Note};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::thread::crew::Origin;
use crate::{CancelToken, Error};

const THREE: Explore = Explore::Preemptions(3);

/// G3: the last task ends while somebody joins, who is told, and sees what was done.
#[test]
fn last_task_meets_join() {
    explore(Explore::All, || {
        let group = Threads::limited(1);
        let note = Note::new();
        let written = Arc::clone(&note);
        group.spawn(move |_| {
            written.write();
            Ok(())
        });
        group.watch();
        note.assert_seen();
        group.end().unwrap();
    });
}

/// G3: the one who joins takes the last task, or the group's thread does.
#[test]
fn join_helps() {
    explore(THREE, || {
        let group = Threads::limited(2);
        let done = Count::new();
        for _ in 0..2 {
            let done = Arc::clone(&done);
            group.spawn(move |_| {
                done.add();
                Ok(())
            });
        }
        group.join().unwrap();
        assert_eq!(done.get(), 2);
    });
}

/// G4: what a task captured is gone when the join returns.
#[test]
fn captures_go_before_the_join() {
    explore(Explore::All, || {
        let group = Threads::limited(1);
        let dropped = Count::new();
        let capture = Dropped(Arc::clone(&dropped));
        group.spawn(move |_| {
            let _here = &capture;
            Ok(())
        });
        group.watch();
        assert_eq!(dropped.get(), 1);
        group.end().unwrap();
    });
}

/// G5: a task is spawned while the group is cancelled: it runs at most once, and not at all if it
/// was rejected; what it captured is dropped once.
#[test]
fn spawn_meets_cancel() {
    explore(Explore::All, || {
        let group = Threads::limited(1);
        let (ran, dropped) = (Count::new(), Count::new());
        let token = group.crew.token().clone();
        let canceller = thread::spawn(move || token.cancel_with("enough"));
        let (runs, capture) = (Arc::clone(&ran), Dropped(Arc::clone(&dropped)));
        let spawned = group.spawn(move |_| {
            let _here = &capture;
            runs.add();
            Ok(())
        });
        let rejected = spawned.is_rejected();
        drop(spawned);
        let outcome = group.join();
        assert!(canceller.join().unwrap() || outcome.is_ok());
        assert!(!rejected || matches!(outcome, Err(Error::Cancelled(_))));
        assert!(ran.get() <= usize::from(!rejected));
        assert_eq!(dropped.get(), 1);
    });
}

/// G6: the limit is reached and none may wait: a spawner waits for the place of a task that ends.
#[test]
fn blocked_spawner_meets_the_end() {
    explore(THREE, || {
        let group = Threads::tight(1);
        let done = Count::new();
        for _ in 0..2 {
            let done = Arc::clone(&done);
            group.spawn(move |_| {
                done.add();
                Ok(())
            });
        }
        group.watch();
        assert_eq!(done.get(), 2);
        group.end().unwrap();
    });
}

/// G6: the same with a cancel: the spawner is woken by whichever comes first, and a place that was
/// promised to it is not lost.
#[test]
fn blocked_spawner_meets_cancel() {
    explore(THREE, || {
        let group = Threads::tight(1);
        let token = group.crew.token().clone();
        group.spawn(|cx| {
            cx.token().cancelled().wait();
            Ok(())
        });
        let canceller = thread::spawn(move || token.cancel_with("enough"));
        drop(group.spawn(|_| Ok(())));
        group.watch();
        assert!(canceller.join().unwrap());
        assert!(matches!(group.end(), Err(Error::Cancelled(_))));
    });
}

/// G6: the same with a panic, which cancels, too.
#[test]
fn blocked_spawner_meets_a_panic() {
    explore(THREE, || {
        let group = Threads::tight(1);
        group.spawn(|_| quiet_panic("task"));
        drop(group.spawn(|_| Ok(())));
        group.watch();
        assert_eq!(panic_of(|| group.end()), "task");
    });
}

/// G6: two spawners wait for one place: each gets its turn.
#[test]
fn two_blocked_spawners() {
    explore(THREE, || {
        let group = Threads::tight(1);
        let done = Count::new();
        let task = |done: &Arc<Count>| {
            let done = Arc::clone(done);
            move |_: &_| {
                done.add();
                Ok(())
            }
        };
        group.spawn(task(&done));
        let other = {
            let (crew, task) = (Arc::clone(&group.crew), task(&done));
            thread::spawn(move || drop(spawn(&crew, task)))
        };
        group.spawn(task(&done));
        other.join().unwrap();
        group.watch();
        assert_eq!(done.get(), 3);
        group.end().unwrap();
    });
}

/// G9: whoever joins has closed the pool, one runner sleeps or is about to, and the other's task
/// spawns: it is not taken for the end, and nobody stays asleep after it.
#[test]
fn closed_group_meets_a_spawn_from_inside() {
    explore(THREE, || {
        let group = Threads::limited(2);
        let done = Count::new();
        for _ in 0..2 {
            let (outer, inner) = (Arc::clone(&done), Arc::clone(&done));
            group.spawn(move |cx| {
                if outer.get() == 0 {
                    cx.spawn(move |_| {
                        inner.add();
                        Ok(())
                    });
                }
                outer.add();
                Ok(())
            });
        }
        let witness = Arc::clone(&done);
        group.join().unwrap();
        assert!((3..=4).contains(&witness.get()));
    });
}

/// G7: a task spawns another at the limit, while a spawner waits outside: nobody waits for himself.
#[test]
fn nested_spawn_meets_a_blocked_spawner() {
    explore(THREE, || {
        let group = Threads::tight(1);
        let done = Count::new();
        let (outer, inner) = (Arc::clone(&done), Arc::clone(&done));
        group.spawn(move |cx| {
            cx.spawn(move |_| {
                inner.add();
                Ok(())
            });
            outer.add();
            Ok(())
        });
        let last = Arc::clone(&done);
        group.spawn(move |_| {
            last.add();
            Ok(())
        });
        group.watch();
        assert_eq!(done.get(), 3);
        group.end().unwrap();
    });
}

/// G8: somebody tries while the only slot comes free: it runs or it does not, and once nothing
/// runs any more the next try succeeds.
#[test]
fn try_spawn_meets_release() {
    explore(THREE, || {
        let group = Threads::limited(1);
        let done = Count::new();
        let task = |done: &Arc<Count>| {
            let done = Arc::clone(done);
            move |_: &_| {
                done.add();
                Ok(())
            }
        };
        assert!(group.try_spawn(task(&done)));
        let second = usize::from(group.try_spawn(task(&done)));
        group.watch();
        assert_eq!(done.get(), 1 + second);
        assert!(group.try_spawn(task(&done)), "nothing runs");
        group.watch();
        assert_eq!(done.get(), 2 + second);
        group.end().unwrap();
    });
}

/// G9: the thread goes to sleep while a task is handed over.
#[test]
fn sleep_meets_spawn() {
    explore(Explore::All, || {
        let group = Threads::limited(1);
        let done = Count::new();
        for _ in 0..2 {
            let done = Arc::clone(&done);
            group.spawn(move |_| {
                done.add();
                Ok(())
            });
        }
        group.watch();
        assert_eq!(done.get(), 2);
        group.end().unwrap();
    });
}

/// G9: nothing that was accepted is stuck behind a task that waits for it: a second thread is
/// called while the first is on its way.
#[test]
fn task_behind_one_that_waits_for_it() {
    explore(THREE, || {
        let group = Threads::limited(2);
        let gate = CancelToken::new();
        let opener = gate.clone();
        group.spawn(move |_| {
            gate.cancelled().wait();
            Ok(())
        });
        group.spawn(move |_| {
            opener.cancel();
            Ok(())
        });
        group.watch();
        group.end().unwrap();
    });
}

/// G10: a task panics while another is spawned: all is joined, and the panic goes on.
#[test]
fn panic_meets_spawn() {
    explore(Explore::All, || {
        let group = Threads::limited(1);
        group.crew.token().on_cancel(|| quiet_panic("callback")).detach();
        group.spawn(|_| quiet_panic("task"));
        drop(group.spawn(|_| Err("error")));
        group.watch();
        assert_eq!(panic_of(|| group.end()), "task");
    });
}

/// G11: the limit is raised while a task waits for one that is queued behind it.
#[test]
fn higher_limit_meets_a_queued_task() {
    explore(THREE, || {
        let group = Threads::limited(1);
        let gate = CancelToken::new();
        let opener = gate.clone();
        group.spawn(move |_| {
            gate.cancelled().wait();
            Ok(())
        });
        group.spawn(move |_| {
            opener.cancel();
            Ok(())
        });
        group.crew.set_limit(2, &Origin::Outside);
        group.watch();
        group.end().unwrap();
    });
}

/// G11: the limit is raised while a task runs and a spawner is about to wait.
#[test]
fn higher_limit_meets_a_blocked_spawner() {
    explore(THREE, || {
        let group = Threads::tight(1);
        let gate = CancelToken::new();
        let opener = gate.clone();
        group.spawn(move |_| {
            gate.cancelled().wait();
            Ok(())
        });
        let raiser = {
            let crew = Arc::clone(&group.crew);
            thread::spawn(move || crew.set_limit(2, &Origin::Outside))
        };
        group.spawn(move |_| {
            opener.cancel();
            Ok(())
        });
        raiser.join().unwrap();
        group.watch();
        group.end().unwrap();
    });
}

/// G11: the limit is lowered while two tasks run and end: no slot is lost, and none is left over.
#[test]
fn lower_limit_meets_release() {
    explore(THREE, || {
        let group = Threads::new(builder().limit(2).backlog(0));
        group.spawn(|_| Ok(()));
        group.spawn(|_| Ok(()));
        group.crew.set_limit(1, &Origin::Outside);
        group.watch();
        assert!(group.try_spawn(|_| Ok(())), "nothing runs");
        group.watch();
        group.end().unwrap();
    });
}

/// G12: two wait until nothing runs, while the last task ends. Both are told.
#[test]
fn two_wait_for_the_last_task() {
    explore(THREE, || {
        let group = Threads::limited(1);
        group.spawn(|_| Ok(()));
        let other = {
            let crew = Arc::clone(&group.crew);
            thread::spawn(move || assert!(crew.wait_quiet(true)))
        };
        group.watch();
        other.join().unwrap();
        group.end().unwrap();
    });
}
