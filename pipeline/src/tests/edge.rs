//! The way out of a stage, without threads.

use crate::control::Control;
use crate::edge::{Edge, Reader};
use crate::error::Fault;
use crate::feed::Fed;
use crate::primitives::{Arc, Deadline};
use crate::state::{Order, Taken, Ticket, Window};
use crate::stats::Stats;
use std::ops::ControlFlow::Continue;
use std::time::Duration;

fn edge(order: Order, window: usize) -> Arc<Edge<u8, u8>> {
    let window = Window { chunks: window as u64, alone: window as u64, items: window };
    let stats = Arc::new(Stats::new("edge".into(), 1));
    Arc::new(Edge::new(order, window, Arc::new(Control::new()), stats))
}

/// Takes one item, as a worker does.
fn take(edge: &Edge<u8, u8>) -> Ticket {
    assert_eq!(edge.claim(0, 1, |why| panic!("it waits: {why:?}")), Some(1));
    match edge.put_back(1, None) {
        Taken::Chunk(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

/// What is there without waiting, and whether that was the end.
fn read(reader: &mut Reader<u8, u8>) -> (Vec<u8>, Option<Result<Fed, Fault<u8>>>) {
    let now = Deadline::after(Duration::ZERO);
    let mut items = Vec::new();
    loop {
        let fed = reader.feed_until(now.as_ref(), 1, |item| {
            items.push(item);
            Continue(())
        });
        if !matches!(fed, Some(Ok(Fed::More))) {
            return (items, fed);
        }
    }
}

#[test]
fn a_reader_that_waits_gives_back_what_it_has() {
    let edge = edge(Order::AsTaken, 8);
    let mut reader = Reader::new(Arc::clone(&edge));
    edge.commit(take(&edge), vec![5], None);
    assert_eq!(edge.under_way(), (1, 1));
    assert!(matches!(read(&mut reader), (items, None) if items == [5]));
    assert_eq!(edge.under_way(), (0, 0));
}

#[test]
fn what_is_used_up_is_given_back_a_quarter_of_the_window_at_a_time() {
    let edge = edge(Order::AsTaken, 8);
    let mut reader = Reader::new(Arc::clone(&edge));
    for item in 0..4 {
        edge.commit(take(&edge), vec![item], None);
    }
    let mut under_way = Vec::new();
    for _ in 0..4 {
        assert!(matches!(reader.feed_until(None, 1, |_| Continue(())), Some(Ok(Fed::More))));
        under_way.push(edge.under_way().0);
    }
    assert_eq!(under_way, [4, 4, 2, 2]);
}

#[test]
fn a_fault_comes_after_the_results_of_its_chunk() {
    let edge = edge(Order::AsTaken, 8);
    let mut reader = Reader::new(Arc::clone(&edge));
    let (first, second) = (take(&edge), take(&edge));
    edge.commit(second, vec![3], None);
    edge.commit(first, vec![1, 2], Some(Fault::Cancelled));
    let (items, end) = read(&mut reader);
    assert_eq!(items, [1, 2]);
    assert!(matches!(end, Some(Err(Fault::Cancelled))));
}

#[test]
fn what_comes_after_a_failure_is_not_wanted() {
    let edge = edge(Order::AsTaken, 8);
    let tickets: Vec<_> = (0..3).map(|_| take(&edge)).collect();
    assert!(tickets.iter().all(|ticket| !edge.is_unwanted(ticket)));
    edge.commit(tickets[1], vec![], Some(Fault::Cancelled));
    let unwanted: Vec<_> = tickets.iter().map(|ticket| edge.is_unwanted(ticket)).collect();
    assert_eq!(unwanted, [false, false, true]);
    assert_eq!(edge.claim(0, 1, |_| ()), None, "nothing starts");
}

#[test]
fn a_reader_that_goes_wants_nothing() {
    let edge = edge(Order::AsDone, 8);
    let reader = Reader::new(Arc::clone(&edge));
    let ticket = take(&edge);
    assert!(!edge.is_unwanted(&ticket));
    drop(reader);
    assert!(edge.is_unwanted(&ticket));
    assert_eq!(edge.claim(0, 1, |_| ()), None);
}
