//! The engine whose workers keep what their jobs submit, driven by hand.

use super::engine::{Worker, hired, push};
use crate::engine::{Engine, Item, Push, Wait};
use crate::state::Crew;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use std::collections::BTreeSet;
use std::task::Waker;

fn asleep(workers: usize, bound: usize) -> (Engine<u32>, Vec<Worker>) {
    let engine = Engine::new(Crew::new(workers, workers, bound), 1).with_stacks();
    let crew = hired(&engine);
    (engine, crew)
}

fn item(entry: u32) -> Item<u32> {
    Item { entry, lane: 0, strand: None }
}

/// The job that `worker` runs submits another: whether it stays with it.
fn keeps(engine: &Engine<u32>, worker: &Worker, entry: u32) -> bool {
    let pushed = engine.push_own(worker.seat.number(), || item(entry));
    assert!(pushed.as_ref().is_none_or(Option::is_none), "nobody is to be started");
    pushed.is_some()
}

/// Whatever is left for whoever was called, until nobody finds anything.
fn rest(engine: &Engine<u32>, workers: &mut [Worker]) -> Vec<u32> {
    let mut found = Vec::new();
    loop {
        let before = found.len();
        found.extend(workers.iter_mut().filter_map(|worker| worker.look(engine)));
        if found.len() == before {
            return found;
        }
    }
}

#[test]
fn a_worker_takes_its_newest_and_others_take_the_older_half() {
    let (engine, mut workers) = asleep(2, 100);
    push(&engine, 0, None);
    assert_eq!(workers[1].look(&engine), Some(0));
    assert!((1..=4).all(|job| keeps(&engine, &workers[1], job)));
    assert_eq!(workers[0].look(&engine), Some(2), "the first push called it");
    assert_eq!(workers[1].look(&engine), Some(4));
    assert_eq!((workers[0].look(&engine), workers[1].look(&engine)), (Some(1), Some(3)));
    assert_eq!(rest(&engine, &mut workers), []);
    let metrics = engine.metrics();
    assert_eq!((metrics.submitted, metrics.completed, metrics.queued), (5, 5, 0));
}

#[test]
fn whoever_comes_for_one_calls_the_next() {
    let (engine, mut workers) = asleep(3, 100);
    push(&engine, 0, None);
    assert_eq!(workers[2].look(&engine), Some(0));
    assert!(keeps(&engine, &workers[2], 1), "and calls one");
    assert!(keeps(&engine, &workers[2], 2), "one is on the way");
    assert_eq!(workers[0].look(&engine), None, "it was not called yet");
    assert_eq!(workers[1].look(&engine), Some(1));
    assert_eq!(workers[0].look(&engine), Some(2), "the first job blocks");
}

#[test]
fn a_push_beside_the_line_calls_whoever_sleeps() {
    let (engine, mut workers) = asleep(4, 100);
    (0..2).for_each(|job| push(&engine, job, None));
    assert_eq!((workers[3].look(&engine), workers[2].look(&engine)), (Some(0), Some(1)));
    assert!(keeps(&engine, &workers[3], 10), "and calls one");
    assert!(keeps(&engine, &workers[2], 20), "one is on the way");
    assert_eq!(workers[3].look(&engine), Some(10), "its place is free, and still lent");
    assert_eq!(workers[1].look(&engine), Some(20));
    assert_eq!(workers[0].look(&engine), None, "there is nothing to do");
    assert!(keeps(&engine, &workers[3], 11));
    assert_eq!(workers[0].look(&engine), Some(11), "it was called");
}

#[test]
fn nothing_starts_in_a_pause_and_what_is_pushed_meanwhile_waits() {
    let (engine, mut workers) = asleep(1, 100);
    push(&engine, 0, None);
    assert_eq!(workers[0].look(&engine), Some(0));
    assert!(keeps(&engine, &workers[0], 1));
    assert!(engine.pause());
    assert!(keeps(&engine, &workers[0], 2));
    assert_eq!(workers[0].look(&engine), None);
    assert_eq!(engine.metrics().queued, 2);
    assert!(engine.resume().is_none());
    assert_eq!(rest(&engine, &mut workers), [2, 1]);
}

#[test]
fn no_place_is_lent_after_the_end() {
    let (engine, mut workers) = asleep(1, 100);
    push(&engine, 0, None);
    assert_eq!(workers[0].look(&engine), Some(0));
    assert!((1..=3).all(|job| keeps(&engine, &workers[0], job)));
    assert!(engine.close(false).0.is_empty());
    assert_eq!(workers[0].look(&engine), Some(3), "and its place is free");
    assert!(!keeps(&engine, &workers[0], 4), "the line refuses it");
    assert!(matches!(engine.push(|| item(4)), Push::Closed));
    let (returned, start) = engine.close(true);
    assert_eq!(returned.iter().map(|item| item.entry).collect::<Vec<_>>(), [2, 1]);
    assert!(start.is_none());
    assert_eq!(engine.metrics().queued, 0);
}

