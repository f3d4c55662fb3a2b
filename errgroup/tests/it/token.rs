//! The token's laws, one by one.

use lockgate_errgroup::{CancelToken, Cause};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn past() -> Instant {
    now() - Duration::from_secs(1)
}

#[allow(clippy::disallowed_methods, reason = "deadlines are instants")]
fn now() -> Instant {
    Instant::now()
}

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(5);

/// A counter, and a callback that counts.
fn counter() -> (Arc<AtomicUsize>, impl FnOnce() + Send + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    (count, move || {
        counted.fetch_add(1, Ordering::SeqCst);
    })
}

fn value(count: &AtomicUsize) -> usize {
    count.load(Ordering::SeqCst)
}

#[test]
fn the_first_cause_wins_and_is_inherited() {
    let token = CancelToken::new();
    let child = token.child();
    let grandchild = child.child();
    assert!(token.cause().is_none());
    assert!(token.cancel_with("first"));
    assert!(!token.cancel_with("second"));
    assert!(!grandchild.cancel_with("third"));
    for token in [&token, &child, &grandchild, &grandchild.child()] {
        assert!(token.is_cancelled());
        assert_eq!(token.cause().unwrap().to_string(), "first");
        assert_eq!(token.check().unwrap_err().to_string(), "cancelled: first");
    }
}

#[test]
fn a_child_leaves_its_parent_alone() {
    let token = CancelToken::new();
    let (child, sibling) = (token.child(), token.child());
    assert!(child.cancel());
    assert!(!token.is_cancelled() && !sibling.is_cancelled());
    assert!(token.cancel_with("later"));
    assert!(matches!(child.cause(), Some(Cause::Requested)));
    assert!(matches!(sibling.cause(), Some(Cause::Message(_))));
}

#[test]
#[allow(clippy::mutable_key_type, reason = "a token is a key by its identity")]
fn clones_are_one_token() {
    let token = CancelToken::new();
    let clone = token.clone();
    assert_eq!(token, clone);
    assert_ne!(token, token.child());
    assert_eq!(CancelToken::never(), CancelToken::never());
    assert_ne!(CancelToken::never(), CancelToken::default());
    let set = HashSet::from([token.clone(), clone.clone(), token.child()]);
    assert_eq!(set.len(), 2);
    clone.cancel();
    assert!(token.is_cancelled());
}

#[test]
fn never_is_never() {
    let never = CancelToken::never();
    assert!(!never.cancel() && !never.is_cancelled());
    assert!(never.check().is_ok() && never.cause().is_none() && never.deadline().is_none());
    let (count, callback) = counter();
    assert!(never.on_cancel(callback).unregister());
    assert_eq!(value(&count), 0);
    let child = never.child();
    assert!(child.cancel() && child.is_cancelled());
}

#[test]
fn a_shield_is_not_reached() {
    let token = CancelToken::with_deadline(past());
    let shield = token.shield();
    token.cancel();
    assert!(!shield.is_cancelled() && shield.deadline().is_none());
}

#[test]
fn a_guard_cancels_unless_it_is_disarmed() {
    let token = CancelToken::new();
    let disarmed = token.clone().drop_guard().disarm();
    assert!(!disarmed.is_cancelled());
    drop(token.clone().drop_guard());
    assert!(matches!(token.cause(), Some(Cause::Dropped)));
}

#[test]
fn a_deadline_that_passed_cancels() {
    let token = CancelToken::with_deadline(past());
    assert!(token.is_cancelled());
    assert!(matches!(token.cause(), Some(Cause::Deadline)));
}

#[test]
fn a_deadline_that_nobody_noticed_came_first() {
    let token = CancelToken::with_deadline(past());
    assert!(!token.cancel_with("too late"));
    assert!(matches!(token.cause(), Some(Cause::Deadline)));
    // The same for one beneath.
    let token = CancelToken::new();
    let child = token.child_with_deadline(past());
    let grandchild = child.child();
    assert!(token.cancel_with("in time for the parent"));
    assert!(matches!(token.cause(), Some(Cause::Message(_))));
    assert!(matches!(child.cause(), Some(Cause::Deadline)));
    assert!(matches!(grandchild.cause(), Some(Cause::Deadline)));
}

#[test]
fn a_childs_deadline_is_no_later_than_its_parents() {
    let (early, late) = (now() + LONG, now() + 2 * LONG);
    let token = CancelToken::with_deadline(early);
    assert_eq!(token.child().deadline(), Some(early));
    assert_eq!(token.child_with_deadline(late).deadline(), Some(early));
    let token = CancelToken::with_deadline(late);
    assert_eq!(token.child_with_deadline(early).deadline(), Some(early));
    assert_eq!(token.deadline(), Some(late));
    assert_eq!(CancelToken::new().child_with_timeout(Duration::MAX).deadline(), None);
    let either =
        CancelToken::any_of([CancelToken::new(), token, CancelToken::with_deadline(early)]);
    assert_eq!(either.deadline(), Some(early));
}

