//! A line between threads: items, places, the end, a cancel.

use super::support::{control, failed, read};
use crate::edge::Cancel;
use crate::feed::{Fed, Feed, Until};
use crate::lane::Overflow;
use crate::primitives::{Arc, Explore, explore, thread};
use crate::queue::{Queue, Taker};
use crate::stats::Stats;
use std::ops::ControlFlow::Continue;

fn queue(places: usize, feeders: usize) -> Arc<Queue<u8, u8>> {
    let stats = Arc::new(Stats::new("model".into(), 1));
    Arc::new(Queue::new(places, feeders, control(), stats))
}

/// Adds items one by one, and leaves.
fn feeds(queue: &Arc<Queue<u8, u8>>, feeder: usize, items: Vec<u8>) -> thread::JoinHandle<()> {
    let queue = Arc::clone(queue);
    thread::spawn(move || {
        for item in items {
            if queue.add(feeder, vec![item]).is_err() {
                break;
            }
        }
        queue.leave(None, true);
    })
}

/// H21: an item comes while the reader falls asleep, and the end comes only when it has been read.
#[test]
fn item_meets_a_reader_that_falls_asleep() {
    explore(Explore::All, || {
        let queue = queue(1, 1);
        let mut taker = Taker::new(Arc::clone(&queue), 1);
        let feeder = {
            let queue = Arc::clone(&queue);
            // It never leaves: only the item can wake the reader.
            thread::spawn(move || assert!(queue.add(0, vec![5]).is_ok()))
        };
        let mut items = Vec::new();
        while items.is_empty() {
            let fed = taker.feed(Until::NEVER, 1, |item| {
                items.push(item);
                Continue(())
            });
            assert!(matches!(fed, Ok(Fed::More)));
        }
        feeder.join().unwrap();
    });
}

/// H22: there is room while a feeder falls asleep for want of it.
#[test]
fn room_meets_a_feeder_that_falls_asleep() {
    explore(Explore::Preemptions(3), || {
        let queue = queue(1, 1);
        let mut taker = Taker::new(Arc::clone(&queue), 1);
        let feeder = feeds(&queue, 0, vec![1, 2]);
        assert_eq!(read(&mut taker), (vec![1, 2], Ok(())));
        feeder.join().unwrap();
    });
}

/// H22: the reader goes while a feeder falls asleep for want of room.
#[test]
fn reader_that_goes_meets_a_feeder() {
    explore(Explore::All, || {
        let queue = queue(1, 1);
        let taker = Taker::new(Arc::clone(&queue), 1);
        let feeder = feeds(&queue, 0, vec![1, 2]);
        drop(taker);
        feeder.join().unwrap();
    });
}

/// H26: an item finds no place while the reader takes the one that is there: the places stay as many.
#[test]
fn crowd_meets_a_reader_that_takes() {
    explore(Explore::All, || {
        let queue = queue(1, 1);
        let mut taker = Taker::fresh(Arc::clone(&queue), 1);
        assert_eq!(queue.crowd(vec![1], Overflow::DropOldest), Ok(()));
        let feeder = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                assert_eq!(queue.crowd(vec![2], Overflow::DropOldest), Ok(()));
                queue.leave(None, true);
            })
        };
        let (items, end) = read(&mut taker);
        assert!(items == [1, 2] || items == [2], "{items:?}");
        assert_eq!(end, Ok(()));
        feeder.join().unwrap();
        assert_eq!(queue.reserve(0, 9), Ok(1));
    });
}

/// H22: one feeder fails while another falls asleep for want of room that nobody makes.
#[test]
fn failure_meets_a_feeder_that_falls_asleep() {
    explore(Explore::Preemptions(3), || {
        let queue = queue(1, 2);
        let _taker = Taker::new(Arc::clone(&queue), 1);
        let feeder = feeds(&queue, 0, vec![1, 2]);
        queue.leave(Some(failed(7)), true);
        feeder.join().unwrap();
    });
}

/// H23: two feeders leave while the reader falls asleep; the end is said once, after all items.
#[test]
fn end_meets_the_last_item() {
    explore(Explore::Preemptions(2), || {
        let queue = queue(2, 2);
        let mut taker = Taker::new(Arc::clone(&queue), 2);
        let feeders = [feeds(&queue, 0, vec![1]), feeds(&queue, 1, vec![2])];
        let (mut items, end) = read(&mut taker);
        items.sort_unstable();
        assert_eq!((items, end), (vec![1, 2], Ok(())));
        feeders.into_iter().for_each(|feeder| feeder.join().unwrap());
    });
}

/// H23: one feeder fails while the other has an item: a fault that can wait comes after it.
#[test]
fn fault_that_can_wait_meets_the_last_item() {
    explore(Explore::Preemptions(3), || {
        let queue = queue(2, 2);
        let mut taker = Taker::new(Arc::clone(&queue), 2);
        let fails = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.leave(Some(failed(7)), false))
        };
        let feeder = feeds(&queue, 1, vec![1]);
        assert_eq!(read(&mut taker), (vec![1], Err(7)));
        feeder.join().unwrap();
        fails.join().unwrap();
    });
}

/// H24: a reader falls asleep while everything is cancelled.
#[test]
fn cancel_meets_a_reader_that_falls_asleep() {
    explore(Explore::All, || {
        let queue = queue(1, 1);
        let mut taker = Taker::new(Arc::clone(&queue), 1);
        let reads = thread::spawn(move || assert_eq!(read(&mut taker), (vec![], Err(255))));
        queue.control.cancel();
        queue.cancel();
        reads.join().unwrap();
    });
}

/// H24: a feeder falls asleep for want of room while everything is cancelled.
#[test]
fn cancel_meets_a_feeder_that_falls_asleep() {
    explore(Explore::All, || {
        let queue = queue(1, 1);
        let _taker = Taker::new(Arc::clone(&queue), 1);
        let feeder = feeds(&queue, 0, vec![1, 2]);
        queue.control.cancel();
        queue.cancel();
        feeder.join().unwrap();
    });
}
