//! The jobs that nobody has taken: a queue in blocks, of the size of a deck.
//!
//! A runner takes a block by a swap, and its own, which is empty, is used for what comes next. One
//! ring for all moves each job twice, when it doubles and into a deck; and it is large. Where
//! glibc is asked for 1 KiB or more, or given as much back, it goes through all small pieces that
//! are free, and the next small ones have to be cut anew: with a ring two fifths of what an empty
//! task cost in processor time. So a block stays below that.

use super::Job;
use std::collections::VecDeque;
use std::mem;

/// So many jobs are in a block, and in a deck at the most.
pub(crate) const BLOCK: usize = 24;

pub(crate) type Block<W> = VecDeque<Job<W>>;

/// In the order in which they are taken: `front`, the full blocks, `back`.
#[derive(Debug)]
pub(crate) struct Queue<W> {
    /// What was given back, and what is left of a block. It may be larger than a block.
    front: Block<W>,
    full: VecDeque<Block<W>>,
    /// Where jobs are queued.
    back: Block<W>,
    /// Empty blocks, to be used again: as many as were in use at a time.
    spare: Vec<Block<W>>,
    len: usize,
}

impl<W> Queue<W> {
    pub(crate) const fn new() -> Self {
        Self {
            front: Block::new(),
            full: VecDeque::new(),
            back: Block::new(),
            spare: Vec::new(),
            len: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn push_back(&mut self, job: Job<W>) {
        if self.back.len() == self.back.capacity() {
            self.next_block();
        }
        self.back.push_back(job);
        self.len += 1;
    }

    #[cold]
    fn next_block(&mut self) {
        if self.back.capacity() == 0 {
            self.back.reserve_exact(BLOCK);
            return;
        }
        let empty = self.spare.pop().unwrap_or_else(|| Block::with_capacity(BLOCK));
        self.full.push_back(mem::replace(&mut self.back, empty));
    }

    pub(crate) fn push_front(&mut self, job: Job<W>) {
        self.front.push_front(job);
        self.len += 1;
    }

    /// Moves the first `count` jobs, or all, behind those in `deck`.
    pub(crate) fn take(&mut self, count: usize, deck: &mut Block<W>) {
        let mut count = count.min(self.len);
        self.len -= count;
        while count > 0 {
            if self.front.is_empty() {
                self.next_front();
            }
            let moved = count.min(self.front.len());
            if deck.is_empty() && moved == self.front.len() {
                mem::swap(deck, &mut self.front);
            } else {
                deck.extend(self.front.drain(..moved));
            }
            count -= moved;
        }
    }

    fn next_front(&mut self) {
        match self.full.pop_front() {
            Some(block) => {
                let empty = mem::replace(&mut self.front, block);
                if empty.capacity() >= BLOCK {
                    self.spare.push(empty);
                }
            }
            None => mem::swap(&mut self.front, &mut self.back),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Job<W>> {
        let full = self.full.iter().flat_map(|block| block.iter());
        self.front.iter().chain(full).chain(&self.back)
    }

    /// Takes all.
    pub(crate) fn drain(&mut self) -> Block<W> {
        let mut all = Block::new();
        self.take(self.len, &mut all);
        all
    }

    /// For how many jobs there is memory.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        let blocks = self.full.iter().chain(&self.spare).map(|block| block.capacity());
        blocks.sum::<usize>() + self.front.capacity() + self.back.capacity()
    }
}
