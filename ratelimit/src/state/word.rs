//! The two atomic words of a bucket.

/// The hot word: which configuration it is in, and what has been consumed.
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

/// How far promises go that were not granted at once, in units of the word of the same epoch.
///
/// ```text
///  63 ....... 55    54    53 .................................. 0
/// +-------------+--------+---------------------------------------+
/// |    epoch    | SHARED |  not less than any promise reaches    |
/// +-------------+--------+---------------------------------------+
/// ```
///
/// Without SHARED, it is where the promise reaches that has raised it last, and no other reaches
/// further than where it stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(pub(crate) u64);

impl Mark {
    const SHARED: u64 = 1 << CONSUMED_BITS;

    /// The mark of the promise that goes as far as `to`, made by `word`.
    pub(crate) const fn of(word: Word, to: u64) -> Self {
        let epoch = (word.0 & !CONSUMED) << 1;
        Self(epoch | to)
    }

    #[must_use]
    pub(crate) const fn shared(self) -> Self {
        Self(self.0 | Self::SHARED)
    }

    pub(crate) const fn reaches(self) -> u64 {
        self.0 & CONSUMED
    }

    /// Where it goes back to, from over a promise that was made at `base`. Another may have been
    /// promised that meanwhile.
    pub(crate) const fn not_below(self, base: u64) -> Self {
        if self.reaches() < base { Self(self.0 & !CONSUMED | base).shared() } else { self }
    }

    /// Whether it is in the units of that word. Nine bits of the epoch tell: 512 changes between two
    /// loads are needed to deceive, and then the word is another too.
    #[inline]
    pub(crate) const fn same_epoch(self, word: Word) -> bool {
        (self.0 ^ Self::of(word, 0).0) >> (CONSUMED_BITS + 1) == 0
    }
}
