//! The numbers of a group, and its queue with decks, on one thread.

mod the_pool;
mod the_queue;

use crate::state::{BACKLOG_PER_SLOT, LEAST_BACKLOG, Slots, Summon};
use proptest::prelude::*;

/// With `running` that have a job.
fn slots(limit: usize, backlog: usize, running: usize) -> Slots {
    let mut slots = Slots::new(limit, Some(backlog));
    for _ in 0..running {
        assert!(slots.enlist());
    }
    slots
}

#[test]
fn fresh_slots_are_quiet() {
    let slots = Slots::new(2, Some(1));
    assert!(slots.is_quiet() && slots.has_slot() && slots.has_room() && !slots.is_over_limit());
    assert_eq!((slots.limit(), slots.backlog(), slots.busy(), slots.queued()), (2, 1, 0, 0));
}

#[test]
fn the_backlog_follows_the_limit() {
    let edge = LEAST_BACKLOG / BACKLOG_PER_SLOT;
    for (limit, backlog) in [
        (1, LEAST_BACKLOG),
        (edge - 1, LEAST_BACKLOG),
        (edge, LEAST_BACKLOG),
        (edge + 1, (edge + 1) * BACKLOG_PER_SLOT),
        (usize::MAX, usize::MAX),
    ] {
        assert_eq!(Slots::new(limit, None).backlog(), backlog, "of limit {limit}");
    }
    let mut slots = Slots::new(1, None);
    slots.set_limit(1000);
    assert_eq!(slots.backlog(), 8000);
    assert_eq!(Slots::new(7, Some(0)).backlog(), 0);
}

#[test]
fn room_is_the_limit_and_the_backlog() {
    let mut slots = slots(2, 2, 1);
    assert!(slots.has_slot() && slots.has_room());
    slots.push();
    assert!(!slots.has_slot() && slots.has_room());
    slots.push();
    assert!(slots.has_room() && slots.is_half_empty());
    slots.push();
    assert!(!slots.has_room() && !slots.is_half_empty());
    slots.pop(1);
    assert!(slots.has_room() && slots.is_half_empty());
    slots.pop(2);
    assert!(slots.has_slot());
}

#[test]
fn without_a_backlog_half_of_it_is_one_slot() {
    let mut slots = slots(1, 0, 1);
    assert!(!slots.is_half_empty());
    slots.retire(false);
    assert!(slots.is_half_empty() && slots.has_room());
}

#[test]
fn somebody_on_the_way_is_not_busy() {
    let mut slots = Slots::new(2, Some(0));
    slots.push();
    assert_eq!(slots.summon(true), Summon::Start);
    assert_eq!((slots.busy(), slots.queued()), (0, 1));
    assert!(slots.has_slot(), "the job is counted once");
    slots.arrive();
    slots.pop(1);
    assert_eq!((slots.busy(), slots.queued()), (1, 0));
}

#[test]
fn one_is_called_at_a_time() {
    let mut slots = Slots::new(3, Some(8));
    assert_eq!(slots.summon(false), Summon::Nobody);
    assert_eq!(slots.summon(true), Summon::Start);
    assert!(!slots.may_summon());
    assert_eq!(slots.summon(true), Summon::Nobody);
    slots.arrive();
    assert_eq!(slots.summon(true), Summon::Start);
}

#[test]
fn sleepers_are_woken_before_others_are_started() {
    let mut slots = slots(2, 8, 2);
    slots.retire(true);
    slots.retire(true);
    assert!(slots.is_quiet());
    assert_eq!(slots.summon(true), Summon::Wake);
    slots.arrive();
    slots.forget_idle();
    assert_eq!(slots.summon(true), Summon::Start);
}

#[test]
fn nobody_is_called_beyond_the_limit() {
    let mut slots = slots(2, 8, 2);
    assert!(!slots.enlist());
    assert_eq!(slots.summon(true), Summon::Nobody);
    slots.set_limit(1);
    assert!(slots.is_over_limit());
    slots.retire(false);
    assert!(!slots.is_over_limit());
    assert_eq!(slots.summon(true), Summon::Nobody);
    slots.set_limit(2);
    assert_eq!(slots.summon(true), Summon::Start);
}

