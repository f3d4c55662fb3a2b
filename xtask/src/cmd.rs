//! Processes: what is run is shown first, so that anybody can run it again by hand.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fmt};

use anyhow::{Context, Result, bail};

/// A command that is yet to be run.
///
/// Its `Display` is what a reader would type: `cargo`, although what is started is the very cargo
/// that runs xtask.
#[derive(Clone)]
pub struct Cmd {
    program: OsString,
    shown: String,
    args: Vec<OsString>,
    envs: Vec<(String, OsString)>,
    unset: Vec<String>,
    dir: PathBuf,
}

/// How a process ended that was given a limited time.
pub struct Finished {
    pub status: ExitStatus,
    /// Standard output and standard error, in the order in which they were written.
    pub output: String,
    pub timed_out: bool,
}

impl Cmd {
    pub fn new(program: impl AsRef<OsStr>, dir: &Path) -> Self {
        let program = program.as_ref().to_owned();
        let shown = program.to_string_lossy().into_owned();
        Self { program, shown, args: vec![], envs: vec![], unset: vec![], dir: dir.to_owned() }
    }

    pub fn cargo(dir: &Path) -> Self {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self { shown: "cargo".to_owned(), ..Self::new(program, dir) }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = dir.to_owned();
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.unset.push(name.to_owned());
        self
    }

    /// Adds to `RUSTFLAGS` or `RUSTDOCFLAGS`, keeping what the caller's environment says.
    pub fn flags(self, name: &str, more: &[&str]) -> Self {
        // The encoded form wins over the plain one, so whoever sets it must be added to there.
        let encoded = format!("CARGO_ENCODED_{name}");
        let (name, separator) = match env::var_os(&encoded) {
            Some(_) => (encoded.as_str(), "\x1f"),
            None => (name, " "),
        };
        let more = more.join(separator);
        let value = match env::var(name) {
            Ok(old) if !old.trim().is_empty() => format!("{old}{separator}{more}"),
            _ => more,
        };
        self.env(name, value)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.dir);
        command.envs(self.envs.iter().map(|(name, value)| (name, value)));
        for name in &self.unset {
            command.env_remove(name);
        }
        command
    }

    fn spawn(&self, command: &mut Command) -> Result<Child> {
        command.spawn().with_context(|| format!("cannot start `{self}`"))
    }

    pub fn show(&self) {
        eprintln!("$ {self}");
    }

    /// Shows and runs it, its output going where ours goes.
    pub fn run(&self) -> Result<()> {
        self.show();
        let status = self.spawn(&mut self.command())?.wait()?;
        self.expect_success(status)
    }

    /// Runs it, handing over each line of its standard output as it comes. Not shown: the caller
    /// decides.
    pub fn for_each_line(&self, mut line: impl FnMut(&str)) -> Result<()> {
        let mut child = self.spawn(self.command().stdout(Stdio::piped()))?;
        let output = child.stdout.take().context("standard output was asked for")?;
        for text in BufReader::new(output).lines() {
            line(&text?);
        }
        self.expect_success(child.wait()?)
    }

    /// Its standard output. Not shown: for questions that change nothing.
    pub fn read(&self) -> Result<String> {
        let mut child = self.spawn(self.command().stdout(Stdio::piped()))?;
        let mut text = String::new();
        child.stdout.take().context("standard output was asked for")?.read_to_string(&mut text)?;
        self.expect_success(child.wait()?)?;
        Ok(text)
    }

    /// Runs it silently to its end. Not shown.
    pub fn output(&self) -> Result<Output> {
        self.command().output().with_context(|| format!("cannot start `{self}`"))
    }

    /// Whether it can be started and succeeds; silent.
    pub fn succeeds(&self) -> bool {
        self.output().is_ok_and(|done| done.status.success())
    }

    /// Runs it silently, and kills it when `limit` has passed. Not shown.
    pub fn finish_within(&self, limit: Duration) -> Result<Finished> {
        let (mut reader, writer) = io::pipe()?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = self.spawn(&mut command)?;
        // `command` holds our copies of the pipe's writing end: the reader would wait for them.
        drop(command);
        let (sender, done) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = reader.read_to_end(&mut bytes);
            // The receiver may have given up.
            let _ = sender.send(bytes);
        });
        let (bytes, timed_out) = match done.recv_timeout(limit) {
            Ok(bytes) => (bytes, false),
            Err(_) => {
                child.kill()?;
                // A grandchild may keep the pipe open for ever.
                (done.recv_timeout(Duration::from_secs(2)).unwrap_or_default(), true)
            }
        };
        let output = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Finished { status: child.wait()?, output, timed_out })
    }

    fn expect_success(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("`{self}` failed: {status}");
        }
        Ok(())
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.envs {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", self.shown)?;
        for arg in &self.args {
            write!(f, " {}", quoted(arg))?;
        }
        Ok(())
    }
}

