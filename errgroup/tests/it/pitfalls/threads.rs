use crate::support::{
    Bomb, Counter, LONG, PATIENCE, cancelled, culprit, failed, panic_of, payload_of, until,
    within_patience,
};
use lockgate_errgroup::join::FirstError;
use lockgate_errgroup::thread::{self, Group};
use lockgate_errgroup::{BuildError, Builder, CancelToken, Cause, Error, LimitError};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};

type Plain = Builder<FirstError<()>>;
type Text = Builder<FirstError<&'static str>>;

/// conc's "leaky abstraction": a victim's "cancelled" must not become the first error.
#[test]
fn p01_a_victim_does_not_mask_the_error() {
    within_patience(|| {
        for round in 0..100 {
            const VICTIMS: usize = 3;
            let together = Barrier::new(VICTIMS + 1);
            let mut token = None;
            let outcome = thread::scope(Text::new(), |g| {
                token = Some(g.token().clone());
                for _ in 0..VICTIMS {
                    g.spawn(|cx| {
                        together.wait();
                        cx.token().cancelled().wait();
                        Err("victim")
                    });
                }
                together.wait();
                g.spawn(|_| Err::<(), _>("the cause"));
            });
            assert_eq!(failed(outcome), Some((VICTIMS, "the cause")), "round {round}");
            assert_eq!(culprit(&token.unwrap()), Some(VICTIMS));
        }
    });
}

/// The same where the cancel comes from outside: an echo of it does not count.
#[test]
fn p01_an_echo_does_not_mask_the_cause() {
    let token = CancelToken::new();
    let policy = FirstError::<&str>::new().echo(|error| *error == "cancelled");
    let outcome = thread::scope(Builder::new().token(&token).join_with(policy), |g| {
        let (started, starts) = mpsc::channel();
        g.spawn(move |cx| {
            started.send(()).unwrap();
            cx.token().cancelled().wait();
            Err::<(), _>("cancelled")
        });
        starts.recv().unwrap();
        token.cancel_with("shutting down");
    });
    assert_eq!(cancelled(outcome).to_string(), "shutting down");
}

/// conc#88: who blocks on the limit is woken by the cancel.
#[test]
fn p02_a_spawner_that_waits_is_woken_by_the_cancel() {
    within_patience(|| {
        for what in ["cancel", "error", "parent", "deadline"] {
            let parent = CancelToken::new();
            let mut builder = Text::new().limit(1).backlog(0).token(&parent);
            if what == "deadline" {
                builder = builder.timeout(crate::support::SHORT);
            }
            let group = Arc::new(Group::build(builder).unwrap());
            let gate = CancelToken::new();
            let (held, wanted) = (gate.clone(), what);
            group.spawn(move |_| {
                held.cancelled().wait();
                if wanted == "error" { Err(wanted) } else { Ok(()) }
            });
            let (told, tells) = mpsc::channel();
            let spawner = Arc::clone(&group);
            let blocked = std::thread::spawn(move || {
                told.send(()).unwrap();
                spawner.spawn(|_| Ok(())).is_rejected()
            });
            tells.recv().unwrap();
            match what {
                "cancel" => assert!(group.token().cancel()),
                "parent" => assert!(parent.cancel()),
                "deadline" => group.token().cancelled().wait(),
                _ => gate.cancel_with("now fail").then_some(()).unwrap(),
            }
            let rejected = blocked.join().unwrap();
            // After the error its place may have been promised before the cancel.
            assert!(rejected || what == "error", "{what}");
            gate.cancel();
            let Ok(group) = Arc::try_unwrap(group) else { panic!("the spawner is gone") };
            assert!(group.join().wait().is_err());
        }
    });
}

/// Go: the context is dead after `Wait`, and says "cancelled". Here it says that it is over.
#[test]
fn p03_the_token_says_that_the_group_is_over() {
    let parent = CancelToken::new();
    let mut token = None;
    thread::scope(Plain::new().token(&parent), |g| {
        token = Some(g.token().clone());
        g.spawn(|_| Ok(()));
    })
    .unwrap();
    assert!(matches!(token.unwrap().cause(), Some(Cause::Finished)));
    assert!(!parent.is_cancelled());

    let group = Group::<(), ()>::new();
    let token = group.token().clone();
    group.join().wait().unwrap();
    assert!(matches!(token.cause(), Some(Cause::Finished)));
}

