//! The tests of Go's `golang.org/x/sync/errgroup`, by name and by what they assert; those for
//! panics as they were while Go had them (golang/go#53757, taken back in 7fad2c9).
//!
//! A Go group may be waited for again and again, and keeps its first error. Here a group is joined
//! once, by value; `wait_idle` is the `Wait` after which it goes on. `Go` runs whatever the state
//! of the group, so these groups are built with `run_all` where tasks come after an error.
//!
//! | what cannot occur here | in Go | why |
//! |---|---|---|
//! | a limit of 0, where every `TryGo` fails and every `Go` hangs | `TestTryGo`, last part | it is an error, of `Builder` and of `set_limit`: asserted in `test_try_go` |
//! | a limit that must not change while tasks run | `SetLimit`'s panic | it may change at any time: `laws` |
//! | a thread that ends without a return or a panic | `TestGoexit` | Rust has no `Goexit`. A task may be dropped before its end: `tasks::test_goexit` |
//! | a context that is not cancelled because the group was made without one | `TestZeroGroup` | each group has its token |
//! | a cause of `context.Canceled` after a `Wait` without an error | `TestCancelCause` | it is `Cause::Finished` |
//! | a panic that ends the process from the task's thread | HEAD | `OnPanic::Abort`, on demand: `aborts` |
//!
//! `BenchmarkGo` counts allocations: `benchmark_go` in `tests/allocations_groups.rs`.
#![cfg(any(feature = "sync", feature = "async"))]

type Case = &'static [Option<&'static str>];

/// What the tasks return, one after the other.
const CASES: [Case; 5] = [
    &[],
    &[None],
    &[Some("errgroup_test: 1")],
    &[Some("errgroup_test: 1"), None],
    &[Some("errgroup_test: 1"), None, Some("errgroup_test: 2")],
];

fn first_of(case: Case) -> Option<(usize, &'static str)> {
    case.iter().enumerate().find_map(|(index, error)| Some((index, (*error)?)))
}

/// In place of MD5.
fn digest(text: &str) -> u64 {
    text.bytes().fold(5381, |hash, byte| hash.wrapping_mul(33) ^ u64::from(byte))
}

const FILES: [(&str, &str); 4] = [("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")];

