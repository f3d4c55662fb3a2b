//! Never more than burst + rate · Δ, over schedules at random.
//!
//! Time is that of the world; the limiter sees a clock that steps back. A token counts at the moment
//! at which it is due, a refund adds to every stretch that contains it, a debt is nobody's token. The
//! rate is the integral of what was in force. The burst is the largest since the first was promised of
//! those who stood in line when what is counted was promised: a smaller one sends nobody away, and who
//! came under a larger one gives back by that when he leaves. What is due at a fraction of a
//! nanosecond is due at the next whole one, so a stretch may be one longer than it looks; and what runs
//! over the brim is counted to a unit.

use super::support::{Random, take};
use crate::core::{Core, Due, Promise};
use crate::quota::{Quota, Rate};
use crate::state::{Change, Inherit};
use std::task::Waker;
use std::time::Duration;

/// A multiple of every period: rates are whole numbers of tokens in so many nanoseconds.
const UNIT: u64 = 120 * SCALE;
/// So that a unit of the limiter's, which is a nanosecond's supply or two, is a small part of a token.
const SCALE: u64 = 1_000;
/// A bucket that ran over is counted to such a unit: at the fastest of these rates 1/128.
const ROUNDED: u64 = UNIT / 128;
const PERIODS: [u64; 16] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 60, 120];

struct Held {
    promise: Promise,
    n: u32,
    /// When the first of those in line was promised, itself included.
    made: u64,
    /// By the clock; `None` if never.
    at: Option<u64>,
}

struct Granted {
    at: u64,
    n: u32,
    made: u64,
}

struct World {
    core: Core,
    random: Random,
    /// Nothing has a moment before the first.
    real: u64,
    clock: u64,
    rate: u64,
    /// Until when there is a pause, in real time and by the clock.
    paused: u64,
    until: u64,
    burst: u32,
    held: Vec<Held>,
    granted: Vec<Granted>,
    /// From when until when they add: a pause is as if it took no time.
    refunds: Vec<(u64, u64, u32)>,
    bursts: Vec<(u64, u32)>,
    /// Since when which rate is in force, and what was supplied until then.
    rates: Vec<(u64, u64, u128)>,
    log: Vec<String>,
}

impl World {
    fn new(mut random: Random) -> Self {
        let (rate, burst) = (some_rate(&mut random), 1 + random.below(8) as u32);
        let core = Core::new(Quota::new(rate, burst), 500);
        let rate = in_units(rate);
        Self {
            core,
            random,
            real: 1_000,
            clock: 500,
            rate,
            paused: 0,
            until: 0,
            burst,
            held: Vec::new(),
            granted: Vec::new(),
            refunds: Vec::new(),
            bursts: vec![(0, burst)],
            rates: vec![(0, rate, 0)],
            log: Vec::new(),
        }
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if self.random.verbose {
            self.log.push(format!("{} ({}): {}", self.real, self.clock, what()));
        }
    }

    fn supplied(&self, by: u64) -> u128 {
        let (since, rate, before) = self.rates.iter().rev().find(|(at, ..)| *at <= by).unwrap();
        before + u128::from(by - since) * u128::from(*rate)
    }

    /// What was, a nanosecond of supply before: a pause takes no time.
    fn supplied_before(&self, at: u64) -> u128 {
        let mut before = at - 1;
        loop {
            let held = self.rates.iter().rev().find(|(since, ..)| *since <= before).unwrap();
            match *held {
                (since, 0, _) if since > 0 => before = since - 1,
                _ => return self.supplied(before),
            }
        }
    }

    fn rate_changes(&mut self) {
        let now = self.supplied(self.real);
        self.rates.retain(|(at, ..)| *at < self.real);
        if self.paused > self.real {
            self.rates.push((self.real, 0, now));
            self.rates.push((self.paused, self.rate, now));
        } else {
            self.rates.push((self.real, self.rate, now));
        }
    }

