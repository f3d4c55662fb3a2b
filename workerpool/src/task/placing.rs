//! How a job gets its place: the state machine of every request that hands one over.

use super::cell::{Cell, Claim};
use super::house::House;
use super::submit::Submitter;
use super::work::{Body, Work};
use crate::desk;
use crate::engine::{Grant, Outcome, Push, Wait};
use crate::error::{JobError, Reason, Rejected, drop_payload};
use crate::judge::{Alone, Judge};
use crate::policy::Reject;
use crate::primitives::Arc;
use crate::strand::Guard;
use crate::trace;
use std::future::Future;
use std::task::{Context, Poll};

/// A job that is to be placed.
pub(super) trait Draft {
    type Job;

    /// What the queue takes. Called when it is accepted, under the lock: it only moves.
    fn entry(&mut self) -> Work;
    /// Begins with it where it is, without the queue.
    fn begin(&mut self) -> Result<Body, Outcome>;
    /// It is not to be run; `false` if it has had its end already.
    fn refuse(&mut self, why: JobError) -> bool;
    /// What was given, if it was not accepted. Itself, if it has had its end all the same.
    fn take_back(self) -> Result<Self::Job, Self>
    where
        Self: Sized;

    /// It is about to be placed.
    fn admit(&mut self) -> Result<(), Reason> {
        Ok(())
    }
}

/// A job whose result somebody may want.
pub(super) struct Kept<F, V, J = Alone>(pub(super) Arc<Cell<F, V, J>>);

impl<F, V, J> Draft for Kept<F, V, J>
where
    F: Future<Output: Send> + Send + 'static,
    V: Send + 'static,
    J: Judge<F::Output, Value = V> + 'static,
{
    type Job = F;

    fn entry(&mut self) -> Work {
        Work::Job(Arc::clone(&self.0) as _)
    }

    fn begin(&mut self) -> Result<Body, Outcome> {
        (Arc::clone(&self.0) as Arc<dyn Claim>).begin().map(Body::Job)
    }

    fn refuse(&mut self, why: JobError) -> bool {
        self.0.refuse(why)
    }

    fn take_back(self) -> Result<F, Self> {
        self.0.take_back().ok_or(self)
    }
}

/// A job whose result nobody wants. What is to be known of one is kept where results are kept.
pub(super) enum Loose<F> {
    Plain(Option<Box<F>>),
    Kept(Kept<F, ()>),
}

impl<F> Loose<F>
where
    F: Future<Output = ()> + Send + 'static,
{
    fn take(job: &mut Option<Box<F>>) -> Box<F> {
        match job.take() {
            Some(job) => job,
            None => unreachable!("a job is accepted once"),
        }
    }
}

impl<F> Draft for Loose<F>
where
    F: Future<Output = ()> + Send + 'static,
{
    type Job = F;

    fn entry(&mut self) -> Work {
        match self {
            Self::Plain(job) => Work::Plain(Self::take(job)),
            Self::Kept(kept) => kept.entry(),
        }
    }

    fn begin(&mut self) -> Result<Body, Outcome> {
        match self {
            Self::Plain(job) => Work::Plain(Self::take(job)).begin(),
            Self::Kept(kept) => kept.begin(),
        }
    }

    fn refuse(&mut self, why: JobError) -> bool {
        match self {
            Self::Plain(job) => {
                drop_payload(job.take());
                true
            }
            Self::Kept(kept) => kept.refuse(why),
        }
    }

    fn take_back(self) -> Result<F, Self> {
        match self {
            Self::Plain(mut job) => Ok(*Self::take(&mut job)),
            Self::Kept(kept) => kept.take_back().map_err(Self::Kept),
        }
    }
}

pub(super) type PlaceWait<'p> = desk::PlaceWait<'p, House>;

/// A job on its way into a pool. Dropped, it takes the job with it.
pub(super) struct Placing<'p, D> {
    pub(super) submitter: Submitter<'p>,
    /// Always waits, whatever the pool says; inside a job of the pool, runs it there.
    runs: bool,
    draft: Option<D>,
    stage: Stage<'p>,
    /// Keeps the line of a key from being given to another.
    held: Option<Arc<Guard<House>>>,
}

enum Stage<'p> {
    New,
    Waiting(PlaceWait<'p>),
    /// It is run by whoever submits it.
    Here(Option<Body>),
    Over,
}

/// A result, or that there is more to be done first.
type Step = Option<Result<(), Reason>>;

impl<'p, D: Draft> Placing<'p, D> {
    pub(super) const fn new(submitter: Submitter<'p>, draft: D, runs: bool) -> Self {
        Self { submitter, runs, draft: Some(draft), stage: Stage::New, held: None }
    }

    pub(super) fn holding(mut self, guard: Arc<Guard<House>>) -> Self {
        self.held = Some(guard);
        self
    }

