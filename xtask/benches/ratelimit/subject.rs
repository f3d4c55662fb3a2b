//! What the workloads ask of a rate limiter: each trait one ability, since not every rival has all.

use crate::harness::Subject;
use std::future::Future;
use std::time::Duration;

/// What is allowed, in the terms that all subjects share.
#[derive(Clone, Copy)]
pub struct Limit {
    pub tokens: u32,
    pub period: Duration,
    pub burst: u32,
}

impl Limit {
    /// More than any of the loops can ask for: every answer is yes.
    pub const AMPLE: Self = Self::per_second(1_000_000_000, 1_000_000_000);
    /// Nothing more after the first: every answer is no.
    pub const SCARCE: Self = Self { tokens: 1, period: Duration::from_secs(3600), burst: 1 };

    pub const fn per_second(tokens: u32, burst: u32) -> Self {
        Self { tokens, period: Duration::from_secs(1), burst }
    }
}

/// Yes or no, at once.
pub trait Decide: Subject + Send + Sync + 'static {
    fn new(limit: Limit) -> Self;

    fn try_acquire(&self, n: u32) -> bool;
}

/// Tokens taken before they are there, and given back.
pub trait Reserve: Decide {
    /// Reserves and cancels; says how long it would have taken.
    fn reserve_and_cancel(&self, n: u32) -> Duration;
}

pub trait SetRate: Decide {
    fn set_rate(&self, tokens_per_second: u32);
}

/// A task waits for `n` tokens.
pub trait Await: Subject + Send + Sync + 'static {
    /// Empty at the start, where the subject can be.
    fn new(limit: Limit) -> Self;

    fn acquire(&self, n: u32) -> impl Future<Output = ()> + Send;
}
