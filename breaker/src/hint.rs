//! What other instances of a service say of their circuits.

use crate::primitives::Arc;
use crate::state::Generation;
use std::collections::BTreeMap;
use std::time::Duration;

/// What became of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hinted {
    /// It was noted, and changed nothing: too few say so, or this circuit is not closed.
    Noted {
        /// How many others say at this time that their circuits are open.
        open: u32,
    },
    /// It was the last one of the quorum, and has opened this circuit.
    Opened,
    /// This circuit was open because of hints, and too few are left: the next call is a probe.
    Shortened,
}

/// As it came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hint<'a> {
    pub(crate) origin: &'a str,
    pub(crate) says_open: bool,
    pub(crate) ttl: Duration,
}

/// So many origins are remembered. Beyond that, the vote that ends first makes room.
const MOST_ORIGINS: usize = 1_024;

#[derive(Clone, Copy, Debug)]
struct Vote {
    until: u64,
    round: u32,
}

/// What the votes come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// So many say open now.
    pub(crate) open: u32,
    /// So many say that it should open: of those, who said so since it was last closed; and nobody unless
    /// this very hint does.
    pub(crate) opening: u32,
}

/// Who says that the circuit should be open, and until when he is believed.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    by_origin: BTreeMap<Arc<str>, Vote>,
    /// How often the circuit was closed. What was said before it was says nothing of now.
    round: u32,
    /// The generation that hints have begun.
    pub(crate) opened: Option<Generation>,
}

impl Votes {
    /// Takes note of what `origin` says: open until then, or not.
    pub(crate) fn cast(&mut self, origin: &str, open_until: Option<u64>, now: u64) -> Tally {
        self.by_origin.retain(|_, vote| vote.until > now);
        let opening = match open_until.filter(|until| *until > now) {
            Some(until) => {
                self.note(origin, Vote { until, round: self.round });
                let since = self.by_origin.values().filter(|vote| vote.round == self.round);
                since.count() as u32
            }
            None => {
                self.by_origin.remove(origin);
                0
            }
        };
        Tally { open: self.by_origin.len() as u32, opening }
    }

    /// The circuit has been closed: nobody who has spoken opens it again without saying so again.
    pub(crate) fn begin_anew(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    fn note(&mut self, origin: &str, vote: Vote) {
        if let Some(known) = self.by_origin.get_mut(origin) {
            *known = vote;
            return;
        }
        if self.by_origin.len() == MOST_ORIGINS {
            let first = self.by_origin.iter().min_by_key(|(_, vote)| vote.until);
            if let Some(origin) = first.map(|(origin, _)| Arc::clone(origin)) {
                self.by_origin.remove(&origin);
            }
        }
        self.by_origin.insert(Arc::from(origin), vote);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_origin_has_one_vote_until_it_expires_or_is_withdrawn() {
        let mut votes = Votes::default();
        assert_eq!(votes.cast("a", Some(10), 0), tally(1, 1));
        assert_eq!(votes.cast("a", Some(20), 0), tally(1, 1));
        assert_eq!(votes.cast("b", Some(15), 0), tally(2, 2));
        assert_eq!(votes.cast("c", None, 14), tally(2, 0));
        assert_eq!(votes.cast("c", Some(15), 15), tally(1, 0), "b has expired, and c with it");
        assert_eq!(votes.cast("a", None, 15), tally(0, 0));
    }

    fn tally(open: u32, opening: u32) -> Tally {
        Tally { open, opening }
    }

    #[test]
    fn votes_of_before_it_was_closed_open_nothing() {
        let mut votes = Votes::default();
        votes.cast("a", Some(10), 0);
        votes.begin_anew();
        assert_eq!(votes.cast("b", Some(10), 0), tally(2, 1));
        assert_eq!(votes.cast("b", Some(10), 0), tally(2, 1));
        assert_eq!(votes.cast("a", Some(10), 0), tally(2, 2), "he has said so again");
    }

    #[test]
    fn whoever_makes_up_origins_gets_no_more_memory() {
        let mut votes = Votes::default();
        for number in 0..2 * MOST_ORIGINS as u64 {
            votes.cast(&number.to_string(), Some(1_000 + number), 0);
        }
        assert_eq!(votes.by_origin.len(), MOST_ORIGINS);
        assert!(votes.by_origin.contains_key("2047") && !votes.by_origin.contains_key("0"));
    }
}
