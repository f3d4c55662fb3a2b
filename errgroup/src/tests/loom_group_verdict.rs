//! Who ended the group, and why: errors, panics and cancels at once.

use super::group_support::{Policy, Told, blamed, builder, id, panic_of, quiet_panic};
use crate::join::{Completions, completions};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{Builder, CancelToken, Cause, Error};

fn told() -> Told<(), Policy> {
    Told::new(builder())
}

/// G1: two tasks fail at once: one error is returned, and its task is the cause.
#[test]
fn two_errors_have_one_winner() {
    explore(Explore::All, || {
        let group = told();
        let tasks = [group.task(0, |_| Err("zero")), group.task(1, |_| Err("one"))];
        tasks.into_iter().for_each(|task| task.join().unwrap());
        let cause = group.core.token.cause();
        match group.conclude() {
            Err(Error::Task { index, error, .. }) => {
                assert_eq!(index, blamed(cause));
                assert_eq!(error, ["zero", "one"][index]);
            }
            other => panic!("no task's error: {other:?}"),
        }
    });
}

/// G2: a task sees the cancel that a sibling's error causes, and fails for it: what is returned is
/// the sibling's error.
#[test]
fn victim_is_never_first() {
    explore(Explore::All, || {
        let group = told();
        let failing = group.task(0, |_| Err("error"));
        let victim = group.task(1, |core| match core.token.is_cancelled() {
            true => Err("victim"),
            false => Ok(()),
        });
        failing.join().unwrap();
        victim.join().unwrap();
        let error = group.conclude().unwrap_err().into_task_error();
        assert_eq!(error, Some("error"));
    });
}

/// G10: a task panics while another fails: the panic goes on, whoever was first, and one of them is
/// the cause.
#[test]
fn panic_meets_error() {
    explore(Explore::All, || {
        let group = told();
        let tasks = [group.task(0, |_| Err("error")), group.task(1, |_| quiet_panic("panic"))];
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert!(blamed(group.core.token.cause()) < 2);
        assert_eq!(panic_of(|| group.conclude()), "panic");
    });
}

/// G10: two tasks panic while the body does: the body's goes on.
#[test]
fn panic_of_the_body_wins() {
    explore(Explore::All, || {
        let group = told();
        let task = group.task(0, |_| quiet_panic("task"));
        let payload = Box::new("body");
        group.core.cancel("the body panicked");
        task.join().unwrap();
        assert_eq!(panic_of(|| group.abandon(payload)), "body");
    });
}

/// G10: a callback panics in the cancel that a panic causes, while another task panics: nothing
/// unwinds through the one who runs the task.
#[test]
fn panic_of_a_callback_stays_inside() {
    explore(Explore::All, || {
        let group = told();
        group.core.token.on_cancel(|| quiet_panic("callback")).detach();
        let task = group.task(0, |_| quiet_panic("task"));
        group.core.settle(&id(1), || quiet_panic("task"));
        task.join().unwrap();
        assert!(blamed(group.core.token.cause()) < 2);
        assert_eq!(panic_of(|| group.conclude()), "task");
    });
}

/// G14: a group's parent is cancelled while one of its tasks fails: its own error is returned, and
/// the parent does not hear of it.
#[test]
fn parents_cancel_meets_an_error() {
    explore(Explore::All, || {
        let parent = CancelToken::new();
        let (outer, neighbour) = (parent.child(), parent.child());
        let group: Told<(), Policy> = Told::new(builder().token(&outer));
        let task = group.task(0, |_| Err("error"));
        let canceller = {
            let outer = outer.clone();
            thread::spawn(move || outer.cancel_with("outer"))
        };
        task.join().unwrap();
        assert!(canceller.join().unwrap(), "the group has not cancelled its parent");
        assert_eq!(group.conclude().unwrap_err().into_task_error(), Some("error"));
        assert!(matches!(outer.cause(), Some(Cause::Message(_))));
        assert!(!neighbour.is_cancelled());
    });
}

/// G14: a group's parent is cancelled while one of its tasks succeeds: the group was cancelled, or
/// not.
#[test]
fn parents_cancel_meets_the_end() {
    explore(Explore::All, || {
        let parent = CancelToken::new();
        let group: Told<(), Policy> = Told::new(builder().token(&parent));
        let task = group.task(0, |_| Ok(()));
        let canceller = {
            let parent = parent.clone();
            thread::spawn(move || parent.cancel_with("parent"))
        };
        task.join().unwrap();
        let outcome = group.conclude();
        assert!(canceller.join().unwrap());
        match outcome {
            Ok(()) => {}
            Err(error) => assert!(matches!(error.cause(), Some(Cause::Message(_)))),
        }
        assert!(group.core.token.is_cancelled());
    });
}

/// G15: a thread takes results as they come while the last task ends and the group is joined: it
/// gets each once, and then the end.
#[test]
fn receiver_meets_the_last_task() {
    explore(Explore::All, || {
        let (policy, results) = completions(8);
        let group: Told<usize, Completions<usize, &'static str>> = Told::new(Builder::with(policy));
        let receiver = thread::spawn(move || {
            let values = results.into_iter().map(|(id, result)| (id.index(), result.unwrap()));
            values.collect::<Vec<_>>()
        });
        group.core.settle(&id(0), || Some(Ok(7)));
        let delivered = group.conclude().unwrap();
        assert_eq!(receiver.join().unwrap(), [(0, 7)]);
        assert_eq!((delivered.delivered, delivered.missed), (1, 0));
    });
}

/// G15: the receiver goes while a task ends: the group hears of it, and nothing is kept.
#[test]
fn receiver_goes_while_a_task_ends() {
    explore(Explore::All, || {
        let (policy, results) = completions(8);
        let value = Arc::new(());
        let group: Told<Arc<()>, Completions<Arc<()>, &'static str>> =
            Told::new(Builder::with(policy));
        let receiver = thread::spawn(move || drop(results));
        for index in 0..2 {
            group.core.settle(&id(index), || Some(Ok(Arc::clone(&value))));
        }
        receiver.join().unwrap();
        assert!(group.conclude().is_ok());
        drop(group);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}
