//! Threads that hand permits on: the price of waking a thread that waits.
//!
//! A holder keeps its permit until another thread has announced a request and has had a moment to
//! queue it; then it releases and asks again at once. So a semaphore that serves in the order of
//! arrival must hand over every time, and the benchmark asserts that it does: without, threads
//! that take turns of a thousand operations each would look a thousand times faster (that is
//! `threads/tight` and `threads/crowd-…`).

use crate::harness::threads::{Padded, Placement, Quota, together};
use crate::harness::{Sample, Scenario, Unit, clock, entries};
use crate::ours::Ours;
use crate::rivals::{AsyncLock, AsyncbandBlockOn, ParkingLot, Std, Tokio, TokioBlockOn};
use crate::subject::{Wait, assert_free};
use std::hint::{self, black_box};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// From the announcement, made right before the call, to the release: enough to be queued.
const SETTLE: Duration = Duration::from_nanos(200);
/// Each time the holder gets its own permit back, the other was perhaps off its core: wait twice
/// as long, up to 2^10 × `SETTLE` = 0.2 ms, instead of piling up thousands of turns that were none.
const PATIENCE: u32 = 10;
/// The same for a crowd that fights for the cores: the holder sleeps, from `NAP` to 2^10 × `NAP`.
const NAP: Duration = Duration::from_micros(10);
/// How often to ask a semaphore that can tell whether the other is really queued. Rarely: asking
/// takes time that its rivals do not pay.
const ASK_EVERY: u64 = 64;
const MUST_HAND_OVER: f64 = 0.95;
/// So many turns that were none are forgiven: the threads' start.
const FORGIVEN: u64 = 32;

pub fn scenarios() -> Vec<Scenario> {
    let pair = Scenario::new("threads/strict-turns", Unit::Wall).sample_ms(20).needs_two_cores();
    let mut scenarios = vec![entries!(pair, strict_turns():
        Ours, Tokio, TokioBlockOn, AsyncbandBlockOn, AsyncLock, ParkingLot, Std)];
    for threads in [4, 8, 16] {
        for permits in [1, 2] {
            let plural = if permits == 1 { "" } else { "s" };
            let name = format!("threads/cpu-{threads}/{permits}-permit{plural}");
            let scenario = Scenario::new(name, Unit::Cpu).sample_ms(80).needs_cpu_clock();
            scenarios.push(entries!(scenario, queue(threads, permits):
                Ours, Tokio, TokioBlockOn, AsyncbandBlockOn));
        }
    }
    scenarios
}

/// What both threads know. All but `announced` is written by the holder of the permit only, so
/// `Relaxed` would do where the semaphore synchronises; `SeqCst` is to doubt none of them.
struct Table {
    /// The number of requests that each thread has made …
    announced: [Padded<AtomicU64>; 2],
    /// … and of those that were granted.
    granted: [Padded<AtomicU64>; 2],
    last_holder: AtomicUsize,
    hand_overs: AtomicU64,
    asked: AtomicU64,
    not_queued: AtomicU64,
    over: AtomicBool,
}

impl Table {
    fn new() -> Self {
        Self {
            announced: Default::default(),
            granted: Default::default(),
            last_holder: AtomicUsize::new(usize::MAX),
            hand_overs: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            not_queued: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    fn turns(&self) -> u64 {
        self.granted.iter().map(|count| count.0.load(Ordering::SeqCst)).sum()
    }

    fn is_waiting(&self, thread: usize) -> bool {
        let announced = self.announced[thread].0.load(Ordering::SeqCst);
        announced != self.granted[thread].0.load(Ordering::SeqCst)
    }
}

fn strict_turns<W: Wait>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let gate = Padded(W::new(1));
        let table = Table::new();
        let (elapsed, _) =
            together(2, Placement::Pinned, |me| take_turns(&gate.0, &table, me, ops));
        let (turns, hand_overs) = (table.turns(), table.hand_overs.into_inner());
        let share = hand_overs as f64 / turns as f64;
        let in_turn = (hand_overs + FORGIVEN) as f64 >= turns as f64 * MUST_HAND_OVER;
        assert!(in_turn || !W::FIFO, "{}: {hand_overs} hand-overs in {turns} turns", W::NAME);
        let (asked, not_queued) = (table.asked.into_inner(), table.not_queued.into_inner());
        assert!(
            not_queued <= asked / 20 + FORGIVEN,
            "{}: not queued {not_queued} times of {asked}",
            W::NAME
        );
        if in_turn {
            assert!(hand_overs >= ops);
            Sample::time(hand_overs, elapsed.wall)
        } else {
            Sample::unfit(
                turns,
                format!("passes those who wait: {:.0} % hand-overs", share * 100.0),
            )
        }
    }
}

