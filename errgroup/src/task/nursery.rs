//! What polls the tasks of a scope: one future with many inside.

use super::alone::poll_caught;
use crate::builder::Builder;
use crate::core::{Core, Verdict};
use crate::error::{Payload, TaskId, drop_payload};
use crate::join::Join;
use crate::pool::{Numbers, Place};
use crate::primitives::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::primitives::{Arc, Mutex};
use crate::snapshot::{Snapshot, TaskState};
use crate::state::Slots;
use crate::waiters::{Left, Progress, Ticket, Waiters, WakeBatch, WakePanic};
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

/// So many polls of tasks are made in one poll of the scope. Then others have a turn.
const POLLS_AT_ONCE: usize = 256;

/// A scope, seen by its body and its tasks.
pub(super) struct Nursery<'env, W, T, E> {
    pub(super) core: Core<'env, T, E>,
    line: Mutex<Line<W>>,
    hub: Arc<Hub>,
    /// The key of the task that is being polled, for snapshots; 0 while there is none.
    polled: AtomicUsize,
}

struct Line<W> {
    slots: Slots,
    queue: VecDeque<(TaskId, W)>,
    next_index: usize,
    spawners: Waiters<(), ()>,
    /// Beside the driver's places, which it alone looks at.
    desks: Vec<Desk>,
}

/// A place for one task at a time, as others see it.
struct Desk {
    bell: Arc<Bell>,
    task: Option<TaskId>,
}

/// A task that has to be begun.
struct Start<W> {
    place: usize,
    /// Of a place that is new.
    bell: Option<Arc<Bell>>,
    id: TaskId,
    work: W,
}

/// Who wants to be polled.
struct Hub(Mutex<Wanted>);

#[derive(Default)]
struct Wanted {
    keys: Vec<usize>,
    /// Something was queued.
    fresh: bool,
    /// Of the task that awaits the scope, while that is not polling.
    sleeper: Option<Waker>,
}

/// What the waker of one task of the scope is.
struct Bell {
    hub: Arc<Hub>,
    key: usize,
    /// Not 0 while its key is among those that are wanted.
    rung: AtomicU8,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // ORDERING: AcqRel: Release pairs with the Acquire swap of the driver before it polls;
        // what was done before the wake-up is seen by the poll.
        if self.rung.swap(1, Ordering::AcqRel) == 0 {
            self.hub.want(|wanted| wanted.keys.push(self.key));
        }
    }
}

impl Hub {
    fn want(&self, note: impl FnOnce(&mut Wanted)) {
        let mut wanted = self.0.lock();
        note(&mut wanted);
        let sleeper = wanted.sleeper.take();
        drop(wanted);
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }
}

impl<'env, W, T, E> Nursery<'env, W, T, E> {
    pub(super) fn new<J>(builder: Builder<J>) -> (Self, Arc<Verdict<J>>)
    where
        J: Join<T, E> + 'env,
    {
        let slots = Slots::new(builder.limit.unwrap_or(usize::MAX), builder.backlog);
        let (core, verdict) = Core::new(builder);
        let (queue, spawners, desks) = (VecDeque::new(), Waiters::new(), Vec::new());
        let line = Mutex::new(Line { slots, queue, next_index: 0, spawners, desks });
        let hub = Arc::new(Hub(Mutex::new(Wanted::default())));
        (Self { core, line, hub, polled: AtomicUsize::new(0) }, verdict)
    }

    pub(super) fn take_index(&self) -> usize {
        let mut line = self.line.lock();
        let index = line.next_index;
        line.next_index += 1;
        index
    }

    /// Promises a place, if there is one and nobody waits for it.
    pub(super) fn promise(&self, backlog: bool) -> bool {
        self.line.lock().promise(backlog)
    }

    /// Promises a place whether there is one or not.
    pub(super) fn promise_beyond(&self) {
        self.line.lock().slots.push();
    }

    /// Queues a task whose place was promised.
    pub(super) fn enqueue(&self, id: TaskId, work: W) {
        self.line.lock().queue.push_back((id, work));
        self.hub.want(|wanted| wanted.fresh = true);
    }

