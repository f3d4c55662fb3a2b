//! A time-out for each operation and one for all of them, with threads: a request that is too slow
//! fails by itself, and what takes no notice of its time-out is left behind and named.
//!
//! `cargo run --example timeouts`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_errgroup::join::AllErrors;
use lockgate_errgroup::{Builder, CancelToken, Cause, thread};
use std::sync::mpsc;
use std::time::Duration;

/// A request that takes so long, unless it is cancelled.
fn request(takes: Duration, token: &CancelToken) -> Result<(), String> {
    token.sleep(takes).wait().map_err(|cancelled| match cancelled.cause() {
        Cause::Deadline => format!("would take {takes:?}, which is longer than it may"),
        _ => cancelled.to_string(),
    })
}

fn main() {
    // One time-out for each operation: a child token with a deadline. All errors are collected.
    let outcome = thread::scope(Builder::new().limit(4).join_with(AllErrors::new()), |g| {
        for millis in [1, 500, 2, 700, 3] {
            g.spawn(move |g| {
                let token = g.token().child_with_timeout(Duration::from_millis(50));
                request(Duration::from_millis(millis), &token)
            });
        }
    });
    match outcome {
        Ok(()) => println!("all in time"),
        Err(errors) => println!("{errors}"),
    }

    // One time-out for all, and a call that does not know of tokens.
    let (never, blocks) = mpsc::channel::<()>();
    let group = thread::Group::build(Builder::new().timeout(Duration::from_millis(50)))
        .expect("no limit is a fine limit");
    group.spawn_named("a driver without time-outs", move |_| {
        let _ = blocks.recv();
        Ok::<(), String>(())
    });
    group.spawn_named("a quick one", |_| Ok(()));
    println!("{}", group.join().wait().unwrap_err());
    drop(never);
}
