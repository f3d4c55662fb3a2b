//! How well it waits: many tasks in line for one limiter, for seconds, by the wall clock.
//!
//! One run gives three figures, each a scenario: how far the tokens granted are from the ideal, how
//! far apart the tasks' shares are, and how much longer than ideal the longest wait was.

use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{GovernorQuanta, LeakyBucket};
use crate::subject::{Await, Limit};
use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TASKS: usize = 64;
const RATE: u32 = 1_000;
const LENGTH: Duration = Duration::from_secs(2);
const CROWD: usize = 10_000;
/// What a smoke test runs for.
const SMOKE: Duration = Duration::from_millis(50);

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(format!("waiting/{name}"), Unit::Percent);
    let mut scenarios = Vec::new();
    for burst in [1, 5] {
        let name = |figure: &str| format!("64-tasks/burst-{burst}/{figure}");
        scenarios.push(entries!(scenario(&name("error")), line(burst, |run| run.error):
            Ours, GovernorQuanta, LeakyBucket));
        scenarios.push(entries!(scenario(&name("spread")), line(burst, |run| run.spread):
            Ours, GovernorQuanta, LeakyBucket));
        scenarios.push(entries!(scenario(&name("worst-wait")), line(burst, |run| run.worst):
            Ours, GovernorQuanta, LeakyBucket));
    }
    scenarios.push(entries!(scenario("large-among-small"), large_among_small():
        Ours, GovernorQuanta, LeakyBucket));
    scenarios.push(entries!(scenario("10000-tasks/error"), crowd(|run| run.error):
        Ours, GovernorQuanta));
    scenarios.push(entries!(scenario("10000-tasks/not-served-once"), crowd(|run| run.unserved):
        Ours, GovernorQuanta));
    scenarios.push(entries!(scenario("10000-tasks/out-of-order"), crowd(|run| run.disorder):
        Ours, GovernorQuanta));
    scenarios
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime")
}

#[derive(Clone, Copy)]
struct Line {
    error: f64,
    spread: f64,
    worst: f64,
}

thread_local! {
    /// What of a run has not been asked for yet, by the subject, the burst and how many runs a
    /// figure has been asked for.
    static LINES: RefCell<HashMap<(TypeId, u32), Vec<Line>>> = RefCell::default();
    static CROWDS: RefCell<HashMap<TypeId, Vec<Crowd>>> = RefCell::default();
}

/// The `nth` run, which the first figure that asks for it makes.
fn line<A: Await>(burst: u32, figure: fn(&Line) -> f64) -> impl FnMut(u64) -> Sample {
    let mut nth = 0;
    move |ops| {
        let length = if ops == 1 { SMOKE } else { LENGTH };
        nth += 1;
        LINES.with_borrow_mut(|lines| {
            let runs = lines.entry((TypeId::of::<A>(), burst)).or_default();
            while runs.len() < nth {
                runs.push(run_line::<A>(burst, length));
            }
            Sample::count(1, figure(&runs[nth - 1]))
        })
    }
}

/// Each task waits for one token again and again.
fn run_line<A: Await>(burst: u32, length: Duration) -> Line {
    let runtime = runtime();
    let limiter = Arc::new(A::new(Limit::per_second(RATE, burst)));
    let over = Arc::new(AtomicBool::new(false));
    let begin = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (limiter, over) = (Arc::clone(&limiter), Arc::clone(&over));
            runtime.spawn(async move {
                // The first round is of those who come all at once, and goes to nobody's account.
                limiter.acquire(1).await;
                let (mut granted, mut worst) = (0_u64, begin.elapsed());
                while !over.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let waited = tokio::time::timeout(LENGTH * 2, limiter.acquire(1)).await;
                    worst = worst.max(start.elapsed());
                    if waited.is_err() || over.load(Ordering::Relaxed) {
                        break;
                    }
                    granted += 1;
                }
                (granted, worst)
            })
        })
        .collect();
    runtime.block_on(async { tokio::time::sleep(length).await });
    over.store(true, Ordering::Relaxed);
    let elapsed = begin.elapsed();
    let shares: Vec<_> = runtime.block_on(async {
        let mut shares = Vec::new();
        for task in tasks {
            shares.push(task.await.expect("a panic exits"));
        }
        shares
    });
    let ideal = elapsed.as_secs_f64() * f64::from(RATE) - TASKS as f64;
    let granted: u64 = shares.iter().map(|(granted, _)| granted).sum();
    let most = shares.iter().map(|(granted, _)| *granted).max().unwrap_or_default();
    let least = shares.iter().map(|(granted, _)| *granted).min().unwrap_or_default();
    let worst = shares.iter().map(|(_, worst)| *worst).max().unwrap_or_default();
    // Never more than there was: the burst, and what came.
    let ceiling = ideal + TASKS as f64 + f64::from(burst) + 1.0;
    assert!(granted as f64 <= ceiling, "{}: {granted} of at most {ceiling}", A::NAME);
    Line {
        error: 100.0 * (granted as f64 - ideal).abs() / ideal.max(1.0),
        spread: 100.0 * (most - least) as f64 / (ideal.max(1.0) / TASKS as f64),
        worst: 100.0 * worst.as_secs_f64() / (TASKS as f64 / f64::from(RATE)),
    }
}

