//! The wakers that were taken out under the lock.

use crate::waiters::{WakeBatch, WakePanic};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

struct Counts {
    calls: AtomicUsize,
    panics: Option<&'static str>,
}

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(text) = self.panics {
            std::panic::panic_any(text);
        }
    }
}

fn counts(panics: Option<&'static str>) -> Arc<Counts> {
    Arc::new(Counts { calls: AtomicUsize::new(0), panics })
}

#[test]
fn takes_more_than_it_has_places_for_and_calls_each_once() {
    let counter = counts(None);
    let mut batch = WakeBatch::default();
    let mut places = 0;
    for pushed in 1..=100 {
        places += usize::from(!batch.is_full());
        batch.push(Waker::from(Arc::clone(&counter)));
        assert_eq!(Arc::strong_count(&counter), 1 + pushed);
    }
    assert!(places > 1 && batch.is_full());
    let mut panic = WakePanic::default();
    batch.wake_all(&mut panic);
    assert_eq!(counter.calls.load(Ordering::Relaxed), 100);
    assert_eq!(Arc::strong_count(&counter), 1, "no waker is kept");
    assert!(!batch.is_full(), "it is empty again");
    batch.wake_all(&mut panic);
    assert_eq!(counter.calls.load(Ordering::Relaxed), 100);
}

#[test]
fn calls_everybody_and_passes_the_first_panic_on() {
    let (first, second, quiet) = (counts(Some("first")), counts(Some("second")), counts(None));
    let mut batch = WakeBatch::default();
    for _ in 0..10 {
        for counter in [&quiet, &first, &second] {
            batch.push(Waker::from(Arc::clone(counter)));
        }
    }
    let mut panic = WakePanic::default();
    batch.wake_all(&mut panic);
    for counter in [&first, &second, &quiet] {
        assert_eq!(counter.calls.load(Ordering::Relaxed), 10);
    }
    let payload = catch_unwind(AssertUnwindSafe(|| panic.resume())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"first"));
}

#[test]
fn that_had_no_panic_has_none_to_pass_on() {
    let mut panic = WakePanic::default();
    WakeBatch::default().wake_all(&mut panic);
    panic.resume();
}
