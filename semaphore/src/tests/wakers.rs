//! Wakers on one thread: those that come back, those that panic, and those that are many.

use super::support::{assert_at_rest, poll, poll_with, queue, queued, ready, waker_fn};
use crate::Semaphore;
