//! Two jobs that take the same two locks in opposite order, and how to find out.
//!
//! A pool knows when its jobs wait for each other's results, and says `WouldDeadlock`. It does not know of
//! locks. For those, `parking_lot` has a detector, which makes every lock slower, so it is for
//! development alone:
//!
//! ```text
//! RUSTFLAGS="--cfg lockgate_deadlock" cargo run --example lock_cycle
//! ```
//!
//! The detector is a feature of `parking_lot`, and features of one program are the same everywhere in it. The
//! cfg, and nothing else, brings it in: no other build has it.
#![allow(clippy::print_stdout, reason = "a program for people")]

#[cfg(lockgate_deadlock)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use lockgate_workerpool::thread::Pool;
    use parking_lot::{Mutex, deadlock};
    use std::sync::{Arc, Barrier};
    use std::time::{Duration, Instant};

    let pool = Pool::builder().threads(2).name("bank").build()?;
    let (alice, bob) = (Arc::new(Mutex::new(100)), Arc::new(Mutex::new(100)));
    // So that it happens each time: nobody asks for the second lock before both have the first.
    let both = Arc::new(Barrier::new(2));
    let transfer = |from: &Arc<Mutex<i32>>, to: &Arc<Mutex<i32>>| {
        let (from, to, both) = (Arc::clone(from), Arc::clone(to), Arc::clone(&both));
        move || {
            let mut from = from.lock();
            both.wait();
            *to.lock() += 10;
            *from -= 10;
        }
    };
    pool.named("alice to bob").spawn(transfer(&alice, &bob))?;
    pool.named("bob to alice").spawn(transfer(&bob, &alice))?;

    let start = Instant::now();
    let cycles = loop {
        let cycles = deadlock::check_deadlock();
        if !cycles.is_empty() {
            break cycles;
        }
        if start.elapsed() > Duration::from_secs(30) {
            return Err("no cycle was found".into());
        }
        std::thread::yield_now();
    };
    for cycle in &cycles {
        println!("{} threads wait for each other:", cycle.len());
        for thread in cycle {
            println!("{:?}\n{:?}", thread.thread_id(), thread.backtrace());
        }
    }
    // The jobs, by name, and the workers that run them.
    println!("{}", pool.snapshot());
    assert_eq!((cycles.len(), cycles[0].len()), (1, 2));
    // No lock of the cycle will ever be free, so the pool would wait for ever when it is dropped.
    std::process::exit(0)
}

#[cfg(not(lockgate_deadlock))]
fn main() {
    println!(
        "to look for cycles: RUSTFLAGS=\"--cfg lockgate_deadlock\" cargo run --example lock_cycle"
    );
}
