//! What Go's limiter does, in Rust: a mutex around two floating-point numbers and a time.
//!
//! Ours to measure against only. Its tokens are Go's: counted in floating point, and where time
//! goes back, minted.

use crate::harness::Subject;
use crate::subject::{Decide, Limit, Reserve, SetRate};
use parking_lot::Mutex;
use std::time::{Duration, Instant};

pub struct GoMutex {
    begin: Instant,
    state: Mutex<State>,
}

struct State {
    /// Tokens per second.
    limit: f64,
    burst: f64,
    tokens: f64,
    /// In seconds, as all times here.
    last: f64,
    last_event: f64,
}

struct Reservation {
    tokens: f64,
    at: f64,
    limit: f64,
}

impl GoMutex {
    fn now(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    fn reserve(&self, n: u32, longest: f64) -> Option<Reservation> {
        let now = self.now();
        let n = f64::from(n);
        let mut state = self.state.lock();
        let tokens = state.advance(now) - n;
        let wait = if tokens < 0.0 { -tokens / state.limit } else { 0.0 };
        if n > state.burst || wait > longest {
            return None;
        }
        let at = now + wait;
        state.last = now;
        state.tokens = tokens;
        state.last_event = at;
        Some(Reservation { tokens: n, at, limit: state.limit })
    }

    fn cancel(&self, reservation: &Reservation) {
        let now = self.now();
        if reservation.at < now {
            return;
        }
        let mut state = self.state.lock();
        let later = (state.last_event - reservation.at) * reservation.limit;
        let back = reservation.tokens - later;
        if back <= 0.0 {
            return;
        }
        state.tokens = (state.advance(now) + back).min(state.burst);
        state.last = now;
        if reservation.at == state.last_event {
            let before = reservation.at - reservation.tokens / state.limit;
            if before >= now {
                state.last_event = before;
            }
        }
    }
}

impl State {
    fn advance(&self, now: f64) -> f64 {
        let elapsed = now - self.last.min(now);
        (self.tokens + elapsed * self.limit).min(self.burst)
    }
}

impl Subject for GoMutex {
    const NAME: &'static str = "go-mutex";
    const FIFO: bool = true;
}

impl Decide for GoMutex {
    fn new(limit: Limit) -> Self {
        let burst = f64::from(limit.burst);
        let state = State {
            limit: f64::from(limit.tokens) / limit.period.as_secs_f64(),
            burst,
            tokens: burst,
            last: 0.0,
            last_event: 0.0,
        };
        Self { begin: Instant::now(), state: Mutex::new(state) }
    }

    #[inline]
    fn try_acquire(&self, n: u32) -> bool {
        self.reserve(n, 0.0).is_some()
    }
}

impl Reserve for GoMutex {
    #[inline]
    fn reserve_and_cancel(&self, n: u32) -> Duration {
        let reservation = self.reserve(n, f64::INFINITY).expect("less than the burst");
        self.cancel(&reservation);
        Duration::from_secs_f64(reservation.at)
    }
}

impl SetRate for GoMutex {
    fn set_rate(&self, tokens_per_second: u32) {
        let now = self.now();
        let mut state = self.state.lock();
        state.tokens = state.advance(now);
        state.last = now;
        state.limit = f64::from(tokens_per_second);
    }
}
