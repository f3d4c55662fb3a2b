//! `cargo xtask loom`: every model of every crate, and how far each got.
//!
//! loom passes silently when its time is up, passes after one execution when nothing in the model
//! is its own, and aborts the process on a deadlock. So each model runs in a process of its own,
//! reports its iterations, and is believed only when the report makes sense.

pub mod binary;
mod report;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cmd::{Finished, Stopwatch, counted, human, tail};
use crate::flags::Loom;
use crate::workspace::{Crate, Workspace};
use binary::{Kind, TestBinary};
use report::Report;

/// A model that takes longer has lost its way: bounded ones are written to end within a minute.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// Deep models stop by themselves; this is for those that don't.
const DEEP_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

const TAIL: usize = 40;

enum Verdict {
    Complete(Report),
    Bounded(Report, u64),
    Truncated(Report),
    Failed(String),
}

struct Row {
    verdict: Verdict,
    /// What explains a failure; else empty.
    details: String,
}

#[derive(Default)]
struct Totals {
    complete: usize,
    bounded: usize,
    truncated: usize,
    failed: usize,
    iterations: u64,
}

pub fn run(flags: &Loom) -> Result<()> {
    let workspace = Workspace::load()?;
    let crates = workspace.select(&flags.crates)?;
    let clock = Stopwatch::start();
    let mut totals = Totals::default();
    let mut known = Vec::new();
    for krate in crates {
        let binary = TestBinary::build(&workspace, krate, Kind::Loom)?;
        let mut models = binary.models()?;
        known.extend(models.iter().map(|model| short(model).to_owned()));
        models.retain(|model| flags.model.as_ref().is_none_or(|part| model.contains(part)));
        if flags.list {
            models.iter().for_each(|model| println!("{}: {}", krate.folder, short(model)));
        } else {
            run_crate(krate, &binary, &models, flags.deep, &mut totals)?;
        }
    }
    if let Some(part) = &flags.model
        && !known.iter().any(|model| model.contains(part.as_str()))
    {
        bail!("no model matches `{part}`; there are:\n  {}", known.join("\n  "));
    }
    if flags.list { Ok(()) } else { totals.finish(flags.deep, clock.elapsed()) }
}

fn run_crate(
    krate: &Crate,
    binary: &TestBinary,
    models: &[String],
    deep: bool,
    totals: &mut Totals,
) -> Result<()> {
    if models.is_empty() {
        println!("{}: no model to run", krate.folder);
        return Ok(());
    }
    eprintln!("$ {}   # each model", binary.model("<model>", deep));
    let width = models.iter().map(|model| short(model).len()).max().unwrap_or(0);
    println!("{}: {}", krate.folder, counted(models.len(), "model"));
    println!("  {:<width$}  {:>12}  {:<11}  {:>12}", "model", "iterations", "explored", "time");
    in_order(
        models,
        |model| run_model(binary, model, deep),
        |model, row: Result<Row>| {
            let row = row?;
            totals.add(&row.verdict);
            println!("  {:<width$}  {}", short(model), row.verdict);
            print!("{}", row.details);
            Ok(())
        },
    )
}

fn run_model(binary: &TestBinary, model: &str, deep: bool) -> Result<Row> {
    let cmd = binary.model(model, deep);
    let done = cmd.finish_within(if deep { DEEP_LIMIT } else { LIMIT })?;
    let verdict = judge(&done);
    let failed = match &verdict {
        Verdict::Failed(_) => true,
        Verdict::Truncated(_) => !deep,
        Verdict::Complete(_) | Verdict::Bounded(..) => false,
    };
    let details =
        if failed { format!("    $ {cmd}\n{}", tail(&done.output, TAIL)) } else { String::new() };
    Ok(Row { verdict, details })
}

fn judge(done: &Finished) -> Verdict {
    if done.timed_out {
        return Verdict::Failed("killed: it did not end in time".to_owned());
    }
    if !done.status.success() {
        return Verdict::Failed(done.status.to_string());
    }
    match report::read(&done.output) {
        Err(problem) => Verdict::Failed(problem),
        Ok(report) if report.iterations < 2 => Verdict::Failed(format!(
            "{} explored nothing",
            counted(report.iterations as usize, "iteration")
        )),
        Ok(report) if report.truncated => Verdict::Truncated(report),
        Ok(report) => match report.bound {
            Some(bound) => Verdict::Bounded(report, bound),
            None => Verdict::Complete(report),
        },
    }
}

