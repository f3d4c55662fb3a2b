//! Items on their way: through the window, the seat and the ring.

use super::support::{control, crew, join, read, serve, source};
use crate::primitives::atomic::{Ordering, Witness};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::state::Order;

/// H1: a slot is filled while the reader goes to sleep on it.
#[test]
fn commit_meets_a_reader_that_falls_asleep() {
    explore(Explore::All, || {
        let crew = crew(source([5]), Order::AsTaken, 2, &control());
        let threads = serve(&crew, 1, |item| Ok(Some(item)));
        assert_eq!(read(&mut crew.reader()), (vec![5], Ok(())));
        join(threads);
    });
}

/// H2: the reader makes room while the worker goes to sleep for want of it.
#[test]
fn room_meets_a_worker_that_falls_asleep() {
    explore(Explore::Preemptions(3), || {
        let crew = crew(source([1, 2]), Order::AsTaken, 1, &control());
        let threads = serve(&crew, 1, |item| Ok(Some(item)));
        assert_eq!(read(&mut crew.reader()), (vec![1, 2], Ok(())));
        join(threads);
        assert_eq!(crew.edge.under_way(), (0, 0));
    });
}

/// H3: the source is put back while another worker goes to sleep for want of it, and the one that put it
/// back is not coming again soon.
#[test]
fn source_meets_a_worker_that_falls_asleep() {
    explore(Explore::Preemptions(2), || {
        let second_is_done = Arc::new(Witness::new(0));
        let items = [1, 2].map(|n| (n, Arc::clone(&second_is_done)));
        let crew = crew(source(items), Order::AsTaken, 4, &control());
        let threads = serve(&crew, 2, |(n, done)| {
            // ORDERING: Relaxed: it says that it is done, and publishes nothing.
            if n == 2 {
                done.store(1, Ordering::Relaxed);
            }
            while n == 1 && done.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            Ok(Some(n))
        });
        // Nobody reads: only the workers themselves can call each other.
        join(threads);
        assert_eq!(read(&mut crew.reader()), (vec![1, 2], Ok(())));
    });
}

/// H4: two workers finish out of turn, with a window that is smaller than what there is.
#[test]
fn two_workers_keep_the_order() {
    explore(Explore::Preemptions(2), || {
        let crew = crew(source([1, 2, 3]), Order::AsTaken, 2, &control());
        let threads = serve(&crew, 2, |item| Ok(Some(item)));
        assert_eq!(read(&mut crew.reader()), (vec![1, 2, 3], Ok(())));
        join(threads);
        assert_eq!(crew.edge.under_way(), (0, 0));
    });
}

/// H6: a stage whose source is another stage: one hands over what the other waits for.
#[test]
fn two_stages_hand_over() {
    explore(Explore::Preemptions(2), || {
        let control = control();
        let first = crew(source([1, 2]), Order::AsTaken, 1, &control);
        let second = crew(first.reader(), Order::AsTaken, 1, &control);
        let mut threads = serve(&first, 1, |item: u32| Ok(Some(item)));
        threads.extend(serve(&second, 1, |item| Ok(Some(item * 10))));
        assert_eq!(read(&mut second.reader()), (vec![10, 20], Ok(())));
        join(threads);
    });
}
