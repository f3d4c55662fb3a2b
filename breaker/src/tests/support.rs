//! Circuits for models: an open time of 10, a lease of 100.

use crate::backoff::Backoff;
use crate::core::{Config, Core, Ticket};
use crate::error::Rejected;
use crate::events::Transition;
use crate::outcome::{DropPolicy, Outcome, Recorded};
use crate::policy::Policy;
use crate::state::{State, Trial};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) const OPEN: u64 = 10;
pub(super) const LEASE: u64 = 100;

pub(super) fn core(policy: &Policy, probes: u16, successes: u16) -> Arc<Core> {
    let config = Config {
        name: "model".into(),
        trial: Trial { probes, at_a_time: probes, successes },
        open_for: Backoff::fixed(Duration::from_nanos(OPEN)).jitter(0.0),
        lease: LEASE,
        drop_policy: DropPolicy::Ignore,
        call_deadline: 0,
        remote_quorum: 2,
    };
    Arc::new(Core::new(policy.gauge().unwrap(), config))
}

/// Opens at the first failure.
pub(super) fn touchy(probes: u16, successes: u16) -> Arc<Core> {
    core(&Policy::consecutive_failures(1), probes, successes)
}

/// The same, open since 0.
pub(super) fn open(probes: u16, successes: u16) -> Arc<Core> {
    let core = touchy(probes, successes);
    let ticket = admit(&core, 0).unwrap();
    assert_eq!(settle(&core, ticket, Outcome::Failure, 0), Recorded::Opened);
    core
}

pub(super) fn admit(core: &Core, now: u64) -> Result<Ticket, Rejected> {
    core.admit(|| now).map(|generation| Ticket { generation, started: None })
}

pub(super) fn settle(core: &Core, ticket: Ticket, outcome: Outcome, now: u64) -> Recorded {
    core.settle(ticket, outcome, || now)
}

/// Everything that a listener was told.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Transition>>>);

impl Log {
    pub(super) fn of(core: &Core) -> Self {
        let log = Self::default();
        let to = log.clone();
        core.hub.listen(Arc::new(move |it| to.0.lock().unwrap().push(it.clone()))).forever();
        log
    }

    /// Each transition begins where the one before ended, and none is missing.
    pub(super) fn path(&self) -> Vec<State> {
        let log = self.0.lock().unwrap();
        for pair in log.windows(2) {
            assert_eq!(pair[0].number + 1, pair[1].number);
            assert_eq!(pair[0].to, pair[1].from);
        }
        log.iter().map(|it| it.to).collect()
    }
}
