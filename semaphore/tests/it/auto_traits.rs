//! What the types are by themselves. That these functions compile is most of the test.

use lockgate_semaphore::{
    Acquire, AcquireOwned, Builder, Idle, IdleOwned, OwnedPermit, Permit, Semaphore,
};
use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

fn is_shared_freely<T: Send + Sync + Debug>() {}
fn survives_a_panic<T: UnwindSafe + RefUnwindSafe>() {}
fn needs_no_pin<T: Unpin>() {}
fn outlives_everything<T: 'static>() {}

#[test]
fn everything_goes_to_other_threads() {
    is_shared_freely::<Semaphore>();
    is_shared_freely::<Builder>();
    is_shared_freely::<Permit<&Semaphore>>();
    is_shared_freely::<OwnedPermit>();
    is_shared_freely::<Acquire<&Semaphore>>();
    is_shared_freely::<AcquireOwned>();
    is_shared_freely::<Idle<&Semaphore>>();
    is_shared_freely::<IdleOwned>();
}

#[test]
fn everything_survives_a_panic() {
    survives_a_panic::<Semaphore>();
    survives_a_panic::<Permit<&Semaphore>>();
    survives_a_panic::<OwnedPermit>();
    survives_a_panic::<Acquire<&Semaphore>>();
    survives_a_panic::<AcquireOwned>();
    survives_a_panic::<Idle<&Semaphore>>();
    survives_a_panic::<IdleOwned>();
}

#[test]
fn a_wait_needs_no_pin_and_what_is_owned_outlives_everything() {
    needs_no_pin::<Acquire<&Semaphore>>();
    needs_no_pin::<AcquireOwned>();
    needs_no_pin::<Idle<&Semaphore>>();
    needs_no_pin::<IdleOwned>();
    outlives_everything::<OwnedPermit>();
    outlives_everything::<AcquireOwned>();
    outlives_everything::<IdleOwned>();
}

#[test]
#[cfg(feature = "async")]
fn a_wait_is_a_future_that_any_executor_may_move() {
    use lockgate_semaphore::AcquireError;
    use std::future::Future;

    fn is_spawnable<F: Future + Send + 'static>() {}
    fn gives<T, F: Future<Output = T>>() {}
    is_spawnable::<AcquireOwned>();
    is_spawnable::<IdleOwned>();
    gives::<Result<OwnedPermit, AcquireError>, AcquireOwned>();
    gives::<(), Idle<&Semaphore>>();
}

/// Loose bounds: a size that doubles is news, one that moves by a word is not.
#[test]
fn nothing_is_large() {
    let word = size_of::<usize>();
    assert!(size_of::<Permit<&Semaphore>>() <= 2 * word);
    assert!(size_of::<OwnedPermit>() <= 2 * word);
    assert!(size_of::<AcquireOwned>() <= 8 * word);
    assert!(size_of::<IdleOwned>() <= 4 * word);
    assert!(size_of::<Semaphore>() <= 32 * word);
}
