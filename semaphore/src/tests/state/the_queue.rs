//! The slab of nodes: order, removal from anywhere, and one wait to a node at a time.

use super::Wakers;
use crate::waiters::{Left, Progress, Ticket, Waiters, WakeBatch};
use proptest::prelude::*;
use proptest::sample::Index;
use std::task::Waker;

type Queue = Waiters<usize, usize>;

fn queue_of(requests: &[usize]) -> (Queue, Vec<Option<Ticket>>) {
    let mut queue = Queue::new();
    let tickets = requests
        .iter()
        .map(|request| Some(queue.push_back(*request, Waker::noop().clone())))
        .collect();
    (queue, tickets)
}

/// Empties the queue from the front.
fn order(queue: &mut Queue) -> Vec<usize> {
    std::iter::from_fn(|| {
        let front = queue.front().copied();
        queue.settle_front(0).map(|_waker| front.expect("who is settled was in front"))
    })
    .collect()
}

fn leaves_queued(queue: &mut Queue, ticket: &mut Option<Ticket>) {
    let left = queue.leave(ticket.take().expect("it has not left yet"));
    assert!(matches!(left, Left::Queued(_)));
}

#[test]
fn is_empty_when_new() {
    let mut queue = Queue::new();
    assert!(queue.is_empty());
    assert_eq!((queue.len(), queue.front()), (0, None));
    assert!(queue.settle_front(1).is_none());
}

#[test]
fn serves_in_the_order_of_arrival() {
    let (mut queue, _tickets) = queue_of(&[3, 1, 2]);
    assert_eq!((queue.len(), queue.front()), (3, Some(&3)));
    assert_eq!(order(&mut queue), [3, 1, 2]);
    assert!(queue.is_empty());
}

#[test]
fn keeps_the_order_whoever_leaves() {
    for (leaver, rest) in [(0, [2, 3, 4]), (1, [1, 3, 4]), (2, [1, 2, 4]), (3, [1, 2, 3])] {
        let (mut queue, mut tickets) = queue_of(&[1, 2, 3, 4]);
        leaves_queued(&mut queue, &mut tickets[leaver]);
        assert_eq!(queue.len(), 3);
        assert_eq!(order(&mut queue), rest);
    }
}

#[test]
fn is_empty_when_all_have_left_and_is_used_again() {
    let (mut queue, mut tickets) = queue_of(&[1, 2, 3]);
    for leaver in [1, 0, 2] {
        leaves_queued(&mut queue, &mut tickets[leaver]);
    }
    assert!(queue.is_empty() && queue.front().is_none());
    let _tickets: Vec<_> =
        [7, 8].map(|request| queue.push_back(request, Waker::noop().clone())).into();
    assert_eq!(order(&mut queue), [7, 8]);
}

#[test]
fn keeps_an_outcome_until_its_wait_collects_it() {
    let (mut queue, mut tickets) = queue_of(&[1, 2]);
    assert!(queue.settle_front(11).is_some());
    assert_eq!(queue.len(), 1, "who is settled does not wait any more");
    assert_eq!(queue.leave_settled(&mut tickets[1]), None);
    assert!(tickets[1].is_some(), "who waits keeps the ticket");
    assert_eq!(queue.leave_settled(&mut tickets[0]), Some(11));
    assert!(tickets[0].is_none(), "who has collected has none");
    assert_eq!(queue.leave_settled(&mut tickets[0]), None);
    assert_eq!(queue.front(), Some(&2));
}

#[test]
fn gives_the_place_of_a_settled_wait_to_nobody_before_it_is_collected() {
    let (mut queue, mut tickets) = queue_of(&[1]);
    queue.settle_front(11);
    let mut next = Some(queue.push_back(2, Waker::noop().clone()));
    queue.settle_front(12);
    assert_eq!(queue.leave_settled(&mut next), Some(12));
    assert_eq!(queue.leave_settled(&mut tickets[0]), Some(11));
}

