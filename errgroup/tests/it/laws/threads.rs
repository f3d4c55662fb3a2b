use super::is_shared_freely;
use crate::support::{
    Counter, Dice, Gauge, LONG, SHORT, cancelled, failed, panic_of, payload_of, until,
    within_patience,
};
use lockgate_errgroup::join::FirstError;
use lockgate_errgroup::thread::{self, Cx, Group, Joining};
use lockgate_errgroup::{Builder, CancelToken, Cause, Error, OnPanic, TaskState, TrySpawnError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

type Plain = Builder<FirstError<()>>;
type Text = Builder<FirstError<&'static str>>;

#[test]
fn groups_are_shared_freely() {
    is_shared_freely::<Group<String, String>>();
    is_shared_freely::<Joining<String, String, FirstError<String>>>();
    // What tasks return need not be shared.
    is_shared_freely::<Group<std::cell::Cell<u8>, std::cell::Cell<u8>>>();
}

/// A `Cx` that were shared could spawn from another thread as if from inside.
#[test]
fn a_cx_is_not_shared() {
    trait Ambiguous<A> {
        fn check() {}
    }
    struct IsSync;
    impl<T: ?Sized> Ambiguous<()> for T {}
    impl<T: ?Sized + Sync> Ambiguous<IsSync> for T {}
    // Two impls would apply to a type that is `Sync`, and this would not compile.
    <Cx<'static, 'static, (), ()> as Ambiguous<_>>::check();
}

#[test]
fn the_limit_is_never_exceeded_whatever_it_is() {
    within_patience(|| {
        let (gauge, ran, mut dice) = (Gauge::new(), Counter::new(), Dice(7));
        let mut spawned = 0;
        thread::scope(Plain::new().limit(3), |g| {
            for round in 0..40 {
                let limit = 1 + dice.below(6);
                g.set_limit(limit).unwrap();
                // Who runs beyond a lower limit goes on.
                until("few run", || g.snapshot().running <= limit);
                gauge.take_peak();
                for _ in 0..50 {
                    let (gauge, ran) = (&gauge, &ran);
                    g.spawn(move |_| {
                        let inside = gauge.enter();
                        std::thread::yield_now();
                        drop(inside);
                        ran.add();
                        Ok(())
                    });
                    spawned += 1;
                }
                if round % 2 == 0 {
                    until("they ran", || ran.value() == spawned);
                }
                let peak = gauge.take_peak();
                assert!(peak <= limit, "{peak} ran in round {round}, beyond {limit}");
            }
        })
        .unwrap();
        assert_eq!(ran.value(), spawned);
    });
}

/// A higher limit starts what waits.
#[test]
fn a_higher_limit_is_used_at_once() {
    within_patience(|| {
        let group = Group::<(), ()>::build(Builder::new().limit(1)).unwrap();
        let (started, gate) = (Counter::new(), CancelToken::new());
        for _ in 0..4 {
            let (starts, held) = (started.clone(), gate.clone());
            group.spawn(move |_| {
                starts.add();
                held.cancelled().wait();
                Ok(())
            });
        }
        until("one runs", || started.value() == 1);
        assert_eq!(group.snapshot().queued, 3);
        group.set_limit(3).unwrap();
        until("three run", || started.value() == 3);
        group.set_limit(usize::MAX).unwrap();
        until("all run", || started.value() == 4);
        gate.cancel();
        group.join().wait().unwrap();
    });
}

#[test]
fn the_backlog_is_bounded() {
    within_patience(|| {
        for (limit, backlog) in [(1, 0), (2, 0), (2, 3)] {
            let builder = Text::new().limit(limit).backlog(backlog);
            let group = Arc::new(Group::<(), _>::build(builder).unwrap());
            let (gate, accepted) = (CancelToken::new(), Counter::new());
            let (spawner, held, counted) = (Arc::clone(&group), gate.clone(), accepted.clone());
            let spawning = std::thread::spawn(move || {
                for _ in 0..20 {
                    let held = held.clone();
                    spawner.spawn(move |_| {
                        held.cancelled().wait();
                        Ok(())
                    });
                    counted.add();
                }
            });
            until("it is full", || accepted.value() == limit + backlog);
            // A thread that is about to take its task counts, and so does the task.
            until("the limit is reached", || {
                let snapshot = group.snapshot();
                (snapshot.running, snapshot.queued) == (limit, backlog)
            });
            let snapshot = group.snapshot();
            assert_eq!((snapshot.limit, snapshot.backlog), (limit, backlog));
            assert!(group.try_spawn(|_| Ok(())).unwrap_err().is_full());
            assert_eq!(accepted.value(), limit + backlog);
            gate.cancel();
            spawning.join().unwrap();
            group.wait_idle().wait();
        }
    });
}

#[test]
fn a_closure_that_is_not_accepted_comes_back() {
    within_patience(|| {
        let group = Group::<u32, &str>::build(Builder::new().limit(1)).unwrap();
        let (gate, dropped) = (CancelToken::new(), Counter::new());
        let held = gate.clone();
        group.spawn(move |_| {
            held.cancelled().wait();
            Ok(0)
        });
        let (capture, ran) = (dropped.on_drop(), Counter::new());
        let counted = ran.clone();
        let task = move |_: &Cx<'static, 'static, u32, &'static str>| {
            let _capture = &capture;
            counted.add();
            Ok(1)
        };
        let error = group.try_spawn(task).unwrap_err();
        assert_eq!(error.to_string(), "as many tasks run as the limit allows");
        let TrySpawnError::Full(task) = error else { panic!("{error}") };
        gate.cancel();
        group.wait_idle().wait();
        group.try_spawn(task).unwrap();
        group.wait_idle().wait();
        assert_eq!((ran.value(), dropped.value()), (1, 1));

        group.token().cancel();
        let capture = dropped.on_drop();
        let task = move |_: &Cx<'static, 'static, u32, &'static str>| {
            drop(capture);
            Ok(2)
        };
        let error = group.try_spawn(task).unwrap_err();
        assert!(!error.is_full());
        let spawned = group.spawn(error.into_inner());
        assert!(spawned.is_rejected() && spawned.id().is_none());
        let rejected = spawned.accepted().unwrap_err();
        assert_eq!(rejected.to_string(), "the group is cancelled");
        assert_eq!(dropped.value(), 1);
        drop(rejected);
        assert_eq!(dropped.value(), 2);
        assert!(group.join().wait().is_err());
    });
}

