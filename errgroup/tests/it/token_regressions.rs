//! What went wrong elsewhere, each with its reference.

use lockgate_errgroup::{CancelToken, Cause};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

const DEEP: usize = 100_000;

/// A chain of tokens, each the child of the one before.
fn chain(length: usize) -> Vec<CancelToken> {
    let mut tokens = vec![CancelToken::new()];
    for at in 0..length {
        tokens.push(tokens[at].child());
    }
    tokens
}

/// A cancel that calls itself for each child overflows the stack, as does a drop that does.
#[test]
fn deep_chains_do_not_recurse() {
    let tokens = chain(DEEP);
    tokens[0].cancel();
    assert!(tokens.iter().all(CancelToken::is_cancelled));
    assert!(!tokens[DEEP].cancel(), "upwards neither");
    // From the top down: each is kept by the one below until the last one goes.
    tokens.into_iter().for_each(drop);
    // From the bottom up.
    chain(DEEP).into_iter().rev().for_each(drop);
    // The last handle unlinks them all, uncancelled.
    let mut tokens = chain(DEEP);
    let (top, leaf) = (tokens.swap_remove(0), tokens.remove(0));
    drop(tokens);
    assert!(!leaf.is_cancelled());
    drop(leaf);
    top.cancel();
}

/// Diamonds over diamonds: each has two parents, and twice as many ways up as the one above it.
#[test]
fn many_ways_up_are_not_all_walked() {
    let top = CancelToken::new();
    let mut tokens = [top.child(), top.child()];
    for _ in 0..64 {
        tokens = [CancelToken::any_of(&tokens), CancelToken::any_of(&tokens)];
    }
    top.cancel();
    assert!(tokens.iter().all(CancelToken::is_cancelled));
    assert!(!tokens[0].cancel());
}

/// tokio#4639: the first token of tokio-util leaked when parent, child and grandchild were
/// cancelled in this order.
#[test]
fn cancelled_chain_is_not_leaked() {
    let owner = Arc::new(());
    let top = CancelToken::new();
    let middle = top.child();
    let leaf = middle.child();
    for token in [&top, &middle, &leaf] {
        let owned = Arc::clone(&owner);
        token.on_cancel(move || drop(owned)).detach();
        let owned = Arc::clone(&owner);
        token.on_cancel(move || drop(owned)).detach();
    }
    top.cancel();
    middle.cancel();
    leaf.cancel();
    drop((top, middle, leaf));
    assert_eq!(Arc::strong_count(&owner), 1);
    // Never cancelled: dropped in every order.
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut tokens: Vec<_> = chain(2).into_iter().map(Some).collect();
        for token in tokens.iter().flatten() {
            let owned = Arc::clone(&owner);
            token.on_cancel(move || drop(owned)).detach();
        }
        order.into_iter().for_each(|at| drop(tokens[at].take()));
        assert_eq!(Arc::strong_count(&owner), 1, "{order:?}");
    }
}

/// dotnet/runtime#78180: a linked token that is done with stays at its sources.
#[test]
fn any_of_is_not_leaked() {
    let owner = Arc::new(());
    let tokens = [CancelToken::new(), CancelToken::new()];
    for _ in 0..1000 {
        let either = CancelToken::any_of(&tokens);
        let owned = Arc::clone(&owner);
        either.on_cancel(move || drop(owned)).detach();
    }
    assert_eq!(Arc::strong_count(&owner), 1);
}

/// tokio#7728: after the return of a cancel, all that was beneath is cancelled, whoever did it.
#[test]
fn on_return_everything_beneath_is_cancelled() {
    for _ in 0..200 {
        let tokens = chain(20);
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            for at in [0, 3] {
                let (tokens, barrier) = (&tokens, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    tokens[at].cancel();
                    assert!(tokens[at..].iter().all(CancelToken::is_cancelled));
                });
            }
        });
    }
}

