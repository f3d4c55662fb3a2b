//! `cargo xtask ci`: what decides whether a change may land, in the order in which failures are
//! cheapest to learn.

use std::{env, fs};

use anyhow::{Result, bail};

use crate::cmd::{Cmd, Failures, Stopwatch, human, skip};
use crate::flags::{Bench, Ci, Loom, Publish, Test};
use crate::workspace::Workspace;
use crate::{bench, loom, mutants, publish, test, tidy};

struct Stage {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace) -> Result<Done>,
}

#[derive(Clone, Copy)]
enum Done {
    Ran,
    Skipped,
}

const STAGES: [Stage; 9] = [
    Stage { name: "fmt", about: "the sources are formatted", run: fmt },
    Stage { name: "clippy", about: "no warning in any feature set, nor in models", run: clippy },
    Stage { name: "doc", about: "documentation builds without a warning", run: doc },
    Stage { name: "tidy", about: "the rules of the house", run: |_| ran(tidy::run()) },
    Stage { name: "loom", about: "every model passes", run: |_| ran(loom::run(&models(false))) },
    Stage { name: "mutants", about: "every seeded bug is caught", run: caught },
    Stage { name: "package", about: "every crate builds from its package", run: package },
    Stage { name: "bench", about: "every workload's answer is right", run: |_| ran(smoke()) },
    // Last, because its summary is what a reader of the log looks for.
    Stage { name: TEST, about: "every test passes in every feature set", run: |_| ran(tested()) },
];

const TEST: &str = "test";

pub fn run(flags: &Ci) -> Result<()> {
    let stages = select(&flags.stage)?;
    if flags.list {
        stages.iter().for_each(|stage| println!("{:<8} {}", stage.name, stage.about));
        return Ok(());
    }
    let workspace = Workspace::load()?;
    let mut report = Vec::new();
    let mut failed = Vec::new();
    for stage in stages {
        if stage.name == TEST {
            // Before it rather than at the end: after it nothing is printed, unless something failed.
            print_report(&mut report);
        }
        let header = Header::open(stage.name);
        let result = (stage.run)(&workspace);
        let outcome = match &result {
            Ok(Done::Ran) => "ok",
            Ok(Done::Skipped) => "skipped",
            Err(_) => "FAILED",
        };
        let line = format!("{:<8} {outcome:<8} {}", stage.name, human(header.clock.elapsed()));
        header.close(&line, result.is_ok());
        report.push(line);
        if let Err(error) = result {
            eprintln!("error: {error:#}");
            failed.push(stage.name);
            if !flags.keep_going {
                break;
            }
        }
    }
    if report.last().is_some_and(|last| !last.starts_with(TEST)) || !failed.is_empty() {
        print_report(&mut report);
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => bail!("failed stages: {}", failed.join(", ")),
    }
}

fn select(names: &[String]) -> Result<Vec<&'static Stage>> {
    let known = |name: &String| STAGES.iter().any(|stage| stage.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all = STAGES.map(|stage| stage.name).join(", ");
        bail!("no stage is called `{unknown}`; there are: {all}");
    }
    let chosen = |stage: &&Stage| names.is_empty() || names.iter().any(|name| name == stage.name);
    Ok(STAGES.iter().filter(chosen).collect())
}

fn print_report(report: &mut Vec<String>) {
    if !report.is_empty() {
        eprintln!("\n{}", report.join("\n"));
    }
    report.clear();
}

/// Where one stage begins and ends in the log.
struct Header {
    clock: Stopwatch,
    /// A forge folds what lies between. Not the tests: their summary is to be seen.
    folded: bool,
}

impl Header {
    fn open(name: &str) -> Self {
        let folded = name != TEST && env::var_os("GITHUB_ACTIONS").is_some();
        let (mark, blank) = if folded { ("::group::", "") } else { ("== ", "\n") };
        eprintln!("{blank}{mark}{name}");
        Self { clock: Stopwatch::start(), folded }
    }

    fn close(&self, line: &str, passed: bool) {
        if self.folded {
            eprintln!("::endgroup::");
        }
        if !(passed && line.starts_with(TEST)) {
            eprintln!("== {line}");
        }
    }
}

