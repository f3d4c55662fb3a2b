//! `cargo xtask loom --mutants`: each hazard's bug is put back, and its model must see it.
//!
//! A model that cannot fail proves nothing. The bugs lie in `xtask/mutants/<crate folder>/` as
//! small edits, applied to a copy of the workspace under `target/`, never to the sources.

mod file;
mod tree;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cmd::{Cmd, Stopwatch, counted, human, tail};
use crate::flags::Loom;
use crate::loom::binary::{Kind, TestBinary, build_command};
use crate::workspace::{Crate, Workspace};
#[cfg(test)]
pub use file::Named;
pub use file::{Mutant, load};
use tree::Tree;

/// A model that meets its bug ends within seconds.
const LIMIT: Duration = Duration::from_secs(120);

const TAIL: usize = 40;

enum Fate {
    Caught,
    Survived { output: String },
    DoesNotApply(String),
    DoesNotCompile { output: String },
    TimedOut,
}

pub fn run(flags: &Loom) -> Result<()> {
    if flags.deep {
        bail!("--mutants and --deep exclude each other: a mutant must be caught within the bounds");
    }
    let workspace = Workspace::load()?;
    let crates = workspace.select(&flags.crates)?;
    let clock = Stopwatch::start();
    let mut trees = Vec::new();
    let (mut total, mut caught) = (0, 0);
    for krate in crates {
        let mut mutants = load(&workspace.root, &krate.folder)?;
        mutants.retain(|mutant| flags.model.as_ref().is_none_or(|part| mutant.is_called(part)));
        if mutants.is_empty() {
            println!("{}: no mutants", krate.folder);
        } else if flags.list {
            mutants.iter().for_each(|mutant| list(krate, mutant));
        } else {
            // Each lane has a tree and a target folder of its own, which it keeps for all crates.
            while trees.len() < lanes().min(mutants.len()) {
                trees.push(Tree::copy(&workspace, trees.len())?);
            }
            total += mutants.len();
            caught += run_crate(&workspace, &trees, krate, &mutants)?;
        }
    }
    if flags.list {
        return Ok(());
    }
    println!("mutants: {caught} of {total} caught in {}", human(clock.elapsed()));
    if caught < total {
        bail!("not caught: {}", counted(total - caught, "mutant"));
    }
    Ok(())
}

fn list(krate: &Crate, mutant: &Mutant) {
    println!(
        "{}: {} ({}, {}): {}",
        krate.folder, mutant.name, mutant.hazard, mutant.by, mutant.why
    );
}

/// How many mutants run at a time. A build keeps several cores busy and a model only one, so on few
/// cores, one for each is right; more trees would be more dependencies to build.
fn lanes() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

fn run_crate(
    workspace: &Workspace,
    trees: &[Tree],
    krate: &Crate,
    mutants: &[Mutant],
) -> Result<usize> {
    for kind in [Kind::Loom, Kind::Plain] {
        if mutants.iter().any(|mutant| mutant.by.kind() == kind) {
            let tree = &trees[0];
            let build = build(workspace, tree, krate, kind);
            let place = workspace.relative(&tree.root).display();
            eprintln!("$ cd {place} && {build}   # each mutant, {} at a time", trees.len());
        }
    }
    let width = mutants.iter().map(|mutant| mutant.name.len()).max().unwrap_or(0);
    println!("{}: {}", krate.folder, counted(mutants.len(), "mutant"));
    let next = AtomicUsize::new(0);
    let outcome = Mutex::new(Ok(0));
    let lane = |tree: &Tree| {
        // ORDERING: Relaxed: a counter, and the mutants were there before the lanes.
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let clock = Stopwatch::start();
            let fate = run_mutant(workspace, tree, krate, mutant)
                .with_context(|| format!("mutant {}", mutant.name));
            let mut outcome = outcome.lock().expect("no lane panics while it prints");
            let Ok(caught) = &mut *outcome else { return };
            let fate = match fate {
                Ok(fate) => fate,
                Err(error) => {
                    // The first failure of the machinery ends all lanes.
                    *outcome = Err(error);
                    return;
                }
            };
            let Mutant { name, hazard, by, .. } = mutant;
            let time = human(clock.elapsed());
            println!("  {name:<width$}  {hazard:<4}  {:<14}  {time:>8}  {by}", fate.word());
            print!("{}", fate.details(mutant));
            *caught += usize::from(matches!(fate, Fate::Caught));
        }
    };
    thread::scope(|scope| {
        for tree in trees {
            scope.spawn(|| lane(tree));
        }
    });
    outcome.into_inner().expect("no lane panics while it prints")
}

fn run_mutant(workspace: &Workspace, tree: &Tree, krate: &Crate, mutant: &Mutant) -> Result<Fate> {
    let dir = tree.root.join(&krate.folder);
    let changed = match mutant.applied(&dir) {
        Ok(changed) => changed,
        Err(problem) => return Ok(Fate::DoesNotApply(problem)),
    };
    // Put back when this goes out of scope, whatever happened.
    let _edited = tree.edit(&changed)?;
    let build = build(workspace, tree, krate, mutant.by.kind()).dir(&tree.root);
    let binary = match TestBinary::try_build(&build, &dir)? {
        Ok(binary) => binary,
        Err(output) => return Ok(Fate::DoesNotCompile { output }),
    };
    let Some(test) = binary.tests()?.into_iter().find(|path| mutant.by.names(path)) else {
        return Ok(Fate::DoesNotApply(format!("there is no {}", mutant.by)));
    };
    let done = binary.model(&test, false).finish_within(LIMIT)?;
    Ok(match done {
        done if done.timed_out => Fate::TimedOut,
        done if done.status.success() => Fate::Survived { output: done.output },
        _ => Fate::Caught,
    })
}

fn build(workspace: &Workspace, tree: &Tree, krate: &Crate, kind: Kind) -> Cmd {
    // One target folder for all mutants of a tree, so that only the crate itself is rebuilt, and of
    // that only what the edit reaches, also where the environment says that nothing is built twice.
    let cargo = workspace.cargo().env("CARGO_INCREMENTAL", "1");
    build_command(cargo, &krate.name, kind, &tree.target)
}

impl Fate {
    fn word(&self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Survived { .. } => "SURVIVED",
            Self::DoesNotApply(_) => "does not apply",
            Self::DoesNotCompile { .. } => "does not compile",
            Self::TimedOut => "timed out",
        }
    }

    fn details(&self, mutant: &Mutant) -> String {
        let explanation = match self {
            Self::Caught => return String::new(),
            Self::Survived { output } => tail(output, 5),
            Self::DoesNotApply(problem) => format!("    {problem}\n"),
            Self::DoesNotCompile { output } => tail(output, TAIL),
            Self::TimedOut => format!("    killed after {}\n", human(LIMIT)),
        };
        format!("    {}: {}\n{explanation}", mutant.path, mutant.why)
    }
}
