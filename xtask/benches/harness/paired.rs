//! The paired mode: ours and every rival in alternation, round by round, so that what disturbs the
//! machine disturbs all of them. Writes raw samples; `cargo xtask bench` makes the ratios.

use super::stats::Spread;
use super::{Entry, Role, Scenario, Unit, process};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, thread};

const QUICK_ROUNDS: usize = 11;
const ROUNDS: usize = 31;
/// Of samples that are taken by a process each: what they count hardly varies.
const ROUNDS_ALONE: usize = 5;
/// What a smoke test asks of each workload.
const FEW: u64 = 64;
/// The same order of subjects in every run of the same scenarios.
const SEED: u64 = 0x10C6_A7E5;
/// No sample takes a hundredth of it: a wake-up was lost.
const STUCK: Duration = Duration::from_secs(60);

/// Samples begun: what the watchdog looks at. A message per sample would wake it up in the middle
/// of what is measured.
static BEGUN: AtomicU64 = AtomicU64::new(0);

xflags::xflags! {
    /// Measures ours and its rivals in alternation.
    cmd options {
        /// The mode that this is.
        optional --paired
        /// Every workload once with few operations: asserts the answers, measures nothing.
        optional --smoke
        /// Fewer rounds.
        optional --quick
        /// Where the samples go, as JSON.
        optional --out file: PathBuf
        /// A program whose entries take part.
        optional --go program: PathBuf
        /// One sample of this subject in the one scenario of this very name, printed as JSON.
        optional --alone subject: String
        /// Passed by cargo.
        optional --bench
        /// Only scenarios whose name contains one of these.
        repeated filter: String
    }
}

pub fn main(mut scenarios: Vec<Scenario>) {
    let options = Options::from_env_or_exit();
    if let Some(subject) = &options.alone {
        return alone(scenarios, &options.filter, subject);
    }
    if !options.smoke {
        scenarios.iter_mut().filter(|scenario| scenario.alone).for_each(process::isolate);
    }
    if let Some(program) = &options.go {
        process::attach(program, &mut scenarios);
    }
    let chosen = |name: &str| {
        options.filter.is_empty() || options.filter.iter().any(|part| name.contains(&**part))
    };
    let scenarios = scenarios.into_iter().filter(|scenario| chosen(&scenario.name));
    thread::spawn(watch);

    let rounds = if options.quick { QUICK_ROUNDS } else { ROUNDS };
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut results = Vec::new();
    for mut scenario in scenarios {
        if let Some(reason) = scenario.skip {
            eprintln!("{}: skipped, {reason}", scenario.name);
            results.push(json!({ "name": scenario.name, "skipped": reason, "subjects": [] }));
        } else if options.smoke {
            smoke(&mut scenario);
        } else {
            let series = measure(&mut scenario, rounds, &mut random);
            eprintln!("{}", progress(&scenario, &series));
            results.push(to_json(&scenario, series));
        }
    }
    if let Some(out) = options.out {
        let text = format!("{:#}\n", json!({ "rounds": rounds, "scenarios": results }));
        if let Err(error) = fs::write(&out, text) {
            eprintln!("cannot write {}: {error}", out.display());
            std::process::exit(1);
        }
    }
}

/// What was measured of one entry.
#[derive(Default)]
struct Series {
    /// How many operations one sample asks for; `None` if the subject cannot do the work.
    ops: Option<u64>,
    /// Per operation, one for each round.
    samples: Vec<f64>,
    note: Option<String>,
}

fn alone(scenarios: Vec<Scenario>, names: &[String], subject: &str) {
    let mut entries = scenarios
        .into_iter()
        .filter(|scenario| names == [scenario.name.as_str()])
        .flat_map(|scenario| scenario.entries);
    let mut entry = entries.find(|entry| entry.subject == subject).expect("one of the entries");
    println!("{}", process::to_json(&take(&mut entry, FEW)));
}

