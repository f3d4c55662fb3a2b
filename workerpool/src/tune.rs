//! How large a batch should be, and how many workers blocking jobs need: one controller for both, which
//! climbs the hill of throughput. Pure: time is an argument.
//!
//! The rule is that of whoever does it by hand: begin with ten, measure, and increase until returns
//! diminish. Then hold, and look again now and then, because loads change.

use std::time::Duration;

/// A size twice as large has to bring so much more throughput, or returns have diminished. Less is
/// within what a busy machine makes of two equal measures.
const GAIN: f64 = 1.05;
/// One half as large may cost so much: small batches are shared out better, and few workers are
/// cheaper.
const TIE: f64 = 0.99;
/// So much less is a cliff (a cache that overflows, a service that breaks down): there is no second
/// look at what comes behind.
const CLIFF: f64 = 0.8;
/// So many sizes in a row that bring nothing end the climb: one may have been measured badly.
const STRIKES: u32 = 2;
/// After so many epochs at rest both neighbours are tried …
const FIRST_REST: u32 = 8;
/// … and each time that neither was better, after twice as many, up to these: a probe costs three
/// epochs, at the worst two of them at half the throughput.
const LONGEST_REST: u32 = 64;

/// What is to be found, and how carefully it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: usize,
    pub(crate) least: usize,
    pub(crate) most: usize,
    /// An epoch, by which one size is judged, has so many samples …
    pub(crate) samples: u32,
    /// … and lasts for so long.
    pub(crate) time: Duration,
}

/// At rest, so much of what the best brings is what it brought before: one epoch tells little on a busy
/// machine, and whatever is tried is compared with it.
const MEMORY: f64 = 0.75;
/// A probe lasts for so many epochs: it is one measure against many.
const PROBE: u32 = 2;

/// The controller: what was done in what time goes in, the size to go on with comes out.
#[derive(Clone, Debug)]
pub(crate) struct Tuner {
    range: Range,
    size: usize,
    /// The best that is known: a size, and items in a second.
    best: (usize, f64),
    step: Step,
    rest: u32,
    epoch: Epoch,
}

#[derive(Clone, Debug, Default)]
struct Epoch {
    /// What was begun with another size is over: from here on the time is this size's.
    settled: bool,
    samples: u32,
    items: u64,
    elapsed: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Each size is twice, or half, the one before, as long as that is better.
    Climb {
        way: Way,
        strikes: u32,
    },
    Rest {
        left: u32,
    },
    /// The neighbours of the best are tried, above and then below.
    Probe(Way),
}

impl Tuner {
    pub(crate) fn new(range: Range) -> Self {
        let size = range.first.clamp(range.least, range.most);
        Self {
            range,
            size,
            best: (size, 0.0),
            step: Step::Climb { way: Way::Up, strikes: 0 },
            rest: FIRST_REST,
            epoch: Epoch::default(),
        }
    }

    /// The size to go on with.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// What was measured last is of no use: nobody waited for work, or there was none.
    #[cfg(feature = "sync")]
    pub(crate) fn forget_epoch(&mut self) {
        self.epoch = Epoch::default();
    }

    /// `items` took `elapsed` since the sample before, and were begun when `size` was the size.
    pub(crate) fn record(&mut self, size: usize, items: usize, elapsed: Duration) {
        if size != self.size {
            return;
        }
        let epoch = &mut self.epoch;
        if !epoch.settled {
            // Its time began before this size did.
            epoch.settled = true;
            return;
        }
        epoch.samples += 1;
        epoch.items += items as u64;
        epoch.elapsed += elapsed;
        let epochs = if matches!(self.step, Step::Probe(_)) { PROBE } else { 1 };
        let (samples, time) = (self.range.samples * epochs, self.range.time * epochs);
        if epoch.samples >= samples && epoch.elapsed >= time {
            let rate = epoch.items as f64 / epoch.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
            self.judge(rate);
        }
    }

    /// An epoch is over.
    fn judge(&mut self, rate: f64) {
        let (size, best) = (self.size, self.best.1);
        // By so much for each step from the best.
        let better = |way, steps: u32| {
            let each: f64 = if way == Way::Up { GAIN } else { TIE };
            rate >= best * each.powi(steps as i32)
        };
        // What is lost by steps down adds up against the best of them all.
        let reference = rate.max(best);
        match self.step {
            Step::Climb { way, strikes } => {
                let strikes = if better(way, strikes + 1) {
                    self.best = (size, reference);
                    0
                } else if rate < best * CLIFF {
                    STRIKES
                } else {
                    strikes + 1
                };
                match self.next(size, way) {
                    Some(next) if strikes < STRIKES => {
                        self.go(next, Step::Climb { way, strikes });
                    }
                    _ => self.settle(FIRST_REST),
                }
            }
            Step::Rest { left } => {
                // What changed by half is another load.
                let same = rate > best / 2.0 && rate < best * 2.0;
                self.best.1 = if same { best * MEMORY + rate * (1.0 - MEMORY) } else { rate };
                match left {
                    0 => self.probe(Way::Up),
                    left => self.go(size, Step::Rest { left: left - 1 }),
                }
            }
            Step::Probe(way) if better(way, 1) => {
                self.best = (size, reference);
                match self.next(size, way) {
                    Some(next) => self.go(next, Step::Climb { way, strikes: 0 }),
                    None => self.settle(FIRST_REST),
                }
            }
            Step::Probe(Way::Up) => self.probe(Way::Down),
            Step::Probe(Way::Down) => self.settle((self.rest * 2).min(LONGEST_REST)),
        }
    }

    /// Tries a neighbour, if there is one.
    fn probe(&mut self, way: Way) {
        match self.next(self.best.0, way) {
            Some(next) => self.go(next, Step::Probe(way)),
            None if way == Way::Up => self.probe(Way::Down),
            None => self.settle((self.rest * 2).min(LONGEST_REST)),
        }
    }

    /// Rests where it was best.
    fn settle(&mut self, rest: u32) {
        self.rest = rest;
        self.go(self.best.0, Step::Rest { left: rest });
    }

    fn go(&mut self, size: usize, step: Step) {
        // The time of a size that stays goes on without a gap.
        let settled = size == self.size;
        self.epoch = Epoch { settled, ..Epoch::default() };
        self.size = size;
        self.step = step;
    }

    fn next(&self, size: usize, way: Way) -> Option<usize> {
        let next = match way {
            Way::Up => size.saturating_mul(2).min(self.range.most),
            Way::Down => (size / 2).max(self.range.least),
        };
        (next != size).then_some(next)
    }
}