    /// It goes on from now until the clock says so.
    fn pause(&mut self) {
        self.paused = self.real + (self.until - self.clock);
        for (_, until, _) in self.refunds.iter_mut().filter(|it| it.1 >= self.real) {
            *until = self.paused;
        }
        self.rate_changes();
    }

    /// Asks anew for the moment of everybody in line.
    fn retime(&mut self) {
        for held in &mut self.held {
            let mut ticket = None;
            let due =
                self.core.look_after(&held.promise, &mut ticket, self.clock, None, Waker::noop());
            self.core.leave(&mut ticket);
            held.at = match due {
                Due::Now(_) => Some(self.clock),
                Due::At(at) => at,
                Due::Never(error) => panic!("{error}"),
            };
        }
    }

    /// Grants what is due before the clock reads `until`.
    fn fire(&mut self, until: u64) {
        let (real, clock, granted) = (self.real, self.clock, &mut self.granted);
        self.held.retain(|held| {
            let due = held.at.filter(|at| *at < until);
            if let Some(at) = due {
                let at = real + at.saturating_sub(clock);
                granted.push(Granted { at, n: held.n, made: held.made });
            }
            due.is_none()
        });
    }

    fn pass(&mut self, by: u64) {
        self.fire(self.clock + by);
        self.real += by;
        self.clock += by;
    }

    fn ask(&mut self, kind: u64) {
        let n = 1 + self.random.below(u64::from(self.burst) + 1) as u32;
        let (core, now) = (&self.core, self.clock);
        let (what, taken) = match kind {
            0 => ("try", u32::from(take(core, n, now)) * n),
            1 => ("up to", core.try_up_to(n, now)),
            _ => {
                let latest = (kind == 2).then(|| now + self.random.below(40 * SCALE));
                if let Ok(promise) = core.reserve(n, latest, now) {
                    let at = promise.at;
                    self.note(|| format!("reserve {n} at {at:?}"));
                    let made = self.line_began();
                    self.held.push(Held { promise, n, made, at });
                }
                return;
            }
        };
        if taken > 0 {
            self.note(|| format!("{what} {n}: {taken}"));
            let made = self.line_began();
            self.granted.push(Granted { at: self.real, n: taken, made });
        }
    }

    fn line_began(&self) -> u64 {
        self.held.iter().map(|held| held.made).min().unwrap_or(self.real)
    }

    fn cancel(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let held = self.held.remove(self.random.below(self.held.len() as u64) as usize);
        let back = self.core.cancel(held.promise, self.clock);
        assert!(back <= held.n);
        self.note(|| format!("cancel {} of {:?}: {back}", held.n, held.at));
    }

    fn reconfigure(&mut self, kind: u64) {
        let now = self.clock;
        match kind {
            0 => {
                let rate = some_rate(&mut self.random);
                self.core.reconfigure(|quota| Quota { rate, ..quota }, Inherit::AsIs, now);
                self.rate = in_units(rate);
                self.note(|| format!("{rate:?}"));
                self.rate_changes();
            }
            1 => {
                let burst = 1 + self.random.below(8) as u32;
                self.core.reconfigure(|quota| Quota { burst, ..quota }, Inherit::AsIs, now);
                self.burst = burst;
                self.note(|| format!("burst {burst}"));
                self.bursts.push((self.real, burst));
            }
            2 => {
                let by = self.random.below(20 * SCALE);
                self.until = now + by;
                self.core.change(Change::Pause { until: self.until }, now);
                self.note(|| format!("pause for {by}"));
                self.pause();
            }
            3 => {
                let n = self.random.below(6) as u32;
                self.core.refund(n, now);
                self.refunds.push((self.real, self.paused.max(self.real), n));
                self.note(|| format!("refund {n}"));
            }
            _ => self.core.consume_debt(self.random.below(6) as u32, now).unwrap(),
        }
        self.retime();
    }

