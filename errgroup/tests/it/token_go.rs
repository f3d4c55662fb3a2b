//! The tests of Go's `context`, by behaviour, each under its name there.
//!
//! What is missing cannot occur here: values, `nil` parents, contexts made by others, the text of
//! `String()`, and the two causes of one cancel (`Err` beside `Cause`).

use lockgate_errgroup::{CancelToken, Cause};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);

#[track_caller]
fn assert_cause(token: &CancelToken, text: &str) {
    assert_eq!(token.cause().expect("it is cancelled").to_string(), text);
}

#[track_caller]
fn assert_deadline(token: &CancelToken) {
    assert!(matches!(token.cause(), Some(Cause::Deadline)), "{token:?}");
}

/// Is told when the token is cancelled.
fn told(token: &CancelToken) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel();
    token.on_cancel(move || sender.send(()).unwrap_or_default()).detach();
    receiver
}

#[test]
fn background_is_never_cancelled() {
    let background = CancelToken::never();
    assert!(told(&background).try_recv().is_err());
    assert_eq!((background.is_cancelled(), background.deadline()), (false, None));
}

#[test]
fn with_cancel() {
    let token = CancelToken::never().child();
    let done = told(&token);
    assert!(done.try_recv().is_err() && token.check().is_ok());
    token.cancel();
    done.try_recv().unwrap();
    assert!(matches!(token.check().unwrap_err().into_cause(), Cause::Requested));
}

#[test]
fn parent_finishes_child() {
    let parent = CancelToken::new();
    let child = parent.child();
    let (value, timer) = (child.child(), child.child_with_timeout(LONG));
    let done = [&parent, &child, &value, &timer].map(told);
    assert!(done.iter().all(|done| done.try_recv().is_err()));
    parent.cancel_with("parent");
    for (done, token) in done.iter().zip([&parent, &child, &value, &timer]) {
        done.try_recv().unwrap();
        assert_cause(token, "parent");
    }
    // One that is made afterwards is cancelled from the start.
    let late = parent.child();
    assert_cause(&late, "parent");
    told(&late).try_recv().unwrap();
}

#[test]
fn child_finishes_first() {
    for parent in [CancelToken::never(), CancelToken::new()] {
        let child = parent.child();
        assert!(child.cancel_with("child"));
        assert_cause(&child, "child");
        assert!(!parent.is_cancelled());
        if parent.cancel_with("parent") {
            assert_cause(&parent, "parent");
        }
        assert_cause(&child, "child");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "deadlines are instants")]
fn deadline() {
    let now = Instant::now();
    for token in [
        CancelToken::with_deadline(now + SHORT),
        CancelToken::with_deadline(now + SHORT).child(),
        CancelToken::with_deadline(now + SHORT).child_with_deadline(now + LONG),
        CancelToken::with_deadline(now),
        CancelToken::with_deadline(now - SHORT),
    ] {
        assert!(token.deadline().unwrap() <= now + SHORT);
        told(&token).recv().unwrap();
        assert_deadline(&token);
    }
}

#[test]
fn timeout() {
    for token in [
        CancelToken::with_timeout(SHORT),
        CancelToken::with_timeout(SHORT).child().child(),
        CancelToken::with_timeout(SHORT).child_with_timeout(LONG),
        CancelToken::with_timeout(LONG).child_with_timeout(SHORT),
    ] {
        told(&token).recv().unwrap();
        assert_deadline(&token);
    }
}

#[test]
fn canceled_timeout() {
    let token = CancelToken::with_timeout(LONG).child_with_timeout(2 * LONG);
    let done = told(&token);
    token.cancel();
    done.try_recv().unwrap();
    assert!(matches!(token.cause(), Some(Cause::Requested)));
}

