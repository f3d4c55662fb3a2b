//! A clock that somebody else reads.

use super::{Clock, Monotonic, Timestamp};
use crate::primitives::Arc;
use crate::primitives::atomic::{AtomicU64, Ordering};
use std::io;
use std::time::Duration;

/// Real time, as it was when it was last refreshed: reading it is one load.
///
/// It is refreshed by a thread ([`with_thread`](Self::with_thread)) or by hand. Clones are the same
/// clock, and the thread ends when the last of them is gone.
///
/// # Error
///
/// It is late by up to its period and by what the scheduler adds, and never early: a circuit stays open
/// for up to so much longer, a call is filed under a moment that lies as far back, and a call looks
/// longer or shorter by a period than it was. A period well below the width of a window's bucket
/// and below the limit for slow calls changes nothing that matters.
#[derive(Clone, Debug)]
pub struct Cached(Arc<AtomicU64>);

impl Cached {
    /// Refreshed by a thread of its own, every `period`.
    ///
    /// # Errors
    ///
    /// That the thread could not be started.
    pub fn with_thread(period: Duration) -> io::Result<Self> {
        let clock = Self::by_hand();
        let shared = Arc::downgrade(&clock.0);
        let refresh = move || {
            while let Some(shared) = shared.upgrade() {
                Self(shared).refresh();
                sleep(period);
            }
        };
        // LOOM: of the standard library: no model has a clock that goes by itself.
        std::thread::Builder::new().name("lockgate-clock".into()).spawn(refresh)?;
        Ok(clock)
    }

    /// Refreshed by nobody but [`refresh`](Self::refresh), for instance once in each turn of an
    /// event loop.
    #[must_use]
    pub fn by_hand() -> Self {
        Self(Arc::new(AtomicU64::new(Monotonic::new().now().as_nanos())))
    }

    /// Brings it up to date.
    pub fn refresh(&self) {
        // ORDERING: Relaxed: a time publishes nothing, and several who refresh never set it back.
        self.0.fetch_max(Monotonic::new().now().as_nanos(), Ordering::Relaxed);
    }
}

#[allow(clippy::disallowed_methods, reason = "the thread is there to sleep")]
fn sleep(period: Duration) {
    std::thread::sleep(period);
}

impl Clock for Cached {
    #[inline]
    fn now(&self) -> Timestamp {
        // ORDERING: Relaxed, as in `refresh`.
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}
