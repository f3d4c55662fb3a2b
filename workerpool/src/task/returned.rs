//! Jobs that are handed back.

use super::house::House;
use super::work::{Body, Work};
use crate::engine::Item;
use crate::error::JobError;
use crate::primitives::Arc;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A job that was accepted and handed back before it started. To run it after all, `.await` it: its
/// result, or its panic, goes to its handle. Dropping it aborts the job.
#[must_use = "dropping a job that was handed back aborts it"]
pub struct Returned {
    house: Arc<House>,
    lane: usize,
    work: Option<Work>,
    body: Option<Body>,
}

impl Returned {
    pub(super) fn all(house: &Arc<House>, items: Vec<Item<Work>>) -> Vec<Self> {
        let named = |item: Item<Work>| Self {
            house: Arc::clone(house),
            lane: item.lane.into(),
            work: Some(item.entry),
            body: None,
        };
        items.into_iter().map(named).collect()
    }

    /// The lane in which it waited.
    pub const fn lane(&self) -> usize {
        self.lane
    }
}

impl Future for Returned {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Some(work) = this.work.take() {
            this.body = work.begin().ok();
        }
        if this.body.is_none() {
            return Poll::Ready(());
        }
        let _entered = this.house.runtime.enter();
        Body::poll(&mut this.body, &this.house.hooks, cx).map(drop)
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let _ = work.refuse(JobError::Aborted);
        }
        if let Some(body) = self.body.take() {
            body.lose(JobError::Aborted);
        }
    }
}

impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned").field("lane", &self.lane).finish_non_exhaustive()
    }
}
