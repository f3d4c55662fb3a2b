use super::Notes;
use crate::support::{Bomb, Counter, failed, payload_of, until, within_patience};
use lockgate_errgroup::join::FirstError;
use lockgate_errgroup::thread::{self, Group};
use lockgate_errgroup::{Builder, CancelToken, Cause, OnPanic};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, mpsc};

type Plain = Builder<FirstError<()>>;
type Text = Builder<FirstError<&'static str>>;

/// conc's `ResultPool`: a panicked task's result was a zero among the others.
#[test]
fn a_panic_is_no_result() {
    let builder = Builder::new().limit(3).on_panic(OnPanic::Error).join_with(Notes::default());
    let notes = thread::scope(builder, |g| {
        for index in 0..100 {
            g.spawn(move |_| {
                assert!(index % 10 != 3, "{index}");
                Ok(index)
            });
        }
    });
    assert_eq!((notes.values.len(), notes.panics.len()), (90, 10));
    assert!(notes.panics.iter().all(|index| index % 10 == 3));
    assert!(notes.cause.is_none(), "the policy takes panics easy");
}

/// conc#88: `Go` blocks on the limit, and all workers wait for the context.
#[test]
fn a_spawner_at_the_limit_does_not_keep_workers_from_being_cancelled() {
    within_patience(|| {
        let token = CancelToken::new();
        let outcome = thread::scope(Text::new().limit(2).backlog(0).token(&token), |g| {
            let (started, starts) = mpsc::channel();
            for _ in 0..2 {
                let started = started.clone();
                g.spawn(move |cx| {
                    started.send(()).unwrap();
                    cx.token().cancelled().wait();
                    Ok(())
                });
            }
            (0..2).for_each(|_| starts.recv().unwrap());
            let canceller = token.clone();
            std::thread::spawn(move || canceller.cancel());
            while !g.spawn(|_| Err("it found room")).is_rejected() {}
        });
        outcome.unwrap_err();
    });
}

/// conc#106: a panic did not cancel.
#[test]
fn a_panic_cancels() {
    within_patience(|| {
        for on_panic in [OnPanic::Resume, OnPanic::Error] {
            let group = Group::<(), ()>::build(Builder::new().on_panic(on_panic)).unwrap();
            let token = group.token().clone();
            group.spawn(|cx| {
                cx.token().cancelled().wait();
                Ok(())
            });
            group.spawn(|_| panic!("it cancels"));
            token.cancelled().wait();
            assert!(matches!(token.cause(), Some(Cause::Panic { index: 1, .. })));
            group.wait_idle().wait();
        }
    });
}

/// conc#107: a spawn that gives up after a while.
#[test]
fn a_spawn_gives_up_at_the_deadline() {
    within_patience(|| {
        let builder = Text::new().limit(1).backlog(0).timeout(crate::support::SHORT);
        let outcome = thread::scope(builder, |g| {
            g.spawn(|cx| {
                cx.token().cancelled().wait();
                Ok(())
            });
            while !g.spawn(|_| Err("there is no room")).is_rejected() {}
        });
        assert!(matches!(outcome.unwrap_err().cause(), Some(Cause::Deadline)));
    });
}

/// conc#91: what is derived from a parent stays there. 50 000 groups leave nothing at theirs
/// (counted in bytes in `tests/allocations_groups.rs`), and the parent still reaches the last.
#[test]
fn groups_come_and_go_under_one_parent() {
    within_patience(|| {
        let parent = CancelToken::new();
        for _ in 0..50_000 {
            thread::scope::<(), (), _>(Plain::new().token(&parent), |g| {
                assert!(g.check().is_ok());
            })
            .unwrap();
        }
        let outcome = thread::scope::<(), (), _>(Plain::new().token(&parent), |g| {
            parent.cancel();
            assert!(g.check().is_err());
        });
        outcome.unwrap_err();
    });
}

