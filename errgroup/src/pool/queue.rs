//! The jobs that nobody has taken: a queue in blocks, of the size of a deck.
//!
//! A runner takes a block by a swap, and its own, which is empty, is used for what comes next. One
//! ring for all moves each job twice, when it doubles and into a deck; and it is large. Where
//! glibc is asked for 1 KiB or more, or given as much back, it goes through all small pieces that
//! are free, and the next small ones have to be cut anew: with a ring two fifths of what an empty
//! task cost in processor time. So all that is in here stays below that.

use super::Job;
use std::collections::VecDeque;
use std::mem;

/// So many jobs are in a block, and in a deck at the most; and so many blocks in a row.
pub(crate) const BLOCK: usize = 24;

pub(crate) type Block<W> = VecDeque<Job<W>>;

/// In the order in which they are taken: `front`, the full blocks, `back`.
#[derive(Debug)]
pub(crate) struct Queue<W> {
    /// What was given back, and what is left of a block. It may be larger than a block.
    front: Block<W>,
    full: Rows<Block<W>>,
    /// Where jobs are queued.
    back: Block<W>,
    /// Empty blocks, to be used again: as many as were in use at a time.
    spare: Rows<Block<W>>,
    len: usize,
}

impl<W> Queue<W> {
    pub(crate) const fn new() -> Self {
        Self {
            front: Block::new(),
            full: Rows::new(),
            back: Block::new(),
            spare: Rows::new(),
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
        let empty = self.spare.pop_front().unwrap_or_else(|| Block::with_capacity(BLOCK));
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
                    self.spare.push_back(empty);
                }
            }
            None => mem::swap(&mut self.front, &mut self.back),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Job<W>> {
        let full = self.full.iter().flatten();
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
    #[allow(dead_code, reason = "of use to one test")]
    pub(crate) fn room(&self) -> usize {
        let blocks = self.full.iter().chain(self.spare.iter()).map(|block| block.capacity());
        blocks.sum::<usize>() + self.front.capacity() + self.back.capacity()
    }
}

/// A queue in rows, for the same reason.
#[derive(Debug)]
struct Rows<T> {
    front: VecDeque<T>,
    full: VecDeque<VecDeque<T>>,
    back: VecDeque<T>,
}

impl<T> Rows<T> {
    const fn new() -> Self {
        Self { front: VecDeque::new(), full: VecDeque::new(), back: VecDeque::new() }
    }

    fn push_back(&mut self, item: T) {
        if self.back.len() == self.back.capacity() {
            let row = mem::replace(&mut self.back, VecDeque::with_capacity(BLOCK));
            if !row.is_empty() {
                self.full.push_back(row);
            }
        }
        self.back.push_back(item);
    }

    fn pop_front(&mut self) -> Option<T> {
        if self.front.is_empty() {
            match self.full.pop_front() {
                Some(row) => self.front = row,
                None => mem::swap(&mut self.front, &mut self.back),
            }
        }
        self.front.pop_front()
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.front.iter().chain(self.full.iter().flatten()).chain(&self.back)
    }
}
