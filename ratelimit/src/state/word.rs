//! The atomic word of a bucket.

/// Which configuration it is in, and what has been consumed.
///
/// ```text
///  63 ........ 54 53 ..................................... 0
/// +--------------+-----------------------------------------+
/// |    epoch     |  consumed, in units of 2^-f of a token  |
/// +--------------+-----------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

const CONSUMED_BITS: u32 = 54;
pub(super) const EPOCH_BITS: u32 = u64::BITS - CONSUMED_BITS;
pub(super) const CONSUMED: u64 = (1 << CONSUMED_BITS) - 1;

impl Word {
    pub(crate) const fn new(generation: u64, consumed: u64) -> Self {
        debug_assert!(consumed <= CONSUMED);
        Self((generation << CONSUMED_BITS) | consumed)
    }

    #[inline]
    pub(crate) const fn consumed(self) -> u64 {
        self.0 & CONSUMED
    }

    /// The same configuration, with more or less consumed.
    #[inline]
    pub(crate) const fn with(self, consumed: u64) -> Self {
        Self((self.0 & !CONSUMED) | consumed)
    }

    /// Which of the two slots holds the configuration.
    #[inline]
    pub(crate) const fn slot(self) -> usize {
        (self.0 >> CONSUMED_BITS) as usize & 1
    }

    #[inline]
    pub(crate) const fn same_epoch(self, other: Self) -> bool {
        (self.0 ^ other.0) & !CONSUMED == 0
    }
}
