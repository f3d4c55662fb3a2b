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

/// Who says that the circuit should be open, and until when he is believed.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    until: BTreeMap<Arc<str>, u64>,
    /// The generation that hints have begun.
    pub(crate) opened: Option<Generation>,
}

impl Votes {
    /// Takes note of what `origin` says: open until then, or not. Gives how many say open now.
    pub(crate) fn cast(&mut self, origin: &str, open_until: Option<u64>, now: u64) -> u32 {
        self.until.retain(|_, until| *until > now);
        match open_until.filter(|until| *until > now) {
            Some(until) => self.note(origin, until),
            None => drop(self.until.remove(origin)),
        }
        self.until.len() as u32
    }

    fn note(&mut self, origin: &str, until: u64) {
        if let Some(known) = self.until.get_mut(origin) {
            *known = until;
            return;
        }
        if self.until.len() == MOST_ORIGINS {
            let first = self.until.iter().min_by_key(|(_, until)| **until);
            if let Some(origin) = first.map(|(origin, _)| Arc::clone(origin)) {
                self.until.remove(&origin);
            }
        }
        self.until.insert(Arc::from(origin), until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_origin_has_one_vote_until_it_expires_or_is_withdrawn() {
        let mut votes = Votes::default();
        assert_eq!(votes.cast("a", Some(10), 0), 1);
        assert_eq!(votes.cast("a", Some(20), 0), 1);
        assert_eq!(votes.cast("b", Some(15), 0), 2);
        assert_eq!(votes.cast("c", None, 14), 2);
        assert_eq!(votes.cast("c", Some(15), 15), 1, "b has expired, and c with it");
        assert_eq!(votes.cast("a", None, 15), 0);
    }

    #[test]
    fn whoever_makes_up_origins_gets_no_more_memory() {
        let mut votes = Votes::default();
        for number in 0..2 * MOST_ORIGINS as u64 {
            votes.cast(&number.to_string(), Some(1_000 + number), 0);
        }
        assert_eq!(votes.until.len(), MOST_ORIGINS);
        assert!(votes.until.contains_key("2047") && !votes.until.contains_key("0"));
    }
}