fn chain<'env>(cx: &Cx<'_, 'env, (), ()>, left: usize, ran: &'env AtomicUsize) {
    if left > 0 {
        cx.spawn(move |cx| {
            ran.fetch_add(1, Ordering::Relaxed);
            chain(cx, left - 1, ran);
            Ok(())
        });
    }
}

fn tree<'env>(cx: &Cx<'_, 'env, (), ()>, width: usize, depth: u32, ran: &'env AtomicUsize) {
    for _ in 0..width {
        cx.spawn(move |cx| {
            ran.fetch_add(1, Ordering::Relaxed);
            if depth > 1 {
                tree(cx, width, depth - 1, ran);
            }
            Ok(())
        });
    }
}

fn limits() -> [Plain; 4] {
    let limit = |limit| Plain::new().limit(limit);
    [limit(1).backlog(0), limit(1), limit(2).backlog(0), limit(2)]
}

#[test]
fn a_chain_of_spawns_is_as_long_as_one_likes() {
    const LONG: usize = 100_000;
    within_patience(|| {
        for builder in limits() {
            let ran = AtomicUsize::new(0);
            thread::scope(builder, |g| chain(g, LONG, &ran)).unwrap();
            assert_eq!(ran.into_inner(), LONG);
        }
    });
}

#[test]
fn a_tree_of_spawns_is_as_wide_as_one_likes() {
    within_patience(|| {
        for builder in limits() {
            let ran = AtomicUsize::new(0);
            thread::scope(builder, |g| tree(g, 10, 4, &ran)).unwrap();
            assert_eq!(ran.into_inner(), 10 + 100 + 1000 + 10_000);
        }
        for builder in limits() {
            let ran = AtomicUsize::new(0);
            thread::scope(builder, |g| {
                g.spawn(|cx| {
                    tree(cx, 50_000, 1, &ran);
                    Ok(())
                });
            })
            .unwrap();
            assert_eq!(ran.into_inner(), 50_000);
        }
    });
}