    pub(super) fn poll_place(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Place {
        let fresh = waker.clone();
        let mut line = self.line.lock();
        if let Some(held) = ticket.as_ref() {
            match line.spawners.progress(held, waker) {
                Progress::Settled => {
                    line.spawners.leave_settled(ticket);
                    drop(line);
                    return Place::Ready;
                }
                Progress::Queued => drop(line),
                Progress::StaleWaker => {
                    let stale = line.spawners.replace_waker(held, fresh);
                    drop(line);
                    drop(stale);
                }
            }
            return Place::Queued;
        }
        if line.promise(true) {
            drop(line);
            return Place::Ready;
        }
        *ticket = Some(line.spawners.push_back((), fresh));
        Place::Queued
    }

    /// Ends a wait for a place. One that was promised in the meantime goes to the next.
    pub(super) fn leave_place(&self, ticket: Ticket) {
        let mut line = self.line.lock();
        let left = line.spawners.leave(ticket);
        let mut batch = WakeBatch::default();
        if let Left::Settled(()) = left {
            line.slots.pop(1);
            line.promise_places(&mut batch);
        }
        drop(line);
        drop(left);
        wake(batch);
    }

    pub(super) fn set_limit(&self, limit: usize) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        line.slots.set_limit(limit);
        line.promise_places(&mut batch);
        drop(line);
        wake(batch);
        self.hub.want(|wanted| wanted.fresh = true);
    }

    /// The next task, if a slot is free; in a `place` that is free, or in a new one.
    fn start(&self, place: Option<usize>) -> Option<Start<W>> {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        if line.queue.is_empty() || !line.slots.enlist() {
            return None;
        }
        line.slots.pop(1);
        let (id, work) = line.queue.pop_front()?;
        let place = place.unwrap_or(line.desks.len());
        let mut fresh = None;
        if let Some(desk) = line.desks.get_mut(place) {
            desk.task = Some(id.clone());
        } else {
            let bell = bell(&self.hub, place + 1);
            fresh = Some(Arc::clone(&bell));
            line.desks.push(Desk { bell, task: Some(id.clone()) });
        }
        line.promise_places(&mut batch);
        drop(line);
        wake(batch);
        Some(Start { place, bell: fresh, id, work })
    }

    /// The task in this place has ended.
    fn end(&self, place: usize) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        if let Some(desk) = line.desks.get_mut(place) {
            desk.task = None;
        }
        line.slots.retire(false);
        line.promise_places(&mut batch);
        drop(line);
        wake(batch);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        // ORDERING: Relaxed, here and at the bells: what is looked at may change at any time, and a
        // task that asks of itself is on the thread that wrote it.
        let polled = self.polled.load(Ordering::Relaxed);
        let line = self.line.lock();
        let mut tasks = Vec::new();
        for (place, desk) in line.desks.iter().enumerate() {
            let Some(id) = &desk.task else { continue };
            // ORDERING: Relaxed: as above.
            let runs = polled == place + 1 || desk.bell.rung.load(Ordering::Relaxed) != 0;
            tasks.push((id.clone(), if runs { TaskState::Running } else { TaskState::Waiting }));
        }
        tasks.extend(line.queue.iter().map(|(id, _)| (id.clone(), TaskState::Queued)));
        let numbers = Numbers::of(&line.slots);
        drop(line);
        Snapshot::with(&self.core, numbers, tasks)
    }
}

impl<W> Line<W> {
    fn promise(&mut self, backlog: bool) -> bool {
        let room = if backlog { self.slots.has_room() } else { self.slots.has_slot() };
        let free = room && self.spawners.is_empty();
        if free {
            self.slots.push();
        }
        free
    }

    fn promise_places(&mut self, batch: &mut WakeBatch) {
        if self.spawners.is_empty() || !self.slots.is_half_empty() {
            return;
        }
        while self.slots.has_room() {
            let Some(waker) = self.spawners.settle_front(()) else { return };
            self.slots.push();
            batch.push(waker);
        }
    }
}

fn wake(mut batch: WakeBatch) {
    let mut panic = WakePanic::default();
    batch.wake_all(&mut panic);
    // Nobody is here to take it: the hook has told of it.
    drop_payload(panic);
}

/// The future of a scope.
pub(super) struct Driver<'env, B, W, T, E> {
    nursery: Arc<Nursery<'env, W, T, E>>,
    /// `None` when it is over.
    body: Option<Pin<Box<B>>>,
    panic: Option<Payload>,
    bell: Arc<Bell>,
    waker: Waker,
    /// The place of a task is its key, less one: 0 is the body's.
    places: Vec<Child<W>>,
    free: Vec<usize>,
    live: usize,
    over: bool,
}

struct Child<W> {
    job: Option<(TaskId, W)>,
    bell: Arc<Bell>,
    waker: Waker,
}

impl<'env, B, W, T, E> Driver<'env, B, W, T, E> {
    pub(super) fn new(nursery: Arc<Nursery<'env, W, T, E>>, body: Pin<Box<B>>) -> Self {
        let bell = bell(&nursery.hub, 0);
        bell.wake_by_ref();
        let waker = Waker::from(Arc::clone(&bell));
        let (places, free) = (Vec::new(), Vec::new());
        let (panic, live, over) = (None, 0, false);
        Self { nursery, body: Some(body), panic, bell, waker, places, free, live, over }
    }
}

