//! The line between threads, without threads.

use crate::error::{Failed, Fault};
use crate::lane::{Got, Lane, Overflow, Room};
use proptest::prelude::*;
use std::collections::VecDeque;

type Line = Lane<u32, u8, char>;

fn fault(error: u8) -> Fault<u8> {
    Fault::Failed(Failed { stage: "lane".into(), index: 0, error })
}

fn take(lane: &mut Line, most: usize) -> Vec<u32> {
    let mut hand = VecDeque::new();
    lane.take(most, &mut hand);
    hand.into()
}

/// How it ends, if it does.
fn end(lane: &mut Line) -> Option<Result<(), u8>> {
    match lane.take(1, &mut VecDeque::new()) {
        Got::Items | Got::NothingYet => None,
        Got::Over => Some(Ok(())),
        Got::Fault(Fault::Failed(failed)) => Some(Err(failed.error)),
        Got::Fault(_) => Some(Err(255)),
    }
}

#[test]
fn there_are_as_many_places_as_was_said() {
    let mut lane = Line::new(3, 1);
    assert_eq!(lane.reserve(2), Room::Places(2));
    assert_eq!(lane.reserve(2), Room::Places(1));
    assert_eq!(lane.reserve(1), Room::Full);
    assert_eq!(lane.feeder_sleeps(0, 'a'), None);
    assert_eq!(lane.feeder_sleeps(0, 'b'), Some('a'), "it leaves one waker");
    assert_eq!(lane.feeder_sleeps(1, 'c'), None);
    assert!(lane.vacate(0).is_empty());
    assert_eq!(lane.vacate(1), ['b', 'c']);
    assert_eq!(lane.reserve(5), Room::Places(1));
    assert!(lane.vacate(usize::MAX).is_empty(), "no place is one too many");
}

#[test]
fn items_wake_the_reader_once() {
    let mut lane = Line::new(3, 1);
    assert_eq!(lane.reader_sleeps('r'), None);
    assert_eq!(lane.put(&mut vec![]), None);
    assert_eq!(lane.put(&mut vec![1, 2]), Some('r'));
    assert_eq!(lane.put(&mut vec![3]), None);
    assert_eq!(take(&mut lane, 2), [1, 2]);
    assert_eq!(take(&mut lane, 2), [3]);
}

#[test]
fn a_fault_that_can_wait_comes_after_everybody() {
    let mut lane = Line::new(9, 2);
    let (woken, unheard) = lane.leave(Some(fault(1)), false);
    assert!(woken.is_empty() && unheard.is_none());
    lane.put(&mut vec![5]);
    assert_eq!((end(&mut lane), end(&mut lane)), (None, None));
    lane.reader_sleeps('r');
    let (woken, unheard) = lane.leave(Some(fault(2)), false);
    assert_eq!(woken, ['r']);
    assert!(matches!(unheard, Some(Fault::Failed(failed)) if failed.error == 2));
    assert_eq!(end(&mut lane), Some(Err(1)));
}

#[test]
fn an_urgent_fault_comes_after_what_is_there() {
    let mut lane = Line::new(1, 2);
    assert_eq!(lane.reserve(1), Room::Places(1));
    lane.put(&mut vec![5]);
    lane.feeder_sleeps(1, 'f');
    assert_eq!(lane.leave(Some(fault(1)), true).0, ['f']);
    let mut late = vec![6];
    assert_eq!((lane.put(&mut late), &*late), (None, &[6][..]), "it is not wanted");
    assert_eq!(lane.reserve(1), Room::Closed);
    assert_eq!(take(&mut lane, 9), [5]);
    assert_eq!(end(&mut lane), Some(Err(1)));
}

#[test]
fn a_reader_that_goes_leaves_nothing() {
    let mut lane = Line::new(1, 1);
    lane.put(&mut vec![5]);
    lane.feeder_sleeps(0, 'f');
    let (left, woken) = lane.close();
    assert_eq!((left.as_slices().0, &*woken), (&[5][..], &['f'][..]));
    assert_eq!(lane.crowd(&mut vec![6], Overflow::DropOldest), Err(Room::Closed));
}

fn overflow() -> impl Strategy<Value = Overflow> {
    prop_oneof![Just(Overflow::DropOldest), Just(Overflow::DropNewest), Just(Overflow::Fail)]
}

proptest! {
    /// Beside a plain list: what stays, what is dropped, and that nothing is both or neither.
    #[test]
    fn a_full_line_keeps_its_rule(
        places in 1_usize..6,
        overflow in overflow(),
        steps in prop::collection::vec((0_u32..8, 0_usize..4), 1..12),
    ) {
        let mut lane = Line::new(places, 1);
        let mut plain: Vec<u32> = Vec::new();
        let mut next = 0;
        for (count, taken) in steps {
            let mut items: Vec<u32> = (next..next + count).collect();
            next += count;
            plain.extend(&items);
            let crowded = lane.crowd(&mut items, overflow);
            let surplus = plain.len().saturating_sub(places);
            let dropped: Vec<u32> = match overflow {
                Overflow::DropOldest => plain.drain(..surplus).collect(),
                _ => plain.split_off(plain.len() - surplus),
            };
            prop_assert_eq!(&items, &dropped);
            prop_assert_eq!(crowded.is_err(), overflow == Overflow::Fail && surplus > 0);
            let taken = taken.min(plain.len());
            prop_assert_eq!(take(&mut lane, taken), plain.drain(..taken).collect::<Vec<_>>());
            prop_assert!(lane.vacate(taken).is_empty());
        }
        prop_assert_eq!(take(&mut lane, usize::MAX), plain);
    }
}