fn take_turns<W: Wait>(gate: &W, table: &Table, me: usize, ops: u64) {
    let other = 1 - me;
    let mut in_a_row = 0;
    while !table.over.load(Ordering::SeqCst) {
        table.announced[me].0.fetch_add(1, Ordering::SeqCst);
        let permit = gate.wait(1);
        if table.over.load(Ordering::SeqCst) {
            break;
        }
        let mine = table.granted[me].0.fetch_add(1, Ordering::SeqCst);
        if table.last_holder.swap(me, Ordering::SeqCst) == me {
            in_a_row += 1;
        } else {
            in_a_row = 0;
            table.hand_overs.fetch_add(1, Ordering::SeqCst);
        }
        // Twice as many turns as hand-overs were asked for: it does not hand over.
        let enough = table.hand_overs.load(Ordering::SeqCst) >= ops;
        if enough || table.turns() > 2 * ops + 2 * FORGIVEN {
            table.over.store(true, Ordering::SeqCst);
            break;
        }
        let mut spins = 0_u32;
        while !table.is_waiting(other) {
            hint::spin_loop();
            spins += 1;
            if spins.is_multiple_of(1 << 14) {
                thread::yield_now();
            }
        }
        clock::spin(SETTLE * (1 << in_a_row.min(PATIENCE)));
        if mine.is_multiple_of(ASK_EVERY)
            && let Some(queued) = gate.queued()
        {
            table.asked.fetch_add(1, Ordering::SeqCst);
            table.not_queued.fetch_add(u64::from(queued == 0), Ordering::SeqCst);
        }
        drop(permit);
    }
}

/// Threads on fewer permits, placed by the kernel, with somebody always queued. On the wall all
/// that serve in order cost about the same here; what differs is the CPU time burnt by waiting.
fn queue<W: Wait>(threads: usize, permits: usize) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let gate = Padded(W::new(permits));
        let crowd = Crowd::new(threads, permits, ops);
        let (elapsed, hand_overs) =
            together(threads, Placement::Free, |me| crowd.take_turns(&gate.0, me));
        let hand_overs: u64 = hand_overs.iter().sum();
        assert!(
            (hand_overs + FORGIVEN) as f64 >= ops as f64 * MUST_HAND_OVER,
            "{}: {hand_overs} hand-overs in {ops} turns",
            W::NAME
        );
        assert_eq!(crowd.granted.0.into_inner(), ops);
        assert_free(&gate.0, permits);
        Sample::time(ops, elapsed.cpu)
    }
}

/// Threads that fight for fewer permits, all others waiting whenever one is released.
pub struct Crowd {
    permits: usize,
    /// How many wait while the others hold all permits.
    queue: u64,
    quota: Quota,
    announced: Padded<AtomicU64>,
    granted: Padded<AtomicU64>,
    holders: Padded<AtomicUsize>,
    last_holder: Padded<AtomicUsize>,
    over: AtomicBool,
}

impl Crowd {
    pub fn new(threads: usize, permits: usize, ops: u64) -> Self {
        Self {
            permits,
            queue: (threads - permits) as u64,
            quota: Quota::new(ops, 1),
            announced: Padded::default(),
            granted: Padded::default(),
            holders: Padded::default(),
            last_holder: Padded(AtomicUsize::new(usize::MAX)),
            over: AtomicBool::new(false),
        }
    }

    /// Returns how often the permit came from another thread.
    pub fn take_turns<W: Wait>(&self, gate: &W, me: usize) -> u64 {
        let (mut hand_overs, mut in_a_row) = (0, 0);
        while self.quota.take() > 0 {
            self.announced.0.fetch_add(1, Ordering::SeqCst);
            let permit = gate.wait(1);
            self.granted.0.fetch_add(1, Ordering::SeqCst);
            let others = self.holders.0.fetch_add(1, Ordering::SeqCst);
            assert!(others < self.permits, "{}: more holders than permits", W::NAME);
            black_box(clock::work(clock::SHORT));
            if self.last_holder.0.swap(me, Ordering::SeqCst) == me {
                // All who have announced a request were off their cores before they queued it:
                // make room for them, ever longer.
                thread::sleep(NAP * (1 << in_a_row.min(PATIENCE)));
                in_a_row += 1;
            } else {
                hand_overs += 1;
                in_a_row = 0;
            }
            while !self.all_others_wait() && !self.over.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            self.holders.0.fetch_sub(1, Ordering::SeqCst);
            drop(permit);
        }
        // Whoever holds the last permits would wait for others in vain.
        self.over.store(true, Ordering::SeqCst);
        hand_overs
    }

    fn all_others_wait(&self) -> bool {
        // Read first, so that a request announced and granted in between cannot look like one
        // that was granted and never announced.
        let granted = self.granted.0.load(Ordering::SeqCst);
        self.announced.0.load(Ordering::SeqCst) >= granted + self.queue
    }
}
