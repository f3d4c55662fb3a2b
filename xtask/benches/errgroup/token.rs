//! The token by itself.

use crate::floor::Floor;
use crate::harness::threads::{Padded, Placement, together};
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::OurToken;
use crate::subject::{Flag, Token, Tree, Wait};
use crate::token_rivals::{EventListener, Shared, TokioUtil};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Instant;

const CHILDREN: u64 = 1_000;
const CHAIN: u64 = 10_000;
/// Questions in a sample, at least: with few of them two threads would be measured that start.
const QUESTIONS: u64 = 1 << 20;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(format!("token/{name}"), Unit::Wall);
    let two = scenario("is-cancelled/two-threads").sample_ms(10).needs_two_cores();
    vec![
        entries!(scenario("is-cancelled/one-thread"), asked(): OurToken, Floor, Shared, TokioUtil),
        entries!(two, asked_by_two(): OurToken, Floor, Shared, TokioUtil),
        entries!(scenario("clone-drop"), cloned(): OurToken, Shared, TokioUtil),
        entries!(scenario("child-drop"), born(): OurToken, TokioUtil),
        entries!(scenario("cancelled-poll-drop"), waited(): OurToken, TokioUtil, EventListener),
        entries!(scenario("cancel-1000-children"), cancelled(false): OurToken, TokioUtil),
        entries!(scenario("cancel-chain-10000"), cancelled(true): OurToken, TokioUtil),
    ]
}

/// The loop that polls a token: it ends when the token says so, and tells how often it has asked. The
/// same machine code in both scenarios: one instruction more or less is half the figure.
#[inline(never)]
fn ask<F: Flag>(flag: &F, times: u64) -> u64 {
    (0..times).find(|_| black_box(flag).is_cancelled()).unwrap_or(times)
}

fn asked<F: Flag>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let ops = ops.max(QUESTIONS);
        let flag = F::new();
        let start = Instant::now();
        let asked = ask(&flag, ops);
        let time = start.elapsed();
        assert_eq!(asked, ops);
        flag.cancel();
        assert_eq!(ask(&flag, 1), 0);
        Sample::time(ops, time)
    }
}

/// Wall time ÷ the operations of one of both: two that do not disturb each other look like one.
fn asked_by_two<F: Flag>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let ops = ops.max(QUESTIONS);
        let flag = Padded(F::new());
        let (elapsed, asked) = together(2, Placement::Pinned, |_| ask(&flag.0, ops));
        assert_eq!(asked, [ops, ops]);
        flag.0.cancel();
        assert_eq!(ask(&flag.0, 1), 0);
        Sample::time(ops, elapsed.wall)
    }
}

fn cloned<T: Token>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let token = T::new();
        let start = Instant::now();
        for _ in 0..ops {
            drop(black_box(black_box(&token).clone()));
        }
        let time = start.elapsed();
        let clone = token.clone();
        token.cancel();
        assert!(clone.is_cancelled());
        Sample::time(ops, time)
    }
}

fn born<T: Tree>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let token = T::new();
        let start = Instant::now();
        for _ in 0..ops {
            drop(black_box(black_box(&token).child()));
        }
        let time = start.elapsed();
        let child = token.child();
        token.cancel();
        assert!(child.is_cancelled());
        Sample::time(ops, time)
    }
}

fn waited<W: Wait>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let token = W::new();
        let mut context = Context::from_waker(Waker::noop());
        let mut pending = 0;
        let start = Instant::now();
        for _ in 0..ops {
            let wait = pin!(black_box(&token).wait());
            pending += u64::from(wait.poll(&mut context).is_pending());
        }
        let time = start.elapsed();
        assert_eq!(pending, ops);
        Sample::time(ops, time)
    }
}

/// One operation is one token beneath the one that is cancelled. Only the cancel is timed.
fn cancelled<T: Tree>(chain: bool) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let count = if chain { CHAIN } else { CHILDREN };
        let trees = ops.div_ceil(count);
        let time = (0..trees).map(|_| {
            let root = T::new();
            let mut tokens = Vec::with_capacity(count as usize);
            for _ in 0..count {
                let parent = tokens.last().filter(|_| chain).unwrap_or(&root);
                tokens.push(parent.child());
            }
            let start = Instant::now();
            root.cancel();
            let time = start.elapsed();
            assert!(tokens.iter().all(Flag::is_cancelled), "{}: not all cancelled", T::NAME);
            time
        });
        Sample::time(trees * count, time.sum())
    }
}
