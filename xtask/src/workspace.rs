//! The crates of the family, their features and their examples, as `cargo metadata` knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cmd::Cmd;

pub struct Workspace {
    pub root: PathBuf,
    pub target: PathBuf,
    pub crates: Vec<Crate>,
}

pub struct Crate {
    pub name: String,
    pub version: String,
    /// Where it lives, relative to the root.
    pub folder: String,
    pub dir: PathBuf,
    pub features: Features,
    pub examples: usize,
    /// Everything that it depends on, for users, tests and build scripts alike.
    pub dependencies: Vec<String>,
    pub published: bool,
}

/// Each feature with what it switches on.
pub type Features = BTreeMap<String, Vec<String>>;

/// A target that cargo has just built.
pub struct Executable {
    pub target: String,
    pub path: PathBuf,
}

/// Above this many features all subsets are too many to build.
const POWERSET_LIMIT: usize = 6;

impl Workspace {
    pub fn load() -> Result<Self> {
        // Set by `cargo run`, and by cargo for tests; else where xtask was built.
        let here = env::var("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").to_owned());
        let metadata = Cmd::cargo(Path::new(&here))
            .args(["metadata", "--no-deps", "--format-version=1"])
            .read()
            .context("cannot read the workspace")?;
        Self::from_metadata(&serde_json::from_str(&metadata)?)
    }

    fn from_metadata(metadata: &Value) -> Result<Self> {
        let root = PathBuf::from(text(metadata, "workspace_root")?);
        let target = PathBuf::from(text(metadata, "target_directory")?);
        let mut crates = list(metadata, "packages")
            .filter(|package| package["name"] != "xtask")
            .map(|package| Crate::from_metadata(package, &root))
            .collect::<Result<Vec<_>>>()?;
        crates.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root, target, crates })
    }

    /// The crates with these folder or package names; all when there are none.
    pub fn select(&self, names: &[String]) -> Result<Vec<&Crate>> {
        if names.is_empty() {
            return Ok(self.crates.iter().collect());
        }
        let known = |name: &String| {
            self.crates.iter().find(|krate| krate.folder == *name || krate.name == *name)
        };
        if let Some(unknown) = names.iter().find(|name| known(name).is_none()) {
            let folders: Vec<&str> = self.crates.iter().map(|krate| &*krate.folder).collect();
            bail!("no crate is called `{unknown}`; there are: {}", folders.join(", "));
        }
        Ok(names.iter().filter_map(known).collect())
    }

    pub fn cargo(&self) -> Cmd {
        Cmd::cargo(&self.root)
    }

    /// Tracked files and those about to be, relative to the root: what a clone would hold.
    pub fn files(&self) -> Result<Vec<String>> {
        let listed = Cmd::new("git", &self.root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .read()
            .context("git tells which files belong to the project")?;
        let files: BTreeSet<&str> = listed.split('\0').filter(|file| !file.is_empty()).collect();
        // A deleted file is listed until the deletion is staged.
        let present = |file: &&str| self.root.join(file).symlink_metadata().is_ok();
        Ok(files.into_iter().filter(present).map(str::to_owned).collect())
    }
}

impl Crate {
    fn from_metadata(package: &Value, root: &Path) -> Result<Self> {
        let manifest = Path::new(text(package, "manifest_path")?);
        let dir = manifest.parent().context("a manifest lies in a folder")?.to_owned();
        let folder = dir.strip_prefix(root).unwrap_or(&dir).to_string_lossy().replace('\\', "/");
        let strings = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(Into::into)
                .collect()
        };
        Ok(Self {
            name: text(package, "name")?.to_owned(),
            version: text(package, "version")?.to_owned(),
            folder,
            dir,
            features: package["features"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, brings)| (name.clone(), strings(brings)))
                .collect(),
            examples: list(package, "targets")
                .filter(|target| strings(&target["kind"]).iter().any(|kind| kind == "example"))
                .count(),
            dependencies: list(package, "dependencies")
                .filter_map(|dependency| dependency["name"].as_str())
                .map(str::to_owned)
                .collect(),
            // `publish = false` is an empty list of registries.
            published: package["publish"].as_array().is_none_or(|allowed| !allowed.is_empty()),
        })
    }

    pub fn feature_sets(&self) -> Vec<Vec<&str>> {
        feature_sets(&self.features)
    }

    /// The sets with which tests run, because each takes half a minute: those in which the optional
    /// features are all on or all off, for each choice of worlds. All sets are built by clippy.
    pub fn tested_sets(&self) -> Vec<Vec<&str>> {
        tested_sets(&self.features)
    }
}