#[test]
fn a_callback_runs_once_on_the_canceller() {
    let token = CancelToken::new();
    let (sender, receiver) = mpsc::channel();
    let registration = token.child().on_cancel(move || {
        sender.send(std::thread::current().id()).unwrap();
    });
    token.cancel();
    assert_eq!(receiver.try_recv(), Ok(std::thread::current().id()));
    token.cancel();
    assert!(receiver.try_recv().is_err());
    assert!(!registration.unregister());
}

#[test]
fn a_callback_on_a_cancelled_token_runs_at_once() {
    let token = CancelToken::new();
    token.cancel();
    let (count, callback) = counter();
    assert!(!token.on_cancel(callback).unregister());
    assert_eq!(value(&count), 1);
}

#[test]
fn a_callback_that_is_taken_back_is_dropped_and_never_runs() {
    let token = CancelToken::new();
    let (count, callback) = counter();
    drop(token.on_cancel(callback));
    assert_eq!(Arc::strong_count(&count), 1);
    let (other, callback) = counter();
    let registration = token.on_cancel(callback);
    assert!(registration.unregister());
    token.cancel();
    assert_eq!((value(&count), value(&other)), (0, 0));
}

#[test]
fn a_detached_callback_stays_as_long_as_the_token() {
    let (count, callback) = counter();
    let token = CancelToken::new();
    token.on_cancel(callback).detach();
    token.cancel();
    assert_eq!(value(&count), 1);
    let (count, callback) = counter();
    let token = CancelToken::new();
    token.on_cancel(callback).detach();
    drop(token);
    assert_eq!((value(&count), Arc::strong_count(&count)), (0, 1));
}

#[test]
fn a_callback_runs_at_the_deadline() {
    let (sender, receiver) = mpsc::channel();
    let token = CancelToken::with_timeout(SHORT);
    let registration = token.on_cancel(move || sender.send(()).unwrap());
    receiver.recv().unwrap();
    assert!(matches!(token.cause(), Some(Cause::Deadline)));
    drop(registration);
}

#[test]
fn any_of_hears_of_each() {
    for winner in 0..3 {
        let tokens = [CancelToken::new(), CancelToken::new(), CancelToken::new()];
        let either = CancelToken::any_of(&tokens);
        let beneath = either.child();
        assert!(tokens[winner].cancel_with(format!("{winner}")));
        assert_eq!(beneath.cause().unwrap().to_string(), format!("{winner}"));
        assert_eq!(tokens.iter().filter(|token| token.is_cancelled()).count(), 1);
        tokens[(winner + 1) % 3].cancel();
        assert_eq!(beneath.cause().unwrap().to_string(), format!("{winner}"));
    }
    let cancelled = CancelToken::new();
    cancelled.cancel_with("before");
    let either = CancelToken::any_of([CancelToken::new(), cancelled]);
    assert_eq!(either.cause().unwrap().to_string(), "before");
    assert!(!CancelToken::any_of([CancelToken::never()]).is_cancelled());
    assert!(!CancelToken::any_of::<CancelToken>([]).is_cancelled());
}

#[cfg(feature = "sync")]
mod threads {
    use super::{LONG, SHORT, now, past};
    use lockgate_errgroup::{CancelToken, Cause};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_thread_waits_for_a_cancel() {
        let token = CancelToken::new();
        thread::scope(|scope| {
            let waits = [(); 3].map(|()| scope.spawn(|| token.child().cancelled().wait()));
            token.cancel();
            waits.into_iter().for_each(|wait| wait.join().unwrap());
        });
        token.cancelled().wait();
        token.cancelled().wait_timeout(Duration::ZERO).unwrap();
        token.cancelled().wait_deadline(past()).unwrap();
    }

    #[test]
    fn a_thread_gives_up_waiting() {
        let token = CancelToken::new();
        let error = token.cancelled().wait_timeout(SHORT).unwrap_err();
        assert_eq!(error.to_string(), "deadline passed while waiting for a cancel or a moment");
        CancelToken::never().cancelled().wait_timeout(SHORT).unwrap_err();
        token.cancelled().wait_deadline(past()).unwrap_err();
        let token = CancelToken::with_timeout(LONG);
        token.cancelled().wait_timeout(SHORT).unwrap_err();
    }

    #[test]
    fn a_thread_notices_the_deadline_itself() {
        let token = CancelToken::with_timeout(SHORT);
        token.child().cancelled().wait();
        assert!(matches!(token.cause(), Some(Cause::Deadline)));
        let token = CancelToken::with_timeout(SHORT);
        token.cancelled_owned().wait_timeout(LONG).unwrap();
    }