/// rust-lang/rust#94644: what a task captured and returned is gone when the join returns.
#[test]
fn p04_what_a_task_captured_and_returned_is_dropped_before_the_join_returns() {
    const TASKS: usize = 50;
    within_patience(|| {
        for limit in [1, 4, usize::MAX] {
            let (captured, returned) = (Counter::new(), Counter::new());
            let builder = Builder::<FirstError<crate::support::CountsDrop>>::new();
            let outcome = thread::scope(builder.limit(limit).run_all(), |g| {
                for index in 0..TASKS {
                    let (capture, result) = (captured.on_drop(), returned.on_drop());
                    g.spawn(move |_| {
                        let _capture = &capture;
                        if index % 2 == 0 { Ok(result) } else { Err(result) }
                    });
                }
            });
            assert_eq!(captured.value(), TASKS);
            assert_eq!(returned.value(), TASKS - 1, "but for the error that is returned");
            drop(outcome.unwrap_err());
            assert_eq!(returned.value(), TASKS);
        }
    });
}

#[test]
fn p04_what_was_not_started_is_dropped_too() {
    within_patience(|| {
        let captured = Counter::new();
        let outcome = thread::scope(Text::new().limit(1), |g| {
            g.spawn(|cx| {
                cx.token().cancelled().wait();
                Ok(())
            });
            for _ in 0..10 {
                let capture = captured.on_drop();
                g.spawn(move |_| {
                    drop(capture);
                    Err("it must not start")
                });
            }
            g.token().cancel();
        });
        assert!(matches!(cancelled(outcome), Cause::Requested));
        assert_eq!(captured.value(), 10);
    });
}

/// rust-lang/rust#98498: the last to leave touches nothing that the joiner may have freed.
/// What is shared is counted, so it is enough that nothing is left behind.
#[test]
fn p05_nothing_is_left_of_a_group_that_was_joined() {
    within_patience(|| {
        for _ in 0..300 {
            let shared = Arc::new(());
            let group = Group::<(), ()>::build(Builder::new().limit(2)).unwrap();
            for _ in 0..2 {
                let shared = Arc::clone(&shared);
                group.spawn(move |_| {
                    let _shared = &shared;
                    Ok(())
                });
            }
            group.join().wait().unwrap();
            assert_eq!(Arc::strong_count(&shared), 1);
        }
    });
}

/// Payloads whose drop panics: those of the losers are dropped where it does no harm.
#[test]
fn p06_a_payload_whose_drop_panics() {
    within_patience(|| {
        let bombs = Counter::new();
        let together = Barrier::new(3);
        let payload = payload_of(|| {
            thread::scope(Plain::new(), |g| {
                for _ in 0..3 {
                    let bomb = Bomb(bombs.clone());
                    let together = &together;
                    g.spawn(move |_| -> Result<(), ()> {
                        together.wait();
                        std::panic::panic_any(bomb)
                    });
                }
            })
        });
        assert_eq!(bombs.value(), 2, "the first goes on");
        let bomb = payload.downcast::<Bomb>().unwrap();
        assert_eq!(panic_of(|| drop(bomb)), "the payload's drop panicked");
    });
}

/// A value, an error and a capture whose drop panics: the task's panic, and nobody else's.
#[test]
fn p06_results_and_captures_whose_drop_panics() {
    within_patience(|| {
        for what in ["value", "losing error", "capture", "refused capture"] {
            let bombs = Counter::new();
            let builder = Builder::<FirstError<Option<Bomb>>>::new().limit(1);
            let builder = if what == "refused capture" { builder } else { builder.run_all() };
            let said = panic_of(|| {
                thread::scope(builder, |g| {
                    let bomb = Bomb(bombs.clone());
                    if what == "value" {
                        g.spawn(move |_| Ok(Some(bomb)));
                    } else if what == "losing error" {
                        g.spawn(|_| Err(None));
                        g.spawn(move |_| Err(Some(bomb)));
                    } else if what == "capture" {
                        g.spawn(move |_| {
                            let _bomb = &bomb;
                            Ok(None)
                        });
                    } else {
                        g.spawn(|cx| {
                            cx.token().cancelled().wait();
                            Ok(None)
                        });
                        g.spawn(move |_| Ok(Some(bomb)));
                        g.token().cancel();
                    }
                })
            });
            assert_eq!(said, "the payload's drop panicked", "{what}");
            assert_eq!(bombs.value(), 1, "{what}");
        }
    });
}

