//! Four threads ask one backend that is down for a while. They learn of it together, leave it alone,
//! and find out together that it is back.
//!
//! `cargo run --example threads`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_breaker::{Backoff, Breaker, Error, Policy, State, Window};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What is asked: from its 100th question to its 150th it does not answer.
#[derive(Default)]
struct Backend(AtomicU32);

impl Backend {
    fn ask(&self) -> Result<u32, &'static str> {
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        if (100..150).contains(&nth) { Err("no answer") } else { Ok(nth) }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let breaker = Breaker::builder("backend")
        .policy(Policy::failure_rate(0.5).min_calls(10).window(Window::count(20)))
        .open_for(Backoff::exponential(Duration::from_millis(2), Duration::from_millis(20)))
        .probes(2)
        .build()?;
    let _listener = breaker.on_transition(|it| {
        println!("{:>9} ns  {} -> {} ({:?})", it.at.as_nanos(), it.from, it.to, it.reason);
    });
    let backend = Backend::default();
    let (mut answered, mut failed, mut spared) = (0, 0, 0);
    let (done, ends) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (breaker, backend, done) = (&breaker, &backend, done.clone());
            scope.spawn(move || {
                // Nobody sends: it is what a thread can wait on until it is time.
                let (_open, pause) = mpsc::channel::<()>();
                let mut counts = (0, 0, 0);
                while counts.0 < 200 {
                    match breaker.call(|| backend.ask()) {
                        Ok(_) => counts.0 += 1,
                        Err(Error::Inner(_)) => counts.1 += 1,
                        Err(Error::Rejected(rejected)) => {
                            counts.2 += 1;
                            let wait = rejected.retry_after.unwrap_or(Duration::from_millis(1));
                            let _ = pause.recv_timeout(wait);
                        }
                    }
                }
                done.send(counts).expect("the main thread waits");
            });
        }
        drop(done);
        for counts in ends {
            answered += counts.0;
            failed += counts.1;
            spared += counts.2;
        }
    });
    println!("{answered} answered, {failed} failed, {spared} not even tried");
    assert_eq!((answered, failed, breaker.state()), (800, 50, State::Closed));
    Ok(())
}