#[test]
fn has_no_more_nodes_than_there_were_waits_at_once() {
    let (mut queue, mut tickets) = queue_of(&[1, 2, 3]);
    let nodes = |queue: &Queue| format!("{queue:?}").matches("Node ").count();
    for round in 0..20 {
        if round % 2 == 0 {
            leaves_queued(&mut queue, &mut tickets[round % 3]);
        } else {
            queue.settle_front(0);
            let settled =
                tickets.iter_mut().find_map(|ticket| queue.leave_settled(ticket).map(|_| ()));
            assert!(settled.is_some());
        }
        let free = tickets.iter_mut().find(|ticket| ticket.is_none()).expect("one has left");
        *free = Some(queue.push_back(round, Waker::noop().clone()));
        assert_eq!((queue.len(), nodes(&queue)), (3, 3));
    }
}

#[test]
fn settles_whom_a_judge_picks_in_order() {
    let wakers = Wakers::default();
    let mut queue = Queue::new();
    let _tickets = [1, 2, 3, 4, 5].map(|request| queue.push_back(request, wakers.named(request)));
    let mut batch = WakeBatch::default();
    queue.settle_where(&mut batch, |request| (request % 2 == 1).then_some(*request));
    assert_eq!(wakers.called(&mut batch), 135);
    assert_eq!(order(&mut queue), [2, 4]);
}

#[test]
fn tells_how_it_stands_with_a_ticket() {
    let wakers = Wakers::default();
    let mut queue = Queue::new();
    let (first, second) = (wakers.named(1), wakers.named(2));
    let ticket = queue.push_back(1, first.clone());
    assert!(matches!(queue.progress(&ticket, &first), Progress::Queued));
    assert!(matches!(queue.progress(&ticket, &second), Progress::StaleWaker));
    assert!(queue.replace_waker(&ticket, second.clone()).will_wake(&first));
    assert!(matches!(queue.progress(&ticket, &second), Progress::Queued));
    assert!(queue.settle_front(5).is_some_and(|waker| waker.will_wake(&second)));
    assert!(matches!(queue.progress(&ticket, &first), Progress::Settled));
    let unneeded = queue.replace_waker(&ticket, first.clone());
    assert!(unneeded.will_wake(&first), "a settled wait keeps no waker");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a list: arrivals, departures from anywhere, and service from the front.
    #[test]
    fn does_what_a_list_does(
        steps in proptest::collection::vec((0..5usize, any::<Index>()), 1..100),
    ) {
        let mut queue = Queue::new();
        let mut waiting: Vec<(usize, Ticket)> = Vec::new();
        let mut settled: Vec<(usize, Ticket)> = Vec::new();
        for (number, (kind, at)) in steps.into_iter().enumerate() {
            match kind {
                0 | 1 => waiting.push((number, queue.push_back(number, Waker::noop().clone()))),
                2 if !waiting.is_empty() => {
                    let (_, ticket) = waiting.remove(at.index(waiting.len()));
                    prop_assert!(matches!(queue.leave(ticket), Left::Queued(_)));
                }
                3 if !waiting.is_empty() => {
                    let (number, ticket) = waiting.remove(0);
                    prop_assert!(queue.settle_front(number).is_some());
                    settled.push((number, ticket));
                }
                4 if !settled.is_empty() => {
                    let (number, ticket) = settled.remove(at.index(settled.len()));
                    let mut ticket = Some(ticket);
                    prop_assert_eq!(queue.leave_settled(&mut ticket), Some(number));
                }
                _ => {}
            }
            prop_assert_eq!(queue.len(), waiting.len());
            prop_assert_eq!(queue.front(), waiting.first().map(|(number, _)| number));
        }
        let rest: Vec<_> = waiting.into_iter().map(|(number, _)| number).collect();
        prop_assert_eq!(order(&mut queue), rest);
    }
}
