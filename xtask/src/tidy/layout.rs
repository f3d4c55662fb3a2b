//! Rules for the files that every crate has, and for what no file may contain.

use std::fs;
use std::path::Path;

use crate::workspace::{Crate, Workspace};

/// The crate that holds the one real file of what all crates share.
const HOME: &str = "semaphore";
const PRIMITIVES: &str = "src/primitives.rs";
/// Every crate links the first, and of the others what it has use for.
const SHARED: [&str; 4] = [PRIMITIVES, "src/parker.rs", "src/cores.rs", "src/waiters.rs"];

const REQUIRED: [&str; 7] = [
    "README.md",
    "CHANGELOG.md",
    "DESIGN.md",
    "src/lib.rs",
    "src/error.rs",
    PRIMITIVES,
    "tests/it/main.rs",
];

/// What is wrong with a crate's files: each file, relative to the crate, with its problem.
pub fn check(workspace: &Workspace, krate: &Crate) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut add = |file: &str, problem: Option<String>| {
        found.extend(problem.map(|problem| (file.to_owned(), problem)));
    };
    for file in REQUIRED {
        let absent = !krate.dir.join(file).exists();
        add(file, absent.then(|| "is missing; every crate has one".to_owned()));
    }
    for shared in SHARED {
        let file = krate.dir.join(shared);
        if krate.folder == HOME {
            let problem = "is a link; the one real file is here".to_owned();
            add(shared, file.is_symlink().then_some(problem));
        } else if shared == PRIMITIVES || file.exists() {
            add(shared, unlinked(&file, &format!("../../{HOME}/{shared}")));
        }
    }
    for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
        add(license, unlinked(&krate.dir.join(license), &format!("../{license}")));
        let root = workspace.root.join(license);
        add(license, (!root.is_file()).then(|| "there is none at the root".to_owned()));
    }
    if let Ok(text) = fs::read_to_string(krate.dir.join("CHANGELOG.md")) {
        add("CHANGELOG.md", no_heading(&text, &krate.version));
    }
    found
}

/// Why the file at `path` is not a link to `to`.
fn unlinked(path: &Path, to: &str) -> Option<String> {
    if let Ok(target) = fs::read_link(path) {
        let right = target == Path::new(to);
        return (!right).then(|| format!("links to {}, not to {to}", target.display()));
    }
    Some(match fs::read_to_string(path) {
        Ok(text) if text.trim() == to => {
            "was checked out as a text file: run `git config core.symlinks true`, then \
             `git checkout -- .` (on Windows with Developer Mode on)"
                .to_owned()
        }
        Ok(_) => format!("is a copy; make it a link to {to}"),
        Err(_) => format!("is missing; make it a link to {to}"),
    })
}

fn no_heading(changelog: &str, version: &str) -> Option<String> {
    let names = |line: &str| {
        let words = line.split(|c: char| c.is_whitespace() || "[]()".contains(c));
        line.starts_with('#') && words.into_iter().any(|word| word == version)
    };
    let named = changelog.lines().any(names);
    (!named).then(|| format!("has no heading for {version}, the version in Cargo.toml"))
}

/// Lines with a path that only one machine has.
pub fn machine_paths(text: &str) -> Vec<(usize, String)> {
    // Put together here, so that this file is clean.
    let roots = ["work", "home", "root"].map(|folder| format!("/{folder}/"));
    let starts = |line: &str, root: &str| {
        line.match_indices(root).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-/~*}>)".contains(c))
        })
    };
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(root) = roots.iter().find(|root| starts(line, root)) {
            found.push((at + 1, format!("`{root}…` is a path of one machine")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_tells_of_this_version() {
        let text = "# Changelog\n\n## [0.1.0] - 2026-11-23\n\nAs in 0.2.0.\n";
        assert_eq!(no_heading(text, "0.1.0"), None);
        assert_eq!(no_heading("## 0.1.0 (unreleased)", "0.1.0"), None);
        assert!(no_heading(text, "0.2.0").is_some());
        assert!(no_heading("## 10.1.0", "0.1.0").is_some());
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for folder in ["work", "home", "root"] {
            let found = machine_paths(&format!("fine\nsee /{folder}/x\n\"/{folder}/\""));
            let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
            assert_eq!(lines, [2, 3]);
            assert!(machine_paths(&format!("crates/{folder}/x")).is_empty());
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_a_link_to_the_right_place() {
        let dir = std::env::temp_dir().join(format!("lockgate-xtask-link-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("temporary files can be written");
        let link = |name: &str, to: &str| {
            std::os::unix::fs::symlink(to, dir.join(name)).expect("links can be made");
        };
        let file = |name: &str, text: &str| {
            fs::write(dir.join(name), text).expect("temporary files can be written");
        };
        link("right", "../L");
        link("wrong", "../M");
        file("copy", "Permission is hereby granted");
        file("text", "../L\n");
        let problem = |name: &str| unlinked(&dir.join(name), "../L").unwrap_or_default();
        assert_eq!(problem("right"), "");
        assert!(problem("wrong").contains("links to ../M"));
        assert!(problem("copy").contains("is a copy"));
        assert!(problem("text").contains("core.symlinks"));
        assert!(problem("none").contains("is missing"));
        fs::remove_dir_all(dir).expect("temporary files can be removed");
    }
}