fn quoted(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    if text.is_empty() || text.contains([' ', '\x1f', '"', '\'', '$']) {
        format!("{text:?}")
    } else {
        text.into_owned()
    }
}

/// Collects what failed, so that one run shows the whole picture.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    pub fn keep(&mut self, result: Result<()>) {
        if let Err(error) = result {
            eprintln!("error: {error:#}");
            self.0.push(format!("{error:#}"));
        }
    }

    pub fn finish(self) -> Result<()> {
        match self.0.as_slice() {
            [] => Ok(()),
            failures => bail!("{} failed:\n  {}", failures.len(), failures.join("\n  ")),
        }
    }
}

/// Says that something was left out because a tool is absent, and what brings the tool.
pub fn skip(what: &str, reason: &str, install: &str) {
    eprintln!("SKIP {what}: {reason}; install with `{install}`");
}

/// Wall-clock time, for people to read.
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a tool's own time is nothing a model explores")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// `850 ms`, `12.3 s`, `4 min 05 s`.
pub fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    match time.as_millis() {
        millis @ 0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// `1 model`, `2 models`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The last `count` lines of `text`, indented, for a report. Without the frames of backtraces:
/// an abort prints them unasked, and they would push out what went wrong.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim().lines().filter(|line| !is_frame(line)).collect();
    let skipped = lines.len().saturating_sub(count);
    lines[skipped..].iter().map(|line| format!("    | {line}\n")).collect()
}

/// `  12: core::ops::…`, `             at src/lib.rs:3:4`.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.split(": ").next().unwrap_or_default();
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    line.starts_with(' ') && text.contains(':') && (numbered || text.starts_with("at "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let cmd = Cmd::cargo(Path::new(".")).args(["test", "-p", "a b"]).env("X", "--cfg y");
        assert_eq!(cmd.to_string(), "X=\"--cfg y\" cargo test -p \"a b\"");
    }

    /// Starts itself a second time, as the process that never ends: nothing else is sure to be
    /// on every machine.
    #[test]
    fn a_process_that_does_not_end_is_killed() {
        if env::var_os("XTASK_TEST_HANGS").is_some() {
            println!("about to hang");
            let (_never, forever) = mpsc::channel::<()>();
            let _ = forever.recv();
        }
        let cmd = Cmd::new(env::current_exe().expect("a test has a path"), Path::new("."))
            .args(["--exact", "cmd::tests::a_process_that_does_not_end_is_killed", "--nocapture"])
            .env("XTASK_TEST_HANGS", "1");
        let done = cmd.finish_within(Duration::from_secs(1)).expect("it starts");
        assert!(done.timed_out && !done.status.success());
        assert!(done.output.contains("about to hang"), "{}", done.output);
    }

    #[test]
    fn what_a_process_writes_is_kept() {
        let cmd = Cmd::cargo(Path::new(".")).arg("--version");
        let done = cmd.finish_within(Duration::from_secs(60)).expect("cargo starts");
        assert!(done.status.success() && !done.timed_out);
        assert!(done.output.starts_with("cargo "), "{}", done.output);
    }

    #[test]
    fn failures_are_listed_together() {
        let mut failures = Failures::default();
        failures.keep(Ok(()));
        failures.keep(Err(anyhow::anyhow!("one")));
        failures.keep(Err(anyhow::anyhow!("two")));
        let error = failures.finish().expect_err("two failed");
        assert_eq!(error.to_string(), "2 failed:\n  one\n  two");
        assert!(Failures::default().finish().is_ok());
    }

    #[test]
    fn times_read_well() {
        assert_eq!(human(Duration::from_millis(850)), "850 ms");
        assert_eq!(human(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(human(Duration::from_secs(245)), "4 min 05 s");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([counted(1, "crate"), counted(2, "crate")], ["1 crate", "2 crates"]);
    }

    #[test]
    fn the_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "    | b\n    | c\n");
    }

    #[test]
    fn the_tail_leaves_backtraces_out() {
        let text = "deadlock\n   0: 0x55 - std::f\n         at src/a.rs:1:2\n  12: g::h\naborting";
        assert_eq!(tail(text, 9), "    | deadlock\n    | aborting\n");
        let kept = " 3 |     x\n at noon\n12: twelve";
        assert_eq!(tail(kept, 9).lines().count(), 3);
    }
}