/// The body panics while tasks run: they are cancelled and joined, and the body's panic goes
/// on, whatever the tasks did.
#[test]
fn p07_the_panic_of_the_body_cancels_joins_and_wins() {
    within_patience(|| {
        let ended = Counter::new();
        let mut token = None;
        let said = panic_of(|| {
            thread::scope(Plain::new(), |g| {
                token = Some(g.token().clone());
                let (started, starts) = mpsc::channel();
                for fails in [false, true] {
                    let (started, ended) = (started.clone(), &ended);
                    g.spawn(move |cx| {
                        started.send(()).unwrap();
                        cx.token().cancelled().wait();
                        ended.add();
                        assert!(!fails, "a task's panic");
                        Ok(())
                    });
                }
                (0..2).for_each(|_| starts.recv().unwrap());
                panic!("the body's panic");
            })
        });
        assert_eq!(said, "the body's panic");
        assert_eq!(ended.value(), 2);
        let cause = token.unwrap().cause().unwrap();
        assert_eq!(cause.to_string(), "the body of the scope panicked");
    });
}

/// The implicit join of `std::thread::scope` does not wait for these (rust-lang/rust#116237).
#[test]
fn p08_thread_locals_are_destroyed_before_the_scope_returns() {
    static DESTROYED: AtomicUsize = AtomicUsize::new(0);
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            (0..100).for_each(|_| std::thread::yield_now());
            DESTROYED.fetch_add(1, Ordering::SeqCst);
        }
    }
    thread_local!(static LOCAL: RefCell<Option<Slow>> = const { RefCell::new(None) });
    within_patience(|| {
        for round in 1..=20 {
            thread::scope(Plain::new(), |g| {
                let (done, dones) = mpsc::channel();
                g.spawn(move |_| {
                    LOCAL.with_borrow_mut(|local| local.replace(Slow));
                    done.send(()).unwrap();
                    Ok(())
                });
                // The thread that joins would run it itself otherwise.
                dones.recv().unwrap();
            })
            .unwrap();
            assert_eq!(DESTROYED.load(Ordering::SeqCst), round);
        }
    });
}

#[test]
fn p09_a_parent_that_was_cancelled_before_lets_nothing_run() {
    let parent = CancelToken::new();
    parent.cancel_with("too late");
    let ran = Counter::new();
    let outcome = thread::scope(Plain::new().token(&parent), |g| {
        let spawned = g.spawn(|_| {
            ran.add();
            Ok(())
        });
        assert!(spawned.is_rejected());
        g.try_spawn(|_| Ok(())).unwrap_err();
    });
    assert_eq!(cancelled(outcome).to_string(), "too late");
    assert_eq!(ran.value(), 0);

    let group = Group::<(), ()>::build(Builder::new().token(&parent)).unwrap();
    assert!(group.spawn(|_| Ok(())).is_rejected());
    assert_eq!(cancelled(group.join().wait()).to_string(), "too late");
}

/// anyio#787: a group whose parent is cancelled reports its own error all the same.
#[test]
fn p10_an_error_after_the_parents_cancel_is_reported() {
    within_patience(|| {
        for run_all in [true, false] {
            let parent = CancelToken::new();
            let builder = Text::new().token(&parent);
            let builder = if run_all { builder.run_all() } else { builder };
            let outcome = thread::scope(builder, |g| {
                let (started, starts) = mpsc::channel();
                g.spawn(move |cx| {
                    started.send(()).unwrap();
                    cx.token().cancelled().wait();
                    Err::<(), _>("its own")
                });
                starts.recv().unwrap();
                parent.cancel();
            });
            assert_eq!(failed(outcome), Some((0, "its own")));
        }
    });
}

