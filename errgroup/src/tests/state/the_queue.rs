//! The queue in blocks, beside one that is plain.

use crate::pool::Job;
use crate::pool::queue::{BLOCK, Block, Queue};
use proptest::prelude::*;
use std::borrow::Borrow;
use std::collections::VecDeque;

const fn job(index: usize) -> Job<usize> {
    Job { index, name: None, work: index }
}

fn numbers<J: Borrow<Job<usize>>>(jobs: impl IntoIterator<Item = J>) -> Vec<usize> {
    jobs.into_iter().map(|job| job.borrow().index).collect()
}

#[derive(Clone, Debug)]
enum Op {
    Push(usize),
    /// So many, into a deck with so many in it.
    Take(usize, usize),
    /// So many of what was taken last, the last first.
    GiveBack(usize),
    Drain,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (1..3 * BLOCK).prop_map(Op::Push),
        4 => (0..2 * BLOCK, 0_usize..3).prop_map(|(count, held)| Op::Take(count, held)),
        2 => (0..2 * BLOCK).prop_map(Op::GiveBack),
        1 => Just(Op::Drain),
    ];
    proptest::collection::vec(op, 0..60)
}

proptest! {
    #[test]
    fn blocks_are_in_the_order_of_a_plain_queue(ops in ops()) {
        let (mut queue, mut plain) = (Queue::new(), VecDeque::new());
        let mut taken = Block::new();
        let mut next = 0;
        for op in ops {
            match op {
                Op::Push(count) => for _ in 0..count {
                    queue.push_back(job(next));
                    plain.push_back(next);
                    next += 1;
                }
                Op::Take(count, held) => {
                    taken.truncate(held);
                    let mut expected = numbers(&taken);
                    queue.take(count, &mut taken);
                    expected.extend(plain.drain(..count.min(plain.len())));
                    prop_assert_eq!(numbers(&taken), expected);
                }
                Op::GiveBack(count) => for job in taken.drain(..count.min(taken.len())).rev() {
                    plain.push_front(job.index);
                    queue.push_front(job);
                }
                Op::Drain => {
                    let expected: Vec<_> = plain.drain(..).collect();
                    prop_assert_eq!(numbers(queue.drain()), expected);
                }
            }
            prop_assert_eq!((queue.len(), queue.is_empty()), (plain.len(), plain.is_empty()));
            prop_assert_eq!(numbers(queue.iter()), plain.iter().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn many_rows_are_in_order() {
    let count = 5 * BLOCK * BLOCK;
    let mut queue = Queue::new();
    for _ in 0..2 {
        (0..count).for_each(|index| queue.push_back(job(index)));
        assert!(queue.iter().map(|job| job.index).eq(0..count));
        assert!(queue.drain().iter().map(|job| job.index).eq(0..count));
    }
}

/// What goes through a queue leaves no more memory behind than there was in it at a time: blocks
/// are used again.
#[test]
fn blocks_are_used_again() {
    let mut queue = Queue::new();
    let mut deck = Block::new();
    for round in 0..1000 {
        (0..3 * BLOCK).for_each(|index| queue.push_back(job(index)));
        while !queue.is_empty() {
            deck.clear();
            queue.take(BLOCK - round % 2, &mut deck);
        }
    }
    assert!(queue.room() <= 6 * BLOCK, "room for {}", queue.room());
}

/// A block is less than what an allocator takes for large.
#[test]
fn a_block_is_small() {
    assert!(BLOCK * size_of::<Job<Box<dyn Send>>>() < 1024);
}
