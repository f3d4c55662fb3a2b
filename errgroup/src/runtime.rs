//! Where the tasks of a group run: a runtime of tokio's. Models have one of their own.

use crate::primitives::Mutex;
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;

/// At most about so much memory of tasks that may be over is kept for a group, in bytes.
const KEPT_BYTES: usize = 1024 * 1024;
/// What the runtime needs for a task beside its future, about.
const HEADER_BYTES: usize = 104;
/// To so much the runtime aligns a task, and what the allocator loses by that is as much again.
const CELL_BYTES: usize = 128;
/// What is kept of a task beside its memory: a queue's room is up to twice what is in it.
const ENTRY_BYTES: usize = 2 * size_of::<(JoinHandle<()>, usize)>();
/// So many are left alone: they are about to run, and a look at one takes its memory from the
/// worker's core.
const YOUNG: usize = 256;
/// A task that lasts, and is the oldest, makes room for others after so many that found none.
const PATIENCE: usize = 32;

#[derive(Debug)]
pub(crate) struct Runtime {
    handle: Option<Handle>,
    /// `None` where one thread spawns and runs: it frees what it has allocated.
    recent: Option<Apart>,
}

/// On cache lines of its own: the spawner writes it for each task, and what stands beside it is
/// read by all workers.
#[derive(Debug)]
#[repr(align(64))]
struct Apart(Mutex<Recent>);

impl Runtime {
    /// The one in which this is called, or, outside of one, that in which each task is spawned.
    pub(crate) fn current() -> Self {
        let handle = Handle::try_current().ok();
        let recent = match handle.as_ref().map(Handle::runtime_flavor) {
            Some(RuntimeFlavor::CurrentThread) => None,
            _ => Some(Apart(Mutex::new(Recent::new()))),
        };
        Self { handle, recent }
    }

    #[inline]
    pub(crate) fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(self.start(future));
    }

    /// Spawns one of many, from outside of them. Its memory may be kept for some time after its end.
    #[inline]
    pub(crate) fn spawn_and_keep<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let spawned = self.start(future);
        if let Some(Apart(recent)) = &self.recent {
            let gone = recent.lock().keep(spawned, bytes_of::<F>());
            drop(gone);
        }
    }

    #[inline]
    fn start<F>(&self, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match &self.handle {
            Some(handle) => handle.spawn(future),
            None => tokio::spawn(future),
        }
    }

    /// Lets go of what is kept of tasks that are over.
    pub(crate) fn release(&self) {
        if let Some(Apart(recent)) = &self.recent {
            let gone = mem::replace(&mut *recent.lock(), Recent::new());
            drop(gone);
        }
    }
}

/// How much is kept with the handle of a task, about.
const fn bytes_of<F>() -> usize {
    (HEADER_BYTES + size_of::<F>()).next_multiple_of(CELL_BYTES) + CELL_BYTES + ENTRY_BYTES
}

/// The handles of tasks that were spawned lately, the oldest first.
///
/// A task's memory is freed by whoever drops the last reference to it. That would be the worker
/// that ran it, which has to take the lock of the allocator's arena whose memory it is, the
/// spawner's, while the spawner takes the next from there. Here the spawner frees it, and has it
/// back at once. DESIGN.md has the figures.
#[derive(Debug)]
struct Recent {
    tasks: VecDeque<(JoinHandle<()>, usize)>,
    bytes: usize,
    refused: usize,
}

impl Recent {
    const fn new() -> Self {
        Self { tasks: VecDeque::new(), bytes: 0, refused: 0 }
    }

    /// Keeps one more, if there is room, and gives those that are to be dropped, outside the lock:
    /// at most two for one, so that what is kept gets less.
    fn keep(&mut self, task: JoinHandle<()>, bytes: usize) -> [Option<JoinHandle<()>>; 3] {
        let young = if self.has_room(bytes) { YOUNG } else { 0 };
        let mut oldest = self.pop_over(young);
        let next = if oldest.is_some() { self.pop_over(young) } else { None };
        if self.has_room(bytes) {
            self.tasks.push_back((task, bytes));
            self.bytes += bytes;
            return [oldest, next, None];
        }
        // Letting go of one that was spawned just now is the cheapest.
        self.refused += 1;
        if oldest.is_none() && self.refused % PATIENCE == 0 {
            oldest = self.pop();
        }
        [oldest, next, Some(task)]
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.bytes.saturating_add(bytes) <= KEPT_BYTES
    }

    /// The oldest, if it is over and not one of the `young`.
    fn pop_over(&mut self, young: usize) -> Option<JoinHandle<()>> {
        let (oldest, _) = self.tasks.front()?;
        let over = self.tasks.len() > young && oldest.is_finished();
        if over { self.pop() } else { None }
    }

    fn pop(&mut self) -> Option<JoinHandle<()>> {
        let (oldest, bytes) = self.tasks.pop_front()?;
        self.bytes -= bytes;
        Some(oldest)
    }
}
