//! The circuit as a pure state machine: one word, and what each event makes of it.
//!
//! | bits | what |
//! |---|---|
//! | 0–11 | probes that were admitted and not given back |
//! | 12–23 | probes that succeeded |
//! | 24–35 | probes that failed |
//! | 36–38 | the [`State`] |
//! | 39–62 | the generation: how many transitions there were |
//! | 63 | closed, but a throttle has to be asked about each call |
//!
//! A result belongs to the generation in which its call was admitted. The counters lie in the same word, so an
//! exchange that changes them can succeed in that generation only.

/// The state of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls go through, and the policy judges their outcomes.
    Closed,
    /// Calls are rejected until the open time is over.
    Open,
    /// So many probes go through, and decide.
    HalfOpen,
    /// Open because somebody said so: for good, or for a time.
    ForcedOpen,
    /// Calls go through, and nothing is counted.
    Disabled,
    /// Calls go through and are counted, and the circuit never opens by itself.
    MetricsOnly,
}

impl State {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::ForcedOpen,
        Self::Disabled,
        Self::MetricsOnly,
    ];

    /// `closed`, `open`, `half_open`, `forced_open`, `disabled`, `metrics_only`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The largest number that a counter of probes holds.
pub(crate) const MOST_PROBES: u16 = (1 << COUNT_BITS) - 1;

const COUNT_BITS: u32 = 12;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const SUCCEEDED: u32 = COUNT_BITS;
const FAILED: u32 = 2 * COUNT_BITS;
const STATE: u32 = 3 * COUNT_BITS;
const GENERATION: u32 = STATE + 3;
pub(crate) const GENERATION_BITS: u32 = 24;
const THROTTLED: u64 = 1 << 63;
const GENERATIONS: u32 = (1 << GENERATION_BITS) - 1;
/// So many transitions may come between a call's look at the control word and its last write.
pub(crate) const LAG: u32 = 1 << 10;

/// Which transition began what a result belongs to. It wraps after 16 million: a result that is
/// kept for as many transitions would be taken for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) u32);

impl Generation {
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1) & GENERATIONS)
    }

    /// Whether what belongs to `found` came after this.
    ///
    /// Who asks was in this generation a moment ago, so that he is behind by a few. What seems to be
    /// far ahead was written long ago, and the numbers have wrapped since.
    pub(crate) const fn is_behind(self, found: Self) -> bool {
        let ahead = found.0.wrapping_sub(self.0) & GENERATIONS;
        ahead != 0 && ahead <= LAG
    }
}

/// What a half-open circuit asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    /// So many probes are admitted,
    pub(crate) probes: u16,
    /// no more of them at a time,
    pub(crate) at_a_time: u16,
    /// and so many have to succeed.
    pub(crate) successes: u16,
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Succeeded,
    Failed,
    /// It said nothing, and another may go in its place.
    GivenBack,
}

/// What the probes of an episode have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Recovered,
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    pub(crate) const fn new(generation: Generation, state: State) -> Self {
        Self((generation.0 as u64) << GENERATION | (state as u64) << STATE)
    }

    #[inline]
    pub(crate) const fn generation(self) -> Generation {
        Generation((self.0 >> GENERATION) as u32 & GENERATIONS)
    }

    #[inline]
    pub(crate) const fn state(self) -> State {
        State::ALL[((self.0 >> STATE) & 7) as usize]
    }

    /// The word of a circuit that rejects a share of the calls while it is closed.
    pub(crate) const fn throttled(self) -> Self {
        Self(self.0 | THROTTLED)
    }

    /// Whether it lets everything through: all that a call asks when all is well.
    #[inline]
    pub(crate) const fn is_free(self) -> bool {
        self.is_closed() && self.0 & THROTTLED == 0
    }

    #[inline]
    pub(crate) const fn is_closed(self) -> bool {
        (self.0 >> STATE) & 7 == State::Closed as u64
    }

    /// Whether it lets nothing through before its time, whoever opened it.
    #[inline]
    pub(crate) const fn is_open(self) -> bool {
        let state = (self.0 >> STATE) & 7;
        state == State::Open as u64 || state == State::ForcedOpen as u64
    }

    pub(crate) const fn admitted(self) -> u16 {
        (self.0 & COUNT) as u16
    }

    pub(crate) const fn succeeded(self) -> u16 {
        (self.0 >> SUCCEEDED & COUNT) as u16
    }

    pub(crate) const fn failed(self) -> u16 {
        (self.0 >> FAILED & COUNT) as u16
    }

    /// How many probes are under way.
    pub(crate) const fn under_way(self) -> u16 {
        self.admitted() - self.succeeded() - self.failed()
    }

    /// The word with one more probe; `None` if there is no room for it.
    pub(crate) const fn admit(self, trial: &Trial) -> Option<Self> {
        if self.admitted() >= trial.probes || self.under_way() >= trial.at_a_time {
            return None;
        }
        Some(Self(self.0 + 1))
    }

    /// The word after a probe has ended, and what is known then.
    pub(crate) const fn settle(self, probe: Probe, trial: &Trial) -> (Self, Option<Verdict>) {
        match probe {
            Probe::GivenBack => (Self(self.0 - 1), None),
            Probe::Succeeded => {
                let word = Self(self.0 + (1 << SUCCEEDED));
                let enough = word.succeeded() >= trial.successes;
                (word, if enough { Some(Verdict::Recovered) } else { None })
            }
            Probe::Failed => {
                let word = Self(self.0 + (1 << FAILED));
                // Those that are left could not reach the number any more.
                let hopeless = word.failed() > trial.probes - trial.successes;
                (word, if hopeless { Some(Verdict::Broken) } else { None })
            }
        }
    }
}
