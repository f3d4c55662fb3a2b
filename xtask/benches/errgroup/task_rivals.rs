//! The rivals among tasks, each by the calls that its own documentation recommends.

use crate::blocked;
use crate::harness::Subject;
use crate::subject::{Crowd, Discard, Fail, Keep, Limit, Sum, Work};
use crate::tasks::Empty;
use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Joined = Result<Result<u64, ()>, JoinError>;

fn value(joined: Joined) -> u64 {
    joined.expect("a panic exits").expect("no task fails")
}

pub struct JoinSetNext;

impl Subject for JoinSetNext {
    const NAME: &'static str = "JoinSet/join_next";
}

impl Keep for JoinSetNext {
    async fn keep(tasks: u64) -> Sum {
        let mut set: JoinSet<_> = (0..tasks).map(Empty::task).collect();
        let mut sum = 0;
        while let Some(joined) = set.join_next().await {
            sum += value(joined);
        }
        Some(sum)
    }
}

pub struct JoinSetAll;

impl Subject for JoinSetAll {
    const NAME: &'static str = "JoinSet/join_all";
}

impl Keep for JoinSetAll {
    async fn keep(tasks: u64) -> Sum {
        let set: JoinSet<_> = (0..tasks).map(Empty::task).collect();
        let results = set.join_all().await;
        Some(results.into_iter().map(|result| result.expect("no task fails")).sum())
    }
}

pub struct VecOfHandles;

impl Subject for VecOfHandles {
    const NAME: &'static str = "spawn + Vec";
}

impl Keep for VecOfHandles {
    async fn keep(tasks: u64) -> Sum {
        let handles: Vec<_> = (0..tasks).map(|number| tokio::spawn(Empty::task(number))).collect();
        let mut sum = 0;
        for handle in handles {
            sum += value(handle.await);
        }
        Some(sum)
    }
}

pub struct Tracker;

impl Subject for Tracker {
    const NAME: &'static str = "TaskTracker";
}

impl Discard for Tracker {
    async fn discard(tasks: u64) -> Sum {
        let tracker = TaskTracker::new();
        for _ in 0..tasks {
            tracker.spawn(crate::tasks::nothing());
        }
        tracker.close();
        tracker.wait().await;
        None
    }
}

/// Of tasks that are spawned when their turn comes.
pub struct BufferUnordered;

impl Subject for BufferUnordered {
    const NAME: &'static str = "buffer_unordered";
}

impl Limit for BufferUnordered {
    async fn limit<W: Work>(limit: usize, tasks: u64) -> Sum {
        let spawned = stream::iter((0..tasks).map(|number| tokio::spawn(W::task(number))));
        let mut joined = spawned.buffer_unordered(limit);
        let mut sum = 0;
        while let Some(joined) = joined.next().await {
            sum += value(joined);
        }
        Some(sum)
    }
}

/// Takes a permit before each spawn, and joins when all are spawned.
pub struct JoinSetSemaphore;

impl Subject for JoinSetSemaphore {
    const NAME: &'static str = "JoinSet + Semaphore";
}

impl Limit for JoinSetSemaphore {
    async fn limit<W: Work>(limit: usize, tasks: u64) -> Sum {
        let semaphore = Arc::new(Semaphore::new(limit));
        let mut set = JoinSet::new();
        for number in 0..tasks {
            let permit = Arc::clone(&semaphore).acquire_owned().await.expect("never closed");
            set.spawn(async move {
                let _permit = permit;
                W::task(number).await
            });
        }
        let mut sum = 0;
        while let Some(joined) = set.join_next().await {
            sum += value(joined);
        }
        Some(sum)
    }
}

/// Joins one before each spawn once there are as many as the limit.
pub struct JoinSetLen;

impl Subject for JoinSetLen {
    const NAME: &'static str = "JoinSet + len";
}

