//! What a figure means nothing without: the machine, the toolchain, the versions, the load.

use std::path::Path;
use std::time::SystemTime;
use std::{env, fmt, fs, thread};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cmd::Cmd;
use crate::workspace::Workspace;

pub struct Meta {
    /// In UTC, to the second.
    pub date: String,
    pub commit: String,
    pub cpu: String,
    pub cores: usize,
    pub os: String,
    pub rustc: String,
    pub rounds: String,
    /// One and five minutes, as the system gives it.
    pub load_before: String,
    pub load_after: String,
    /// Of ours, of the rivals and of the harness.
    pub versions: Vec<(String, String)>,
}

impl Meta {
    /// Everything but the load afterwards.
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let root = &*workspace.root;
        let metadata = workspace.cargo().args(["metadata", "--format-version=1"]).read()?;
        Ok(Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            commit: commit(root),
            cpu: cpu(),
            cores: thread::available_parallelism().map_or(0, usize::from),
            os: answer("uname", &["-sr"], root).map_or(env::consts::OS.to_owned(), |kernel| {
                format!("{kernel} {}", env::consts::ARCH)
            }),
            rustc: answer("rustc", &["-V"], root).context("rustc does not answer")?,
            rounds: String::new(),
            load_before: load(),
            load_after: String::new(),
            versions: versions(&serde_json::from_str(&metadata)?),
        })
    }

    pub fn to_json(&self) -> Value {
        let versions: serde_json::Map<String, Value> =
            self.versions.iter().map(|(name, version)| (name.clone(), json!(version))).collect();
        json!({
            "date": self.date,
            "commit": self.commit,
            "cpu": self.cpu,
            "cores": self.cores,
            "os": self.os,
            "rustc": self.rustc,
            "rounds": self.rounds,
            "load_before": self.load_before,
            "load_after": self.load_after,
            "versions": versions,
        })
    }
}

impl fmt::Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<String> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(f, "{}, commit {}, {} rounds", self.date, self.commit, self.rounds)?;
        writeln!(f, "{}, {} cores, {}", self.cpu, self.cores, self.os)?;
        writeln!(f, "load {} before, {} after", self.load_before, self.load_after)?;
        write!(f, "{}; {}", self.rustc, versions.join(", "))
    }
}

/// One and five minutes.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").ok();
    let text = text.or_else(|| answer("sysctl", &["-n", "vm.loadavg"], Path::new(".")));
    let numbers = text.as_deref().unwrap_or_default().split_whitespace();
    let two: Vec<&str> = numbers.filter(|word| word.parse::<f64>().is_ok()).take(2).collect();
    if two.is_empty() { "unknown".to_owned() } else { two.join(" ") }
}

fn commit(root: &Path) -> String {
    let Some(commit) = answer("git", &["rev-parse", "--short=10", "HEAD"], root) else {
        return "unknown".to_owned();
    };
    let changed = answer("git", &["status", "--porcelain"], root).is_some_and(|it| !it.is_empty());
    if changed { format!("{commit}-changed") } else { commit }
}

fn cpu() -> String {
    let of_linux = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    of_linux
        .or_else(|| answer("sysctl", &["-n", "machdep.cpu.brand_string"], Path::new(".")))
        .unwrap_or_else(|| "unknown CPU".to_owned())
}

/// What xtask's benches depend on directly, as `cargo metadata` resolved it.
fn versions(metadata: &Value) -> Vec<(String, String)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    let xtask = packages.iter().find(|package| package["name"] == "xtask");
    let nodes = list(&metadata["resolve"]["nodes"]);
    let node = nodes.iter().find(|node| xtask.is_some_and(|it| it["id"] == node["id"]));
    let is_dev = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"] == "dev");
    let deps = node.map(|node| list(&node["deps"])).unwrap_or_default();
    let mut versions: Vec<(String, String)> = deps
        .iter()
        .filter(|dep| is_dev(dep))
        .filter_map(|dep| packages.iter().find(|package| package["id"] == dep["pkg"]))
        .filter_map(|it| {
            Some((it["name"].as_str()?.to_owned(), it["version"].as_str()?.to_owned()))
        })
        .collect();
    versions.sort();
    versions
}

/// The first line that a program prints, if it is there and succeeds.
fn answer(program: &str, args: &[&str], dir: &Path) -> Option<String> {
    let output = Cmd::new(program, dir).args(args).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().to_owned();
    output.status.success().then_some(line)
}