/// A task that runs inside its spawner has its own identity, and the spawner keeps its own.
#[test]
fn a_task_knows_which_one_it_is() {
    fn own(cx: &Cx<'_, '_, (), ()>) -> String {
        cx.id().unwrap().to_string()
    }
    let seen = Mutex::new(Vec::new());
    thread::scope(Plain::new().limit(1).backlog(0), |g| {
        assert_eq!(g.id(), None, "the body is no task");
        g.spawn(|cx| {
            seen.lock().unwrap().push(own(cx));
            let inner = cx.named("inner").spawn(|cx| {
                seen.lock().unwrap().push(own(cx));
                Ok(())
            });
            seen.lock().unwrap().push(own(cx));
            assert_eq!(inner.id().unwrap().name(), Some("inner"));
            Ok(())
        });
    })
    .unwrap();
    assert_eq!(seen.into_inner().unwrap(), ["task 0", "task 1 (inner)", "task 0"]);
}

#[test]
fn a_million_tasks_run_through_a_limit_of_eight() {
    const TASKS: usize = 1_000_000;
    within_patience(|| {
        let ran = AtomicUsize::new(0);
        thread::scope(Plain::new().limit(8), |g| {
            for _ in 0..TASKS {
                g.spawn(|_| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
            }
        })
        .unwrap();
        assert_eq!(ran.into_inner(), TASKS);
    });
}

#[test]
fn run_all_runs_what_comes_after_the_cancel() {
    let (told, ran) = (Counter::new(), Counter::new());
    let outcome = thread::scope(Text::new().limit(1).run_all(), |g| {
        g.spawn(|_| Err("first"));
        g.token().cancelled().wait();
        for _ in 0..10 {
            let (told, ran) = (&told, &ran);
            let spawned = g.spawn(move |cx| {
                ran.add();
                if cx.check().is_err() {
                    told.add();
                }
                Err("later")
            });
            assert!(!spawned.is_rejected());
            g.try_spawn(|_| Ok(())).map_or_else(|error| assert!(error.is_full()), drop);
        }
    });
    assert_eq!(failed(outcome), Some((0, "first")));
    assert_eq!((ran.value(), told.value()), (10, 10));
}

#[test]
fn errors_and_causes_tell_the_name() {
    let mut token = None;
    let outcome = thread::scope(Text::new(), |g| {
        token = Some(g.token().clone());
        g.named("fetch").spawn(|_| Err::<(), _>("no route"));
    });
    assert_eq!(outcome.unwrap_err().to_string(), "task 0 (fetch): no route");
    let cause = token.unwrap().cause().unwrap();
    assert_eq!(cause.to_string(), "task 0 (fetch) ended the group");

    let group = Group::<(), &str>::build(Text::new().on_panic(OnPanic::Error)).unwrap();
    let token = group.token().clone();
    group.spawn_named(String::from("parse"), |_| panic!("at line {}", 3));
    let error = group.join().wait().unwrap_err();
    assert_eq!(error.to_string(), "task 0 (parse) panicked: at line 3");
    assert_eq!(token.cause().unwrap().to_string(), "task 0 (parse) panicked");
}

#[test]
fn a_scope_is_cancelled_at_its_deadline_and_joined() {
    within_patience(|| {
        let ended = Counter::new();
        let outcome = thread::scope(Text::new().timeout(SHORT), |g| {
            for _ in 0..3 {
                g.spawn(|cx| {
                    cx.token().cancelled().wait();
                    (0..1000).for_each(|_| std::thread::yield_now());
                    ended.add();
                    Ok(())
                });
            }
        });
        assert!(matches!(cancelled(outcome), Cause::Deadline));
        assert_eq!(ended.value(), 3);
    });
}

#[test]
fn the_earlier_of_two_deadlines_counts() {
    let soon = crate::support::now() + SHORT;
    let builder = || Text::new().deadline(soon).timeout(LONG);
    thread::scope::<(), _, _>(builder(), |g| assert_eq!(g.token().deadline(), Some(soon))).unwrap();
    let later = Text::new().deadline(soon + LONG).timeout(LONG / 2);
    thread::scope::<(), _, _>(later, |g| assert!(g.token().deadline() < Some(soon + LONG)))
        .unwrap();
    let parent = CancelToken::with_deadline(soon);
    thread::scope::<(), _, _>(Text::new().token(&parent).timeout(LONG), |g| {
        assert_eq!(g.token().deadline(), Some(soon));
    })
    .unwrap();
}

#[test]
fn a_group_returns_at_its_deadline_and_names_who_still_runs() {
    within_patience(|| {
        let (gate, ended, started) = (CancelToken::new(), Counter::new(), Counter::new());
        let group = Group::<(), &str>::build(Text::new().timeout(SHORT)).unwrap();
        for name in ["a", "b"] {
            let (held, ended, starts) = (gate.clone(), ended.clone(), started.clone());
            group.spawn_named(name, move |_| {
                starts.add();
                held.cancelled().wait();
                ended.add();
                Ok(())
            });
        }
        group.spawn(|_| Ok(()));
        until("they run", || started.value() == 2);
        let token = group.token().clone();
        let error = group.join().wait().unwrap_err();
        assert!(matches!(token.cause(), Some(Cause::Deadline)));
        assert_eq!(ended.value(), 0);
        let text = "the deadline passed with these still running: task 0 (a), task 1 (b)";
        assert_eq!(error.to_string(), text);
        gate.cancel();
        until("those left behind end by themselves", || ended.value() == 2);
    });
}

#[test]
fn shutdown_waits_for_its_grace() {
    within_patience(|| {
        let (ended, started) = (Counter::new(), Counter::new());
        let group = Group::<(), &str>::new();
        let (starts, ends) = (started.clone(), ended.clone());
        group.spawn(move |cx| {
            starts.add();
            cx.token().cancelled().wait();
            ends.add();
            Ok(())
        });
        until("it runs", || started.value() == 1);
        assert!(matches!(cancelled(group.shutdown(LONG)), Cause::Requested));
        assert_eq!(ended.value(), 1);

        let gate = CancelToken::new();
        let group = Group::<(), &str>::new();
        let (starts, held) = (started.clone(), gate.clone());
        group.spawn_named("stubborn", move |_| {
            starts.add();
            held.cancelled().wait();
            Ok(())
        });
        until("it runs", || started.value() == 2);
        match group.shutdown(SHORT).unwrap_err() {
            Error::Stragglers(tasks) => assert_eq!(tasks[0].name(), Some("stubborn")),
            other => panic!("{other}"),
        }
        gate.cancel();
    });
}

#[test]
fn a_dropped_group_is_cancelled() {
    within_patience(|| {
        let (dropped, group) = (Counter::new(), Group::<(), ()>::new());
        let token = group.token().clone();
        let capture = dropped.on_drop();
        group.spawn(move |cx| {
            cx.token().cancelled().wait();
            drop(capture);
            Ok(())
        });
        drop(group);
        assert_eq!(token.cause().unwrap().to_string(), "the group was dropped");
        until("the task has ended", || dropped.value() == 1);
    });
}

/// Where the system refuses threads, who spawns does the work.
#[test]
fn a_refused_thread_is_no_panic() {
    within_patience(|| {
        for limit in [1, 2, usize::MAX] {
            let (here, ran) = (std::thread::current().id(), Counter::new());
            let builder = || Text::new().limit(limit).stack_size(usize::MAX / 4);
            let outcome = thread::scope(builder(), |g| {
                for _ in 0..20 {
                    g.spawn(|cx| {
                        assert_eq!(std::thread::current().id(), here);
                        cx.spawn(|_| {
                            ran.add();
                            Ok(())
                        });
                        ran.add();
                        Ok(())
                    });
                }
            });
            outcome.unwrap();
            assert_eq!(ran.value(), 40);
            let group = Group::<(), &str>::build(builder()).unwrap();
            group.spawn(|_| Err("it runs"));
            assert_eq!(failed(group.join().wait()), Some((0, "it runs")));
        }
    });
}

#[test]
fn a_panic_may_be_an_error() {
    within_patience(|| {
        let ended = Counter::new();
        let builder = Text::new().on_panic(OnPanic::Error);
        let outcome = thread::scope(builder, |g| {
            let (started, starts) = mpsc::channel();
            let ended = &ended;
            g.spawn(move |cx| {
                started.send(()).unwrap();
                cx.token().cancelled().wait();
                ended.add();
                Ok(())
            });
            starts.recv().unwrap();
            g.spawn(|_| std::panic::panic_any(7_u8));
        });
        let Err(Error::Panicked(panicked)) = outcome else { panic!("{outcome:?}") };
        assert_eq!((panicked.task().index(), panicked.message()), (1, None));
        assert_eq!(panicked.into_payload().downcast_ref(), Some(&7_u8));
        assert_eq!(ended.value(), 1);

        let resumed = Plain::new().on_panic(OnPanic::Resume);
        let said = panic_of(|| {
            thread::scope(resumed, |g| {
                g.spawn(|_| -> Result<(), ()> { panic!("as it was") });
            })
        });
        assert_eq!(said, "as it was");
    });
}

/// A policy is the user's code, and may panic.
#[test]
fn a_policy_that_panics_ends_the_group() {
    struct Touchy;
    impl lockgate_errgroup::join::Join<(), ()> for Touchy {
        type Output = ();
        fn complete(&mut self, _: usize, _: Result<(), ()>) -> std::ops::ControlFlow<()> {
            panic!("too much")
        }
        fn finish(self) {}
    }
    within_patience(|| {
        let payload = payload_of(|| {
            thread::scope(Builder::new().limit(2).join_with(Touchy), |g| {
                for _ in 0..10 {
                    g.spawn(|_| Ok(()));
                }
            });
        });
        assert_eq!(payload.downcast_ref(), Some(&"too much"));
    });
}

#[test]
fn threads_carry_the_groups_name() {
    for name in ["deploy", "de\0ploy"] {
        let names = Mutex::new(Vec::new());
        thread::scope(Plain::new().name(name), |g| {
            let (done, dones) = mpsc::channel();
            let names = &names;
            g.spawn(move |_| {
                let name = std::thread::current().name().map(str::to_owned);
                names.lock().unwrap().push(name);
                done.send(()).unwrap();
                Ok(())
            });
            // The thread that joins would run it itself otherwise.
            dones.recv().unwrap();
        })
        .unwrap();
        assert_eq!(names.into_inner().unwrap(), [Some("deploy".to_owned())]);
    }
}

#[test]
fn a_snapshot_tells_who_runs_and_who_waits() {
    within_patience(|| {
        for observes in [false, true] {
            let builder = Text::new().limit(2).backlog(5).name("pages");
            let builder = if observes { builder.observe() } else { builder };
            let group = Group::<(), _>::build(builder).unwrap();
            let empty = group.snapshot();
            assert_eq!((empty.running, empty.queued, empty.tasks.len()), (0, 0, 0));
            assert_eq!(empty.to_string(), "pages: 0 running, 0 queued");
            let (gate, started) = (CancelToken::new(), Counter::new());
            let task = || {
                let (held, starts) = (gate.clone(), started.clone());
                move |_: &Cx<'static, 'static, (), &'static str>| {
                    starts.add();
                    held.cancelled().wait();
                    Ok(())
                }
            };
            group.spawn_named("home", task());
            group.spawn(task());
            until("both run", || started.value() == 2);
            group.spawn_named("about", task());
            let snapshot = group.snapshot();
            assert_eq!((snapshot.limit, snapshot.backlog), (2, 5));
            assert_eq!((snapshot.running, snapshot.queued), (2, 1));
            assert_eq!(snapshot.name.as_deref(), Some("pages"));
            let seen: Vec<_> =
                snapshot.tasks.iter().map(|task| (task.id.to_string(), task.state)).collect();
            let running = TaskState::Running;
            let wanted = [
                ("task 0 (home)".to_owned(), running),
                ("task 1".to_owned(), running),
                ("task 2 (about)".to_owned(), TaskState::Queued),
            ];
            assert_eq!(seen, wanted);
            let ages: Vec<_> = snapshot.tasks.iter().map(|task| task.age.is_some()).collect();
            assert_eq!(ages, [observes, observes, false]);
            assert!(snapshot.tasks.iter().all(|task| task.waits_for.is_none()));
            gate.cancel();
            group.wait_idle().wait();
            assert!(group.snapshot().tasks.is_empty());
            group.join().wait().unwrap();
        }
    });
}

#[test]
fn errors_go_where_errors_go() {
    fn with_anyhow() -> anyhow::Result<()> {
        thread::scope(Builder::<FirstError<anyhow::Error>>::new(), |g| {
            g.spawn(|_| {
                let number: u8 = "300".parse()?;
                Ok(number)
            });
        })?;
        Ok(())
    }
    fn with_a_box() -> Result<(), Box<dyn std::error::Error>> {
        thread::scope(Text::new(), |g| {
            g.spawn(|_| Err::<(), _>("boxed"));
        })?;
        Ok(())
    }
    let error = with_anyhow().unwrap_err();
    assert_eq!(error.to_string(), "task 0: number too large to fit in target type");
    let inner = error.downcast::<Error<anyhow::Error>>().unwrap().into_task_error().unwrap();
    assert!(inner.is::<std::num::ParseIntError>());
    assert_eq!(with_a_box().unwrap_err().to_string(), "task 0: boxed");
}