impl Limit for JoinSetLen {
    async fn limit<W: Work>(limit: usize, tasks: u64) -> Sum {
        let mut set = JoinSet::new();
        let mut sum = 0;
        for number in 0..tasks {
            if set.len() >= limit {
                sum += value(set.join_next().await.expect("the limit is not 0"));
            }
            set.spawn(W::task(number));
        }
        while let Some(joined) = set.join_next().await {
            sum += value(joined);
        }
        Some(sum)
    }
}

/// Not in parallel: for the record.
pub struct BufferInPlace;

impl Subject for BufferInPlace {
    const NAME: &'static str = "buffer_unordered, unspawned";
}

impl Limit for BufferInPlace {
    async fn limit<W: Work>(limit: usize, tasks: u64) -> Sum {
        let mut done = stream::iter((0..tasks).map(W::task)).buffer_unordered(limit);
        let mut sum = 0;
        while let Some(result) = done.next().await {
            sum += result.expect("no task fails");
        }
        Some(sum)
    }
}

/// Not in parallel: for the record.
pub struct Unordered;

impl Subject for Unordered {
    const NAME: &'static str = "FuturesUnordered";
}

impl Keep for Unordered {
    async fn keep(tasks: u64) -> Sum {
        let mut set: FuturesUnordered<_> = (0..tasks).map(Empty::task).collect();
        let mut sum = 0;
        while let Some(result) = set.next().await {
            sum += result.expect("no task fails");
        }
        Some(sum)
    }
}

/// Its tasks know of nothing, and are aborted where they wait.
pub struct AbortAll;

impl Subject for AbortAll {
    const NAME: &'static str = "JoinSet/abort_all";
}

impl Fail for AbortAll {
    async fn fail(tasks: usize) -> Duration {
        let wait = || async {
            pending::<()>().await;
            Ok(())
        };
        fail(tasks, wait, JoinSet::abort_all).await
    }
}

/// Its tasks wait for a token, as ours do.
pub struct JoinSetToken;

impl Subject for JoinSetToken {
    const NAME: &'static str = "JoinSet + token";
}

impl Fail for JoinSetToken {
    async fn fail(tasks: usize) -> Duration {
        let token = CancellationToken::new();
        let wait = || {
            let token = token.clone();
            async move {
                token.cancelled().await;
                Ok(())
            }
        };
        fail(tasks, wait, |_| token.cancel()).await
    }
}

async fn fail<F>(
    tasks: usize,
    wait: impl Fn() -> F,
    end: impl Fn(&mut JoinSet<Result<(), Instant>>),
) -> Duration
where
    F: Future<Output = Result<(), Instant>> + Send + 'static,
{
    let mut set = JoinSet::new();
    let waiting = Arc::new(AtomicUsize::new(0));
    for _ in 0..tasks {
        let (waiting, wait) = (Arc::clone(&waiting), wait());
        set.spawn(async move {
            waiting.fetch_add(1, Ordering::Relaxed);
            wait.await
        });
    }
    set.spawn(async move { Err(crate::fail::fail(&waiting, tasks).await) });
    let mut failed = None;
    while let Some(joined) = set.join_next().await {
        if let Ok(Err(moment)) = joined {
            failed = Some(moment);
            end(&mut set);
        }
    }
    failed.expect("one task fails").elapsed()
}

/// Its tasks wait for a token, as ours do.
pub struct TokenCrowd {
    tasks: JoinSet<()>,
    token: CancellationToken,
}

impl Subject for TokenCrowd {
    const NAME: &'static str = JoinSetToken::NAME;
}

impl Crowd for TokenCrowd {
    fn new() -> Self {
        Self { tasks: JoinSet::new(), token: CancellationToken::new() }
    }

    async fn spawn(&mut self) {
        let token = self.token.clone();
        self.tasks.spawn(async move {
            blocked::begin();
            token.cancelled().await;
            blocked::end();
        });
    }

    fn cancel(&self) {
        self.token.cancel();
    }

    async fn join(mut self) {
        while let Some(joined) = self.tasks.join_next().await {
            joined.expect("a panic exits");
        }
    }
}
