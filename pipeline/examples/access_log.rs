//! Log files → lines → requests → bytes by status: files are read by two threads, lines are parsed by
//! four, in batches, and lines that nobody understands are kept with their numbers.
//!
//! `cargo run --example access_log [FILE]…`; without files it makes some up.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use lockgate_pipeline::{Errors, Retry, opts, thread};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, io};

/// Whatever goes wrong on the way.
type Problem = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Problem> {
    let mut files: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let made_up = files.is_empty();
    if made_up {
        files = make_up()?;
    }
    let bad_lines = Errors::at_most(1_000);
    let mut totals = BTreeMap::<u16, (u64, u64)>::new();
    let report = thread::from_iter(&files)
        .try_par_map(opts("read").workers(2).window(8), fs::read_to_string)
        .retry_if(
            Retry::times(3).backoff(Duration::from_millis(10), Duration::from_secs(1)).jitter(),
            |error| error.kind() == io::ErrorKind::Interrupted,
        )
        .err_into::<Problem>()
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .try_par_map(opts("parse").workers(4), |line| parse(&line))
        .on_error(bad_lines.clone())
        .for_each(|(status, bytes)| {
            let total = totals.entry(status).or_default();
            *total = (total.0 + 1, total.1 + bytes);
        })
        // A box of any error is no error itself.
        .map_err(|error| error.to_string())?;
    for (status, (requests, bytes)) in totals {
        println!("{status}: {requests} requests, {bytes} bytes");
    }
    for bad in bad_lines.take().iter().take(3) {
        println!("{bad}");
    }
    println!("{report}");
    if let Some(stage) = report.bottleneck() {
        println!("more workers for `{}` are what would help", stage.name);
    }
    if made_up {
        files.iter().try_for_each(fs::remove_file)?;
    }
    Ok(())
}

/// The last two fields of a line are its status and its size.
fn parse(line: &str) -> Result<(u16, u64), Problem> {
    let mut fields = line.rsplit(' ');
    let (bytes, status) = fields.next().zip(fields.next()).ok_or("too few fields")?;
    Ok((status.parse()?, bytes.parse()?))
}

fn make_up() -> io::Result<Vec<PathBuf>> {
    let file = |n: usize| {
        let line = |k: usize| match (n + k) % 500 {
            0 => format!("line {k} is cut o\n"),
            rest => format!("10.0.0.{n} GET /{k} {} {}\n", [200, 200, 304, 404][rest % 4], k * 7),
        };
        let name = format!("lockgate-access-log-{}-{n}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::write(&path, (0..5_000).map(line).collect::<String>())?;
        Ok(path)
    };
    (0..16).map(file).collect()
}