fn bell(hub: &Arc<Hub>, key: usize) -> Arc<Bell> {
    Arc::new(Bell { hub: Arc::clone(hub), key, rung: AtomicU8::new(0) })
}

impl<B, W, T, E> Driver<'_, B, W, T, E>
where
    B: Future<Output = ()>,
    W: Future<Output = Result<T, E>> + Unpin,
{
    fn poll_body(&mut self) {
        // ORDERING: AcqRel, as in `Bell`: who rings from here on asks for another poll.
        self.bell.rung.swap(0, Ordering::AcqRel);
        let Some(body) = &mut self.body else { return };
        match poll_caught(body.as_mut(), &mut Context::from_waker(&self.waker)) {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(())) => {}
            Err(payload) => {
                self.panic = Some(payload);
                self.nursery.core.cancel("the body of the scope panicked");
            }
        }
        drop_payload(self.body.take());
    }

    fn poll_child(&mut self, place: usize) {
        let Some(child) = self.places.get_mut(place) else { return };
        // ORDERING: as in `poll_body`.
        child.bell.rung.swap(0, Ordering::AcqRel);
        let Some((id, work)) = &mut child.job else { return };
        let core = &self.nursery.core;
        // ORDERING: Relaxed, and below: of use to snapshots alone.
        self.nursery.polled.store(place + 1, Ordering::Relaxed);
        let polled = poll_caught(Pin::new(work), &mut Context::from_waker(&child.waker));
        // ORDERING: Relaxed: see above.
        self.nursery.polled.store(0, Ordering::Relaxed);
        let result = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => Some(result),
            Err(payload) => {
                core.panicked(id, payload);
                None
            }
        };
        if let Some((id, work)) = child.job.take() {
            core.settle(&id, || {
                drop(work);
                result
            });
            core.ended(id.index);
        }
        self.free.push(place);
        self.live -= 1;
        self.nursery.end(place);
    }

    /// Starts what is queued, as far as slots are free; how many.
    fn start_children(&mut self) -> usize {
        let mut started = 0;
        while started < POLLS_AT_ONCE {
            let Some(start) = self.nursery.start(self.free.last().copied()) else { break };
            started += 1;
            let Start { place, bell, id, work } = start;
            match bell {
                None => drop(self.free.pop()),
                Some(bell) => {
                    let waker = Waker::from(Arc::clone(&bell));
                    self.places.push(Child { job: None, bell, waker });
                }
            }
            let core = &self.nursery.core;
            if core.turns_away(&id) {
                core.settle(&id, || {
                    drop(work);
                    None
                });
                self.free.push(place);
                self.nursery.end(place);
                continue;
            }
            core.started(id.index);
            self.places[place].job = Some((id, work));
            self.live += 1;
            self.poll_child(place);
        }
        started
    }
}

impl<B, W, T, E> Future for Driver<'_, B, W, T, E>
where
    B: Future<Output = ()>,
    W: Future<Output = Result<T, E>> + Unpin,
{
    type Output = Result<(), Payload>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let hub = Arc::clone(&this.nursery.hub);
        let mut spare = Some(cx.waker().clone());
        let mut polls = 0;
        loop {
            let mut wanted = hub.0.lock();
            let (keys, fresh) = (mem::take(&mut wanted.keys), mem::take(&mut wanted.fresh));
            if keys.is_empty() && !fresh {
                let over = this.body.is_none() && this.live == 0;
                let stale = if over {
                    wanted.sleeper.take()
                } else {
                    mem::replace(&mut wanted.sleeper, spare.take())
                };
                drop(wanted);
                drop(stale);
                this.over = over;
                return match (over, this.panic.take()) {
                    (false, panic) => {
                        this.panic = panic;
                        Poll::Pending
                    }
                    (true, None) => Poll::Ready(Ok(())),
                    (true, Some(payload)) => Poll::Ready(Err(payload)),
                };
            }
            drop(wanted);
            for key in keys {
                polls += 1;
                match key.checked_sub(1) {
                    None => this.poll_body(),
                    Some(place) => this.poll_child(place),
                }
            }
            let started = this.start_children();
            polls += started;
            if started == POLLS_AT_ONCE {
                hub.0.lock().fresh = true;
            }
            if polls >= POLLS_AT_ONCE {
                // What is wanted stays wanted.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl<B, W, T, E> Unpin for Driver<'_, B, W, T, E> {}

impl<B, W, T, E> Drop for Driver<'_, B, W, T, E> {
    fn drop(&mut self) {
        if !self.over {
            self.nursery.core.token.cancel_with("the scope was dropped");
        }
        // Tasks hold the nursery, which holds those that are queued.
        let queued = mem::take(&mut self.nursery.line.lock().queue);
        drop(queued);
    }
}
