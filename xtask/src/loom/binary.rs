//! The unit tests of one crate, built with or without loom, and started one at a time.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cmd::Cmd;
use crate::workspace::{Crate, Executable, Workspace};

/// Under which the facade names loom's primitives. A cfg of our own: RUSTFLAGS reach every
/// dependency, and some change under a bare `loom`.
const CFG: [&str; 2] = ["--cfg", "lockgate_loom"];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Loom,
    Plain,
}

pub struct TestBinary {
    path: PathBuf,
    /// Where cargo would start it.
    dir: PathBuf,
}

impl TestBinary {
    /// Builds the crate's unit tests; shows the command, and what the compiler says.
    pub fn build(workspace: &Workspace, krate: &Crate, kind: Kind) -> Result<Self> {
        let target = workspace.loom_target();
        let target = workspace.relative(&target);
        let cmd = build_command(workspace.cargo(), &krate.name, kind, target);
        cmd.show();
        Self::pick(cmd.executables(&krate.dir, "lib")?, &krate.dir)
    }

    /// Builds silently; when that fails, the inner error is what the compiler says.
    pub fn try_build(cmd: &Cmd, dir: &Path) -> Result<Result<Self, String>> {
        match cmd.executables_or_errors(dir, "lib")? {
            Ok(built) => Self::pick(built, dir).map(Ok),
            Err(errors) => Ok(Err(errors)),
        }
    }

    fn pick(mut built: Vec<Executable>, dir: &Path) -> Result<Self> {
        let path = built.pop().context("the build made no test executable")?.path;
        Ok(Self { path, dir: dir.to_owned() })
    }

    pub fn tests(&self) -> Result<Vec<String>> {
        let listed =
            Cmd::new(&self.path, &self.dir).args(["--list", "--format", "terse"]).read()?;
        Ok(listed.lines().filter_map(|line| line.strip_suffix(": test")).map(Into::into).collect())
    }

    /// The tests in modules called `loom_…`.
    pub fn models(&self) -> Result<Vec<String>> {
        Ok(self.tests()?.into_iter().filter(|path| is_model(path)).collect())
    }

    /// One test, alone in its process.
    pub fn test(&self, path: &str) -> Cmd {
        Cmd::new(&self.path, &self.dir).args(["--exact", path, "--nocapture", "--test-threads=1"])
    }

    pub fn model(&self, path: &str, deep: bool) -> Cmd {
        let cmd = self.test(path);
        if deep {
            cmd.env("LOCKGATE_LOOM_DEEP", "1")
        } else {
            cmd.without_env("LOCKGATE_LOOM_DEEP")
        }
    }
}

impl Workspace {
    /// Apart from the other builds, which would else be thrown away with each change of flags.
    pub fn loom_target(&self) -> PathBuf {
        self.target.join("loom")
    }

    /// What clippy needs in order to see the code that only models compile.
    pub fn loom_clippy(&self) -> Cmd {
        let cmd = self.cargo().flags("RUSTFLAGS", &CFG).arg("clippy");
        cmd.arg("--target-dir").arg(self.relative(&self.loom_target()))
    }

    /// As short as it can be typed at the root.
    pub fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

pub fn build_command(cargo: Cmd, package: &str, kind: Kind, target: &Path) -> Cmd {
    let cmd = cargo.args(["test", "--lib", "--all-features", "--no-run", "-p", package]);
    let cmd = match kind {
        Kind::Loom => cmd.flags("RUSTFLAGS", &CFG).args(["--profile", "loom"]),
        Kind::Plain => cmd,
    };
    cmd.arg("--target-dir").arg(target)
}

fn is_model(path: &str) -> bool {
    path.split("::").any(|component| component.starts_with("loom_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_its_module() {
        assert!(is_model("tests::loom_cancel::front_cancel_wakes_next"));
        assert!(!is_model("tests::state::a_bloom_filter_is_no_loom_model"));
        assert!(!is_model("tests::bloom_filter::is_none"));
    }

    #[test]
    fn models_are_built_with_the_cfg_of_the_family() {
        let cmd =
            |kind| build_command(Cmd::cargo(Path::new(".")), "p", kind, Path::new("t")).to_string();
        assert!(cmd(Kind::Loom).contains("--cfg lockgate_loom"));
        assert!(cmd(Kind::Loom).contains("--profile loom"));
        assert!(!cmd(Kind::Plain).contains("loom"));
    }
}
