//! A cancel, and everybody who may wait meanwhile.

use super::support::{control, crew, join, read, serve, source};
use crate::control::Control;
use crate::edge::{Cancel, Edge};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::state::{Order, Window};
use crate::stats::Stats;

fn cancel(control: &Control, edges: &[&dyn Cancel]) {
    control.cancel();
    edges.iter().for_each(|edge| edge.cancel());
}

fn edge(control: &Arc<Control>) -> Arc<Edge<u8, u8>> {
    let window = Window { chunks: 1, alone: 1, items: 1 };
    let stats = Arc::new(Stats::new("model".into(), 1));
    Arc::new(Edge::new(Order::AsTaken, window, Arc::clone(control), stats))
}

/// H13: a worker goes to sleep for want of room while everything is cancelled.
#[test]
fn cancel_meets_a_worker_that_waits_for_room() {
    explore(Explore::Preemptions(2), || {
        let control = control();
        let crew = crew(source([1, 2]), Order::AsTaken, 1, &control);
        let threads = serve(&crew, 1, |item| Ok(Some(item)));
        cancel(&control, &[&*crew.edge]);
        join(threads);
    });
}

/// H14: a reader goes to sleep on a slot that nobody will fill while everything is cancelled.
#[test]
fn cancel_meets_a_reader_that_waits() {
    explore(Explore::All, || {
        let control = control();
        let crew = crew::<_, u8>(source::<u8>([]), Order::AsTaken, 1, &control);
        let mut reader = crew.reader();
        let waits = thread::spawn(move || assert_eq!(read(&mut reader), (vec![], Err(255))));
        cancel(&control, &[&*crew.edge]);
        waits.join().unwrap();
    });
}

/// H14: the worker of a second stage waits for the first while everything is cancelled.
#[test]
fn cancel_meets_a_stage_that_waits_for_another() {
    explore(Explore::Preemptions(3), || {
        let control = control();
        let first = crew::<_, u8>(source::<u8>([]), Order::AsTaken, 1, &control);
        let second = crew(first.reader(), Order::AsTaken, 1, &control);
        // The first has no worker, as if its source did not give anything.
        let threads = serve(&second, 1, |item| Ok(Some(item)));
        cancel(&control, &[&*first.edge, &*second.edge]);
        join(threads);
    });
}

/// H15: a worker goes to sleep at a gate that does not open while everything is cancelled.
#[test]
fn cancel_meets_a_worker_at_a_gate() {
    explore(Explore::All, || {
        let control = control();
        let edge = edge(&control);
        let waits = {
            let edge = Arc::clone(&edge);
            thread::spawn(move || assert_eq!(edge.park(0, None, |_| None::<()>), None))
        };
        cancel(&control, &[&*edge]);
        waits.join().unwrap();
    });
}

/// H16: a drain meets a cancel: it stays cancelled, whichever comes first.
#[test]
fn drain_meets_cancel() {
    explore(Explore::All, || {
        let control = control();
        let drains = {
            let control = Arc::clone(&control);
            thread::spawn(move || control.drain())
        };
        control.cancel();
        drains.join().unwrap();
        assert!(control.is_cancelled());
    });
}
