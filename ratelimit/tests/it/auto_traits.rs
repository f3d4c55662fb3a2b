//! What the types are by themselves. That these functions compile is most of the test.

use lockgate_ratelimit::clock::{Manual, ManualSleep, Monotonic, RealSleep, Timestamp};
use lockgate_ratelimit::{
    Acquire, AcquireOwned, Denied, DeniedReason, Inherit, Quota, Rate, RateLimiter, Reservation,
};
use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

fn is_shared_freely<T: Send + Sync + Debug>() {}
fn goes_to_other_threads<T: Send>() {}
fn survives_a_panic<T: UnwindSafe + RefUnwindSafe>() {}
fn needs_no_pin<T: Unpin>() {}
fn outlives_everything<T: 'static>() {}
fn is_plain<T: Copy + Eq + Debug + Send + Sync + Unpin + 'static>() {}
fn is_a_key<T: Copy + Eq + Hash>() {}

#[test]
fn everything_goes_to_other_threads() {
    is_shared_freely::<RateLimiter>();
    is_shared_freely::<RateLimiter<Manual>>();
    is_shared_freely::<Reservation<'_>>();
    is_shared_freely::<Reservation<'_, Manual>>();
    is_shared_freely::<Manual>();
    is_shared_freely::<Monotonic>();
    goes_to_other_threads::<Acquire<&RateLimiter>>();
    goes_to_other_threads::<Acquire<&RateLimiter<Manual>, Manual>>();
    goes_to_other_threads::<AcquireOwned>();
    goes_to_other_threads::<AcquireOwned<Manual>>();
    goes_to_other_threads::<ManualSleep>();
    goes_to_other_threads::<RealSleep>();
}

#[test]
fn a_limiter_and_its_reservations_survive_a_panic() {
    survives_a_panic::<RateLimiter>();
    survives_a_panic::<RateLimiter<Manual>>();
    survives_a_panic::<Reservation<'_>>();
}

#[test]
fn a_wait_needs_no_pin_and_what_is_owned_outlives_everything() {
    needs_no_pin::<Acquire<&RateLimiter>>();
    needs_no_pin::<AcquireOwned>();
    needs_no_pin::<AcquireOwned<Manual>>();
    outlives_everything::<RateLimiter>();
    outlives_everything::<AcquireOwned>();
}

#[test]
fn what_is_configured_is_a_plain_value() {
    is_plain::<Quota>();
    is_plain::<Rate>();
    is_plain::<Inherit>();
    is_plain::<Denied>();
    is_plain::<DeniedReason>();
    is_plain::<Timestamp>();
    is_a_key::<Quota>();
    is_a_key::<Rate>();
    is_a_key::<Timestamp>();
}

/// A quota may stand in a constant, where a bad one does not compile.
#[test]
fn a_quota_may_stand_in_a_constant() {
    const API: Quota = Quota::per_second(100).burst(20).initial(5);
    const SLOW: Rate = Rate::every(std::time::Duration::from_secs(3600));
    assert_eq!((API.burst_size(), API.initial_tokens()), (20, 5));
    assert_eq!(SLOW.interval(), Some(std::time::Duration::from_secs(3600)));
}

#[test]
#[cfg(feature = "async")]
fn a_wait_is_a_future_that_any_executor_may_move() {
    use lockgate_ratelimit::AcquireError;
    use std::future::Future;
    use std::time::Duration;

    fn is_spawnable<F: Future + Send + 'static>() {}
    fn gives<T, F: Future<Output = T>>() {}
    is_spawnable::<AcquireOwned>();
    is_spawnable::<AcquireOwned<Manual>>();
    gives::<Result<Duration, AcquireError>, Acquire<&RateLimiter>>();
}

/// Loose bounds: a size that doubles is news, one that moves by a word is not.
#[test]
fn nothing_is_large() {
    assert!(size_of::<Denied>() <= 64);
    assert!(size_of::<AcquireOwned>() <= 24 * size_of::<usize>());
    assert!(size_of::<Reservation<'_>>() <= 12 * size_of::<usize>());
    assert!(size_of::<RateLimiter>() <= 1024);
}