impl Cmd {
    /// `--no-default-features --features …`: exactly these.
    pub fn features(self, set: &[&str]) -> Self {
        let cmd = self.arg("--no-default-features");
        if set.is_empty() { cmd } else { cmd.arg("--features").arg(set.join(",")) }
    }

    /// Builds, and returns the executables of this build: those of the targets of one kind (`lib`
    /// with its tests, `example`) of the package whose manifest lies in `dir`.
    ///
    /// Asking cargo is the only safe way: beside the current binary its folder holds those of
    /// earlier builds.
    pub fn executables(&self, dir: &Path, kind: &str) -> Result<Vec<Executable>> {
        let mut found = Vec::new();
        self.clone()
            .arg(MESSAGES)
            .for_each_line(|line| found.extend(executable(line, dir, kind)))?;
        Ok(found)
    }

    /// The same, silently; when the build fails, the inner error is what the compiler says.
    pub fn executables_or_errors(
        &self,
        dir: &Path,
        kind: &str,
    ) -> Result<Result<Vec<Executable>, String>> {
        let done = self.clone().arg(MESSAGES).output()?;
        if !done.status.success() {
            return Ok(Err(String::from_utf8_lossy(&done.stderr).into_owned()));
        }
        let messages = String::from_utf8_lossy(&done.stdout);
        Ok(Ok(messages.lines().filter_map(|line| executable(line, dir, kind)).collect()))
    }
}

const MESSAGES: &str = "--message-format=json-render-diagnostics";

fn executable(message: &str, dir: &Path, kind: &str) -> Option<Executable> {
    let message: Value = serde_json::from_str(message).ok()?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let target = &message["target"];
    let of_kind = target["kind"].as_array()?.iter().any(|it| it == kind);
    let ours = manifest.parent() == Some(dir);
    (ours && of_kind).then_some(())?;
    Some(Executable {
        target: target["name"].as_str()?.to_owned(),
        path: message["executable"].as_str()?.into(),
    })
}

/// Every subset of the features, smallest first, none twice: two subsets that switch the same
/// features on are one.
fn feature_sets(features: &Features) -> Vec<Vec<&str>> {
    let names: Vec<&str> =
        features.keys().map(String::as_str).filter(|name| *name != "default").collect();
    let mut sets: Vec<Vec<&str>> = if names.len() <= POWERSET_LIMIT {
        (0_u32..1 << names.len())
            .map(|bits| {
                let chosen = names.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
                chosen.map(|(_, name)| *name).collect()
            })
            .collect()
    } else {
        let each = names.iter().map(|name| vec![*name]);
        [vec![]].into_iter().chain(each).chain([names.clone()]).collect()
    };
    sets.sort_by_key(Vec::len);
    let mut seen = BTreeSet::new();
    sets.retain(|set| seen.insert(closure(features, set)));
    sets
}

/// Of the [`feature_sets`], those whose optional features are all on, as far as the chosen worlds
/// allow, or all off.
fn tested_sets(features: &Features) -> Vec<Vec<&str>> {
    let is_world = |name: &&str| ["sync", "async"].contains(name);
    let sets = feature_sets(features);
    let all_of = |worlds: &BTreeSet<&str>| {
        let same_worlds = |set: &&Vec<&str>| {
            closure(features, set).into_iter().filter(is_world).collect::<BTreeSet<_>>() == *worlds
        };
        sets.iter().filter(same_worlds).map(|set| closure(features, set).len()).max()
    };
    let is_tested = |set: &&Vec<&str>| {
        let on = closure(features, set);
        let worlds: BTreeSet<&str> = on.iter().copied().filter(is_world).collect();
        set.iter().all(is_world) || Some(on.len()) == all_of(&worlds)
    };
    sets.iter().filter(is_tested).cloned().collect()
}