/// cpython#155418: a task that cancels its group before its spawn has come back.
#[test]
fn p11_a_task_may_end_the_group_before_its_spawn_returns() {
    within_patience(|| {
        for round in 0..300 {
            let builder = Text::new().limit(1 + round % 3);
            let outcome = thread::scope(builder, |g| {
                let spawned = g.spawn(|_| Err::<(), _>("at once"));
                assert_eq!(spawned.id().map(|id| id.index()), Some(0));
            });
            assert_eq!(failed(outcome), Some((0, "at once")));
        }
    });
}

/// cpython#116720, cpython#155433: an inner group's success or cancel swallowed the outer one.
#[test]
fn p12_an_outer_cancel_is_not_swallowed_by_an_inner_group() {
    within_patience(|| {
        for inner_fails in [false, true] {
            let inner_token = Mutex::new(None);
            let (started, starts) = mpsc::channel();
            let after = Counter::new();
            let outcome = thread::scope(Text::new(), |outer| {
                outer.spawn(|cx| {
                    let inner = thread::scope(Text::new().token(cx.token()), |inner| {
                        *inner_token.lock().unwrap() = Some(inner.token().clone());
                        inner.spawn(|cx| {
                            started.send(()).unwrap();
                            cx.token().cancelled().wait();
                            if inner_fails { Err("inner") } else { Ok(()) }
                        });
                    });
                    let error = inner.unwrap_err();
                    assert_eq!(error.cause().is_none(), inner_fails);
                    cx.check().expect_err("the outer cancel is still there");
                    after.add();
                    Ok(())
                });
                starts.recv().unwrap();
                outer.token().cancel_with("the outer cancel");
            });
            assert_eq!(cancelled(outcome).to_string(), "the outer cancel");
            let inner = inner_token.into_inner().unwrap().unwrap();
            assert_eq!(inner.cause().unwrap().to_string(), "the outer cancel");
            assert_eq!(after.value(), 1);
        }
    });
}

#[test]
fn p12_an_inner_cancel_stays_inside() {
    thread::scope(Text::new(), |outer| {
        outer.spawn(|cx| {
            let inner = thread::scope(Text::new().token(cx.token()), |inner| {
                inner.spawn(|_| Err::<(), _>("inner"));
            });
            assert_eq!(failed(inner), Some((0, "inner")));
            cx.check().map_err(|_| "the outer group is not concerned")
        });
    })
    .unwrap();
}

#[test]
fn p13_a_limit_of_zero_is_an_error() {
    let outcome = thread::scope(Plain::new().limit(0), |g| {
        g.spawn(|_| -> Result<(), ()> { unreachable!("nothing runs") });
        unreachable!("the body neither");
    });
    assert!(matches!(outcome, Err(Error::Build(BuildError::ZeroLimit))));
    let error = Group::<(), ()>::build(Builder::new().limit(0)).unwrap_err();
    assert_eq!(error.to_string(), "limit is 0, and has to be 1 or more");
    let group = Group::<(), ()>::new();
    assert_eq!(group.set_limit(0), Err(LimitError::Zero));
    group.join().wait().unwrap();
}

/// A group is joined once, which the compiler sees to; and it is used again after
/// `wait_idle`, and after a join that timed out.
#[test]
fn p14_a_group_goes_on_after_a_wait() {
    within_patience(|| {
        let (ran, mut group) = (Counter::new(), Group::<(), &str>::new());
        for round in 1..=3 {
            let (gate, ran_here) = (CancelToken::new(), ran.clone());
            let held = gate.clone();
            group.spawn(move |_| {
                held.cancelled().wait();
                ran_here.add();
                Ok(())
            });
            let joining = group.join();
            group = joining.wait_timeout(std::time::Duration::ZERO).unwrap_err();
            assert_eq!(ran.value(), round - 1);
            gate.cancel();
            group.wait_idle().wait();
            assert_eq!(ran.value(), round);
        }
        group.spawn(|_| Err("the end"));
        let outcome = group.join().wait_timeout(PATIENCE);
        assert_eq!(failed(outcome.unwrap()), Some((3, "the end")));
    });
}

