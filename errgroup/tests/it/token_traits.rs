//! What types are, whatever is in them.

use lockgate_errgroup::{
    CancelToken, Cancelled, Cause, Condvar, DropGuard, Registration, Sleep, WaitCancelled,
    WaitTimeoutError,
};
use std::error::Error;
use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

fn shared<T: Send + Sync + Debug>() {}
fn token<
    T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + Debug + Default + 'static,
>() {
}
fn error<T: Error + Send + Sync + Clone + 'static>() {}

#[test]
fn types_go_between_threads() {
    token::<CancelToken>();
    shared::<WaitCancelled<&CancelToken>>();
    shared::<WaitCancelled<CancelToken>>();
    shared::<Sleep<&CancelToken>>();
    shared::<Sleep<CancelToken>>();
    shared::<(DropGuard, Registration, Condvar, Cause)>();
    error::<Cancelled>();
    error::<WaitTimeoutError>();
}

#[cfg(feature = "async")]
#[test]
fn waits_of_tasks_need_not_be_pinned() {
    fn unpin<T: Unpin + Future>() {}
    unpin::<WaitCancelled<&CancelToken>>();
    unpin::<Sleep<CancelToken>>();
    unpin::<lockgate_errgroup::Run<&CancelToken, std::future::Ready<()>>>();
}

#[test]
fn debug_tells_the_cause_and_holds_no_lock() {
    let token = CancelToken::new();
    assert_eq!(format!("{token:?}"), "CancelToken { cause: None, deadline: None }");
    token.cancel_with("why");
    assert!(format!("{token:?}").contains("why"));
    let wait = token.cancelled();
    assert!(format!("{wait:?}").contains("queued: false"));
    let never = CancelToken::never();
    let registration = never.on_cancel(|| {});
    assert!(format!("{registration:?}").contains("ready"));
    assert!(format!("{:?}", Condvar::new()).contains("waiting: 0"));
}

#[test]
fn an_error_is_the_source() {
    let token = CancelToken::new();
    token.cancel_with(Cause::error(std::io::Error::other("disk full")));
    let error = token.check().unwrap_err();
    assert_eq!(error.to_string(), "cancelled: disk full");
    assert_eq!(error.source().unwrap().to_string(), "disk full");
    assert!(error.clone().into_cause().to_string() == error.cause().to_string());
    let boxed: Box<dyn Error + Send + Sync> = "boxed".into();
    let token = CancelToken::new();
    token.cancel_with(boxed);
    assert_eq!(token.cause().unwrap().to_string(), "boxed");
}