#[test]
fn simultaneous_cancels() {
    let root = CancelToken::new();
    let mut tokens = vec![root.clone()];
    for at in 0..50 {
        tokens.push(tokens[at / 2].child());
        tokens.push(tokens[at / 3].child());
    }
    let done: Vec<_> = tokens.iter().map(told).collect();
    thread::scope(|scope| {
        for token in &tokens[1..] {
            scope.spawn(|| token.cancel());
        }
        scope.spawn(|| root.cancel());
    });
    done.iter().for_each(|done| done.try_recv().expect("once"));
    assert!(done.iter().all(|done| done.try_recv().is_err()), "and only once");
}

#[test]
fn interlocked_cancels() {
    let parent = CancelToken::new();
    let child = parent.child();
    thread::scope(|scope| {
        let cancel_parent = parent.clone();
        child.on_cancel(move || assert!(cancel_parent.cancel_with("by the child"))).detach();
        let cancel_child = child.clone();
        parent.on_cancel(move || assert!(!cancel_child.cancel())).detach();
        scope.spawn(|| child.cancel());
    });
    assert_cause(&parent, "by the child");
    assert!(matches!(child.cause(), Some(Cause::Requested)));
}

#[test]
fn layers() {
    for times in [false, true] {
        let mut tokens = vec![CancelToken::new()];
        for layer in 0..30 {
            let above = &tokens[layer];
            let end = if times { SHORT } else { LONG };
            let next = if layer % 3 == 0 { above.child_with_timeout(end) } else { above.child() };
            tokens.push(next);
        }
        let done: Vec<_> = tokens.iter().map(told).collect();
        if !times {
            tokens[0].cancel_with("layers");
        }
        for (done, token) in done.iter().zip(&tokens).skip(usize::from(times)) {
            done.recv().unwrap();
            assert_cause(token, if times { "the deadline passed" } else { "layers" });
        }
        assert_eq!(tokens[0].is_cancelled(), !times);
    }
}

/// `TestCause`: which of a parent's and a child's cause counts.
#[test]
fn cause() {
    let (parent, child) = ("parent", "child");
    let family = || {
        let token = CancelToken::new();
        let beneath = token.child();
        (token, beneath)
    };
    let (one, other) = family();
    one.cancel_with(parent);
    other.cancel_with(child);
    assert_cause(&other, parent);
    let (one, other) = family();
    other.cancel_with(child);
    one.cancel_with(parent);
    assert_cause(&one, parent);
    assert_cause(&other, child);
    let (one, other) = family();
    let timed = other.child_with_timeout(Duration::ZERO);
    one.cancel_with(parent);
    assert_deadline(&timed);
    let (one, other) = family();
    assert!(one.cause().is_none() && other.cause().is_none());
    assert!(one.shield().cause().is_none());
}

#[test]
fn after_func_called_after_cancel() {
    let token = CancelToken::new();
    let done = told(&token.child().child());
    // Go keeps the derived contexts until the parent is done; here they are gone, and their
    // callbacks with them.
    assert!(done.recv().is_err());
    let child = token.child();
    let done = told(&child);
    token.cancel();
    done.try_recv().unwrap();
}

#[test]
fn after_func_called_immediately() {
    let token = CancelToken::new();
    token.cancel();
    told(&token).try_recv().unwrap();
}

#[test]
fn after_func_not_called_after_stop() {
    let token = CancelToken::with_timeout(LONG);
    let stopped = token.on_cancel(|| unreachable!("it was stopped"));
    assert!(stopped.unregister());
    token.cancel();
}

#[test]
fn after_func_stop_after_it_was_called() {
    let token = CancelToken::with_timeout(SHORT);
    let done = told(&token);
    let registration = token.on_cancel(|| {});
    done.recv().unwrap();
    while !token.is_cancelled() {
        thread::yield_now();
    }
    // The two run on one thread, in any order.
    let _ = registration.unregister();
    assert!(!token.on_cancel(|| {}).unregister());
}

#[test]
fn without_cancel() {
    let token = CancelToken::with_timeout(LONG);
    let shield = token.shield();
    let beneath = shield.child();
    token.cancel();
    assert!(!shield.is_cancelled() && !beneath.is_cancelled() && beneath.deadline().is_none());
    shield.cancel_with("on its own");
    assert_cause(&beneath, "on its own");
}
