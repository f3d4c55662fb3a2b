//! The bucket by itself, and the core that shares it, on one thread.

use super::support::Random;
use crate::core::{Core, Promise};
use crate::quota::{Quota, Rate};
use crate::state::{Inherit, supply_time};
use std::time::Duration;

const MS: u64 = 1_000_000;

fn take(core: &Core, n: u32, at: u64) -> bool {
    core.try_acquire(n, || at).is_ok()
}

fn reserve(core: &Core, n: u32, at: u64) -> Promise {
    core.reserve(n, None, at).unwrap()
}

#[test]
fn tokens_come_to_the_nanosecond() {
    for (tokens, period) in
        [(3, 1_000_000_000), (7, 60_000_000_000), (1, 86_400_000_000_000), (999_983, 1_000_000_007)]
    {
        let quota = Quota::per(tokens, Duration::from_nanos(period)).burst(1);
        let core = Core::new(quota, 0);
        let mut now = 0;
        for _ in 0..400 {
            assert!(take(&core, 1, now), "{quota:?} at {now}");
            let wait = core.try_acquire(1, || now).unwrap_err().retry_after().unwrap();
            // A burst of one has no room for the fraction of a nanosecond that a grant is late.
            let (least, most) = (period / u64::from(tokens), period.div_ceil(tokens.into()) + 2);
            assert!((least..=most).contains(&(wait.as_nanos() as u64)), "{wait:?}");
            let next = now + wait.as_nanos() as u64;
            assert!(!take(&core, 1, next - 1), "{quota:?} before {next}");
            now = next;
        }
    }
}

#[test]
fn a_reservation_is_due_when_a_try_would_succeed() {
    let quota = Quota::per(3, Duration::from_secs(1)).burst(5);
    let core = Core::new(quota, 7);
    assert!(take(&core, 5, 7));
    for k in 1..1000_u64 {
        let at = reserve(&core, 1, 7).at.unwrap();
        assert_eq!(at, 7 + (k * 1_000_000_000).div_ceil(3));
    }
}

#[test]
fn a_year_goes_by_without_a_call() {
    let core = Core::new(Quota::per(2_000_000_000, Duration::from_secs(1)).burst(10), 0);
    let year = 366 * 86_400 * 1_000 * MS;
    for k in 0..100 {
        let now = k * year;
        assert!(take(&core, 10, now));
        assert!(!take(&core, 1, now));
        assert!(take(&core, 10, now + 5));
    }
}

#[test]
fn rates_change_and_tokens_stay() {
    let core = Core::new(Quota::per_second(5).burst(2), 0);
    assert_eq!(reserve(&core, 2, 0).at, Some(0));
    assert_eq!(reserve(&core, 2, 0).at, Some(400 * MS));
    core.reconfigure(
        |quota| Quota { rate: Rate::per_second(10), ..quota },
        Inherit::AsIs,
        200 * MS,
    );
    assert_eq!(reserve(&core, 1, 200 * MS).at, Some(400 * MS));
}

/// What is cut off of the step, and of the product with it, is in nobody's favour: the moment is the
/// quotient, rounded up once.
#[test]
fn a_moment_is_a_quotient_rounded_up() {
    let mut random = Random::new(5);
    let mut below =
        |bits: u64| (random.below(1 << 32) << 32 | random.below(1 << 32)) >> (64 - bits);
    let mut fitted = 0;
    for round in 0..200_000_u64 {
        let (units, period) = (below(1 + round % 54), below(1 + round % 55).max(1));
        let tokens = below(1 + round % 32).max(1);
        let step = tokens << below(5);
        // Also such as come out even.
        let units = if round % 3 == 0 { units / step * step } else { units };
        let exact = (u128::from(units) * u128::from(period)).div_ceil(u128::from(step));
        let is = supply_time(units, step, period);
        assert_eq!(is, u64::try_from(exact).ok(), "{units} {step} {period}");
        fitted += u32::from(is.is_some());
    }
    assert!(fitted > 150_000, "{fitted}");
}