/// rust#139017: "a scoped thread panicked" in the place of what it said.
#[test]
fn a_panic_keeps_its_payload() {
    #[derive(Debug, PartialEq)]
    struct Precious(Vec<u8>);
    for limit in [1, 3] {
        let payload = payload_of(|| {
            thread::scope(Plain::new().limit(limit), |g| {
                g.spawn(|_| -> Result<(), ()> { std::panic::panic_any(Precious(vec![1, 2, 3])) });
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&Precious(vec![1, 2, 3])));
    }
}

/// `std::thread::scope` has a thread for each task, and crossbeam's keeps a handle for each.
#[test]
fn threads_are_used_again() {
    within_patience(|| {
        let ids = Mutex::new(HashSet::new());
        thread::scope(Plain::new().limit(3), |g| {
            for _ in 0..1000 {
                g.spawn(|_| {
                    ids.lock().unwrap().insert(std::thread::current().id());
                    Ok(())
                });
            }
        })
        .unwrap();
        assert!(ids.into_inner().unwrap().len() <= 3 + 1, "three, and the one that joins");

        // One burst after the other, and the one that waits does its share.
        for (limit, burst) in [(None, 1), (Some(3), 10)] {
            let ids = Arc::new(Mutex::new(HashSet::new()));
            let builder = limit.map_or_else(Plain::new, |limit| Plain::new().limit(limit));
            let group = Group::<(), ()>::build(builder).unwrap();
            for _ in 0..200 {
                for _ in 0..burst {
                    let ids = Arc::clone(&ids);
                    group.spawn(move |_| {
                        ids.lock().unwrap().insert(std::thread::current().id());
                        Ok(())
                    });
                }
                group.wait_idle().wait();
            }
            group.join().wait().unwrap();
            let used = ids.lock().unwrap().len();
            assert!(used <= limit.unwrap_or(1) + 1, "{used} threads, bursts of {burst}");
        }
    });
}

/// rust#157969, rayon's scope: after a job's panic, a panic of the body whose payload panics
/// when it is dropped let the scope return while jobs ran, which borrow from outside.
#[test]
fn no_panic_lets_a_scope_return_before_its_tasks() {
    within_patience(|| {
        let (bombs, ended) = (Counter::new(), Counter::new());
        let payload = payload_of(|| {
            thread::scope(Plain::new(), |g| {
                let (started, starts) = mpsc::channel();
                for _ in 0..2 {
                    let (started, ended) = (started.clone(), &ended);
                    g.spawn(move |cx| {
                        started.send(()).unwrap();
                        cx.token().cancelled().wait();
                        (0..1000).for_each(|_| std::thread::yield_now());
                        ended.add();
                        Ok(())
                    });
                }
                (0..2).for_each(|_| starts.recv().unwrap());
                let bomb = Bomb(bombs.clone());
                g.spawn(move |_| -> Result<(), ()> { std::panic::panic_any(bomb) });
                g.token().cancelled().wait();
                std::panic::panic_any(Bomb(bombs.clone()));
            })
        });
        assert_eq!(ended.value(), 2, "they have ended");
        assert_eq!(bombs.value(), 1, "the task's is dropped, the body's goes on");
        std::mem::forget(payload);
    });
}

/// hickory-dns#1818: finished tasks were kept until somebody asked for them.
#[test]
fn a_task_that_has_ended_leaves_nothing() {
    within_patience(|| {
        let kept = Arc::new(());
        let builder = Builder::<FirstError<()>>::new().limit(2);
        let group = Group::<Arc<()>, ()>::build(builder).unwrap();
        for _ in 0..1000 {
            let kept = Arc::clone(&kept);
            group.spawn(move |_| Ok(kept));
        }
        group.wait_idle().wait();
        assert_eq!(Arc::strong_count(&kept), 1);
        assert!(group.snapshot().tasks.is_empty());
        group.join().wait().unwrap();
    });
}

/// tokio#6759, noworkers: a task that spawns while the group is joined.
#[test]
fn what_a_task_spawns_during_the_join_is_joined() {
    within_patience(|| {
        let (ran, gate) = (Counter::new(), CancelToken::new());
        let group = Group::<(), &str>::new();
        let (counted, held) = (ran.clone(), gate.clone());
        group.spawn(move |cx| {
            held.cancelled().wait();
            for _ in 0..10 {
                let counted = counted.clone();
                cx.spawn(move |cx| {
                    cx.spawn(move |_| {
                        counted.add();
                        Ok(())
                    });
                    Ok(())
                });
            }
            Ok(())
        });
        let joining = std::thread::spawn(move || group.join().wait());
        gate.cancel();
        joining.join().unwrap().unwrap();
        assert_eq!(ran.value(), 10);
    });
}

/// noworkers: a panic ended the wait, while siblings went on, uncancelled.
#[test]
fn a_panic_does_not_end_the_join_early() {
    within_patience(|| {
        let ended = Counter::new();
        payload_of(|| {
            thread::scope(Plain::new(), |g| {
                let (started, starts) = mpsc::channel();
                let ended = &ended;
                g.spawn(move |cx| {
                    started.send(()).unwrap();
                    cx.token().cancelled().wait();
                    (0..1000).for_each(|_| std::thread::yield_now());
                    ended.add();
                    Ok(())
                });
                starts.recv().unwrap();
                g.spawn(|_| panic!("early"));
            })
        });
        assert_eq!(ended.value(), 1);
    });
}

/// noworkers: the error was made a text, and anyhow's.
#[test]
fn an_error_comes_back_as_it_was() {
    #[derive(Debug)]
    struct NotEvenAnError(Box<u32>);
    let outcome = thread::scope(Builder::<FirstError<NotEvenAnError>>::new(), |g| {
        g.spawn(|_| Err::<(), _>(NotEvenAnError(Box::new(7))));
    });
    assert_eq!(*outcome.unwrap_err().into_task_error().unwrap().0, 7);
}

/// neilotoole/errgroup#6: spawns and waits from different threads.
#[test]
fn many_threads_spawn_and_wait() {
    within_patience(|| {
        let group = Group::<(), ()>::build(Builder::new().limit(2).backlog(1)).unwrap();
        let ran = Counter::new();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let ran = ran.clone();
                        group.spawn(move |_| {
                            ran.add();
                            Ok(())
                        });
                    }
                });
                scope.spawn(|| (0..50).for_each(|_| group.wait_idle().wait()));
            }
        });
        group.join().wait().unwrap();
        assert_eq!(ran.value(), 600);
    });
}

