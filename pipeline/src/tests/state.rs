//! The desk of a stage, alone.

use crate::state::{Call, Claim, Desk, Order, Taken, Ticket, Why, Window};
use proptest::prelude::*;

fn desk(order: Order, chunks: u64, items: usize) -> Desk<&'static str> {
    Desk::new(order, Window { chunks, alone: chunks, items })
}

fn one<W>(call: Call<W>) -> Option<W> {
    match call {
        Call::One(waker) => Some(waker),
        Call::Nobody => None,
        Call::All(all) => panic!("all {} were called", all.len()),
    }
}

fn chunk(slot: Option<u64>, first: u64, items: usize) -> Taken {
    Taken::Chunk(Ticket { slot, first, items })
}

#[test]
fn one_at_a_time_has_the_source() {
    let mut desk = desk(Order::AsTaken, 8, 8);
    assert_eq!(desk.claim(3), Claim::Granted { most: 3 });
    assert_eq!(desk.claim(3), Claim::Wait(Why::Source));
    desk.sleep(1, "one");
    let (taken, end, call) = desk.put_back(2, false);
    assert_eq!((taken, end, one(call)), (chunk(Some(0), 0, 2), None, Some("one")));
    assert_eq!(desk.under_way(), (1, 2));
}

#[test]
fn the_window_counts_items_and_chunks() {
    let mut desk = desk(Order::AsTaken, 2, 5);
    assert_eq!(desk.claim(4), Claim::Granted { most: 4 });
    let _ = desk.put_back(4, false);
    assert_eq!(desk.claim(4), Claim::Granted { most: 1 });
    let _ = desk.put_back(1, false);
    assert_eq!(desk.claim(1), Claim::Wait(Why::Window));
    desk.sleep(0, "zero");
    assert_eq!(one(desk.retire(1, 4)), Some("zero"));
    // On its way: nobody else is called for the same room.
    desk.sleep(1, "one");
    assert_eq!(one(desk.retire(0, 0)), None);
    assert_eq!(desk.arrive(0), None);
    assert_eq!(desk.claim(9), Claim::Granted { most: 4 });
    assert_eq!(one(desk.put_back(1, false).2), None, "two chunks are under way");
    assert_eq!(one(desk.retire(1, 1)), Some("one"));
}

#[test]
fn items_that_travel_alone_have_less_room() {
    let mut desk = Desk::<&str>::new(Order::AsTaken, Window { chunks: 3, alone: 1, items: 9 });
    assert_eq!(desk.claim(1), Claim::Granted { most: 1 });
    let _ = desk.put_back(1, false);
    assert_eq!(desk.claim(1), Claim::Wait(Why::Window));
    for _ in 0..2 {
        assert_eq!(desk.claim(2), Claim::Granted { most: 2 });
        let _ = desk.put_back(2, false);
    }
    assert_eq!(desk.claim(2), Claim::Wait(Why::Window));
}

#[test]
fn a_source_that_gave_nothing_takes_no_slot() {
    let mut desk = desk(Order::AsTaken, 2, 5);
    assert_eq!(desk.claim(4), Claim::Granted { most: 4 });
    let (taken, end, _) = desk.put_back(0, false);
    assert_eq!((taken, end), (Taken::Nothing, None));
    assert_eq!(desk.claim(1), Claim::Granted { most: 1 });
    let (taken, end, _) = desk.put_back(1, true);
    assert_eq!((taken, end), (chunk(Some(0), 0, 1), Some(1)));
    assert_eq!(desk.claim(1), Claim::Over);
}

#[test]
fn unordered_the_end_comes_after_the_last_chunk() {
    let mut desk = desk(Order::AsDone, 4, 4);
    for first in 0..2 {
        assert_eq!(desk.claim(1), Claim::Granted { most: 1 });
        assert_eq!(desk.put_back(1, false).0, chunk(None, first, 1));
    }
    assert_eq!(desk.claim(1), Claim::Granted { most: 1 });
    assert_eq!(desk.put_back(0, true).1, None);
    assert_eq!(desk.place(), (0, None));
    assert_eq!(desk.place(), (1, Some(2)));
}

