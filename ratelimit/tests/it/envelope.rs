//! Never more than burst + rate · Δ in any stretch of time, by the highest burst and rate that there
//! were, and what is supplied in the time by which the clock is read late, through everything but `refund` and its kin, whose purpose is to grant more.
#![cfg(feature = "async")]

use crate::support::tasks::Task;
use crate::support::{Limiter, Wait, limiter};
use lockgate_ratelimit::clock::{Manual, Timestamp};
use lockgate_ratelimit::{Quota, Rate};
use proptest::prelude::*;
use std::time::Duration;

const BURST: u32 = 8;
const TOKENS: u32 = 4;
const PERIOD: u64 = 31;
/// How late a wait may be, in nanoseconds, and so how near to the next: moments are whole, and a
/// change of the limiter rounds a place in line up to a unit, which is supplied in less than two.
const LATE: u64 = 1 + 2;

fn rate(tokens: u32) -> Rate {
    Rate::per(tokens, Duration::from_nanos(PERIOD))
}

#[derive(Clone, Debug)]
enum Op {
    Try(u32),
    UpTo(u32),
    Wait(u32),
    WaitWithin(u32, u64),
    Drop(usize),
    Pass(u64),
    Back(u64),
    /// Two who have read the clock late: one changes the rate, the other asks.
    Late(u64, u32),
    Rate(u32),
    Stop,
    Burst(u32),
    Pause(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1..=BURST).prop_map(Op::Try),
        1 => (1..=BURST).prop_map(Op::UpTo),
        4 => (1..=BURST).prop_map(Op::Wait),
        2 => (1..=BURST, 0_u64..150).prop_map(|(n, max)| Op::WaitWithin(n, max)),
        3 => (0_usize..16).prop_map(Op::Drop),
        6 => (1_u64..60).prop_map(Op::Pass),
        1 => (1_u64..60).prop_map(Op::Back),
        2 => (1_u64..60, 1..=TOKENS).prop_map(|(by, tokens)| Op::Late(by, tokens)),
        2 => (1..=TOKENS).prop_map(Op::Rate),
        1 => Just(Op::Stop),
        1 => (1..=BURST).prop_map(Op::Burst),
        1 => (0_u64..60).prop_map(Op::Pause),
    ]
}

struct Run {
    limiter: Limiter,
    clock: Manual,
    waiting: Vec<(Task<Wait>, u32)>,
    /// Real time goes on where the clock steps back.
    real: u64,
    /// How far behind it the clock was read at most, and put right again. What is granted then is
    /// granted later than the clock says.
    behind: u64,
    granted: Vec<(u64, u32)>,
}

impl Run {
    fn new() -> Self {
        let (limiter, clock) = limiter(Quota::new(rate(TOKENS), BURST));
        clock.set(Timestamp::from_nanos(1_000));
        Self { limiter, clock, waiting: Vec::new(), real: 0, behind: 0, granted: Vec::new() }
    }

    fn now(&self) -> u64 {
        use lockgate_ratelimit::clock::Clock;
        self.clock.now().as_nanos()
    }

    fn op(&mut self, op: Op) {
        match op {
            Op::Try(n) => {
                if self.limiter.try_acquire(n).is_ok() {
                    self.granted.push((self.real, n));
                }
            }
            Op::UpTo(n) => self.granted.push((self.real, self.limiter.try_up_to(n))),
            Op::Wait(n) => self.wait(self.limiter.acquire_owned(n), n),
            Op::WaitWithin(n, max) => {
                self.wait(self.limiter.acquire_owned(n).within(Duration::from_nanos(max)), n);
            }
            Op::Drop(k) => {
                if !self.waiting.is_empty() {
                    self.waiting.swap_remove(k % self.waiting.len());
                }
            }
            Op::Pass(by) => {
                for _ in 0..by {
                    self.real += 1;
                    self.clock.advance(Duration::from_nanos(1));
                    self.look();
                }
            }
            Op::Back(by) => self.clock.set(Timestamp::from_nanos(self.now().saturating_sub(by))),
            Op::Late(by, tokens) => {
                let now = self.now();
                self.behind = self.behind.max(by);
                self.clock.set(Timestamp::from_nanos(now.saturating_sub(by)));
                self.limiter.set_rate(rate(tokens));
                self.op(Op::Try(1));
                self.clock.set(Timestamp::from_nanos(now));
            }
            Op::Rate(tokens) => self.limiter.set_rate(rate(tokens)),
            Op::Stop => self.limiter.set_rate(Rate::ZERO),
            Op::Burst(burst) => self.limiter.set_burst(burst),
            Op::Pause(by) => self.limiter.pause_for(Duration::from_nanos(by)),
        }
        self.look();
    }

    fn wait(&mut self, wait: Wait, n: u32) {
        self.waiting.push((Task::spawned(wait), n));
    }

    fn look(&mut self) {
        let mut index = 0;
        while index < self.waiting.len() {
            if self.waiting[index].0.still_waits() {
                index += 1;
                continue;
            }
            let (task, n) = self.waiting.swap_remove(index);
            if task.output().is_ok() {
                self.granted.push((self.real, n));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_envelope_holds(ops in prop::collection::vec(op(), 1..64)) {
        let mut run = Run::new();
        for op in ops {
            run.op(op);
        }
        // Whatever was done, everybody's turn comes in the end.
        run.op(Op::Pause(0));
        run.op(Op::Rate(TOKENS));
        run.op(Op::Pass(4_000));
        prop_assert!(run.waiting.is_empty(), "somebody is left in line");

        let late = LATE + run.behind;
        for (index, (from, _)) in run.granted.iter().enumerate() {
            let mut sum = 0;
            for (to, n) in &run.granted[index..] {
                sum += u64::from(*n);
                let most = u64::from(BURST) * PERIOD + u64::from(TOKENS) * (to - from + late);
                prop_assert!(
                    sum * PERIOD <= most,
                    "{sum} from {from} to {to} of {:?}",
                    run.granted
                );
            }
        }
    }
}
