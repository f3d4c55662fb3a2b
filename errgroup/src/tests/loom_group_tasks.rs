//! Tasks of a runtime: counted, aborted, dropped by the runtime, waited for.

use super::group_support::{Dropped, Outcome, Policy, builder};
use super::token_support::{Count, Note, poll, queued};
use crate::CancelToken;
use crate::primitives::{Arc, Explore, explore, future, thread};
use crate::runtime::{Runtime, Spawned};
use crate::task::Group;

type Tasks = Group<(), &'static str, Policy>;

const THREE: Explore = Explore::Preemptions(3);

fn unlimited() -> (Runtime, Tasks) {
    (Runtime::enter(), Tasks::build(builder()).unwrap())
}

fn limited(limit: usize) -> (Runtime, Tasks) {
    (Runtime::enter(), Tasks::build(builder().limit(limit)).unwrap())
}

fn run(task: Spawned) -> thread::JoinHandle<()> {
    thread::spawn(move || future::block_on(task))
}

/// A task that waits for ever, and counts when it is dropped.
fn stuck(group: &Tasks, dropped: &Arc<Count>) {
    let capture = Dropped(Arc::clone(dropped));
    let spawned = group.try_spawn(move |_| async move {
        let _here = &capture;
        CancelToken::new().cancelled().await;
        Ok(())
    });
    spawned.unwrap();
}

fn join(group: Tasks) -> Outcome {
    future::block_on(group.join())
}

/// G3: the last task ends while somebody joins, who is told, and sees what was done.
#[test]
fn last_task_meets_join() {
    explore(Explore::All, || {
        let (runtime, group) = unlimited();
        let note = Note::new();
        let written = Arc::clone(&note);
        let spawned = group.try_spawn(|_| async move {
            written.write();
            Ok(())
        });
        spawned.unwrap();
        let task = run(runtime.take().unwrap());
        join(group).unwrap();
        note.assert_seen();
        task.join().unwrap();
    });
}

