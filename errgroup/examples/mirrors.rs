//! Downloads a file from whichever mirror answers first. The first success cancels the others; if
//! all of them fail, every error is told.
//!
//! `cargo run --example mirrors`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_errgroup::join::FirstOk;
use lockgate_errgroup::{Builder, task};
use std::time::Duration;

struct Mirror {
    name: &'static str,
    answers_after: Duration,
    works: bool,
}

impl Mirror {
    async fn download(&self) -> Result<Vec<u8>, String> {
        tokio::time::sleep(self.answers_after).await;
        if self.works {
            Ok(format!("the file, from {}", self.name).into_bytes())
        } else {
            Err(format!("{}: 503 service unavailable", self.name))
        }
    }
}

#[tokio::main]
async fn main() {
    let mirror = |name, ms, works| Mirror { name, answers_after: Duration::from_millis(ms), works };
    let far = mirror("far", 60_000, true);
    println!("{}", fetch([mirror("north", 10, false), mirror("south", 30, true), far]).await);
    println!("{}", fetch([mirror("north", 1, false), mirror("south", 2, false)]).await);
}

async fn fetch<const N: usize>(mirrors: [Mirror; N]) -> String {
    let builder = Builder::new().timeout(Duration::from_secs(5)).join_with(FirstOk::new());
    let first = task::map(builder, mirrors, |g, mirror| async move {
        // A download takes no notice of the token: `run` stops it where it waits.
        let done = g.token().run(mirror.download()).await;
        done.map_err(|cancelled| cancelled.to_string())?
    })
    .await;
    match first {
        Ok(file) => String::from_utf8_lossy(&file).into_owned(),
        Err(errors) => format!("no mirror has it: {errors}"),
    }
}
