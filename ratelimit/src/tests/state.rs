//! The bucket by itself, and the core that shares it, on one thread.

use crate::core::{Core, Promise};
use crate::quota::{Quota, Rate};
use crate::state::Inherit;
use proptest::prelude::*;
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

#[derive(Clone, Debug)]
enum Op {
    Try(u32),
    Reserve(u32),
    Cancel(usize),
    Back(u64),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1_u32..7).prop_map(Op::Try),
        4 => (1_u32..7).prop_map(Op::Reserve),
        3 => (0_usize..32).prop_map(Op::Cancel),
        1 => (1_u64..9).prop_map(Op::Back),
        5 => (1_u64..9).prop_map(Op::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Never more than burst + rate · Δ, whatever is cancelled and whenever the clock steps back.
    /// Moments are whole nanoseconds, so what is due at a fraction is up to one late.
    #[test]
    fn envelope(
        burst in 1_u32..8,
        tokens in 1_u32..6,
        period in 1_u64..12,
        ops in prop::collection::vec(op(), 1..32),
    ) {
        let quota = Quota::per(tokens, Duration::from_nanos(period)).burst(burst);
        let core = Core::new(quota, 100);
        let (mut real, mut clock) = (0_u64, 100_u64);
        let mut due: Vec<(Promise, u32)> = Vec::new();
        let mut events: Vec<(u64, u32)> = Vec::new();
        let rest = std::iter::repeat_n(Op::Pass(1), 10_000);
        for (index, op) in ops.iter().cloned().chain(rest).enumerate() {
            match op {
                Op::Try(n) => if take(&core, n, clock) { events.push((real, n)); },
                Op::Reserve(n) => if let Ok(promise) = core.reserve(n, None, clock) {
                    due.push((promise, n));
                },
                Op::Cancel(k) => if !due.is_empty() {
                    core.cancel(due.remove(k % due.len()).0, clock);
                },
                Op::Back(d) => clock -= d,
                Op::Pass(d) => for _ in 0..d {
                    real += 1;
                    clock += 1;
                    due.retain(|(promise, n)| {
                        let fires = promise.at.unwrap() <= clock;
                        if fires { events.push((real, *n)); }
                        !fires
                    });
                }
            }
            due.retain(|(promise, n)| {
                let fires = promise.at.unwrap() <= clock;
                if fires { events.push((real, *n)); }
                !fires
            });
            if index >= ops.len() && due.is_empty() { break; }
        }
        for (a, (start, _)) in events.iter().enumerate() {
            let mut sum = 0_u64;
            for (end, n) in &events[a..] {
                sum += u64::from(*n);
                let span = end - start + 1;
                prop_assert!(
                    sum * period <= u64::from(burst) * period + span * u64::from(tokens),
                    "{sum} in {span} of {events:?}"
                );
            }
        }
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