#[test]
fn nothing_starts_after_a_close() {
    let mut desk = desk(Order::AsTaken, 4, 4);
    assert_eq!(desk.claim(2), Claim::Granted { most: 2 });
    desk.sleep(1, "one");
    let Call::All(all) = desk.close() else { panic!("not all were called") };
    assert_eq!(all, [(1, "one")]);
    let (taken, end, _) = desk.put_back(2, false);
    assert_eq!((taken, end), (Taken::Unwanted, None));
    assert_eq!(desk.claim(1), Claim::Over);
    assert_eq!(desk.under_way(), (0, 0));
}

#[test]
fn who_comes_uncalled_takes_its_waker_along() {
    let mut desk = desk(Order::AsTaken, 1, 1);
    desk.sleep(3, "three");
    assert_eq!(desk.arrive(3), Some("three"));
    assert_eq!(one(desk.retire(0, 0)), None, "nobody sleeps");
}

proptest! {
    /// Whatever happens in whatever order: the window holds, slots are given once and in a row, and where
    /// the source is free and there is room, nobody sleeps without somebody being on the way.
    #[test]
    fn the_window_holds_and_nobody_is_forgotten(
        steps in prop::collection::vec((0..4_u8, 1..5_usize), 1..200),
        chunks in 1..5_u64,
        items in 1..9_usize,
        is_ordered in any::<bool>(),
    ) {
        let order = if is_ordered { Order::AsTaken } else { Order::AsDone };
        let mut desk = Desk::new(order, Window { chunks, alone: chunks, items });
        let (mut asleep, mut called) = (Vec::new(), Vec::<usize>::new());
        let (mut holder, mut running, mut done) = (None, Vec::new(), Vec::new());
        let (mut slots, mut next_worker) = (Vec::new(), 0);
        let note = |call: Call<usize>, asleep: &mut Vec<usize>, called: &mut Vec<usize>| {
            if let Call::One(worker) = call {
                asleep.retain(|other| *other != worker);
                called.push(worker);
            }
        };
        for (step, amount) in steps {
            match step {
                0 => {
                    let worker = match called.pop() {
                        Some(called) => {
                            prop_assert_eq!(desk.arrive(called), None);
                            called
                        }
                        None => {
                            next_worker += 1;
                            next_worker
                        }
                    };
                    match desk.claim(amount) {
                        Claim::Granted { most } => holder = Some(most),
                        Claim::Wait(_) => { desk.sleep(worker, worker); asleep.push(worker); }
                        Claim::Over => prop_assert!(false, "it has not ended"),
                    }
                }
                1 => if let Some(most) = holder.take() {
                    let (taken, end, call) = desk.put_back(amount.min(most), false);
                    prop_assert_eq!(end, None);
                    note(call, &mut asleep, &mut called);
                    if let Taken::Chunk(ticket) = taken {
                        running.push(ticket);
                    }
                },
                2 => if let Some(ticket) = running.pop() {
                    slots.push(ticket.slot.unwrap_or_else(|| desk.place().0));
                    done.push(ticket.items);
                },
                _ => if let Some(items) = done.pop() {
                    note(desk.retire(1, items), &mut asleep, &mut called);
                },
            }
            let (open, under_way) = desk.under_way();
            prop_assert!(open <= chunks && under_way <= items);
            let has_room = open < chunks && under_way < items;
            let is_stuck = holder.is_none() && has_room && !asleep.is_empty() && called.is_empty();
            prop_assert!(!is_stuck, "{:?} sleep", asleep);
        }
        slots.extend(running.iter().filter_map(|ticket| ticket.slot));
        slots.sort_unstable();
        prop_assert!(slots.iter().copied().eq(0..slots.len() as u64), "{:?}", slots);
    }
}