/// Callbacks that panic keep none of the others from being called; the first panic goes on.
#[test]
fn panicking_callbacks_strand_nobody() {
    let (token, called) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
    let tokens: Vec<_> = (0..30).map(|_| token.child()).collect();
    for (at, token) in tokens.iter().enumerate() {
        let called = Arc::clone(&called);
        let callback = move || {
            called.fetch_add(1, Ordering::SeqCst);
            if at % 3 == 0 {
                std::panic::resume_unwind(Box::new(at));
            }
        };
        token.on_cancel(callback).detach();
    }
    let payload = catch_unwind(AssertUnwindSafe(|| token.cancel_with("why"))).unwrap_err();
    assert!(payload.downcast::<usize>().is_ok());
    assert_eq!(called.load(Ordering::SeqCst), 30);
    assert!(tokens.iter().all(|token| token.cause().unwrap().to_string() == "why"));
    assert!(!token.cancel());
}

/// A guard that is dropped while its thread unwinds, with a callback that panics: one panic, not
/// two, which would abort.
#[test]
fn callback_panics_while_the_canceller_unwinds() {
    let token = CancelToken::new();
    token.on_cancel(|| std::panic::resume_unwind(Box::new("callback"))).detach();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        let _guard = token.clone().drop_guard();
        std::panic::resume_unwind(Box::new("body"));
    }))
    .unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "body");
    assert!(matches!(token.cause(), Some(Cause::Dropped)));
}

/// dotnet/corefx#14903, libunifex#670: taking a callback back while holding the lock that it
/// wants. A drop does not wait.
#[test]
fn unregister_under_the_lock_that_the_callback_wants() {
    let (token, lock) = (CancelToken::new(), Arc::new(Mutex::new(())));
    let begun = Arc::new(Barrier::new(2));
    let registration = {
        let (lock, begun) = (Arc::clone(&lock), Arc::clone(&begun));
        token.on_cancel(move || {
            begun.wait();
            drop(lock.lock().unwrap());
        })
    };
    thread::scope(|scope| {
        let held = lock.lock().unwrap();
        scope.spawn(|| token.cancel());
        begun.wait();
        drop(registration);
        drop(held);
    });
}

/// dotnet/runtime#43438: two callbacks of two tokens take each other back.
#[test]
fn callbacks_take_each_other_back() {
    for _ in 0..200 {
        let tokens = [CancelToken::new(), CancelToken::new()];
        let places = [(); 2].map(|()| Arc::new(Mutex::new(None)));
        for at in 0..2 {
            let other = Arc::clone(&places[1 - at]);
            let registration = tokens[at].on_cancel(move || drop(other.lock().unwrap().take()));
            *places[at].lock().unwrap() = Some(registration);
        }
        thread::scope(|scope| tokens.iter().for_each(|token| drop(scope.spawn(|| token.cancel()))));
    }
}

/// What a cause owns is dropped outside all locks, also the cause that came too late.
#[test]
fn causes_come_back_when_they_are_dropped() {
    #[derive(Debug)]
    struct Owner(CancelToken);
    impl std::fmt::Display for Owner {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("owner")
        }
    }
    impl std::error::Error for Owner {}
    impl Drop for Owner {
        fn drop(&mut self) {
            self.0.cancel();
            drop(self.0.child());
        }
    }
    let token = CancelToken::new();
    let other = token.child();
    assert!(token.cancel_with(Cause::error(Owner(CancelToken::new()))));
    assert!(!token.cancel_with(Cause::error(Owner(token.clone()))));
    assert!(!other.cancel_with(Cause::error(Owner(token.clone()))));
}

#[cfg(feature = "sync")]
mod threads {
    use lockgate_errgroup::{CancelToken, Condvar};
    use std::sync::{Arc, Barrier, Mutex};
    use std::thread;
    use std::time::Duration;

    /// nexus#141: a child that only reads its parent's flag wakes none of its own waits.
    #[test]
    fn waits_beneath_are_woken() {
        let token = CancelToken::new();
        let grandchild = token.child().child();
        thread::scope(|scope| {
            scope.spawn(|| grandchild.cancelled().wait());
            token.cancel();
        });
    }