#[cfg(feature = "sync")]
mod threads {
    use super::{CASES, FILES, digest, first_of};
    use crate::support::{Counter, Gauge, culprit, failed, panic_of, payload_of, within_patience};
    use lockgate_errgroup::join::FirstError;
    use lockgate_errgroup::thread::{self, Group};
    use lockgate_errgroup::{Builder, CancelToken, Cause, LimitError, TrySpawnError};
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex, mpsc};

    type Text = Builder<FirstError<String>>;

    /// Goroutines in place of a WaitGroup, with errors.
    #[test]
    fn example_group_just_errors() {
        let urls = ["http://a", "http://b", "ftp://c"];
        let fetch = |url: &str| match url.strip_prefix("http://") {
            Some(_) => Ok(()),
            None => Err(format!("{url}: unsupported protocol")),
        };
        let all = thread::scope(Text::new(), |g| {
            for url in &urls {
                g.spawn(move |_| fetch(url));
            }
        });
        assert_eq!(failed(all), Some((2, "ftp://c: unsupported protocol".to_owned())));
        let some = thread::scope(Text::new(), |g| {
            for url in &urls[..2] {
                g.spawn(move |_| fetch(url));
            }
        });
        some.unwrap();
    }

    /// Results by index, written where they belong.
    #[test]
    fn example_group_parallel() {
        let searches = ["web", "image", "video"];
        let mut results = vec![String::new(); searches.len()];
        thread::scope(Text::new(), |g| {
            for (search, result) in searches.iter().zip(&mut results) {
                g.spawn(move |_| {
                    *result = format!("{search} result for \"golang\"");
                    Ok(())
                });
            }
        })
        .unwrap();
        let expected = searches.map(|search| format!("{search} result for \"golang\""));
        assert_eq!(results, expected);
    }

    /// A pipeline of three stages in one group.
    #[test]
    fn example_group_pipeline_md5all() {
        let sums = within_patience(|| {
            let sums = Mutex::new(BTreeMap::new());
            let (to_digest, paths) = mpsc::sync_channel(0);
            let paths = Mutex::new(paths);
            let (to_collect, digests) = mpsc::sync_channel(0);
            let (sums_of, paths_of) = (&sums, &paths);
            thread::scope(Text::new(), |g| {
                g.spawn(move |cx| {
                    for file in FILES {
                        cx.check().map_err(|error| error.to_string())?;
                        to_digest.send(file).map_err(|error| error.to_string())?;
                    }
                    Ok(())
                });
                for _ in 0..3 {
                    let to_collect = to_collect.clone();
                    g.spawn(move |_| {
                        loop {
                            let next = paths_of.lock().unwrap().recv();
                            let Ok((path, text)) = next else { return Ok(()) };
                            let sum = (path, digest(text));
                            to_collect.send(sum).map_err(|error| error.to_string())?;
                        }
                    });
                }
                drop(to_collect);
                g.spawn(move |_| {
                    sums_of.lock().unwrap().extend(digests);
                    Ok(())
                });
            })
            .unwrap();
            sums.into_inner().unwrap()
        });
        assert_eq!(sums, FILES.map(|(path, text)| (path, digest(text))).into());
    }

    #[test]
    fn test_zero_group() {
        within_patience(|| {
            for case in CASES {
                let group = Group::<(), &str>::build(Builder::new().run_all()).unwrap();
                for (index, error) in case.iter().enumerate() {
                    assert!(!group.spawn(move |_| error.map_or(Ok(()), Err)).is_rejected());
                    group.wait_idle().wait();
                    let first = first_of(&case[..=index]).map(|(index, _)| index);
                    assert_eq!(culprit(group.token()), first, "after task {index} of {case:?}");
                }
                assert_eq!(failed(group.join().wait()), first_of(case), "{case:?}");
            }
        });
    }

    #[test]
    fn test_with_context() {
        within_patience(|| {
            for case in CASES {
                let parent = CancelToken::new();
                let builder = Builder::new().token(&parent).run_all();
                let mut token = None;
                let outcome = thread::scope(builder, |g| {
                    token = Some(g.token().clone());
                    for error in case {
                        g.spawn(move |_| error.map_or(Ok(()), Err));
                    }
                });
                let (outcome, wanted) = (failed(outcome), first_of(case));
                assert_eq!(outcome.is_some(), wanted.is_some(), "{case:?}");
                if let Some((index, error)) = outcome {
                    // They run in parallel: either may be the first.
                    assert_eq!(case[index], Some(error), "{case:?}");
                }
                assert!(token.unwrap().is_cancelled(), "it is over");
                assert!(!parent.is_cancelled());
            }
        });
    }

    #[test]
    fn test_try_go() {
        const LIMIT: usize = 42;
        within_patience(|| {
            let gate = CancelToken::new();
            let group = Group::<(), ()>::build(Builder::new().limit(LIMIT)).unwrap();
            let held = || {
                let gate = gate.clone();
                group.try_spawn(move |_| {
                    gate.cancelled().wait();
                    Ok(())
                })
            };
            for index in 0..LIMIT {
                assert_eq!(held().unwrap().index(), index);
            }
            assert!(matches!(held(), Err(TrySpawnError::Full(_))), "the limit is reached");
            gate.cancel();
            group.wait_idle().wait();
            held().unwrap();
            group.wait_idle().wait();

            group.set_limit(1).unwrap();
            let gate = CancelToken::new();
            let held = || {
                let gate = gate.clone();
                group.try_spawn(move |_| {
                    gate.cancelled().wait();
                    Ok(())
                })
            };
            held().unwrap();
            assert!(held().unwrap_err().is_full());
            gate.cancel();
            group.wait_idle().wait();

            assert_eq!(group.set_limit(0), Err(LimitError::Zero));
            group.join().wait().unwrap();
        });
    }

    #[test]
    fn test_go_limit() {
        const LIMIT: usize = 10;
        const TASKS: usize = 1025;
        let (active, ran) = (Gauge::new(), Counter::new());
        thread::scope(Builder::<FirstError<()>>::new().limit(LIMIT), |g| {
            for _ in 0..TASKS {
                g.spawn(|_| {
                    let inside = active.enter();
                    std::thread::yield_now();
                    drop(inside);
                    ran.add();
                    Ok(())
                });
            }
        })
        .unwrap();
        assert_eq!(ran.value(), TASKS);
        assert!((1..=LIMIT).contains(&active.take_peak()));
    }

    #[test]
    fn test_cancel_cause() {
        within_patience(|| {
            let failing: [&[Option<&str>]; 3] = [&[], &[None], &[Some("errgroup_test: cancelled")]];
            for case in failing {
                let group = Group::<(), &str>::new();
                let token = group.token().clone();
                for error in case {
                    group.try_spawn(move |_| error.map_or(Ok(()), Err)).unwrap();
                }
                let first = failed(group.join().wait());
                assert_eq!(first, first_of(case));
                match (token.cause().unwrap(), first) {
                    (Cause::Finished, None) => {}
                    (Cause::Task { index, .. }, Some((failed, _))) => assert_eq!(index, failed),
                    (cause, first) => panic!("{cause} for {first:?}"),
                }
            }
        });
    }

    /// `TestPanic/error`: what goes on is the error itself, and the siblings have ended.
    #[test]
    fn test_panic_error() {
        #[derive(Debug, PartialEq)]
        struct Failure(u32);
        let (started, ended) = (CancelToken::new(), Counter::new());
        let payload = payload_of(|| {
            thread::scope(Builder::<FirstError<()>>::new(), |g| {
                g.spawn(|cx| {
                    started.cancel();
                    cx.token().cancelled().wait();
                    ended.add();
                    Ok(())
                });
                started.cancelled().wait();
                g.spawn(|_| -> Result<(), ()> { std::panic::panic_any(Failure(7)) });
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&Failure(7)));
        assert_eq!(ended.value(), 1);
    }

    /// `TestPanic/any`.
    #[test]
    fn test_panic_any() {
        let said = panic_of(|| {
            thread::scope(Builder::<FirstError<()>>::new(), |g| {
                g.spawn(|_| -> Result<(), ()> { panic!("something bad") });
            })
        });
        assert_eq!(said, "something bad");
        let owned = Arc::new("something shared");
        let payload = payload_of(|| {
            let group = Group::<(), ()>::new();
            let owned = Arc::clone(&owned);
            group.spawn(|_| std::panic::panic_any(owned));
            group.join().wait()
        });
        assert!(Arc::ptr_eq(payload.downcast_ref().unwrap(), &owned), "the very same");
    }
}

#[cfg(feature = "async")]
mod tasks {
    use super::{CASES, FILES, digest, first_of};
    use crate::support::tasks::{on_runtimes, payload_of, until};
    use crate::support::{Counter, Gauge, culprit, failed};
    use lockgate_errgroup::join::FirstError;
    use lockgate_errgroup::task::Group;
    use lockgate_errgroup::{Builder, CancelToken, Cause, LimitError, TrySpawnError};
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};
    use tokio::sync::mpsc;

    /// In place of a set of handles, with errors.
    #[test]
    fn example_group_just_errors() {
        async fn fetch(url: &str) -> Result<(), String> {
            tokio::task::yield_now().await;
            match url.strip_prefix("http://") {
                Some(_) => Ok(()),
                None => Err(format!("{url}: unsupported protocol")),
            }
        }
        on_runtimes(|| async {
            let urls = ["http://a", "http://b", "ftp://c"];
            let (all, some) = (Group::new(), Group::new());
            for url in urls {
                all.spawn(move |_| fetch(url)).await;
            }
            for url in urls.into_iter().take(2) {
                some.spawn(move |_| fetch(url)).await;
            }
            let wanted = (2, "ftp://c: unsupported protocol".to_owned());
            assert_eq!(failed(all.join().await), Some(wanted));
            some.join().await.unwrap();
        });
    }

    /// Results by index. Tasks own what they use, so they lock it.
    #[test]
    fn example_group_parallel() {
        on_runtimes(|| async {
            let searches = ["web", "image", "video"];
            let results = Arc::new(Mutex::new(vec![String::new(); searches.len()]));
            let group = Group::<(), ()>::new();
            for (index, search) in searches.into_iter().enumerate() {
                let results = Arc::clone(&results);
                group
                    .spawn(move |_| async move {
                        let found = format!("{search} result for \"golang\"");
                        results.lock().unwrap()[index] = found;
                        Ok(())
                    })
                    .await;
            }
            group.join().await.unwrap();
            let expected = searches.map(|search| format!("{search} result for \"golang\""));
            assert_eq!(*results.lock().unwrap(), expected);
        });
    }

    /// A pipeline of three stages in one group.
    #[test]
    fn example_group_pipeline_md5all() {
        on_runtimes(|| async {
            let sums = Arc::new(Mutex::new(BTreeMap::new()));
            let (to_digest, paths) = mpsc::channel(1);
            let paths = Arc::new(tokio::sync::Mutex::new(paths));
            let (to_collect, mut digests) = mpsc::channel(1);
            let group = Group::<(), String>::new();
            group
                .spawn(move |cx| async move {
                    for file in FILES {
                        let sent = cx.token().run(to_digest.send(file)).await;
                        sent.map_err(|error| error.to_string())?.map_err(|e| e.to_string())?;
                    }
                    Ok(())
                })
                .await;
            for _ in 0..3 {
                let (to_collect, paths) = (to_collect.clone(), Arc::clone(&paths));
                group
                    .spawn(move |_| async move {
                        loop {
                            let next: Option<(&str, &str)> = paths.lock().await.recv().await;
                            let Some((path, text)) = next else { return Ok(()) };
                            let sum = (path, digest(text));
                            to_collect.send(sum).await.map_err(|error| error.to_string())?;
                        }
                    })
                    .await;
            }
            drop(to_collect);
            let collected = Arc::clone(&sums);
            group
                .spawn(move |_| async move {
                    while let Some((path, sum)) = digests.recv().await {
                        collected.lock().unwrap().insert(path, sum);
                    }
                    Ok(())
                })
                .await;
            group.join().await.unwrap();
            let wanted = BTreeMap::from(FILES.map(|(path, text)| (path, digest(text))));
            assert_eq!(*sums.lock().unwrap(), wanted);
        });
    }

    #[test]
    fn test_zero_group() {
        on_runtimes(|| async {
            for case in CASES {
                let group = Group::<(), &str>::build(Builder::new().run_all()).unwrap();
                for (index, error) in case.iter().enumerate() {
                    let spawned = group.spawn(move |_| async { error.map_or(Ok(()), Err) }).await;
                    assert!(!spawned.is_rejected());
                    group.wait_idle().await;
                    let first = first_of(&case[..=index]).map(|(index, _)| index);
                    assert_eq!(culprit(group.token()), first, "after task {index} of {case:?}");
                }
                assert_eq!(failed(group.join().await), first_of(case), "{case:?}");
            }
        });
    }

    #[test]
    fn test_with_context() {
        on_runtimes(|| async {
            for case in CASES {
                let parent = CancelToken::new();
                let builder = Builder::<FirstError<&str>>::new().token(&parent).run_all();
                let group = Group::<(), _>::build(builder).unwrap();
                let token = group.token().clone();
                for error in case {
                    group.spawn(move |_| async { error.map_or(Ok(()), Err) }).await;
                }
                let (outcome, wanted) = (failed(group.join().await), first_of(case));
                assert_eq!(outcome.is_some(), wanted.is_some(), "{case:?}");
                if let Some((index, error)) = outcome {
                    // They may run in parallel: either may be the first.
                    assert_eq!(case[index], Some(error), "{case:?}");
                }
                assert!(token.is_cancelled(), "it is over");
                assert!(!parent.is_cancelled());
            }
        });
    }

    #[test]
    fn test_try_go() {
        const LIMIT: usize = 42;
        on_runtimes(|| async {
            let gate = CancelToken::new();
            let group = Group::<(), ()>::build(Builder::new().limit(LIMIT)).unwrap();
            let held = |gate: &CancelToken| {
                let gate = gate.clone();
                group.try_spawn(move |_| async move {
                    gate.cancelled().await;
                    Ok(())
                })
            };
            for index in 0..LIMIT {
                assert_eq!(held(&gate).unwrap().index(), index);
            }
            assert!(matches!(held(&gate), Err(TrySpawnError::Full(_))), "the limit is reached");
            gate.cancel();
            group.wait_idle().await;
            held(&gate).unwrap();
            group.wait_idle().await;

            group.set_limit(1).unwrap();
            let gate = CancelToken::new();
            held(&gate).unwrap();
            assert!(held(&gate).unwrap_err().is_full());
            gate.cancel();
            group.wait_idle().await;

            assert_eq!(group.set_limit(0), Err(LimitError::Zero));
            group.join().await.unwrap();
        });
    }

    #[test]
    fn test_go_limit() {
        const LIMIT: usize = 10;
        const TASKS: usize = 1025;
        on_runtimes(|| async {
            let (active, ran) = (Gauge::new(), Counter::new());
            let group = Group::<(), ()>::build(Builder::new().limit(LIMIT)).unwrap();
            for _ in 0..TASKS {
                let (active, ran) = (Arc::clone(&active), ran.clone());
                group
                    .spawn(move |_| async move {
                        let inside = active.enter();
                        tokio::task::yield_now().await;
                        drop(inside);
                        ran.add();
                        Ok(())
                    })
                    .await;
            }
            group.join().await.unwrap();
            assert_eq!(ran.value(), TASKS);
            assert!((1..=LIMIT).contains(&active.take_peak()));
        });
    }

    #[test]
    fn test_cancel_cause() {
        on_runtimes(|| async {
            let failing: [&[Option<&str>]; 3] = [&[], &[None], &[Some("errgroup_test: cancelled")]];
            for case in failing {
                let group = Group::<(), &str>::new();
                let token = group.token().clone();
                for error in case {
                    group.try_spawn(move |_| async { error.map_or(Ok(()), Err) }).unwrap();
                }
                let first = failed(group.join().await);
                assert_eq!(first, first_of(case));
                match (token.cause().unwrap(), first) {
                    (Cause::Finished, None) => {}
                    (Cause::Task { index, .. }, Some((failed, _))) => assert_eq!(index, failed),
                    (cause, first) => panic!("{cause} for {first:?}"),
                }
            }
        });
    }

    /// `TestPanic/error`: what goes on is the error itself, and the siblings have ended.
    #[test]
    fn test_panic_error() {
        #[derive(Debug, PartialEq)]
        struct Failure(u32);
        on_runtimes(|| async {
            let (ended, group) = (Counter::new(), Group::<(), ()>::new());
            let counted = ended.clone();
            group
                .spawn(move |cx| async move {
                    cx.token().cancelled().await;
                    counted.add();
                    Ok(())
                })
                .await;
            until("the sibling waits", || group.snapshot().tasks.len() == 1).await;
            group.spawn(|_| async { std::panic::panic_any(Failure(7)) }).await;
            let payload = payload_of(group.join()).await;
            assert_eq!(payload.downcast_ref(), Some(&Failure(7)));
            assert_eq!(ended.value(), 1);
        });
    }

    /// `TestPanic/any`.
    #[test]
    fn test_panic_any() {
        on_runtimes(|| async {
            let group = Group::<(), ()>::new();
            group.spawn(|_| async { panic!("something bad") }).await;
            let payload = payload_of(group.join()).await;
            assert_eq!(payload.downcast_ref(), Some(&"something bad"));
        });
    }

    /// A task that ends without a return or a panic is one that is dropped: the join ends, and
    /// says that the group did not come to its end by itself.
    #[test]
    fn test_goexit() {
        on_runtimes(|| async {
            let group = Group::<(), ()>::new();
            group.spawn(|_| std::future::pending()).await;
            group.abort();
            let outcome = group.join().await;
            assert_eq!(outcome.unwrap_err().cause().unwrap().to_string(), "the group was aborted");
        });
    }
}
