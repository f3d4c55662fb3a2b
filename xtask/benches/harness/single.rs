//! The criterion mode: single figures, for one who works on one thing. Ratios between its lines
//! are not to be trusted on a noisy machine: they were measured minutes apart.

use super::{Scenario, Unit};
use criterion::{BenchmarkId, Criterion};
use std::time::Duration;

/// Operations after which it shows whether a subject can do the work at all.
const PROBE: u64 = 256;

pub fn main(scenarios: Vec<Scenario>) {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for scenario in scenarios {
        if scenario.skip.is_none() && scenario.unit.is_noisy() {
            run(&mut criterion, scenario);
        }
    }
    criterion.final_summary();
}

fn run(criterion: &mut Criterion, scenario: Scenario) {
    let mut group = criterion.benchmark_group(&scenario.name);
    for mut entry in scenario.entries {
        let first = (entry.workload)(PROBE);
        if first.amount.is_none() {
            println!("{}/{}: {}\n", scenario.name, entry.subject, first.note.unwrap_or_default());
            continue;
        }
        let unit = if scenario.unit == Unit::Cpu { " (CPU time)" } else { "" };
        let name = format!("{}{unit}", entry.subject);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|iters| {
                let sample = (entry.workload)(iters);
                // It could do the work a moment ago. Criterion demands a figure, and a second per
                // operation cannot be mistaken for one.
                let per_op = sample.per_op().unwrap_or(1e9);
                // A workload may do more operations than it was asked for.
                Duration::from_secs_f64(per_op * iters as f64 / 1e9)
            });
        });
    }
    group.finish();
}
