//! How a stage ends: with its source, with a failure, with nobody who reads.

use super::support::{Source, control, crew, join, read, serve, source};
use crate::primitives::{Explore, TrackedArc, explore};
use crate::state::Order;

/// H7: the source ends while another worker still has the last chunk, in no order: the end comes last.
#[test]
fn end_meets_the_last_commit() {
    explore(Explore::Preemptions(2), || {
        let crew = crew(source([1, 2]), Order::AsDone, 3, &control());
        let threads = serve(&crew, 2, |item| Ok(Some(item)));
        let (mut items, end) = read(&mut crew.reader());
        items.sort_unstable();
        assert_eq!((items, end), (vec![1, 2], Ok(())));
        join(threads);
    });
}

/// H8: the source fails while another worker still has a chunk, in no order: it is not taken for an end.
#[test]
fn failure_of_the_source_meets_the_last_commit() {
    explore(Explore::Preemptions(2), || {
        let failing = Source { failure: Some(7), ..source([1]) };
        let crew = crew(failing, Order::AsDone, 2, &control());
        let threads = serve(&crew, 2, |item| Ok(Some(item)));
        assert_eq!(read(&mut crew.reader()), (vec![1], Err(7)));
        join(threads);
    });
}

/// H9: two fail at the same time: the first in the order decides, whoever is faster.
#[test]
fn two_failures_and_the_first_decides() {
    explore(Explore::Preemptions(3), || {
        let crew = crew(source([1, 2]), Order::AsTaken, 2, &control());
        let threads = serve(&crew, 2, |item: u8| Err::<Option<u8>, _>(item));
        assert_eq!(read(&mut crew.reader()), (vec![], Err(1)));
        join(threads);
    });
}

/// H9: the second fails while the first is being worked on: that one still comes through.
#[test]
fn failure_meets_an_item_before_it() {
    explore(Explore::Preemptions(2), || {
        let crew = crew(source([1, 2]), Order::AsTaken, 2, &control());
        let threads = serve(&crew, 2, |item: u8| if item == 2 { Err(2) } else { Ok(Some(item)) });
        assert_eq!(read(&mut crew.reader()), (vec![1], Err(2)));
        join(threads);
    });
}

/// H10: a worker panics at the head while the reader waits there: no hole in the order.
#[test]
fn panic_at_the_head_is_no_hole() {
    explore(Explore::Preemptions(3), || {
        let crew = crew(source([1, 2]), Order::AsTaken, 2, &control());
        let threads = serve(&crew, 2, |item: u8| match item {
            1 => std::panic::resume_unwind(Box::new("at the head")),
            _ => Ok(Some(item)),
        });
        assert_eq!(read(&mut crew.reader()), (vec![], Err(255)));
        join(threads);
    });
}

/// H11: nothing comes of any item, and the end comes all the same.
#[test]
fn nothing_but_empty_chunks_ends() {
    explore(Explore::Preemptions(3), || {
        let crew = crew(source([1, 2, 3]), Order::AsTaken, 2, &control());
        let threads = serve(&crew, 1, |_| Ok(None::<u8>));
        assert_eq!(read(&mut crew.reader()), (vec![], Ok(())));
        join(threads);
        assert_eq!(crew.edge.under_way(), (0, 0));
    });
}

/// H12: the reader goes while a worker commits and another waits for room: all end, nothing leaks.
#[test]
fn reader_that_goes_meets_commit() {
    explore(Explore::Preemptions(3), || {
        let items = [TrackedArc::new(1), TrackedArc::new(2), TrackedArc::new(3)];
        let crew = crew(source(items), Order::AsTaken, 1, &control());
        let threads = serve(&crew, 2, |item| Ok(Some(item)));
        drop(crew.reader());
        join(threads);
    });
}
