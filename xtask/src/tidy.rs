//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! Each rule is a pure function with a test that shows it failing; this file feeds them.

mod hazards;
mod layout;
mod manifest;
mod source;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::cmd::counted;
use crate::mutants;
use crate::rust::Source;
use crate::workspace::{Crate, Workspace};

/// Where and what; the line is counted from one, and zero when the whole file is meant.
type Finding = (String, usize, String);

struct Findings(Vec<Finding>);

pub fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let findings = check(&workspace)?;
    for (file, line, message) in &findings {
        match line {
            0 => println!("{file}: {message}"),
            line => println!("{file}:{line}: {message}"),
        }
    }
    match findings.len() {
        0 => println!("tidy: {}, nothing found", counted(workspace.crates.len(), "crate")),
        n => bail!("tidy found {}", counted(n, "thing")),
    }
    Ok(())
}

fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let files = workspace.files()?;
    let mut findings = Findings(Vec::new());
    let lock: Vec<_> = if files.iter().any(|file| file == "Cargo.lock") {
        vec![]
    } else {
        vec![(0, "is not committed; models and figures are only as good as their versions".into())]
    };
    findings.add("Cargo.lock", lock);
    for file in &files {
        check_file(workspace, file, &mut findings)?;
    }
    let family: Vec<&str> = workspace.crates.iter().map(|krate| &*krate.name).collect();
    for krate in &workspace.crates {
        check_crate(workspace, krate, &family, &mut findings)?;
        check_hazards(workspace, krate, &files, &mut findings)?;
    }
    findings.0.sort();
    Ok(findings.0)
}

fn check_file(workspace: &Workspace, file: &str, findings: &mut Findings) -> Result<()> {
    let path = workspace.root.join(file);
    // A linked file is checked where it really is.
    if path.is_symlink() {
        return Ok(());
    }
    let bytes = fs::read(&path).with_context(|| format!("cannot read {file}"))?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(());
    };
    findings.add(file, layout::machine_paths(&text));
    if file.ends_with(".rs") {
        findings.add(file, source::too_long(file, &text));
        findings.add(file, source::check(file, &Source::new(&text)));
    }
    Ok(())
}

fn check_crate(
    workspace: &Workspace,
    krate: &Crate,
    family: &[&str],
    findings: &mut Findings,
) -> Result<()> {
    for (file, problem) in layout::check(workspace, krate) {
        findings.add(&format!("{}/{file}", krate.folder), vec![(0, problem)]);
    }
    let manifest = format!("{}/Cargo.toml", krate.folder);
    let text = fs::read_to_string(workspace.root.join(&manifest))?;
    findings.add(&manifest, manifest::check(&text).with_context(|| manifest.clone())?);
    findings.add(&manifest, manifest::standing(krate, family));
    Ok(())
}

fn check_hazards(
    workspace: &Workspace,
    krate: &Crate,
    files: &[String],
    findings: &mut Findings,
) -> Result<()> {
    let design = format!("{}/DESIGN.md", krate.folder);
    // That it is missing is a finding of its own.
    let text = fs::read_to_string(workspace.root.join(&design)).unwrap_or_default();
    let hazards = hazards::table(&text);
    let tests = hazards::Tests::read(&workspace.root, krate, files)?;
    let mutants = match mutants::load(&workspace.root, &krate.folder) {
        Ok(mutants) => mutants,
        Err(error) => {
            let home = format!("xtask/mutants/{}", krate.folder);
            findings.add(&home, vec![(0, format!("{error:#}"))]);
            return Ok(());
        }
    };
    findings.add(&design, hazards::check_table(&hazards, &tests, &mutants));
    for mutant in &mutants {
        findings.add(&mutant.path, hazards::check_mutant(mutant, &hazards, &tests));
        if let Err(problem) = mutant.applied(&krate.dir) {
            findings.add(&mutant.path, vec![(0, format!("does not apply: {problem}"))]);
        }
    }
    Ok(())
}

impl Findings {
    fn add(&mut self, file: &str, found: Vec<(usize, String)>) {
        self.0.extend(found.into_iter().map(|(line, message)| (file.to_owned(), line, message)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let workspace = Workspace::load().expect("cargo knows the workspace");
        let findings = check(&workspace).expect("the workspace can be read");
        assert!(findings.is_empty(), "{findings:#?}");
    }
}
