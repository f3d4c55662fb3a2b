//! `cargo xtask`: the one door to testing, model-checking, measuring and publishing the family.
//!
//! This file only dispatches. `flags.rs` declares the commands, each of which has a file of its
//! own; `workspace.rs` and `cmd.rs` are what they share. Nothing here names a crate, a feature or
//! a model: they are discovered, so that a list can never go stale.

#![forbid(unsafe_code)]

mod bench;
mod ci;
mod cmd;
mod flags;
mod help;
mod loom;
mod mutants;
mod publish;
mod rust;
mod test;
mod tidy;
mod workspace;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use flags::{Xtask, XtaskCmd};

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let command = args.first().and_then(|arg| arg.to_str()).map(str::to_owned);
    let flags = match Xtask::from_vec(args) {
        Ok(flags) => flags,
        Err(error) if error.is_help() => {
            print!("{}", help::page(&error.to_string(), command.as_deref()));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\nTry `cargo xtask --help`.");
            return ExitCode::from(2);
        }
    };
    match dispatch(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(flags: &Xtask) -> anyhow::Result<()> {
    match &flags.subcommand {
        XtaskCmd::Test(flags) => test::run(flags),
        XtaskCmd::Loom(flags) if flags.mutants => mutants::run(flags),
        XtaskCmd::Loom(flags) => loom::run(flags),
        XtaskCmd::Bench(flags) => bench::run(flags),
        XtaskCmd::Tidy(_) => tidy::run(),
        XtaskCmd::Ci(flags) => ci::run(flags),
        XtaskCmd::Publish(flags) => publish::run(flags),
    }
}
