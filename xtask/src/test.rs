//! `cargo xtask test`: everything that must pass, with what a user can choose.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::cmd::{Cmd, Failures, skip, tail};
use crate::flags::Test;
use crate::workspace::{Crate, Workspace};

/// Examples end by themselves, and soon.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(60);

pub fn run(flags: &Test) -> Result<()> {
    let workspace = Workspace::load()?;
    let crates = workspace.select(&flags.crates)?;
    let mut failures = Failures::default();
    for krate in &crates {
        for set in krate.tested_sets() {
            let cmd = workspace.cargo().args(["test", "--quiet", "-p", &krate.name]);
            failures.keep(cmd.features(&set).args(["--lib", "--tests"]).run());
        }
    }
    for krate in &crates {
        let cmd = workspace.cargo().args(["test", "--quiet", "--doc", "-p", &krate.name]);
        failures.keep(cmd.arg("--all-features").run());
        if krate.examples > 0 {
            let built = examples(&workspace, krate, &mut failures);
            failures.keep(built);
        }
    }
    let packages: Vec<&str> = if flags.crates.is_empty() {
        vec!["--workspace"]
    } else {
        crates.iter().flat_map(|krate| ["-p", &*krate.name]).collect()
    };
    // Last, so that its summary is the last thing printed when all went well.
    failures.keep(closing_run(&workspace, &packages));
    failures.finish()
}

/// Builds the examples of a crate and runs each.
///
/// They are started here rather than by `cargo run`, whose child would outlive it when the time is
/// up.
fn examples(workspace: &Workspace, krate: &Crate, failures: &mut Failures) -> Result<()> {
    let build = ["build", "--quiet", "--examples", "--all-features", "-p", &krate.name];
    let build = workspace.cargo().args(build);
    build.show();
    for example in build.executables(&krate.dir, "example")? {
        let run = ["run", "--all-features", "-p", &krate.name, "--example", &example.target];
        let shown = workspace.cargo().args(run);
        shown.show();
        let done = Cmd::new(&example.path, &workspace.root).finish_within(EXAMPLE_LIMIT)?;
        if done.timed_out || !done.status.success() {
            eprint!("{}", tail(&done.output, 40));
            let how =
                if done.timed_out { "it does not end".into() } else { done.status.to_string() };
            failures.keep(Err(anyhow!("`{shown}` failed: {how}")));
        }
    }
    Ok(())
}

fn closing_run(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let cargo = workspace.cargo();
    if cargo.clone().args(["nextest", "--version"]).succeeds() {
        let cmd = cargo.args(["nextest", "run"]).args(packages);
        return cmd.args(["--all-features", "--no-fail-fast"]).run();
    }
    skip("nextest", "cargo-nextest is not installed", "cargo install --locked cargo-nextest");
    let cmd = cargo.arg("test").args(packages).args(["--all-features", "--no-fail-fast"]);
    cmd.show();
    let (mut passed, mut failed) = (0, 0);
    let outcome = cmd.for_each_line(|line| {
        println!("{line}");
        if let Some((more_passed, more_failed)) = counts(line) {
            passed += more_passed;
            failed += more_failed;
        }
    });
    println!("\n{passed} passed, {failed} failed");
    if outcome.is_ok() && passed == 0 {
        bail!("`{cmd}` ran no test");
    }
    outcome
}

/// How many passed and failed, from the line with which the harness closes each binary.
fn counts(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| {
        let mut parts = counts.split(';').map(str::trim);
        parts.find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some((count("passed")?, count("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_the_harness_are_summed() {
        let line = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out";
        assert_eq!(counts(line), Some((12, 0)));
        let line = "test result: FAILED. 3 passed; 2 failed; 0 ignored; finished in 0.00s";
        assert_eq!(counts(line), Some((3, 2)));
        assert_eq!(counts("test tests::state::x ... ok"), None);
    }
}
