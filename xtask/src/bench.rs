//! `cargo xtask bench`.

use anyhow::{Result, bail};

use crate::flags::Bench;

pub fn run(flags: &Bench) -> Result<()> {
    let Bench { crates: _, quick: _, save: _, go: _, smoke: _ } = flags;
    bail!("not there yet")
}