    /// The draft that was placed, or run; or the job, and why not.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<D, Rejected<D::Job>>> {
        let house = self.submitter.house;
        loop {
            let step = match &mut self.stage {
                Stage::New => self.first(),
                Stage::Waiting(place) => match place.poll(cx.waker()) {
                    Wait::Queued => return Poll::Pending,
                    Wait::Ready(Grant::Closed) => Some(Err(Reason::Closed)),
                    Wait::Ready(Grant::Place) => {
                        let Self { submitter, draft, .. } = self;
                        Some(house.place_reserved(|| submitter.item(entry(draft))))
                    }
                },
                Stage::Here(body) => {
                    let _entered = house.runtime.enter();
                    match house.inside(|| Body::poll(body, &house.hooks, cx)) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(outcome) => {
                            house.hooks.note_end(outcome);
                            house.engine.note_outside(outcome);
                            Some(Ok(()))
                        }
                    }
                }
                Stage::Over => unreachable!("polled after its end"),
            };
            let Some(placed) = step else { continue };
            self.stage = Stage::Over;
            let Some(draft) = self.draft.take() else { unreachable!("it is placed once") };
            return Poll::Ready(match placed {
                Ok(()) => Ok(draft),
                Err(reason) => match draft.take_back() {
                    Ok(job) => {
                        house.hooks.note_rejected(&house.engine, reason);
                        Err(Rejected::new(job, reason))
                    }
                    // It is of a group, which was cancelled meanwhile.
                    Err(draft) => {
                        house.engine.note_unplaced();
                        Ok(draft)
                    }
                },
            });
        }
    }

    /// What to do with it first of all.
    fn first(&mut self) -> Step {
        let house = self.submitter.house;
        if let Err(reason) = draft_of(&mut self.draft).admit() {
            return Some(Err(reason));
        }
        if self.runs && house.is_inside() {
            // It would keep its place from whoever it waits for.
            return if house.engine.is_closed() { Some(Err(Reason::Closed)) } else { self.nest() };
        }
        let Self { submitter, draft, .. } = self;
        match house.try_place(|| submitter.item(entry(draft))) {
            Err(Reason::Full) => self.overflow(),
            placed => Some(placed),
        }
    }

    /// There is no room for it.
    #[cold]
    fn overflow(&mut self) -> Step {
        let house = self.submitter.house;
        let reject = if self.runs { Reject::Block } else { house.hooks.reject };
        match reject {
            Reject::Fail => Some(Err(Reason::Full)),
            Reject::Block if house.is_inside() => self.nest(),
            Reject::Block => {
                self.stage = Stage::Waiting(PlaceWait::new(house));
                None
            }
            Reject::CallerRuns => self.run_here(),
            Reject::DropNewest => {
                if draft_of(&mut self.draft).refuse(JobError::Dropped) {
                    house.hooks.note_rejected(&house.engine, Reason::Full);
                } else {
                    house.engine.note_unplaced();
                }
                Some(Ok(()))
            }
            Reject::DropOldest => Some(self.evict()),
        }
    }

    fn nest(&mut self) -> Step {
        if House::is_deep() { Some(Err(Reason::TooDeep)) } else { self.run_here() }
    }

    fn run_here(&mut self) -> Step {
        if self.submitter.strand.is_some() {
            // It has to wait for its turn behind others, whoever asks.
            return Some(Err(Reason::Full));
        }
        match draft_of(&mut self.draft).begin() {
            Ok(body) => {
                self.stage = Stage::Here(Some(body));
                None
            }
            // It is of a group, which was cancelled meanwhile.
            Err(Outcome::Void) => {
                self.submitter.house.engine.note_unplaced();
                Some(Ok(()))
            }
            Err(outcome) => {
                self.submitter.house.engine.note_outside(outcome);
                Some(Ok(()))
            }
        }
    }

    fn evict(&mut self) -> Result<(), Reason> {
        let Self { submitter, draft, .. } = self;
        let house = submitter.house;
        let (pushed, evicted) = house.engine.push_evicting(|| submitter.item(entry(draft)));
        if let Some(evicted) = evicted {
            if evicted.entry.refuse(JobError::Dropped) {
                trace::rejected(house.hooks.pool(), Reason::Full);
            } else {
                house.engine.note_evicted_void();
            }
        }
        match pushed {
            Push::NoWorker => house.place_reserved(|| submitter.item(entry(draft))),
            pushed => house.placed(pushed, || unreachable!("it was taken, or is not to be")),
        }
    }
}

fn entry<D: Draft>(draft: &mut Option<D>) -> Work {
    draft_of(draft).entry()
}

fn draft_of<D: Draft>(draft: &mut Option<D>) -> &mut D {
    match draft {
        Some(draft) => draft,
        None => unreachable!("it is placed once"),
    }
}
