//! The limiter against a reference that counts in whole numbers and never in parallel: everything
//! that changes a bucket, in any order, with a line of waits.
#![cfg(feature = "async")]

use crate::support::tasks::Task;
use crate::support::{Limiter, Wait, limiter};
use lockgate_ratelimit::clock::{Manual, Timestamp};
use lockgate_ratelimit::{Inherit, Quota, Rate};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

/// Rates are so many in a millisecond, and a token is so many of the reference's units: so many are
/// supplied in a nanosecond as tokens in a period.
const TOKEN: i64 = 1_000_000;
/// The limiter rounds each step by less than two nanoseconds' supply: where the reference is that near
/// to an edge, both answers are good.
const NEAR: i64 = 2_000;

fn rate(tokens: u32) -> Rate {
    match tokens {
        0 => Rate::ZERO,
        tokens => Rate::per(tokens, Duration::from_millis(1)),
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Try(u32),
    UpTo(u32),
    Wait(u32),
    Pass(u64),
    Rate(u32),
    Burst(u32),
    Replace(u32, u32, Inherit),
    Pause(u64),
    Refund(u32),
    Set(u32),
    Debt(u32),
}

fn op() -> impl Strategy<Value = Op> {
    let inherit = prop_oneof![
        Just(Inherit::Reset),
        Just(Inherit::AsIs),
        Just(Inherit::Additive),
        Just(Inherit::Proportional),
    ];
    prop_oneof![
        5 => (1_u32..9).prop_map(Op::Try),
        1 => (1_u32..9).prop_map(Op::UpTo),
        5 => (1_u32..9).prop_map(Op::Wait),
        8 => (1_u64..2_000_000).prop_map(Op::Pass),
        1 => (0_u32..5).prop_map(Op::Rate),
        1 => (1_u32..9).prop_map(Op::Burst),
        1 => (0_u32..5, 1_u32..9, inherit).prop_map(|(r, b, i)| Op::Replace(r, b, i)),
        1 => (0_u64..3_000_000).prop_map(Op::Pause),
        1 => (1_u32..9).prop_map(Op::Refund),
        1 => (0_u32..9).prop_map(Op::Set),
        1 => (1_u32..9).prop_map(Op::Debt),
    ]
}

/// Twenty lines of arithmetic.
struct Model {
    now: u64,
    paused_until: u64,
    rate: i64,
    burst: i64,
    supplied: i64,
    consumed: i64,
}

impl Model {
    fn brim(&mut self) {
        self.consumed = self.consumed.max(self.supplied - self.burst);
    }

    fn pass(&mut self, by: u64) {
        let from = self.now.max(self.paused_until);
        self.now += by;
        self.supplied += self.rate * self.now.saturating_sub(from) as i64;
        self.brim();
    }

    fn replace(&mut self, rate: u32, burst: u32, inherit: Inherit) {
        let (before, burst) = (self.burst, i64::from(burst) * TOKEN);
        let level = self.supplied - self.consumed;
        self.supplied = match inherit {
            Inherit::Reset => self.consumed.min(self.supplied) + burst,
            Inherit::Additive => self.supplied + (burst - before).max(0),
            Inherit::Proportional if level > 0 => {
                self.consumed + (i128::from(level) * i128::from(burst) / i128::from(before)) as i64
            }
            _ => self.supplied,
        };
        (self.rate, self.burst) = (rate.into(), burst);
        self.brim();
    }

    fn paused(&self) -> bool {
        self.now < self.paused_until
    }

    fn tokens(&self) -> i64 {
        self.supplied - self.consumed
    }
}

struct Pair {
    model: Model,
    limiter: Limiter,
    clock: Manual,
    line: VecDeque<(Task<Wait>, i64)>,
}

impl Pair {
    fn new() -> Self {
        let (limiter, clock) = limiter(Quota::new(rate(4), 8));
        let model = Model {
            now: 0,
            paused_until: 0,
            rate: 4,
            burst: 8 * TOKEN,
            supplied: 8 * TOKEN,
            consumed: 0,
        };
        Self { model, limiter, clock, line: VecDeque::new() }
    }

    fn op(&mut self, op: Op) {
        let Self { model, limiter, clock, line } = self;
        match op {
            Op::Try(n) => {
                let n_units = i64::from(n) * TOKEN;
                let slack = model.tokens() - n_units;
                let good = n_units <= model.burst && !model.paused() && slack >= 0;
                let granted = limiter.try_acquire(n).is_ok();
                assert!(granted == good || slack.abs() < NEAR, "{slack}");
                model.consumed += if granted { n_units } else { 0 };
            }
            Op::UpTo(n) => {
                let got = i64::from(limiter.try_up_to(n));
                let there = if model.paused() { 0 } else { model.tokens().max(0) / TOKEN };
                let most = there.min(n.into());
                let rest = model.tokens().rem_euclid(TOKEN);
                let near = (got == most - 1 && rest < NEAR)
                    || (got == most + 1 && rest > TOKEN - NEAR && got <= n.into());
                assert!(got == most || near, "{got} of {most}");
                model.consumed += got * TOKEN;
            }
            Op::Wait(n) => {
                let n_units = i64::from(n) * TOKEN;
                let task = Task::spawned(limiter.acquire_owned(n));
                if n_units <= model.burst {
                    model.consumed += n_units;
                    line.push_back((task, model.consumed));
                } else {
                    assert!(task.output().is_err());
                }
            }
            Op::Pass(by) => {
                model.pass(by);
                clock.set(Timestamp::from_nanos(model.now));
            }
            Op::Rate(tokens) => {
                limiter.set_rate(rate(tokens));
                model.rate = tokens.into();
            }
            Op::Burst(burst) => {
                limiter.set_burst(burst);
                model.replace(model.rate as u32, burst, Inherit::AsIs);
            }
            Op::Replace(tokens, burst, inherit) => {
                limiter.replace(Quota::new(rate(tokens), burst), inherit);
                model.replace(tokens, burst, inherit);
            }
            Op::Pause(by) => {
                limiter.pause_for(Duration::from_nanos(by));
                model.paused_until = model.now + by;
            }
            Op::Refund(n) => {
                limiter.refund(n);
                model.supplied += i64::from(n) * TOKEN;
                model.brim();
            }
            Op::Set(n) => {
                let n_units = i64::from(n) * TOKEN;
                let set = limiter.set_tokens(n);
                assert_eq!(set.is_ok(), n_units <= model.burst);
                if set.is_ok() {
                    model.supplied = model.consumed.min(model.supplied) + n_units;
                }
            }
            Op::Debt(n) => {
                limiter.consume_debt(n).unwrap();
                model.consumed += i64::from(n) * TOKEN;
            }
        }
    }

    fn compare(&mut self) {
        let Self { model, limiter, line, .. } = self;
        let mut waiting = VecDeque::new();
        for (mut task, place) in line.drain(..) {
            let slack = model.supplied - place;
            if task.still_waits() {
                assert!(slack < NEAR || model.paused(), "late by {slack}");
                waiting.push_back((task, place));
            } else {
                assert!(slack >= -NEAR && !model.paused(), "early by {slack}");
                assert!(waiting.is_empty(), "somebody was overtaken");
                task.output().unwrap();
            }
        }
        *line = waiting;
        let tokens = (limiter.tokens() * TOKEN as f64) as i64;
        let lost = model.tokens() - tokens;
        assert!((-NEAR..NEAR).contains(&lost), "{tokens} of {}", model.tokens());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_limiter_does_what_the_reference_does(ops in prop::collection::vec(op(), 1..80)) {
        let mut pair = Pair::new();
        for op in ops {
            pair.op(op);
            pair.compare();
        }
    }
}