fn ran(result: Result<()>) -> Result<Done> {
    result.map(|()| Done::Ran)
}

fn has(workspace: &Workspace, tool: &str, component: &str) -> bool {
    let there = workspace.cargo().args([tool, "--version"]).succeeds();
    if !there {
        let install = format!("rustup component add {component}");
        skip(tool, &format!("{component} is not installed"), &install);
    }
    there
}

fn fmt(workspace: &Workspace) -> Result<Done> {
    if !has(workspace, "fmt", "rustfmt") {
        return Ok(Done::Skipped);
    }
    ran(workspace.cargo().args(["fmt", "--all", "--check"]).run())
}

fn clippy(workspace: &Workspace) -> Result<Done> {
    if !has(workspace, "clippy", "clippy") {
        return Ok(Done::Skipped);
    }
    let mut failures = Failures::default();
    let mut deny = |cmd: Cmd| failures.keep(cmd.args(["--", "-D", "warnings"]).run());
    for krate in &workspace.crates {
        for set in krate.feature_sets() {
            let cmd = workspace.cargo().args(["clippy", "--quiet", "-p", &krate.name]);
            deny(cmd.features(&set).arg("--all-targets"));
        }
        deny(workspace.loom_clippy().args([
            "--quiet",
            "--all-features",
            "--tests",
            "-p",
            &krate.name,
        ]));
    }
    deny(workspace.cargo().args(["clippy", "--quiet", "-p", "xtask", "--all-targets"]));
    ran(failures.finish())
}

/// A link to what a feature brings dangles without the feature. All 2^n sets would take longer than
/// the tests: each feature alone, the default and all are those that people read and build.
fn doc(workspace: &Workspace) -> Result<Done> {
    let mut failures = Failures::default();
    let doc = || workspace.cargo().flags("RUSTDOCFLAGS", &["-D", "warnings"]);
    let doc = || doc().args(["doc", "--quiet", "--no-deps"]);
    for krate in &workspace.crates {
        failures.keep(doc().args(["-p", &krate.name]).run());
        for set in krate.feature_sets().iter().filter(|set| set.len() == 1) {
            failures.keep(doc().args(["-p", &krate.name]).features(set).run());
        }
    }
    // Last, so that this is what lies under target/doc.
    failures.keep(doc().args(["--workspace", "--exclude", "xtask", "--all-features"]).run());
    ran(failures.finish())
}

fn models(mutants: bool) -> Loom {
    Loom { crates: vec![], model: None, mutants, deep: false, list: false }
}

fn caught(workspace: &Workspace) -> Result<Done> {
    let outcome = mutants::run(&models(true));
    // A runner's disk is small and its clone is not used again; a person's next run is the faster
    // for what this one has built.
    if env::var_os("CI").is_some() {
        let _ = fs::remove_dir_all(workspace.target.join("mutants"));
    }
    ran(outcome)
}

fn package(_: &Workspace) -> Result<Done> {
    ran(publish::run(&Publish { dry_run: true }))
}

fn smoke() -> Result<()> {
    bench::run(&Bench { crates: vec![], quick: false, go: false, save: false, smoke: true })
}

fn tested() -> Result<()> {
    test::run(&Test { crates: vec![] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_come_last() {
        assert_eq!(STAGES.last().map(|stage| stage.name), Some(TEST));
    }

    #[test]
    fn stages_run_in_their_own_order() {
        let names = ["tidy".to_owned(), "fmt".to_owned()];
        let chosen: Vec<_> =
            select(&names).expect("both are there").iter().map(|stage| stage.name).collect();
        assert_eq!(chosen, ["fmt", "tidy"]);
        assert_eq!(select(&[]).expect("all").len(), STAGES.len());
    }

    #[test]
    fn an_unknown_stage_is_answered_with_the_known_ones() {
        let error = select(&["lint".to_owned()]).map(|_| ()).expect_err("unknown");
        assert!(error.to_string().contains("fmt, clippy, doc"), "{error}");
    }
}