    /// pika#113, dotnet/coreclr#20145: whoever waits for the end of a callback gets it, neither
    /// early nor never.
    #[test]
    fn unregister_waits_for_the_end() {
        let token = CancelToken::new();
        let (begun, ended) = (Arc::new(Barrier::new(2)), Arc::new(Mutex::new(false)));
        let registration = {
            let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
            token.on_cancel(move || {
                let mut ended = ended.lock().unwrap();
                begun.wait();
                thread::yield_now();
                *ended = true;
            })
        };
        thread::scope(|scope| {
            scope.spawn(|| token.cancel());
            begun.wait();
            assert!(!registration.unregister_and_wait());
            assert!(*ended.try_lock().unwrap());
        });
    }

    /// The same when the callback panics.
    #[test]
    fn unregister_waits_for_a_callback_that_panics() {
        let (token, begun) = (CancelToken::new(), Arc::new(Barrier::new(2)));
        let registration = {
            let begun = Arc::clone(&begun);
            token.on_cancel(move || {
                begun.wait();
                std::panic::resume_unwind(Box::new("callback"));
            })
        };
        thread::scope(|scope| {
            let canceller = scope.spawn(|| token.cancel());
            begun.wait();
            assert!(!registration.unregister_and_wait());
            canceller.join().unwrap_err();
        });
    }

    /// llvm#76807, llvm#77099: a wait on a condition variable sleeps through a stop.
    #[test]
    fn waits_on_a_condition_end() {
        let (lock, condvar, token) = (Mutex::new(0), Condvar::new(), CancelToken::new());
        thread::scope(|scope| {
            let threads = [(); 4].map(|()| {
                scope.spawn(|| {
                    let mut held = lock.lock().unwrap();
                    while *held == 0 {
                        held = condvar.wait(&token, held, || lock.lock().unwrap())?;
                    }
                    *held -= 1;
                    Ok::<_, lockgate_errgroup::Cancelled>(())
                })
            });
            *lock.lock().unwrap() += 3;
            condvar.notify_one();
            condvar.notify_all();
            while *lock.lock().unwrap() > 0 {
                thread::yield_now();
            }
            token.cancel();
            let done = threads.map(|thread| thread.join().unwrap());
            assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 3);
        });
        // A cancelled token wins, and the lock is free.
        condvar.wait(&token, lock.lock().unwrap(), || unreachable!()).map(drop).unwrap_err();
        assert_eq!(*lock.try_lock().unwrap(), 0);
        // By its deadline, too.
        let token = CancelToken::with_timeout(Duration::from_millis(5));
        let held = lock.lock().unwrap();
        condvar.wait(&token, held, || unreachable!()).map(drop).unwrap_err();
    }
}

