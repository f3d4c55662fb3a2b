//! The harness that the benches of all crates share; `benches/README.md` is its method.
//!
//! A bench file lists [`Scenario`]s. In each, the same workload, generic over a small trait that
//! ours and every rival implement, is an [`Entry`] per subject. `paired` runs the entries in
//! alternation and writes raw samples, from which `cargo xtask bench` makes ratios; `single` hands
//! them to criterion.

pub mod clock;
pub mod paired;
mod process;
pub mod single;
#[path = "../../src/bench/stats.rs"]
mod stats;
pub mod threads;

use std::time::Duration;

/// What a scenario's figures count, per operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds on the wall clock.
    Wall,
    /// Nanoseconds of CPU time, user and system, of the whole process.
    Cpu,
    Allocations,
    Bytes,
    /// Of what would be ideal.
    Percent,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Unit::Wall => "ns",
            Unit::Cpu => "cpu-ns",
            Unit::Allocations => "allocations",
            Unit::Bytes => "bytes",
            Unit::Percent => "%",
        }
    }

    /// Whether it takes operations by the thousand and several rounds to know it.
    pub fn is_noisy(self) -> bool {
        matches!(self, Unit::Wall | Unit::Cpu)
    }

    /// How many rounds it takes, where a noisy one takes so many. A percentage is of a run that
    /// lasts for seconds.
    pub fn rounds(self, noisy: usize) -> usize {
        match self {
            Unit::Wall | Unit::Cpu => noisy,
            Unit::Allocations | Unit::Bytes => 1,
            Unit::Percent => 3,
        }
    }
}

/// Whom an entry measures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Ours,
    /// What no implementation can avoid: beside us for scale, never a rival.
    Floor,
    Rival,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Ours => "ours",
            Role::Floor => "floor",
            Role::Rival => "rival",
        }
    }
}

/// One implementation of what a crate of the family does.
pub trait Subject {
    const NAME: &'static str;
    const ROLE: Role = Role::Rival;
    /// Whether it promises to serve in the order of arrival.
    const FIFO: bool = false;
}

/// What a sample took.
pub struct Sample {
    /// Operations really done: a workload may round what it was asked for up.
    pub ops: u64,
    /// In the scenario's unit, for all of them; `None` if the subject cannot do this work.
    pub amount: Option<f64>,
    /// What a reader of the figure should know.
    pub note: Option<String>,
}

impl Sample {
    pub fn time(ops: u64, time: Duration) -> Self {
        Self::count(ops, time.as_secs_f64() * 1e9)
    }

    pub fn count(ops: u64, amount: f64) -> Self {
        Self { ops, amount: Some(amount), note: None }
    }

    /// The subject's answers are right, but what it did is not what the scenario measures.
    pub fn unfit(ops: u64, note: String) -> Self {
        Self { ops, amount: None, note: Some(note) }
    }

    pub fn per_op(&self) -> Option<f64> {
        self.amount.map(|amount| amount / self.ops as f64)
    }
}

/// Does about so many operations and asserts its answer.
pub type Workload = Box<dyn FnMut(u64) -> Sample>;

pub struct Entry {
    pub subject: String,
    pub role: Role,
    pub fifo: bool,
    pub workload: Workload,
    /// Whom it replaces where that one is not to be had.
    pub stands_in_for: Option<String>,
}

pub struct Scenario {
    pub name: String,
    pub unit: Unit,
    /// How long one sample of one subject is to last.
    pub sample: Duration,
    pub entries: Vec<Entry>,
    /// Whether each sample is taken by a process of its own.
    pub alone: bool,
    /// Why it cannot run on this machine.
    pub skip: Option<&'static str>,
}

impl Scenario {
    pub fn new(name: impl Into<String>, unit: Unit) -> Self {
        let sample = Duration::from_millis(3);
        let name = name.into();
        Self { name, unit, sample, entries: Vec::new(), alone: false, skip: None }
    }

    pub fn sample_ms(mut self, millis: u64) -> Self {
        self.sample = Duration::from_millis(millis);
        self
    }

    /// For threads that are pinned to cores of their own.
    pub fn needs_two_cores(mut self) -> Self {
        if threads::two_cores().is_none() {
            self.skip = Some("needs two cores that threads can be pinned to");
        }
        self
    }

    pub fn needs_cpu_clock(mut self) -> Self {
        if clock::cpu_time().is_none() {
            self.skip = Some("needs a clock of the process's CPU time");
        }
        self
    }

    /// For what earlier samples would leave traces in: the memory of the process.
    pub fn alone(mut self) -> Self {
        self.alone = true;
        if clock::resident().is_none() {
            self.skip = Some("needs /proc to tell what is in memory");
        }
        self
    }

    pub fn entry<S: Subject>(mut self, workload: impl FnMut(u64) -> Sample + 'static) -> Self {
        self.entries.push(Entry {
            subject: S::NAME.to_owned(),
            role: S::ROLE,
            fifo: S::FIFO,
            workload: Box::new(workload),
            stands_in_for: None,
        });
        self
    }
}

/// `entries!(scenario, workload(args…): A, B, C)` adds the workload for each of the subjects.
macro_rules! entries {
    ($scenario:expr, $workload:ident $args:tt: $($subject:ty),+ $(,)?) => {
        $scenario$(.entry::<$subject>($workload::<$subject> $args))+
    };
}
pub(crate) use entries;

/// The `main` of a bench: paired if asked for, else criterion.
pub fn main(scenarios: fn() -> Vec<Scenario>) {
    // A wrong answer in any thread ends the run. Else its partner would wait for it for ever.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        print(info);
        std::process::exit(101);
    }));
    let paired = std::env::args().any(|arg| arg == "--paired" || arg == "--smoke");
    if paired { paired::main(scenarios()) } else { single::main(scenarios()) }
}
