//! Many jobs at once: one lock for all that there is room for.

use super::handle::Job;
use super::placing::{Draft, Loose, PlaceWait, Placing};
use super::pool::Pool;
use super::submit::{Submitter, Whole};
use crate::engine::{Grant, Push, Wait};
use crate::error::{Reason, Rejected, RejectedBatch};
use crate::policy::Reject;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

/// Jobs on their way into a pool.
struct Filing<'p, D: Draft> {
    submitter: Submitter<'p>,
    rest: vec::IntoIter<D>,
    /// Those that were accepted, in their order.
    placed: Vec<D>,
    stage: Stage<'p, D>,
}

enum Stage<'p, D: Draft> {
    /// As many at once as there is room for.
    Many,
    /// There is no room, and the pool is of the kind that waits.
    Waiting(PlaceWait<'p>),
    /// What is done without room is done one by one.
    Alone(Placing<'p, D>),
}

/// The drafts that were placed; the jobs that were not, and why.
type Filed<D> = (Vec<D>, Option<(Vec<<D as Draft>::Job>, Reason)>);

impl<'p, D: Draft> Filing<'p, D> {
    /// Made before the lock is taken: `drafts` are the user's, and what is placed needs no memory then.
    fn new(submitter: Submitter<'p>, drafts: Vec<D>) -> Self {
        let placed = Vec::with_capacity(drafts.len());
        Self { submitter, rest: drafts.into_iter(), placed, stage: Stage::Many }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Filed<D>> {
        while self.rest.len() > 0 || matches!(self.stage, Stage::Alone(_)) {
            let house = self.submitter.house;
            let stopped = match &mut self.stage {
                Stage::Many => self.place_many(),
                Stage::Waiting(place) => match place.poll(cx.waker()) {
                    Wait::Queued => return Poll::Pending,
                    Wait::Ready(Grant::Closed) => Err((Reason::Closed, None)),
                    Wait::Ready(Grant::Place) => {
                        // One place is promised. Others may be free by now.
                        self.stage = Stage::Many;
                        let (submitter, rest) = (self.submitter, &mut self.rest);
                        let placed = &mut self.placed;
                        house
                            .place_reserved(|| submitter.item(next(rest, placed)))
                            .map_err(|reason| (reason, None))
                    }
                },
                Stage::Alone(placing) => match placing.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(draft)) => {
                        self.stage = Stage::Many;
                        self.placed.push(draft);
                        Ok(())
                    }
                    Poll::Ready(Err(Rejected { job, reason })) => Err((reason, Some(job))),
                },
            };
            if let Err((reason, first)) = stopped {
                return Poll::Ready(self.refuse(first, reason));
            }
        }
        Poll::Ready((mem::take(&mut self.placed), None))
    }

    /// Places as many as there is room for, and says what is to be done without.
    fn place_many(&mut self) -> Result<(), (Reason, Option<D::Job>)> {
        let Self { submitter, rest, placed, stage } = self;
        let house = submitter.house;
        let items =
            std::iter::from_fn(|| (rest.len() > 0).then(|| submitter.item(next(rest, placed))));
        match house.engine.push_batch(items) {
            (Push::Accepted(start), _) => {
                house.start(start);
                Ok(())
            }
            (Push::Closed, _) => Err((Reason::Closed, None)),
            (Push::NoWorker, _) => house
                .place_reserved(|| submitter.item(next(rest, placed)))
                .map_err(|reason| (reason, None)),
            (Push::Full, _) => match house.hooks.reject {
                Reject::Fail => Err((Reason::Full, None)),
                Reject::Block if !house.is_inside() => {
                    *stage = Stage::Waiting(PlaceWait::new(house));
                    Ok(())
                }
                _ => {
                    if let Some(draft) = rest.next() {
                        *stage = Stage::Alone(Placing::new(*submitter, draft, false));
                    }
                    Ok(())
                }
            },
        }
    }

    /// Nothing more is accepted. The one that came back alone is counted already.
    fn refuse(&mut self, first: Option<D::Job>, reason: Reason) -> Filed<D> {
        self.stage = Stage::Many;
        let hooks = &self.submitter.house.hooks;
        let mut refused: Vec<_> = first.into_iter().collect();
        for draft in self.rest.by_ref() {
            match draft.take_back() {
                Ok(job) => {
                    hooks.note_rejected(&self.submitter.house.engine, reason);
                    refused.push(job);
                }
                Err(_) => unreachable!("a job that was not accepted did not start"),
            }
        }
        (mem::take(&mut self.placed), Some((refused, reason)))
    }
}

/// What the queue takes of the next.
fn next<D: Draft>(rest: &mut vec::IntoIter<D>, placed: &mut Vec<D>) -> super::work::Work {
    match rest.next() {
        Some(mut draft) => {
            let entry = draft.entry();
            placed.push(draft);
            entry
        }
        None => unreachable!("some are left, and one is taken once"),
    }
}

/// Hands many jobs over, by the pool's policy: a request, which does nothing until it is waited for. It
/// gives the jobs' handles, in their order. See [`Pool::submit_batch`].
///
/// # Cancel safety
///
/// Dropping it before it is ready drops the jobs that were not accepted, and its turn goes to the next.
/// Those that were accepted run.
#[must_use = "a request does nothing until it is waited for"]
pub struct SubmitBatch<'p, F>
where
    F: Future<Output: Send> + Send + 'static,
{
    filing: Filing<'p, Whole<F>>,
}

