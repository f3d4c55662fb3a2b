//! One error per operation: what it says, and what can be asked of it.

use lockgate_semaphore::{
    AcquireError, AcquireTimeoutError, IdleTimeoutError, LimitError, Semaphore, TryAcquireError,
    WeightError,
};
use std::error::Error;

/// What the family asks of a message: lower case, no period, no line break.
fn message(error: impl Error + Send + Sync + Clone + PartialEq + 'static) -> String {
    assert_eq!(error.clone(), error);
    assert!(error.source().is_none());
    assert!(!format!("{error:?}").is_empty());
    let text = error.to_string();
    let boxed: Box<dyn Error + Send + Sync> = error.into();
    assert_eq!(boxed.to_string(), text);
    assert!(!text.starts_with(char::is_uppercase), "{text}");
    assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    text
}

fn limit_error(limit: usize) -> LimitError {
    Semaphore::builder(limit).build().unwrap_err()
}

fn weight_error() -> WeightError {
    let sem = Semaphore::new(2);
    let mut permit = sem.try_acquire(2).unwrap();
    permit.release_some(7).unwrap_err()
}

#[test]
fn every_error_of_trying_says_what_happened() {
    assert_eq!(message(TryAcquireError::NoPermits), "no permits available");
    assert_eq!(message(TryAcquireError::Closed), "semaphore is closed");
    assert_eq!(
        message(TryAcquireError::ExceedsLimit { requested: 9, limit: 4 }),
        "request for 9 permits exceeds the limit of 4"
    );
}

#[test]
fn every_error_of_acquiring_says_what_happened_and_the_same_with_a_deadline() {
    let errors = [
        (AcquireError::Closed, "semaphore is closed"),
        (
            AcquireError::ExceedsLimit { requested: 9, limit: 4 },
            "request for 9 permits exceeds the limit of 4",
        ),
        (AcquireError::QueueFull { max_waiters: 7 }, "queue is full: at most 7 requests may wait"),
    ];
    for (error, text) in errors {
        assert_eq!(message(error), text);
        assert_eq!(message(AcquireTimeoutError::from(error)), text);
    }
    assert_eq!(message(AcquireTimeoutError::Timeout), "deadline passed while waiting for permits");
}

#[test]
fn a_bad_limit_is_named_together_with_the_range() {
    let max = Semaphore::MAX_PERMITS;
    for limit in [0, max + 1, usize::MAX] {
        let error = limit_error(limit);
        assert_eq!(error.limit(), limit);
        assert_eq!(message(error), format!("limit of {limit} permits is outside of 1..={max}"));
    }
}

#[test]
fn a_permit_that_holds_too_few_names_both_numbers() {
    let error = weight_error();
    assert_eq!((error.requested(), error.weight()), (7, 2));
    assert_eq!(message(error), "7 permits asked of a permit that holds 2");
}

#[test]
#[cfg(feature = "sync")]
fn a_wait_for_idleness_that_took_too_long_says_so() {
    let sem = Semaphore::new(1);
    let error: IdleTimeoutError =
        sem.wait_idle().wait_timeout(std::time::Duration::ZERO).unwrap_err();
    assert_eq!(message(error), "deadline passed while permits were still held");
}

#[test]
fn errors_answer_the_questions_that_callers_branch_on() {
    let exceeds = AcquireError::ExceedsLimit { requested: 2, limit: 1 };
    let full = AcquireError::QueueFull { max_waiters: 0 };
    for (error, closed) in [(AcquireError::Closed, true), (exceeds, false), (full, false)] {
        assert_eq!(error.is_closed(), closed);
        let error = AcquireTimeoutError::from(error);
        assert_eq!((error.is_closed(), error.is_timeout()), (closed, false));
    }
    let timeout = AcquireTimeoutError::Timeout;
    assert_eq!((timeout.is_closed(), timeout.is_timeout()), (false, true));
    let exceeds = TryAcquireError::ExceedsLimit { requested: 2, limit: 1 };
    for (error, no_permits, closed) in [
        (TryAcquireError::NoPermits, true, false),
        (TryAcquireError::Closed, false, true),
        (exceeds, false, false),
    ] {
        assert_eq!((error.is_no_permits(), error.is_closed()), (no_permits, closed));
    }
}

#[test]
fn a_failed_acquire_becomes_the_error_of_one_with_a_deadline_value_by_value() {
    assert_eq!(AcquireTimeoutError::from(AcquireError::Closed), AcquireTimeoutError::Closed);
    assert_eq!(
        AcquireTimeoutError::from(AcquireError::ExceedsLimit { requested: 5, limit: 3 }),
        AcquireTimeoutError::ExceedsLimit { requested: 5, limit: 3 }
    );
    assert_eq!(
        AcquireTimeoutError::from(AcquireError::QueueFull { max_waiters: 8 }),
        AcquireTimeoutError::QueueFull { max_waiters: 8 }
    );
}

#[test]
fn errors_are_small_and_plain_values() {
    fn is_plain<E: Copy + Eq + Send + Sync + Unpin + 'static>() -> usize {
        size_of::<E>()
    }
    let words = 3 * size_of::<usize>();
    assert!(is_plain::<TryAcquireError>() <= words);
    assert!(is_plain::<AcquireError>() <= words);
    assert!(is_plain::<AcquireTimeoutError>() <= words);
    assert!(is_plain::<LimitError>() <= words);
    assert!(is_plain::<WeightError>() <= words);
    assert!(is_plain::<IdleTimeoutError>() <= words);
}
