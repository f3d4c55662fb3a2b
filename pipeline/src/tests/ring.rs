//! The ring, alone.

use crate::ring::Ring;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        // ORDERING: Relaxed: one thread.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn results_leave_in_the_order_of_their_slots() {
    let ring = Ring::new(3);
    ring.put(1, "second");
    assert_eq!(ring.take(0), None);
    ring.put(0, "first");
    assert_eq!((ring.take(0), ring.take(1), ring.take(1)), (Some("first"), Some("second"), None));
}

#[test]
fn slots_are_used_again_and_numbers_wrap() {
    let ring = Ring::new(2);
    for number in (u64::MAX - 5..=u64::MAX).chain(0..5) {
        ring.put(number, number);
        assert_eq!(ring.take(number), Some(number));
    }
}

#[test]
fn only_who_fills_the_awaited_slot_wakes() {
    let (ring, wakes) = (Ring::new(4), Arc::new(Counter::default()));
    let waker = Waker::from(Arc::clone(&wakes));
    assert_eq!(ring.take_or_wait(0, &waker), None);
    ring.put(1, 'b');
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    ring.put(0, 'a');
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert_eq!(ring.take_or_wait(0, &waker), Some('a'));
    // It waits nowhere any more.
    ring.wake();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert_eq!(ring.take_or_wait(2, &waker), None);
    ring.wake();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 2);
}