/// Hands many jobs over, whose results nobody wants: a request, which does nothing until it is waited for.
/// See [`Pool::spawn_batch`].
///
/// # Cancel safety
///
/// As that of [`SubmitBatch`].
#[must_use = "a request does nothing until it is waited for"]
pub struct SpawnBatch<'p, F>
where
    F: Future<Output = ()> + Send + 'static,
{
    filing: Filing<'p, Loose<F>>,
}

type Submitted<F> =
    Result<Vec<Job<<F as Future>::Output>>, RejectedBatch<F, Job<<F as Future>::Output>>>;

impl<F> SubmitBatch<'_, F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Submitted<F>> {
        let submitter = self.filing.submitter;
        self.filing.poll(cx).map(|(placed, refused)| {
            let accepted = placed.into_iter().map(|draft| submitter.handle(draft)).collect();
            match refused {
                None => Ok(accepted),
                Some((rejected, reason)) => Err(RejectedBatch { accepted, rejected, reason }),
            }
        })
    }

    /// Waits on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`RejectedBatch`]: the jobs that were not accepted, and the handles of those before them.
    #[cfg(feature = "sync")]
    pub fn wait(mut self) -> Submitted<F> {
        super::submit::block_on(|cx| self.poll_once(cx))
    }
}

impl<F> SpawnBatch<'_, F>
where
    F: Future<Output = ()> + Send + 'static,
{
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RejectedBatch<F, ()>>> {
        self.filing.poll(cx).map(|(placed, refused)| match refused {
            None => Ok(()),
            Some((rejected, reason)) => {
                Err(RejectedBatch { accepted: vec![(); placed.len()], rejected, reason })
            }
        })
    }

    /// Waits on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`RejectedBatch`]: the jobs that were not accepted, and one `()` for each of those before them.
    #[cfg(feature = "sync")]
    pub fn wait(mut self) -> Result<(), RejectedBatch<F, ()>> {
        super::submit::block_on(|cx| self.poll_once(cx))
    }
}

impl<F> Future for SubmitBatch<'_, F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = Submitted<F>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_once(cx)
    }
}

impl<F> Future for SpawnBatch<'_, F>
where
    F: Future<Output = ()> + Send + 'static,
{
    type Output = Result<(), RejectedBatch<F, ()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_once(cx)
    }
}

/// The jobs are not pinned in it: that happens where they are run.
impl<F> Unpin for SubmitBatch<'_, F> where F: Future<Output: Send> + Send + 'static {}
impl<F> Unpin for SpawnBatch<'_, F> where F: Future<Output = ()> + Send + 'static {}

impl<'p> Submitter<'p> {
    /// See [`Pool::submit_batch`].
    pub fn submit_batch<F>(self, jobs: impl IntoIterator<Item = F>) -> SubmitBatch<'p, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let drafts = jobs.into_iter().map(|job| self.kept(job)).collect();
        SubmitBatch { filing: Filing::new(self, drafts) }
    }

    /// See [`Pool::spawn_batch`].
    pub fn spawn_batch<F>(self, jobs: impl IntoIterator<Item = F>) -> SpawnBatch<'p, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let drafts = jobs.into_iter().map(|job| self.loose(job)).collect();
        SpawnBatch { filing: Filing::new(self, drafts) }
    }
}

impl Pool {
    /// Hands many jobs over, with one lock for all that there is room for: a request, which gives their
    /// handles in the order of the jobs. Where there is no room, the pool's [`Reject`](super::Reject) says
    /// what happens to each.
    ///
    /// # Errors
    ///
    /// The request gives [`RejectedBatch`]: the jobs that were not accepted, and the handles of those
    /// before them.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let jobs = pool.submit_batch((1..=3).map(|n| async move { n * n })).await.unwrap();
    /// let mut squares = Vec::new();
    /// for job in jobs {
    ///     squares.push(job.await?);
    /// }
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_batch<F>(&self, jobs: impl IntoIterator<Item = F>) -> SubmitBatch<'_, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.submitter().submit_batch(jobs)
    }

    /// Hands many jobs over whose results nobody wants, with one lock for all that there is room for: a
    /// request.
    ///
    /// # Errors
    ///
    /// The request gives [`RejectedBatch`]: the jobs that were not accepted, and one `()` for each of
    /// those before them.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let pool = Pool::new(2)?;
    /// let sum = Arc::new(AtomicUsize::new(0));
    /// let add = |n| {
    ///     let sum = Arc::clone(&sum);
    ///     async move {
    ///         sum.fetch_add(n, Ordering::Relaxed);
    ///     }
    /// };
    /// pool.spawn_batch((1..=3).map(add)).await.unwrap();
    /// pool.wait_idle().await;
    /// assert_eq!(sum.load(Ordering::Relaxed), 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_batch<F>(&self, jobs: impl IntoIterator<Item = F>) -> SpawnBatch<'_, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.submitter().spawn_batch(jobs)
    }
}

impl<F> fmt::Debug for SubmitBatch<'_, F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitBatch").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for SpawnBatch<'_, F>
where
    F: Future<Output = ()> + Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnBatch").finish_non_exhaustive()
    }
}