#[test]
fn nobody_inside_overtakes_a_submitter_that_waits() {
    // Few of the jobs are in the deck: nobody has to know of each that starts.
    let (engine, mut workers) = asleep(1, 100);
    push(&engine, 0, None);
    assert_eq!(workers[0].look(&engine), Some(0));
    assert!((1..=5).all(|job| keeps(&engine, &workers[0], job)));
    (6..=100).for_each(|job| push(&engine, job, None));
    assert!(!keeps(&engine, &workers[0], 200), "there is no place");
    assert!(matches!(engine.push(|| item(200)), Push::Full));
    let mut ticket = None;
    assert_eq!(engine.poll_place(&mut ticket, Waker::noop()), Wait::Queued);
    assert_eq!(workers[0].look(&engine), Some(5));
    assert!(!keeps(&engine, &workers[0], 201), "the place is for whoever waits");
    while engine.poll_place(&mut ticket, Waker::noop()) == Wait::Queued {
        assert!(workers[0].look(&engine).is_some());
    }
    engine.unreserve();
    assert!(keeps(&engine, &workers[0], 202));
    assert_eq!(rest(&engine, &mut workers).first(), Some(&202));
}

#[test]
fn a_place_that_is_lent_and_free_is_room_for_others() {
    let (engine, mut workers) = asleep(1, 3);
    push(&engine, 0, None);
    assert_eq!(workers[0].look(&engine), Some(0));
    assert!(keeps(&engine, &workers[0], 1), "and a place is lent beside it");
    push(&engine, 2, None);
    push(&engine, 3, None);
    assert!(matches!(engine.push(|| item(4)), Push::Full));
    assert!(!keeps(&engine, &workers[0], 4));
    assert_eq!(engine.metrics().queued, 3);
    assert_eq!(rest(&engine, &mut workers), [1, 2, 3]);
}

#[test]
fn jobs_that_spawn_for_ever_keep_nobody_waiting_for_ever() {
    let (engine, mut workers) = asleep(1, 100);
    push(&engine, 0, None);
    assert_eq!(workers[0].look(&engine), Some(0));
    assert!(keeps(&engine, &workers[0], 1), "the oldest of its own");
    push(&engine, 2, None);
    let mut others = Vec::new();
    for turn in 10..200 {
        assert!(keeps(&engine, &workers[0], turn));
        match workers[0].look(&engine) {
            Some(job) if job < 10 => others.push(job),
            found => assert!(found.is_some()),
        }
    }
    assert_eq!(others, [2, 1]);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    /// The job of this worker submits another.
    Inside(usize),
    Look(usize),
    Pause,
    Resume,
    Purge,
    Close(bool),
}

proptest! {
    /// What was accepted runs once or comes back, whatever happens in between; and whoever is needed
    /// was called.
    #[test]
    fn what_is_accepted_runs_once_or_comes_back(
        bound in 0..6_usize,
        steps in vec(prop_oneof![
            12 => Just(Step::Push),
            24 => (0..3_usize).prop_map(Step::Inside),
            24 => (0..3_usize).prop_map(Step::Look),
            2 => Just(Step::Pause),
            2 => Just(Step::Resume),
            1 => Just(Step::Purge),
            1 => (0..40_u8).prop_map(|at| if at < 2 { Step::Close(at == 0) } else { Step::Resume }),
        ], 0..300),
    ) {
        const WORKERS: usize = 3;
        let (engine, mut workers) = asleep(WORKERS, bound);
        let (mut next, mut waiting, mut closed) = (0_u32, BTreeSet::new(), false);
        for step in steps {
            let busy = workers.iter().filter(|worker| worker.done.is_some()).count();
            match step {
                Step::Push => if let Push::Accepted(start) = engine.push(|| item(next)) {
                    prop_assert!(start.is_none() && !closed);
                    waiting.insert(next);
                    prop_assert!(waiting.len() + busy <= WORKERS + bound);
                },
                Step::Inside(worker) => {
                    let runs = workers[worker].done.is_some();
                    if runs && keeps(&engine, &workers[worker], next) {
                        prop_assert!(!closed);
                        waiting.insert(next);
                        prop_assert!(waiting.len() + busy <= WORKERS + bound);
                    }
                }
                // Whoever has left is asked no more.
                Step::Look(worker) if !closed => {
                    let found = workers[worker].look(&engine);
                    let known = found.is_none_or(|job| waiting.remove(&job));
                    prop_assert!(known, "{:?} ran before, or was never accepted", found);
                }
                Step::Pause => { engine.pause(); }
                Step::Resume => prop_assert!(engine.resume().is_none()),
                Step::Purge => for item in engine.sweep(|_| true) {
                    prop_assert!(waiting.remove(&item.entry));
                },
                Step::Close(now) => {
                    for item in engine.close(now).0 {
                        prop_assert!(waiting.remove(&item.entry));
                    }
                    prop_assert!(!now || waiting.is_empty());
                    closed = true;
                }
                _ => {}
            }
            next += 1;
            prop_assert_eq!(engine.metrics().queued, waiting.len());
        }
        if !closed {
            prop_assert!(engine.resume().is_none());
            for job in rest(&engine, &mut workers) {
                prop_assert!(waiting.remove(&job));
            }
            prop_assert!(waiting.is_empty(), "nobody was called for {:?}", waiting);
        }
    }
}

#[test]
fn places_that_are_lent_are_no_backlog() {
    let (engine, mut workers) = asleep(1, 100);
    push(&engine, 0, None);
    assert_eq!(workers[0].look(&engine), Some(0));
    assert!(keeps(&engine, &workers[0], 1));
    assert!(engine.has_backlog(), "it waits for its worker");
    assert_eq!(workers[0].look(&engine), Some(1));
    assert!(!engine.has_backlog(), "nothing waits but places");
}