#[cfg(feature = "async")]
mod tasks {
    use futures::executor::block_on;
    use lockgate_errgroup::CancelToken;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(waker))
    }

    /// Calls one function when it is woken, another when it is dropped.
    struct Bell<W: Fn(), D: Fn()>(W, D);

    impl<W: Fn() + Send + Sync, D: Fn() + Send + Sync> Wake for Bell<W, D> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }

    impl<W: Fn(), D: Fn()> Drop for Bell<W, D> {
        fn drop(&mut self) {
            (self.1)();
        }
    }

    fn bell(
        wake: impl Fn() + Send + Sync + 'static,
        dropped: impl Fn() + Send + Sync + 'static,
    ) -> Waker {
        Waker::from(Arc::new(Bell(wake, dropped)))
    }

    /// In tokio-util 0.7.20 a waker that panics strands the waits that are woken after it.
    #[test]
    fn panicking_wakers_strand_nobody() {
        for bad in 0..40 {
            let (token, woken) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
            let mut waits: Vec<_> = (0..40).map(|_| token.child().cancelled_owned()).collect();
            for (at, wait) in waits.iter_mut().enumerate() {
                let woken = Arc::clone(&woken);
                let waker = bell(
                    move || {
                        woken.fetch_add(1, Ordering::SeqCst);
                        if at == bad {
                            resume_unwind(Box::new("waker"));
                        }
                    },
                    || {},
                );
                assert!(poll(wait, &waker).is_pending());
            }
            catch_unwind(AssertUnwindSafe(|| token.cancel())).unwrap_err();
            assert_eq!(woken.load(Ordering::SeqCst), 40);
        }
    }

    /// tokio#5429, tokio#5471, tokio#5578, tokio#4129: wakers that are cloned, called or dropped
    /// under a lock, which they come back to.
    #[test]
    fn wakers_come_back_to_the_token() {
        let token = CancelToken::new();
        let come_back = |token: &CancelToken| {
            let token = token.clone();
            move || {
                let mut wait = token.cancelled();
                let _ = poll(&mut wait, Waker::noop());
                drop(token.child());
                drop(token.on_cancel(|| {}));
            }
        };
        let bell = || bell(come_back(&token), come_back(&token));
        // Replaced, with the last owner in the token's hands.
        let mut wait = token.cancelled();
        assert!(poll(&mut wait, &bell()).is_pending());
        assert!(poll(&mut wait, &bell()).is_pending());
        // Cancelled.
        drop(wait);
        // Called.
        let mut wait = token.cancelled();
        assert!(poll(&mut wait, &bell()).is_pending());
        token.cancel();
        assert!(poll(&mut wait, &bell()).is_ready());
    }

    /// tokio#4497: a wait that is polled with another waker wakes the first.
    #[test]
    fn the_latest_waker_is_called() {
        let token = CancelToken::new();
        let woken = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let mut wait = token.cancelled();
        for woken in &woken {
            let woken = Arc::clone(woken);
            let count = move || {
                woken.fetch_add(1, Ordering::SeqCst);
            };
            let waker = bell(count, || {});
            assert!(poll(&mut wait, &waker).is_pending());
            assert!(poll(&mut wait, &waker).is_pending());
        }
        token.cancel();
        assert_eq!(woken.map(|woken| woken.load(Ordering::SeqCst)), [0, 1]);
    }

    /// tokio#7462: a loop over a future that is always ready never hears of the cancel.
    #[test]
    fn a_loop_of_ready_futures_ends() {
        let token = CancelToken::new();
        let mut turns = 0;
        block_on(async {
            while token.run(std::future::ready(())).await.is_ok() {
                turns += 1;
                if turns == 10 {
                    token.cancel();
                }
            }
        });
        assert_eq!(turns, 10);
    }

    /// A future that is dropped when its wait is, cancelled or not.
    #[test]
    fn what_runs_is_dropped_once() {
        let owner = Arc::new(());
        for cancel in [false, true] {
            let token = CancelToken::new();
            let owned = Arc::clone(&owner);
            let mut run = Box::pin(token.run(async move {
                std::future::pending::<()>().await;
                drop(owned);
            }));
            assert!(poll(&mut run, Waker::noop()).is_pending());
            if cancel {
                token.cancel();
                assert!(poll(&mut run, Waker::noop()).is_ready());
            }
            drop(run);
            assert_eq!(Arc::strong_count(&owner), 1);
        }
    }
}

#[cfg(feature = "tokio-util")]
mod foreign {
    use lockgate_errgroup::CancelToken;
    use std::sync::Arc;
    use tokio_util::sync::CancellationToken;

    #[test]
    fn links_go_both_ways() {
        let theirs = CancellationToken::new();
        let ours = CancelToken::linked_to(&theirs);
        let child = ours.child();
        let back = child.child_tokio();
        assert!(!ours.is_cancelled());
        theirs.cancel();
        assert!(ours.is_cancelled() && back.is_cancelled());
        assert!(CancelToken::linked_to(&theirs).is_cancelled());
        assert!(ours.child_tokio().is_cancelled());
        assert!(!CancelToken::never().child_tokio().is_cancelled());
    }

    #[test]
    fn a_link_leaves_the_other_side_alone() {
        let theirs = CancellationToken::new();
        CancelToken::linked_to(&theirs).cancel();
        assert!(!theirs.is_cancelled());
        let ours = CancelToken::new();
        ours.child_tokio().cancel();
        assert!(!ours.is_cancelled() && !ours.child_tokio().is_cancelled());
    }

    #[test]
    fn a_link_leaves_nothing_behind() {
        let (theirs, owner) = (CancellationToken::new(), Arc::new(()));
        let owned = Arc::clone(&owner);
        let ours = CancelToken::linked_to(&theirs);
        ours.on_cancel(move || drop(owned)).detach();
        let child = ours.child();
        drop(ours);
        assert_eq!(Arc::strong_count(&owner), 2);
        drop(child);
        assert_eq!(Arc::strong_count(&owner), 1);
    }
}
