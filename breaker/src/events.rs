//! Who is told of transitions: in their order, one at a time, and outside every lock.

use crate::clock::Timestamp;
use crate::hint::Votes;
use crate::primitives::{Arc, Mutex};
use crate::state::State;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Why a circuit changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The policy said so.
    Tripped,
    /// A call's outcome said so: [`Outcome::TripFor`](crate::Outcome::TripFor).
    Told,
    /// The open time was over, and a probe went through.
    OpenTimeOver,
    /// The probes succeeded.
    Recovered,
    /// Too many probes failed.
    ProbesFailed,
    /// No probe has come back in time: others go through.
    LeaseOver,
    /// Enough other instances have opened: [`apply_remote_hint`](crate::Breaker::apply_remote_hint).
    Hinted,
    /// Somebody called [`reset`](crate::Breaker::reset), [`force_open`](crate::Breaker::force_open) or
    /// their kin.
    ByHand,
}

impl Reason {
    /// `tripped`, `told`, `open_time_over`, `recovered`, `probes_failed`, `lease_over`, `hinted`,
    /// `by_hand`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tripped => "tripped",
            Self::Told => "told",
            Self::OpenTimeOver => "open_time_over",
            Self::Recovered => "recovered",
            Self::ProbesFailed => "probes_failed",
            Self::LeaseOver => "lease_over",
            Self::Hinted => "hinted",
            Self::ByHand => "by_hand",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change of a circuit's state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The breaker's name.
    pub name: Arc<str>,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// When, by the breaker's clock.
    pub at: Timestamp,
    /// For how long it will be open, if it is and if that is known.
    pub open_for: Option<Duration>,
    /// The number of this transition, which counts from 1 and wraps after 16 million. One is left out where
    /// somebody has asked for the state that there was: that begins anew, and is not told.
    pub number: u32,
}

type Callback = Arc<dyn Fn(&Transition) + Send + Sync>;

/// What lies under the lock that every transition takes.
#[derive(Default)]
pub(crate) struct Slow {
    /// How often it has opened since it was last closed.
    pub(crate) attempts: u32,
    pub(crate) votes: Votes,
    listeners: Arc<[(u64, Callback)]>,
    next_listener: u64,
    /// Not told yet, each with the last listener that there was: who came later is not told of it.
    queue: VecDeque<(u64, Transition)>,
    /// Somebody is telling.
    telling: bool,
}

impl Slow {
    /// INVARIANT: called under the lock under which the state changes, so that the queue has the order
    /// of the changes.
    pub(crate) fn push(&mut self, transition: impl FnOnce() -> Transition) {
        if !self.listeners.is_empty() {
            self.queue.push_back((self.next_listener, transition()));
        }
    }
}

#[derive(Clone)]
pub(crate) struct Hub(Arc<Mutex<Slow>>);

impl Hub {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Slow::default())))
    }

    pub(crate) fn lock(&self) -> impl std::ops::DerefMut<Target = Slow> + '_ {
        self.0.lock()
    }

    /// Tells what has not been told, unless somebody does so already: he will tell this, too.
    pub(crate) fn tell(&self) {
        let mut telling = false;
        loop {
            let (last, transition, listeners) = {
                let mut slow = self.0.lock();
                if slow.telling && !telling {
                    return;
                }
                let Some((last, transition)) = slow.queue.pop_front() else {
                    slow.telling = false;
                    return;
                };
                (slow.telling, telling) = (true, true);
                (last, transition, Arc::clone(&slow.listeners))
            };
            for (_, listener) in listeners.iter().filter(|(id, _)| *id <= last) {
                quietly(|| listener(&transition));
            }
            // The last to hold a listener that was removed meanwhile: its drop is the user's code.
            quietly(|| drop(listeners));
        }
    }

    pub(crate) fn listen(&self, callback: Callback) -> Listener {
        let (id, old) = {
            let mut slow = self.0.lock();
            slow.next_listener += 1;
            let id = slow.next_listener;
            let kept = slow.listeners.iter().cloned();
            let new = kept.chain([(id, callback)]).collect();
            (id, std::mem::replace(&mut slow.listeners, new))
        };
        drop(old);
        Listener { hub: Some(self.clone()), id }
    }

    /// The breaker is gone, and with it whatever its listeners hold.
    pub(crate) fn close(&self) {
        let old = std::mem::take(&mut self.0.lock().listeners);
        quietly(|| drop(old));
    }

    fn forget(&self, id: u64) {
        let old = {
            let mut slow = self.0.lock();
            let kept = slow.listeners.iter().filter(|(listener, _)| *listener != id).cloned();
            let new = kept.collect();
            std::mem::replace(&mut slow.listeners, new)
        };
        // Outside the lock: dropping what a listener has captured is the user's code.
        drop(old);
    }
}

/// Calls `run`; its panic has been reported by the panic hook, and ends here.
pub(crate) fn quietly(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // A payload whose drop panics with another: there is no end to this.
            std::mem::forget(again);
        }
    }
}

/// Somebody who is told of transitions, until this is dropped.
///
/// Dropping it does not wait: a call that is under way at another thread goes on, and a transition that was
/// made before may still be told.
#[must_use = "dropped, nobody is told any more"]
pub struct Listener {
    /// `None`: it stays.
    hub: Option<Hub>,
    id: u64,
}

impl Listener {
    /// Keeps it for as long as the breaker lives.
    pub fn forever(mut self) {
        self.hub = None;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(hub) = &self.hub {
            hub.forget(self.id);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("id", &self.id).finish_non_exhaustive()
    }
}
