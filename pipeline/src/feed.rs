//! What runs: something that pushes items into a sink, as many as it has without waiting.

use crate::control::Control;
use crate::error::Fault;
use crate::primitives::{Arc, Deadline};
use std::ops::ControlFlow::{self, Break, Continue};

/// `most` for a sink that hands items on at once: then a feed may wait whenever it likes.
pub(crate) const ALL: usize = usize::MAX;

/// Why a feed returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// For now: it would have to wait, has pushed enough, or the sink has broken off.
    More,
    /// There is nothing more. It is not asked again, nor is one that failed.
    Over,
}

/// Until when a feed may wait: to its end, or to a moment.
#[derive(Clone, Copy, Debug)]
pub struct Until<'a>(pub(crate) Option<&'a Deadline>);

impl Until<'_> {
    pub(crate) const NEVER: Self = Self(None);

    pub(crate) fn has_passed(self) -> bool {
        self.0.is_some_and(Deadline::has_passed)
    }
}

/// Pushes items. Operators wrap the sink that they are given, so a chain of them is one function.
pub trait Feed {
    type Item;
    type Error;

    /// Pushes about `most` items; waits only while it has pushed none, and not beyond `until`, if it can
    /// stop waiting (`Stage::TIMED`). An item for which the sink breaks off was taken by it.
    fn feed(
        &mut self,
        until: Until<'_>,
        most: usize,
        sink: impl FnMut(Self::Item) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<Self::Error>>;
}

/// The items of an iterator, until there are none or the pipeline drains.
#[derive(Debug)]
pub struct IterFeed<I> {
    iter: I,
    control: Arc<Control>,
    prefetch: usize,
}

impl<I: Iterator> IterFeed<I> {
    pub(crate) fn new(iter: I, control: Arc<Control>, prefetch: usize) -> Self {
        Self { iter, control, prefetch }
    }
}

impl<I: Iterator> Feed for IterFeed<I> {
    type Item = I::Item;
    type Error = std::convert::Infallible;

    fn feed(
        &mut self,
        _: Until<'_>,
        most: usize,
        mut sink: impl FnMut(I::Item) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<Self::Error>> {
        let control = &*self.control;
        if !control.is_running() {
            return stopped(control);
        }
        if most == ALL {
            let broken = self.iter.try_for_each(|item| match sink(item) {
                Continue(()) if control.is_running() => Continue(()),
                _ => Break(Fed::More),
            });
            return Ok(broken.break_value().unwrap_or(Fed::Over));
        }
        // An iterator over a channel waits, and what it gave before must not wait with it. One that
        // promises so many items is believed.
        let most = most.min(self.iter.size_hint().0.max(self.prefetch));
        for _ in 0..most {
            let Some(item) = self.iter.next() else { return Ok(Fed::Over) };
            // What the word says then is for the next call to say.
            if sink(item).is_break() || !control.is_running() {
                break;
            }
        }
        Ok(Fed::More)
    }
}

/// A drain is an end; a cancel is none.
#[cold]
fn stopped<E>(control: &Control) -> Result<Fed, Fault<E>> {
    if control.is_cancelled() { Err(Fault::Cancelled) } else { Ok(Fed::Over) }
}