/// Runs `work` on all items, as many at a time as there are processors, and hands the results over
/// in the order of the items.
fn in_order<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut each: impl FnMut(&T, R) -> Result<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from).min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                // ORDERING: Relaxed: a ticket; the results travel through the channel.
                while let Some((at, item)) = ticket(items, next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send((at, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (at, result) in results {
            early.insert(at, result);
            while let Some(result) = early.remove(&due) {
                each(&items[due], result)?;
                due += 1;
            }
        }
        Ok(())
    })
}

fn ticket<T>(items: &[T], at: usize) -> Option<(usize, &T)> {
    items.get(at).map(|item| (at, item))
}

/// `tests::loom_cancel::front` is known as `loom_cancel::front`.
pub fn short(model: &str) -> &str {
    model.strip_prefix("tests::").unwrap_or(model)
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (report, explored) = match self {
            Self::Failed(problem) => return write!(f, "{:>12}  FAILED: {problem}", "-"),
            Self::Complete(report) => (report, "complete".to_owned()),
            Self::Bounded(report, bound) => (report, format!("bounded ({bound})")),
            Self::Truncated(report) => (report, "truncated".to_owned()),
        };
        let time = human(Duration::from_millis(report.ms));
        write!(f, "{:>12}  {explored:<11}  {time:>12}", report.iterations)
    }
}

impl Totals {
    fn add(&mut self, verdict: &Verdict) {
        let (count, iterations) = match verdict {
            Verdict::Complete(report) => (&mut self.complete, report.iterations),
            Verdict::Bounded(report, _) => (&mut self.bounded, report.iterations),
            Verdict::Truncated(report) => (&mut self.truncated, report.iterations),
            Verdict::Failed(_) => (&mut self.failed, 0),
        };
        *count += 1;
        self.iterations += iterations;
    }

    fn finish(&self, deep: bool, time: Duration) -> Result<()> {
        let Self { complete, bounded, truncated, failed, iterations } = self;
        println!(
            "loom: {complete} complete, {bounded} bounded, {truncated} truncated, {failed} failed; \
             {iterations} iterations in {}",
            human(time)
        );
        if *failed > 0 || (*truncated > 0 && !deep) {
            bail!("{} failed, {truncated} ran out of time", counted(*failed, "model"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    fn passed(line: &str) -> Finished {
        Finished { status: ExitStatus::default(), output: line.to_owned(), timed_out: false }
    }

    fn verdict(line: &str) -> String {
        judge(&passed(line)).to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_model_is_believed_only_with_a_report_that_makes_sense() {
        let report = "lockgate-model iterations=74 bound=none truncated=false ms=3";
        assert_eq!(verdict(report), "74 complete 3 ms");
        let report = "lockgate-model iterations=74 bound=3 truncated=false ms=3";
        assert_eq!(verdict(report), "74 bounded (3) 3 ms");
        let report = "lockgate-model iterations=74 bound=none truncated=true ms=3";
        assert_eq!(verdict(report), "74 truncated 3 ms");
        let report = "lockgate-model iterations=1 bound=none truncated=false ms=3";
        assert_eq!(verdict(report), "- FAILED: 1 iteration explored nothing");
        assert!(verdict("ok").contains("FAILED"));
    }

    #[test]
    fn truncation_is_forgiven_only_when_deep() {
        let mut totals = Totals::default();
        totals.add(&judge(&passed("lockgate-model iterations=9 bound=none truncated=true ms=3")));
        assert!(totals.finish(false, Duration::ZERO).is_err());
        assert!(totals.finish(true, Duration::ZERO).is_ok());
        totals.add(&judge(&passed("")));
        assert!(totals.finish(true, Duration::ZERO).is_err());
    }

    #[test]
    fn results_come_in_order() {
        let items: Vec<u32> = (0..100).collect();
        let mut seen = Vec::new();
        in_order(
            &items,
            |n| n * 2,
            |n, twice| {
                seen.push((*n, twice));
                Ok(())
            },
        )
        .expect("nothing fails");
        assert!(seen.iter().enumerate().all(|(i, &(n, twice))| n == i as u32 && twice == 2 * n));
        assert_eq!(seen.len(), 100);
    }
}
