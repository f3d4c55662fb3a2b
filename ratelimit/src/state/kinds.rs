//! The ways in which a bucket changes other than by taking.

use crate::quota::Quota;

/// What a bucket that goes over to another quota keeps of what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Inherit {
    /// Nothing: it starts as a new one would, with the quota's initial tokens.
    Reset,
    /// Its tokens, as far as the new burst goes.
    #[default]
    AsIs,
    /// Its tokens, and the difference if the burst grows.
    Additive,
    /// It is as full as before, by proportion.
    Proportional,
}

/// A change of the configuration, or of what is in the bucket other than by taking.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Quota(Quota, Inherit),
    Tokens(u32),
    Refund(u32),
    Pause {
        until: u64,
    },
    Close,
    /// Nothing but a new origin.
    Renew,
}