fn smoke(scenario: &mut Scenario) {
    // Of a percentage, one operation means: for a moment only.
    let ops = if scenario.unit == Unit::Percent { 1 } else { FEW };
    for entry in &mut scenario.entries {
        take(entry, ops);
    }
    eprintln!("{}: {} subjects answer rightly", scenario.name, scenario.entries.len());
}

fn measure(scenario: &mut Scenario, rounds: usize, random: &mut fastrand::Rng) -> Vec<Series> {
    let (unit, length) = (scenario.unit, scenario.sample);
    let mut series: Vec<Series> =
        scenario.entries.iter_mut().map(|entry| calibrate(entry, unit, length)).collect();
    let rounds = if scenario.alone { ROUNDS_ALONE } else { unit.rounds(rounds) };
    let mut order: Vec<usize> = (0..series.len()).collect();
    for _ in 0..rounds {
        // Shuffled, because what ran before leaves caches and clocks as it likes them.
        random.shuffle(&mut order);
        for &index in &order {
            let series = &mut series[index];
            let Some(ops) = series.ops else { continue };
            let sample = take(&mut scenario.entries[index], ops);
            // A round without this subject's figure has no ratio: NaN drops it, the others stay.
            series.samples.push(sample.per_op().unwrap_or(f64::NAN));
            series.note = sample.note.or(series.note.take());
        }
    }
    series
}

/// Finds how many operations last as long as a sample should, warming everything up.
fn calibrate(entry: &mut Entry, unit: Unit, length: Duration) -> Series {
    let length = length.as_secs_f64() * 1e9;
    let mut ops = 16;
    if unit == Unit::Percent {
        return Series { ops: Some(FEW), ..Series::default() };
    }
    loop {
        let sample = take(entry, ops);
        let Some(amount) = sample.amount else {
            return Series { note: sample.note, ..Series::default() };
        };
        if !unit.is_noisy() {
            return Series { ops: Some(FEW), ..Series::default() };
        }
        if amount >= length / 8.0 || ops > 1 << 32 {
            let fitting = (sample.ops as f64 * length / amount).max(1.0);
            return Series { ops: Some(fitting as u64), ..Series::default() };
        }
        ops *= 4;
    }
}

fn take(entry: &mut Entry, ops: u64) -> super::Sample {
    BEGUN.fetch_add(1, Ordering::Relaxed);
    (entry.workload)(ops)
}

fn watch() {
    let mut last = 0;
    loop {
        thread::sleep(STUCK);
        let begun = BEGUN.load(Ordering::Relaxed);
        if begun == last {
            eprintln!("the sample after the last line above does not end: a wake-up was lost");
            std::process::exit(1);
        }
        last = begun;
    }
}

fn progress(scenario: &Scenario, series: &[Series]) -> String {
    let median = |series: &Series| Spread::of(&series.samples).map(|spread| spread.median);
    let figures = scenario.entries.iter().zip(series).map(|(entry, series)| {
        let note = series.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        match median(series) {
            // Counts may be a few in a thousand operations.
            Some(figure) if figure < 1.0 => format!("{} {figure:.4}{note}", entry.subject),
            Some(figure) => format!("{} {figure:.1}{note}", entry.subject),
            None => format!("{} —{note}", entry.subject),
        }
    });
    let figures: Vec<String> = figures.collect();
    format!("{} [{}]: {}", scenario.name, scenario.unit.name(), figures.join(", "))
}

fn to_json(scenario: &Scenario, series: Vec<Series>) -> Value {
    let subjects: Vec<Value> = scenario
        .entries
        .iter()
        .zip(series)
        .map(|(entry, series)| {
            json!({
                "name": entry.subject,
                "role": entry.role.name(),
                "fifo": entry.fifo && entry.role == Role::Rival,
                "ops_per_sample": series.ops,
                // NaN is null in JSON.
                "samples": series.samples,
                "note": series.note,
                "stands_in_for": entry.stands_in_for,
            })
        })
        .collect();
    json!({ "name": scenario.name, "unit": scenario.unit.name(), "subjects": subjects })
}