#[test]
fn quiet_is_nothing_queued_and_nobody_with_a_slot() {
    let mut slots = Slots::new(1, Some(8));
    slots.push();
    assert!(!slots.is_quiet());
    assert_eq!(slots.summon(true), Summon::Start);
    slots.arrive();
    slots.pop(1);
    assert!(!slots.is_quiet(), "it runs");
    slots.retire(true);
    assert!(slots.is_quiet(), "who sleeps has no slot");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    /// The one on the way looks for a job.
    Arrive,
    /// It could not be started.
    Fail,
    /// A runner has done its job and looks for the next.
    Next,
    Enlist,
    SetLimit(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Push),
        3 => Just(Step::Arrive),
        1 => Just(Step::Fail),
        4 => Just(Step::Next),
        1 => Just(Step::Enlist),
        1 => (1_usize..5).prop_map(Step::SetLimit),
    ];
    proptest::collection::vec(step, 0..200)
}

/// What the pool does, with every job in the queue.
struct World {
    slots: Slots,
    jobs: usize,
    running: usize,
    on_the_way: bool,
    /// A start has failed, and nobody was called since: who tried has to help.
    helpless: bool,
}

impl World {
    fn summon(&mut self) {
        if self.slots.summon(self.jobs > 0) != Summon::Nobody {
            assert!(!self.on_the_way);
            self.on_the_way = true;
            self.helpless = false;
        }
    }

    /// A runner with a slot looks for a job.
    fn look(&mut self, sleeps: bool) {
        if self.jobs == 0 || self.slots.is_over_limit() {
            self.slots.retire(sleeps && !self.slots.is_over_limit());
        } else {
            self.jobs -= 1;
            self.slots.pop(1);
            self.running += 1;
        }
        self.summon();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push if self.slots.has_room() => {
                self.slots.push();
                self.jobs += 1;
                self.summon();
            }
            Step::Arrive if self.on_the_way => {
                self.on_the_way = false;
                self.slots.arrive();
                self.look(true);
            }
            Step::Fail if self.on_the_way => {
                self.on_the_way = false;
                self.slots.arrive();
                self.slots.retire(false);
                self.helpless = true;
            }
            Step::Next if self.running > 0 => {
                self.running -= 1;
                self.look(true);
            }
            Step::Enlist if self.jobs > 0 && self.slots.enlist() => self.look(false),
            Step::SetLimit(limit) => {
                self.slots.set_limit(limit);
                self.summon();
            }
            _ => {}
        }
    }

    fn check(&self) {
        let slots = &self.slots;
        assert_eq!((slots.busy(), slots.queued()), (self.running, self.jobs));
        let holders = self.running + usize::from(self.on_the_way);
        assert_eq!(slots.is_quiet(), holders == 0 && self.jobs == 0);
        if self.jobs > 0 && holders < slots.limit() {
            assert!(self.on_the_way || self.helpless, "jobs wait, and nobody comes");
        }
    }
}

proptest! {
    /// INVARIANT of `summon`: jobs that wait while a slot is free have somebody on the way.
    #[test]
    fn whoever_waits_is_served(limit in 1_usize..5, backlog in 0_usize..5, steps in steps()) {
        let slots = Slots::new(limit, Some(backlog));
        let mut world = World { slots, jobs: 0, running: 0, on_the_way: false, helpless: false };
        for step in steps {
            world.step(step);
            world.check();
        }
        // Everything ends, with nobody but those who were called or have to help.
        while !world.slots.is_quiet() {
            let before = (world.jobs, world.running, world.on_the_way);
            world.step(Step::Next);
            world.step(Step::Arrive);
            if world.helpless {
                world.step(Step::Enlist);
            }
            prop_assert_ne!(before, (world.jobs, world.running, world.on_the_way));
        }
    }
}