fn closure<'f>(features: &'f Features, set: &[&'f str]) -> BTreeSet<&'f str> {
    let mut on = BTreeSet::new();
    let mut todo = set.to_vec();
    while let Some(name) = todo.pop() {
        if let Some(brings) = features.get(name).filter(|_| on.insert(name)) {
            todo.extend(brings.iter().map(String::as_str));
        }
    }
    on
}

fn text<'v>(value: &'v Value, key: &str) -> Result<&'v str> {
    value[key].as_str().with_context(|| format!("cargo's answer lacks `{key}`"))
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn features(list: &[(&str, &[&str])]) -> Features {
        let owned = |brings: &[&str]| brings.iter().map(|name| (*name).to_owned()).collect();
        list.iter().map(|(name, brings)| ((*name).to_owned(), owned(brings))).collect()
    }

    #[test]
    fn all_subsets_but_default() {
        let features = features(&[
            ("default", &["sync", "async"]),
            ("sync", &["dep:parking_lot"]),
            ("async", &[]),
        ]);
        let sets = feature_sets(&features);
        assert_eq!(sets, [vec![], vec!["async"], vec!["sync"], vec!["async", "sync"]]);
    }

    #[test]
    fn tests_run_with_all_that_is_optional_or_none_of_it() {
        let features = features(&[("async", &[]), ("serde", &[]), ("sync", &[]), ("tracing", &[])]);
        let sets = tested_sets(&features);
        assert_eq!(sets.len(), 8);
        assert!(sets.contains(&vec!["async", "serde", "tracing"]));
        assert!(!sets.iter().any(|set| set.contains(&"serde") != set.contains(&"tracing")));
    }

    #[test]
    fn subsets_that_mean_the_same_are_one() {
        let features = features(&[("rayon", &["sync", "dep:rayon"]), ("sync", &[])]);
        assert_eq!(feature_sets(&features), [vec![], vec!["rayon"], vec!["sync"]]);
    }

    #[test]
    fn many_features_are_not_multiplied_out() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let features = features(&names.map(|name| (name, &[] as &[&str])));
        let sets = feature_sets(&features);
        assert_eq!(sets.len(), 1 + 7 + 1);
        assert_eq!(sets[8], names);
    }

    fn family() -> Workspace {
        let package = |folder: &str| {
            json!({
                "name": format!("lockgate-{folder}"), "version": "0.1.0",
                "manifest_path": format!("r/{folder}/Cargo.toml"),
                "features": {}, "targets": [], "dependencies": [], "publish": null,
            })
        };
        let xtask = json!({ "name": "xtask", "manifest_path": "r/xtask/Cargo.toml" });
        let packages = [package("semaphore"), xtask, package("breaker")];
        Workspace::from_metadata(&json!({
            "workspace_root": "r", "target_directory": "r/target", "packages": packages,
        }))
        .expect("well formed")
    }

    #[test]
    fn a_crate_goes_by_its_folder_or_its_name() {
        let family = family();
        for name in ["semaphore", "lockgate-semaphore"] {
            let chosen = family.select(&[name.to_owned()]).expect("it is there");
            assert_eq!(chosen.len(), 1);
            assert_eq!(chosen[0].folder, "semaphore");
        }
        assert_eq!(family.select(&[]).expect("all").len(), 2);
    }

    #[test]
    fn an_unknown_crate_is_answered_with_the_known_ones() {
        let error = family().select(&["gate".to_owned()]).map(|_| ()).expect_err("unknown");
        let text = error.to_string();
        assert_eq!(text, "no crate is called `gate`; there are: breaker, semaphore");
    }

    #[test]
    fn only_executables_of_this_package_and_kind_count() {
        let message = |dir: &str, kind: &str, executable: Value| {
            json!({
                "reason": "compiler-artifact", "manifest_path": format!("{dir}/Cargo.toml"),
                "target": { "kind": [kind], "name": "t" }, "executable": executable,
            })
            .to_string()
        };
        let dir = Path::new("r/semaphore");
        let found = executable(&message("r/semaphore", "lib", json!("x/t-1")), dir, "lib");
        assert_eq!(found.expect("ours").path, Path::new("x/t-1"));
        assert!(executable(&message("r/other", "lib", json!("x/t-1")), dir, "lib").is_none());
        assert!(executable(&message("r/semaphore", "bin", json!("x/t-1")), dir, "lib").is_none());
        assert!(executable(&message("r/semaphore", "lib", Value::Null), dir, "lib").is_none());
        assert!(executable("not json", dir, "lib").is_none());
    }
}