    #[test]
    fn a_thread_sleeps() {
        let start = now();
        let token = CancelToken::new();
        token.sleep(SHORT).wait().unwrap();
        CancelToken::never().sleep(SHORT).wait().unwrap();
        assert!(now() - start >= 2 * SHORT);
        token.child_with_timeout(SHORT).sleep(LONG).wait().unwrap_err();
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| token.sleep(LONG).wait());
            let never_ending = scope.spawn(|| token.sleep(Duration::MAX).wait());
            token.cancel_with("wake up");
            for sleeper in [sleeper, never_ending] {
                assert_eq!(sleeper.join().unwrap().unwrap_err().to_string(), "cancelled: wake up");
            }
        });
        token.sleep_until(past()).wait().unwrap_err();
    }

    #[test]
    fn a_thread_gives_up_sleeping() {
        let token = CancelToken::new();
        for moment in [token.sleep(LONG), token.sleep(Duration::MAX)] {
            moment.wait_timeout(Duration::from_millis(2)).unwrap_err();
        }
        token.sleep(LONG).wait_timeout(Duration::ZERO).unwrap_err();
        token.sleep(LONG).wait_deadline(past()).unwrap_err();
        // What is settled wins over a limit that has passed, and the moment over a later one.
        token.sleep(Duration::ZERO).wait_timeout(Duration::ZERO).unwrap().unwrap();
        token.sleep_until(past()).wait_deadline(past()).unwrap().unwrap();
        token.sleep(Duration::from_millis(2)).wait_timeout(LONG).unwrap().unwrap();
        token.sleep(Duration::from_millis(2)).wait_timeout(Duration::MAX).unwrap().unwrap();
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| token.sleep(LONG).wait_timeout(2 * LONG));
            let other = scope.spawn(|| token.sleep(LONG).wait_deadline(now() + LONG));
            token.cancel_with("wake up");
            for sleeper in [sleeper, other] {
                let cancelled = sleeper.join().unwrap().unwrap().unwrap_err();
                assert_eq!(cancelled.to_string(), "cancelled: wake up");
            }
        });
        token.sleep_until(past()).wait_deadline(past()).unwrap().unwrap_err();
    }

    #[test]
    fn a_thread_drives_a_future_until_it_is_cancelled() {
        let token = CancelToken::new();
        assert_eq!(token.block_on(async { 7 }).unwrap(), 7);
        thread::scope(|scope| {
            let blocked = scope.spawn(|| token.block_on(std::future::pending::<()>()));
            token.cancel();
            blocked.join().unwrap().unwrap_err();
        });
        token.block_on(async { unreachable!("not even polled") }).unwrap_err();
        let token = CancelToken::with_timeout(SHORT);
        token.block_on(std::future::pending::<()>()).unwrap_err();
    }
}

#[cfg(feature = "async")]
mod tasks {
    use super::{LONG, SHORT, past};
    use futures::executor::block_on;
    use lockgate_errgroup::{CancelToken, Cause};
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_task_waits_for_a_cancel() {
        let token = CancelToken::new();
        let mut wait = token.child().cancelled_owned();
        assert!(poll(&mut wait).is_pending());
        assert!(poll(&mut wait).is_pending());
        token.cancel();
        assert!(poll(&mut wait).is_ready());
        assert!(poll(&mut wait).is_ready(), "for good");
        assert!(poll(&mut CancelToken::never().cancelled_owned()).is_pending());
    }

    #[test]
    fn a_task_is_woken_at_the_deadline() {
        let token = CancelToken::with_timeout(SHORT);
        block_on(token.cancelled());
        assert!(matches!(token.cause(), Some(Cause::Deadline)));
        let child = CancelToken::new().child_with_timeout(SHORT);
        block_on(child.child().run(pending::<()>())).unwrap_err();
    }

    #[test]
    fn a_task_sleeps() {
        let token = CancelToken::new();
        block_on(token.sleep(SHORT)).unwrap();
        block_on(CancelToken::never().sleep(SHORT)).unwrap();
        block_on(token.child_with_timeout(SHORT).sleep(LONG)).unwrap_err();
        let mut sleep = token.clone().sleep_owned(LONG);
        assert!(poll(&mut sleep).is_pending());
        token.cancel();
        assert!(poll(&mut sleep).is_ready());
        block_on(token.sleep_until(past())).unwrap_err();
    }

    #[test]
    fn a_cancelled_token_wins_over_a_ready_future() {
        let token = CancelToken::new();
        assert_eq!(block_on(token.run(ready(7))).unwrap(), 7);
        let mut run = Box::pin(token.clone().run_owned(ready(7)));
        token.cancel();
        assert!(matches!(poll(&mut run), Poll::Ready(Err(_))));
    }

    #[test]
    fn an_output_of_the_poll_that_cancelled_is_kept() {
        let token = CancelToken::new();
        let output = block_on(token.run(async {
            token.cancel();
            7
        }));
        assert_eq!(output.unwrap(), 7);
        let token = CancelToken::new();
        block_on(token.run(async {
            token.cancel();
            pending::<()>().await;
        }))
        .unwrap_err();
    }
}
