//! The pure state machine: the numbers, the lanes.

use crate::lanes::Lanes;
use crate::state::{Crew, Summon};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

fn started(workers: usize, bound: usize) -> Crew {
    let mut crew = Crew::new(workers, workers, bound);
    while crew.hire() {
        crew.confirm();
        crew.arrive();
        crew.sleep();
    }
    crew
}

#[test]
fn a_job_calls_one_worker_and_the_next_is_called_by_it() {
    let mut crew = started(2, 10);
    crew.push(1);
    assert_eq!(crew.summon(true), Summon::Wake);
    crew.push(1);
    assert_eq!(crew.summon(true), Summon::Nobody, "somebody is on the way");
    crew.arrive();
    crew.pop(1);
    assert_eq!(crew.busy(), 1);
    assert_eq!(crew.summon(true), Summon::Wake, "there is more to do");
    crew.arrive();
    crew.pop(1);
    assert_eq!(crew.summon(false), Summon::Nobody);
    assert_eq!((crew.busy(), crew.idle(), crew.queued()), (2, 0, 0));
}

#[test]
fn workers_are_started_up_to_the_most() {
    let mut crew = Crew::new(0, 2, 10);
    assert!(!crew.has_worker());
    assert!(crew.hire_first());
    assert!(!crew.has_worker(), "the system has not granted it");
    crew.confirm();
    assert!(crew.has_worker());
    crew.push(2);
    assert_eq!(crew.summon(true), Summon::Nobody);
    crew.arrive();
    crew.pop(1);
    assert_eq!(crew.summon(true), Summon::Start);
    crew.start_failed();
    assert_eq!((crew.live(), crew.busy()), (1, 1));
    assert_eq!(crew.summon(true), Summon::Start);
    crew.confirm();
    crew.arrive();
    assert_eq!(crew.summon(true), Summon::Nobody, "two are the most");
}

#[test]
fn a_free_worker_is_room_beside_the_queue() {
    let mut crew = started(2, 3);
    assert_eq!(crew.room(), 5);
    crew.push(1);
    assert_eq!(crew.summon(true), Summon::Wake);
    assert_eq!(crew.room(), 4, "whether it waits or runs");
    crew.arrive();
    crew.pop(1);
    assert_eq!(crew.room(), 4);
    crew.reserve();
    assert_eq!(crew.room(), 3);
    assert!(crew.pause());
    assert_eq!(crew.room(), 2, "nobody is free in a pause");
    assert!(crew.close());
    assert_eq!(crew.room(), 0);
    assert!(!crew.close() && !crew.pause());
    assert!(!crew.is_paused(), "the end ends a pause");
}

#[test]
fn the_last_of_those_that_are_busy_does_not_park() {
    let mut crew = started(2, 3);
    for _ in 0..2 {
        crew.push(1);
        assert_eq!(crew.summon(true), Summon::Wake);
        crew.arrive();
        crew.pop(1);
    }
    assert!(crew.block());
    assert!(!crew.block());
    crew.unblock();
    assert!(crew.block());
}

#[test]
fn lanes_pop_by_priority_and_now_and_then_from_below() {
    let mut lanes = Lanes::new(3);
    for lane in [2, 1, 0] {
        (0..100).for_each(|job| lanes.push_back(lane, (lane, job)));
    }
    let order: Vec<_> = std::iter::from_fn(|| lanes.pop()).collect();
    assert_eq!(order.len(), 300);
    assert_eq!(order[60], (2, 0), "the 61st");
    assert_eq!(order[121], (2, 1));
    let of_lane = |lane| order.iter().filter(move |job| job.0 == lane).map(|job| job.1);
    for lane in 0..3 {
        assert!(of_lane(lane).eq(0..100), "each lane is first in, first out");
    }
    assert!(lanes.is_empty() && lanes.pop().is_none() && lanes.evict().is_none());
}

#[test]
fn lanes_evict_the_oldest_where_it_matters_least_and_sweep_in_order() {
    let mut lanes = Lanes::new(2);
    for job in 0..6 {
        lanes.push_back(job % 2, job);
    }
    assert_eq!(lanes.evict(), Some(1));
    let mut out = Vec::new();
    lanes.sweep(|job| *job > 2, &mut out);
    assert_eq!(out, [4, 3, 5]);
    assert_eq!((lanes.len(), lanes.len_of(0), lanes.len_of(1)), (2, 2, 0));
    lanes.push_front(0, 9);
    assert_eq!(lanes.pop(), Some(9));
}

/// What may happen to a crew, by a sequential reference that keeps a list of workers.
#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    Arrive,
    End,
    Resize(usize),
    Pause,
    Resume,
    Refuse,
}

proptest! {
    #[test]
    fn whoever_waits_has_somebody_on_the_way(
        steps in vec(prop_oneof![
            4 => Just(Step::Push),
            4 => Just(Step::Arrive),
            4 => Just(Step::End),
            1 => (1..5_usize).prop_map(Step::Resize),
            1 => Just(Step::Pause),
            1 => Just(Step::Resume),
            1 => Just(Step::Refuse),
        ], 0..200),
    ) {
        let mut crew = Crew::new(0, 3, 5);
        let (mut starting, mut woken, mut waiting) = (0_usize, 0_usize, 0_usize);
        for step in steps {
            match step {
                Step::Push if crew.room() > 0 => {
                    if !crew.has_worker() && starting == 0 && crew.hire_first() {
                        starting += 1;
                    }
                    crew.push(1);
                    waiting += 1;
                }
                Step::Arrive if starting + woken > 0 => {
                    if starting > 0 {
                        starting -= 1;
                        crew.confirm();
                    } else {
                        woken -= 1;
                    }
                    crew.arrive();
                    if crew.is_surplus() {
                        crew.leave();
                    } else if waiting > 0 && !crew.is_paused() {
                        waiting -= 1;
                        crew.pop(1);
                    } else {
                        crew.sleep();
                    }
                }
                Step::End if crew.busy() > 0 => {
                    if crew.is_surplus() {
                        crew.leave();
                    } else if waiting > 0 && !crew.is_paused() {
                        waiting -= 1;
                        crew.pop(1);
                    } else {
                        crew.sleep();
                    }
                }
                Step::Resize(most) => {
                    crew.resize(0, most);
                    while crew.idle() > 0 {
                        crew.call_idle();
                        woken += 1;
                    }
                }
                Step::Pause => { crew.pause(); }
                Step::Resume => crew.resume(),
                Step::Refuse if starting > 0 => {
                    starting -= 1;
                    crew.start_failed();
                }
                _ => {}
            }
            match crew.summon(waiting > 0) {
                Summon::Nobody => {}
                Summon::Wake => woken += 1,
                Summon::Start => starting += 1,
            }
            prop_assert_eq!(crew.queued(), waiting);
            prop_assert_eq!(crew.live(), crew.busy() + crew.idle() + starting + woken);
            let could_run = crew.idle() > 0 || crew.live() < crew.max();
            let on_its_way = starting + woken > 0;
            if waiting > 0 && could_run && !crew.is_paused() && crew.live() - crew.idle() < crew.max() {
                prop_assert!(on_its_way, "{:?}", crew);
            }
        }
    }
}
