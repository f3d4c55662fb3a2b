//! `cargo xtask publish --dry-run`: would what we upload build for those who download it?

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cmd::{Failures, counted};
use crate::flags::Publish;
use crate::workspace::{Crate, Workspace};

/// What the folder of a crate holds as links, and its package as files.
const FILES: [&str; 5] =
    ["src/primitives.rs", "LICENSE-MIT", "LICENSE-APACHE", "README.md", "CHANGELOG.md"];

const CHECKLIST: &str = "\
Publishing is done by a human. For each crate that has changed:
  1. cargo xtask ci                     everything passes
  2. CHANGELOG.md                       a heading with the version and today's date
  3. Cargo.toml                         the same version; a break bumps 0.x
  4. cargo xtask publish --dry-run      the package builds
  5. git tag <crate>-v<version>         on the commit that is published
  6. cargo publish -p <crate>           from a clean checkout of the tag";

pub fn run(flags: &Publish) -> Result<()> {
    if !flags.dry_run {
        println!("{CHECKLIST}");
        bail!("nothing was published: give --dry-run, or follow the list");
    }
    let workspace = Workspace::load()?;
    workspace.cargo().args(["fetch", "--locked"]).run()?;
    let mut failures = Failures::default();
    for krate in &workspace.crates {
        let packaged = package(&workspace, krate);
        failures.keep(packaged.with_context(|| format!("package {}", krate.name)));
    }
    failures.finish()?;
    let packages = counted(workspace.crates.len(), "package");
    println!("publish: {packages}, each complete and built both ways");
    Ok(())
}

fn package(workspace: &Workspace, krate: &Crate) -> Result<()> {
    let Crate { name, version, .. } = krate;
    let cargo = || {
        // What was fetched is enough, and is what everything else was tested with. Left to itself,
        // `cargo package` asks the registry anew, and without a network asks for minutes.
        workspace.cargo().env("CARGO_NET_OFFLINE", "true")
    };
    let package = cargo().args(["package", "-p", name, "--allow-dirty"]);
    let listed = package.clone().args(["--quiet", "--list"]).read()?;
    let mut problems = missing(&listed);
    package.run()?;
    // Where cargo has just unpacked and built it: what a user's cargo would unpack.
    let unpacked = workspace.target.join("package").join(format!("{name}-{version}"));
    problems.extend(irregular(&unpacked));
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    for features in ["--no-default-features", "--all-features"] {
        let target = workspace.target.join("package-check");
        let target = workspace.relative(&target);
        let manifest = unpacked.join("Cargo.toml");
        let check = cargo().args(["check", features, "--manifest-path"]);
        check.arg(workspace.relative(&manifest)).arg("--target-dir").arg(target).run()?;
    }
    Ok(())
}

fn missing(listed: &str) -> Vec<String> {
    let listed: Vec<String> = listed.lines().map(|file| file.replace('\\', "/")).collect();
    let absent = FILES.iter().filter(|file| !listed.iter().any(|it| it == *file));
    absent.map(|file| format!("{file} is not in the package")).collect()
}

fn irregular(unpacked: &Path) -> Vec<String> {
    let is_file = |file: &&&str| {
        unpacked.join(file).symlink_metadata().is_ok_and(|metadata| metadata.is_file())
    };
    let others = FILES.iter().filter(|file| !is_file(file));
    others.map(|file| format!("{file} is not a regular file in the package")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_package_lacks_is_named() {
        let all = FILES.join("\n");
        assert!(missing(&all).is_empty());
        assert_eq!(missing(&all.replace("README.md", "x")), ["README.md is not in the package"]);
    }

    #[test]
    fn a_package_holds_files_and_no_links() {
        let empty = std::env::temp_dir().join("lockgate-xtask-no-such-package");
        assert_eq!(irregular(&empty).len(), FILES.len());
    }
}