    fn step(&mut self, calm: bool) {
        match self.random.below(if calm { 13 } else { 20 }) {
            kind @ 0..=3 => self.ask(kind),
            4 | 5 => self.ask(3),
            6..=10 => self.cancel(),
            11 => {
                let by = self.random.below(1 + 3 * UNIT / self.rate.max(1));
                self.pass(by);
            }
            12 if self.random.below(8) > 0 => {
                let by = 1 + self.random.below(SCALE);
                self.pass(by);
            }
            // Long enough for a new origin.
            12 if self.random.below(16) == 0 => self.pass(1 << 53),
            12 | 13 => {
                self.fire(self.clock + 1);
                let by = self.random.below(30 * SCALE);
                self.clock = self.clock.saturating_sub(by);
                if self.clock < self.until {
                    self.pause();
                }
                self.note(|| format!("back by {by}"));
            }
            14 => {
                let by = 1 + self.random.below(30 * SCALE);
                self.pass(by);
            }
            kind => self.reconfigure(kind - 15),
        }
    }

    /// The first stretch in which too much is granted.
    fn excess(&mut self) -> Option<String> {
        self.granted.sort_by_key(|granted| granted.at);
        let supplied: Vec<(u128, u128)> = self
            .granted
            .iter()
            .map(|it| (self.supplied_before(it.at), self.supplied(it.at)))
            .collect();
        for first in 0..self.granted.len() {
            let (mut sum, mut made) = (0_u128, u64::MAX);
            for (last, granted) in self.granted.iter().enumerate().skip(first) {
                sum += u128::from(granted.n);
                made = made.min(granted.made);
                let from = self.granted[first].at;
                let held = self.bursts.iter().rposition(|(at, _)| *at < made).unwrap();
                let bursts = self.bursts[held..].iter().filter(|(at, _)| *at <= granted.at);
                let burst = bursts.map(|(_, burst)| *burst).max().unwrap_or_default();
                let back = self.refunds.iter().filter(|it| it.1 >= from && it.0 <= granted.at);
                let more = u64::from(burst) + back.map(|it| u64::from(it.2)).sum::<u64>();
                let supplied = supplied[last].1 - supplied[first].0;
                let allowed = u128::from(more) * u128::from(UNIT) + supplied + u128::from(ROUNDED);
                if sum * u128::from(UNIT) > allowed {
                    return Some(format!(
                        "{sum} from {from} to {}, of {more} and {supplied} / {UNIT}",
                        granted.at
                    ));
                }
            }
        }
        None
    }
}

fn some_rate(random: &mut Random) -> Rate {
    if random.below(24) == 0 {
        return Rate::ZERO;
    }
    let period = SCALE * PERIODS[random.below(PERIODS.len() as u64) as usize];
    Rate::per(1 + random.below(6) as u32, Duration::from_nanos(period))
}

fn in_units(rate: Rate) -> u64 {
    let (tokens, period) = rate.parts();
    if tokens == 0 { 0 } else { u64::from(tokens) * (UNIT / period) }
}

fn run(random: Random) -> Option<(String, Vec<String>)> {
    let mut world = World::new(random);
    let calm = world.random.below(2) == 0;
    for _ in 0..8 + world.random.below(24) {
        world.step(calm);
    }
    world.fire(u64::MAX);
    world.excess().map(|excess| (excess, world.log))
}

/// `LOCKGATE_SCHEDULES` asks for more, `LOCKGATE_SEED` for others.
#[test]
fn never_more_than_burst_and_rate() {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let schedules = number("LOCKGATE_SCHEDULES").unwrap_or(400_000);
    let first: u64 = number("LOCKGATE_SEED").unwrap_or(1) << 32;
    for seed in first..first + schedules {
        if let Some((excess, _)) = run(Random::new(seed)) {
            let log = run(Random { verbose: true, ..Random::new(seed) }).unwrap().1;
            panic!("seed {seed}: {excess}\n{}", log.join("\n"));
        }
    }
}