/// Its threads are left behind, and end when their tasks do.
#[test]
fn p15_a_group_may_be_forgotten() {
    within_patience(|| {
        let (dropped, gate) = (Counter::new(), CancelToken::new());
        let group = Group::<(), ()>::new();
        let (capture, held) = (dropped.on_drop(), gate.clone());
        group.spawn(move |cx| {
            let _capture = &capture;
            held.cancelled().wait();
            cx.check().map_err(|_| ())
        });
        let token = group.token().clone();
        std::mem::forget(group);
        assert!(!token.is_cancelled());
        gate.cancel();
        until("the task has ended", || dropped.value() == 1);
    });
}

/// Whatever fails, one error is kept, and few panics.
#[test]
fn p17_what_is_kept_of_failures_is_bounded() {
    const TASKS: usize = 500;
    within_patience(|| {
        let errors = Counter::new();
        let builder = Builder::<FirstError<crate::support::CountsDrop>>::new();
        let group = Group::<(), _>::build(builder.limit(2).run_all()).unwrap();
        for _ in 0..TASKS {
            let error = errors.on_drop();
            group.spawn(move |_| Err(error));
        }
        group.wait_idle().wait();
        assert_eq!(errors.value(), TASKS - 1);
        drop(group.join().wait().unwrap_err());
        assert_eq!(errors.value(), TASKS);

        let panics = Counter::new();
        let group = Group::<(), ()>::build(Builder::new().limit(2).run_all()).unwrap();
        for _ in 0..TASKS {
            let payload = panics.on_drop();
            group.spawn(move |_| std::panic::resume_unwind(Box::new(payload)));
        }
        group.wait_idle().wait();
        assert!(panics.value() >= TASKS - 64, "{} are dropped", panics.value());
        let payload = payload_of(|| group.join().wait());
        assert_eq!(panics.value(), TASKS - 1, "the first goes on");
        drop(payload);
    });
}

/// Nobody starves: those who spawn again and again let those in who wait.
#[test]
fn p19_no_spawner_starves() {
    const SPAWNERS: usize = 3;
    within_patience(|| {
        let builder = Text::new().limit(1).backlog(0);
        let group = Arc::new(Group::<(), _>::build(builder).unwrap());
        let (served, over) = (Counter::new(), CancelToken::new());
        let busy: Vec<_> = (0..SPAWNERS)
            .map(|_| {
                let (group, over) = (Arc::clone(&group), over.clone());
                std::thread::spawn(move || {
                    while !over.is_cancelled() {
                        group.spawn(|_| Ok(()));
                    }
                })
            })
            .collect();
        for _ in 0..200 {
            let served = served.clone();
            group.spawn(move |_| {
                served.add();
                Ok(())
            });
        }
        over.cancel();
        busy.into_iter().for_each(|spawner| spawner.join().unwrap());
        group.wait_idle().wait();
        assert_eq!(served.value(), 200);
    });
}

/// Without a cancel it waits.
#[test]
fn p02_a_spawner_that_waits_is_let_in_when_a_slot_is_free() {
    within_patience(|| {
        let group = Arc::new(Group::build(Text::new().limit(1).backlog(0).timeout(LONG)).unwrap());
        let gate = CancelToken::new();
        let held = gate.clone();
        group.spawn(move |_| {
            held.cancelled().wait();
            Ok(())
        });
        let (spawner, ran) = (Arc::clone(&group), Counter::new());
        let counted = ran.clone();
        let blocked = std::thread::spawn(move || {
            let spawned = spawner.spawn(move |_| {
                counted.add();
                Ok(())
            });
            spawned.accepted().map(|id| id.index()).map_err(drop)
        });
        gate.cancel();
        assert_eq!(blocked.join().unwrap(), Ok(1));
        let Ok(group) = Arc::try_unwrap(group) else { panic!("the spawner is gone") };
        group.join().wait().unwrap();
        assert_eq!(ran.value(), 1);
    });
}
