//! Deploys to many environments at a time, with threads and then with tasks: the first failure
//! cancels the others, what had begun is told to stop, and what had not does not start.
//!
//! `cargo run --example deploy [ENVIRONMENT_THAT_FAILS]`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_errgroup::{Builder, CancelToken, Cancelled, Error, task, thread};
use std::fmt;
use std::time::Duration;

const ENVIRONMENTS: [&str; 6] = ["dev", "staging", "eu-west", "us-east", "ap-south", "canary"];
const STEP: Duration = Duration::from_millis(20);

#[derive(Debug)]
enum Failure {
    NoQuota,
    Stopped(Cancelled),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoQuota => f.write_str("no quota"),
            Self::Stopped(cancelled) => write!(f, "stopped: {cancelled}"),
        }
    }
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Self::Stopped(cancelled)
    }
}

/// A deployment by a thread: each step sleeps, until the token is cancelled at the latest.
fn deploy(env: &str, fails: &str, token: &CancelToken) -> Result<(), Failure> {
    for step in ["build", "upload", "switch over"] {
        token.sleep(STEP).wait()?;
        if env == fails && step == "upload" {
            return Err(Failure::NoQuota);
        }
    }
    println!("  {env} is deployed");
    Ok(())
}

/// The same by a task.
async fn deploy_async(env: &str, fails: &str, token: &CancelToken) -> Result<(), Failure> {
    for step in ["build", "upload", "switch over"] {
        token.sleep(STEP).await?;
        if env == fails && step == "upload" {
            return Err(Failure::NoQuota);
        }
    }
    println!("  {env} is deployed");
    Ok(())
}

#[tokio::main]
async fn main() {
    let fails = std::env::args().nth(1).unwrap_or_else(|| "us-east".to_owned());

    println!("threads:");
    let builder = Builder::new().limit(2).name("deploy").timeout(Duration::from_secs(10));
    let outcome = thread::scope(builder, |g| {
        for env in &ENVIRONMENTS {
            g.named(*env).spawn(|g| deploy(env, &fails, g.token()));
        }
    });
    report(&outcome);

    println!("tasks:");
    let builder = Builder::new().limit(2).name("deploy").timeout(Duration::from_secs(10));
    let group = task::Group::build(builder).expect("a limit of 2");
    for env in ENVIRONMENTS {
        let fails = fails.clone();
        group
            .named(env)
            .spawn(move |g| async move { deploy_async(env, &fails, g.token()).await })
            .await;
    }
    report(&group.join().await);
}

fn report(outcome: &Result<(), Error<Failure>>) {
    match outcome {
        Ok(()) => println!("  all environments are deployed"),
        Err(error) => println!("  {error}"),
    }
}