/// G3: the last two tasks end at once.
#[test]
fn last_two_tasks_meet_join() {
    explore(THREE, || {
        let (runtime, group) = unlimited();
        let notes = [Note::new(), Note::new()];
        for note in &notes {
            let written = Arc::clone(note);
            let spawned = group.try_spawn(|_| async move {
                written.write();
                Ok(())
            });
            spawned.unwrap();
        }
        let tasks = [run(runtime.take().unwrap()), run(runtime.take().unwrap())];
        join(group).unwrap();
        notes.iter().for_each(|note| note.assert_seen());
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// G3: a task ends while one more is spawned from outside, and then somebody joins.
#[test]
fn last_task_meets_spawn_and_join() {
    explore(THREE, || {
        let (runtime, group) = unlimited();
        let notes = [Note::new(), Note::new()];
        let tasks = notes.each_ref().map(|note| {
            let written = Arc::clone(note);
            let spawned = group.try_spawn(|_| async move {
                written.write();
                Ok(())
            });
            spawned.unwrap();
            run(runtime.take().unwrap())
        });
        join(group).unwrap();
        notes.iter().for_each(|note| note.assert_seen());
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// G3: a task spawns another and ends, and the other ends, while somebody joins.
#[test]
fn task_that_spawns_meets_join() {
    explore(Explore::All, || {
        let (runtime, group) = unlimited();
        let note = Note::new();
        let written = Arc::clone(&note);
        let spawned = group.try_spawn(move |cx| async move {
            let inner = cx.try_spawn(move |_| async move {
                written.write();
                Ok(())
            });
            inner.unwrap();
            Ok(())
        });
        spawned.unwrap();
        let tasks = runtime.clone();
        let worker = thread::spawn(move || tasks.run());
        join(group).unwrap();
        note.assert_seen();
        worker.join().unwrap();
    });
}

/// G4: what a task captured is gone when the join returns, also if it was never polled; and that
/// join does not take the task for one that succeeded.
#[test]
fn captures_go_before_the_join() {
    explore(Explore::All, || {
        let (runtime, group) = unlimited();
        let dropped = Count::new();
        stuck(&group, &dropped);
        let task = runtime.take().unwrap();
        let dropper = thread::spawn(move || drop(task));
        join(group).unwrap_err();
        assert_eq!(dropped.get(), 1);
        dropper.join().unwrap();
    });
}

/// G4: a task that is queued is dropped by an abort while the last runner ends: who waits finds
/// nothing of either.
#[test]
fn purge_meets_the_last_runner() {
    explore(THREE, || {
        let (runtime, group) = limited(1);
        let group = Arc::new(group);
        let dropped = Count::new();
        stuck(&group, &dropped);
        let capture = Dropped(Arc::clone(&dropped));
        let spawn = group.spawn(|_| async move {
            let _here = &capture;
            Ok(())
        });
        assert!(future::block_on(spawn).accepted().is_ok());
        let runner = run(runtime.take().unwrap());
        let aborter = {
            let group = Arc::clone(&group);
            thread::spawn(move || group.abort())
        };
        future::block_on(group.wait_idle());
        assert_eq!(dropped.get(), 2);
        runner.join().unwrap();
        aborter.join().unwrap();
    });
}

/// G6: a task that spawns waits for a place, and is dropped while it is promised: the next in line
/// gets it.
#[test]
fn dropped_spawn_meets_its_place() {
    explore(Explore::All, || {
        let runtime = Runtime::enter();
        let group = Tasks::build(builder().limit(1).backlog(0)).unwrap();
        let group = Arc::new(group);
        let done = Count::new();
        let task = |done: &Arc<Count>| {
            let done = Arc::clone(done);
            move |_| async move {
                done.add();
                Ok(())
            }
        };
        group.try_spawn(task(&done)).unwrap();
        let gone = queued(group.spawn(task(&done)));
        let next = queued(group.spawn(task(&done)));
        let runner = {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.run())
        };
        drop(gone);
        assert!(!future::block_on(next).is_rejected());
        runner.join().unwrap();
        runtime.run();
        future::block_on(group.wait_idle());
        assert_eq!(done.get(), 2);
    });
}

/// G12: one waits for the last task, another looks just when it ends, and a task comes before the
/// first is told: it is told by that one.
#[test]
fn second_waiter_leaves_the_first_in_line() {
    explore(Explore::All, || {
        let (runtime, group) = unlimited();
        group.try_spawn(|_| async { Ok(()) }).unwrap();
        let first = queued(group.wait_idle());
        let task = run(runtime.take().unwrap());
        let _ = poll(&mut group.wait_idle());
        group.try_spawn(|_| async { Ok(()) }).unwrap();
        runtime.run();
        task.join().unwrap();
        future::block_on(first);
        join(group).unwrap();
    });
}

/// G12: the last task ends while one waits, and before that one is told a task comes, and somebody
/// who waits for it: he is not told of the quiet moment before.
#[test]
fn late_waiter_meets_the_last_task() {
    explore(Explore::All, || {
        let (runtime, group) = unlimited();
        group.try_spawn(|_| async { Ok(()) }).unwrap();
        let first = queued(group.wait_idle());
        let task = run(runtime.take().unwrap());
        group.try_spawn(|_| async { Ok(()) }).unwrap();
        let mut late = queued(group.wait_idle());
        task.join().unwrap();
        assert!(poll(&mut late).is_pending(), "its task has not begun");
        runtime.run();
        future::block_on(late);
        future::block_on(first);
        join(group).unwrap();
    });
}

/// G13: a task begins to wait while the group is aborted: it is reached.
#[test]
fn abort_meets_a_task() {
    explore(Explore::All, || {
        let (runtime, group) = unlimited();
        let dropped = Count::new();
        stuck(&group, &dropped);
        let task = run(runtime.take().unwrap());
        group.abort();
        future::block_on(group.wait_idle());
        assert_eq!(dropped.get(), 1);
        task.join().unwrap();
    });
}

/// G13: the same with a runner, and a task that has not started.
#[test]
fn abort_meets_a_runner() {
    explore(THREE, || {
        let (runtime, group) = limited(1);
        let dropped = Count::new();
        stuck(&group, &dropped);
        let capture = Dropped(Arc::clone(&dropped));
        let spawn = group.spawn(|_| async move {
            let _here = &capture;
            Ok(())
        });
        assert!(future::block_on(spawn).accepted().is_ok());
        let runner = run(runtime.take().unwrap());
        group.abort();
        future::block_on(group.wait_idle());
        assert_eq!(dropped.get(), 2);
        runner.join().unwrap();
    });
}

/// G13: the runtime drops a runner while a task is queued: the group ends all the same.
#[test]
fn dropped_runner_meets_spawn() {
    explore(Explore::All, || {
        let (runtime, group) = limited(1);
        let dropped = Count::new();
        stuck(&group, &dropped);
        let runner = runtime.take().unwrap();
        let dropper = thread::spawn(move || drop(runner));
        let capture = Dropped(Arc::clone(&dropped));
        let spawn = group.spawn(|_| async move {
            let _here = &capture;
            Ok(())
        });
        drop(future::block_on(spawn));
        dropper.join().unwrap();
        // The runtime drops whatever comes.
        while let Some(runner) = runtime.take() {
            drop(runner);
        }
        future::block_on(group.wait_idle());
        assert_eq!(dropped.get(), 2);
    });
}

/// G13: the same with a runner that has begun.
#[test]
fn dropped_runner_that_has_begun_meets_spawn() {
    explore(Explore::All, || {
        let (runtime, group) = limited(1);
        let dropped = Count::new();
        stuck(&group, &dropped);
        let mut runner = runtime.take().unwrap();
        assert!(poll(&mut runner).is_pending());
        let dropper = thread::spawn(move || drop(runner));
        let capture = Dropped(Arc::clone(&dropped));
        let spawn = group.spawn(|_| async move {
            let _here = &capture;
            Ok(())
        });
        drop(future::block_on(spawn));
        dropper.join().unwrap();
        while let Some(runner) = runtime.take() {
            drop(runner);
        }
        future::block_on(group.wait_idle());
        assert_eq!(dropped.get(), 2);
    });
}

/// G13: a wait is dropped and made again while the last task ends.
#[test]
fn wait_that_is_made_again_meets_the_last_task() {
    explore(Explore::All, || {
        let (runtime, group) = unlimited();
        group.try_spawn(|_| async { Ok(()) }).unwrap();
        let first = queued(group.wait_idle());
        let task = run(runtime.take().unwrap());
        drop(first);
        future::block_on(group.wait_idle());
        task.join().unwrap();
        join(group).unwrap();
    });
}

/// G9: a runner ends for want of work while a task is handed over: there is another.
#[test]
fn leaving_runner_meets_spawn() {
    explore(Explore::All, || {
        let (runtime, group) = limited(1);
        let done = Count::new();
        let first = Arc::clone(&done);
        let spawned = group.try_spawn(|_| async move {
            first.add();
            Ok(())
        });
        spawned.unwrap();
        let runner = run(runtime.take().unwrap());
        let last = Arc::clone(&done);
        let spawn = group.spawn(|_| async move {
            last.add();
            Ok(())
        });
        drop(future::block_on(spawn));
        runner.join().unwrap();
        runtime.run();
        future::block_on(group.wait_idle());
        assert_eq!(done.get(), 2);
    });
}