/// One task waits for 20 at once, eight for one at a time, on a burst of 20: what part of the turns
/// that the large one should have had it did not get. It stands in line like the others: one turn
/// in nine.
fn large_among_small<A: Await>() -> impl FnMut(u64) -> Sample {
    const LARGE: u32 = 20;
    const SMALL: usize = 8;
    |ops| {
        let length = if ops == 1 { SMOKE } else { LENGTH };
        let runtime = runtime();
        let limiter = Arc::new(A::new(Limit::per_second(RATE, LARGE)));
        let over = Arc::new(AtomicBool::new(false));
        let turns: Vec<_> = (0..=SMALL)
            .map(|index| {
                let (limiter, over) = (Arc::clone(&limiter), Arc::clone(&over));
                let n = if index == 0 { LARGE } else { 1 };
                let turns = Arc::new(AtomicU64::new(0));
                let counted = Arc::clone(&turns);
                runtime.spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        limiter.acquire(n).await;
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
                turns
            })
            .collect();
        runtime.block_on(async { tokio::time::sleep(length).await });
        over.store(true, Ordering::Relaxed);
        runtime.shutdown_background();
        // A round is one turn of each.
        let round = f64::from(LARGE + SMALL as u32) / f64::from(RATE);
        let ideal = length.as_secs_f64() / round;
        let got = turns[0].load(Ordering::Relaxed) as f64;
        Sample::count(1, 100.0 * (1.0 - got / ideal).max(0.0))
    }
}

#[derive(Clone, Copy)]
struct Crowd {
    error: f64,
    unserved: f64,
    disorder: f64,
}

fn crowd<A: Await>(figure: fn(&Crowd) -> f64) -> impl FnMut(u64) -> Sample {
    // It lasts ten seconds, so it is run once and told three times.
    move |ops| {
        let tasks = if ops == 1 { 50 } else { CROWD };
        CROWDS.with_borrow_mut(|crowds| {
            let runs = crowds.entry(TypeId::of::<A>()).or_default();
            if runs.is_empty() {
                runs.push(run_crowd::<A>(tasks));
            }
            Sample::count(1, figure(&runs[0]))
        })
    }
}

/// Everybody comes at once, one after the other, and wants one token.
fn run_crowd<A: Await>(tasks: usize) -> Crowd {
    let runtime = runtime();
    let limiter = Arc::new(A::new(Limit::per_second(RATE, 1)));
    let served = Arc::new(AtomicU64::new(0));
    let ideal = tasks as f64 / f64::from(RATE);
    let begin = Instant::now();
    let waits: Vec<_> = runtime.block_on(async {
        let mut waits = Vec::new();
        for _ in 0..tasks {
            let (limiter, served) = (Arc::clone(&limiter), Arc::clone(&served));
            let mut wait = Box::pin(async move {
                limiter.acquire(1).await;
                served.fetch_add(1, Ordering::Relaxed);
                Instant::now()
            });
            // In line, in order, before the next one comes.
            let first = futures::poll!(&mut wait);
            waits.push(tokio::spawn(async move {
                match first {
                    std::task::Poll::Ready(at) => at,
                    std::task::Poll::Pending => wait.await,
                }
            }));
        }
        waits
    });
    let limit = Duration::from_secs_f64(ideal * 1.2 + 0.1);
    let moments: Vec<Option<Instant>> = runtime.block_on(async {
        let mut moments = Vec::new();
        for wait in waits {
            let left = limit.saturating_sub(begin.elapsed());
            moments.push(match tokio::time::timeout(left, wait).await {
                Ok(at) => Some(at.expect("a panic exits")),
                Err(_) => None,
            });
        }
        moments
    });
    runtime.shutdown_background();
    let served: Vec<Instant> = moments.iter().flatten().copied().collect();
    let last = served.iter().max().map_or(limit, |last| *last - begin).as_secs_f64();
    // Tasks that were served in the same tick of the runtime's timer have no order among them.
    let tick = Duration::from_millis(3);
    let disorder = served.windows(2).filter(|pair| pair[0] > pair[1] + tick).count();
    Crowd {
        error: 100.0 * (last - ideal).abs() / ideal,
        unserved: 100.0 * (tasks - served.len()) as f64 / tasks as f64,
        disorder: 100.0 * disorder as f64 / tasks as f64,
    }
}