/// neilotoole/errgroup#11: an error while the queue is full.
#[test]
fn an_error_with_a_full_queue() {
    within_patience(|| {
        for limit in [1, 2] {
            let (ran, started, gate) = (Counter::new(), Counter::new(), CancelToken::new());
            let group = Group::build(Text::new().limit(limit).backlog(3)).unwrap();
            for _ in 0..limit {
                let (held, starts) = (gate.clone(), started.clone());
                group.spawn(move |_| {
                    starts.add();
                    held.cancelled().wait();
                    Err::<(), _>("the error")
                });
            }
            until("they run", || started.value() == limit);
            for _ in 0..3 {
                let ran = ran.clone();
                group.spawn(move |_| {
                    ran.add();
                    Ok(())
                });
            }
            assert!(group.try_spawn(|_| Ok(())).unwrap_err().is_full());
            gate.cancel();
            assert_eq!(failed(group.join().wait()).unwrap().1, "the error");
            assert_eq!(ran.value(), 0);
        }
    });
}

/// async-scoped deadlocks where scopes nest deeper than there are threads.
#[test]
fn groups_nest_as_deep_as_one_likes() {
    fn nested(depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let inner = Mutex::new(0);
        thread::scope(Builder::<FirstError<()>>::new().limit(1), |g| {
            g.spawn(|_| {
                *inner.lock().unwrap() = nested(depth - 1);
                Ok(())
            });
        })
        .unwrap();
        inner.into_inner().unwrap() + 1
    }
    assert_eq!(within_patience(|| nested(50)), 50);
}
