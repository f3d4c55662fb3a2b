//! Random operations on several threads at once, from fixed seeds: whatever happens in between,
//! in the end every permit is back and nobody is left behind.

use crate::support::{bounded, figures, semaphore, within_patience};
use lockgate_semaphore::{OwnedPermit, Semaphore};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The highest limit of a stressed semaphore: never are more permits held.
const LIMIT: usize = 8;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// One request of some kind, in one of the worlds, which may be given up.
fn acquire_somehow(sem: &Arc<Semaphore>, random: &mut Random) -> Option<OwnedPermit> {
    let min = random.below(4);
    match random.below(8) {
        0 => sem.try_acquire_up_to_owned(min, LIMIT).ok(),
        1 => sem.try_acquire_all_owned().ok(),
        #[cfg(any(feature = "sync", feature = "async"))]
        2..=6 => {
            let wait = match random.below(8) {
                0 => sem.acquire_all_owned(),
                1 | 2 => sem.acquire_up_to_owned(min, min + 2),
                _ => sem.acquire_owned(min),
            };
            wait_somehow(wait, random)
        }
        _ => sem.try_acquire_owned(min).ok(),
    }
}

#[cfg(any(feature = "sync", feature = "async"))]
fn wait_somehow(
    wait: lockgate_semaphore::AcquireOwned,
    random: &mut Random,
) -> Option<OwnedPermit> {
    match random.below(4) {
        #[cfg(feature = "sync")]
        0 => wait.wait().ok(),
        #[cfg(feature = "sync")]
        1 => {
            let timeout = std::time::Duration::from_micros(random.below(60) as u64);
            wait.wait_timeout(timeout).ok()
        }
        #[cfg(feature = "async")]
        2 => futures::executor::block_on(wait).ok(),
        #[cfg(feature = "async")]
        3 => {
            let mut wait = wait;
            for _ in 0..=random.below(3) {
                let waker = crate::support::Wakes::new().waker();
                if let std::task::Poll::Ready(outcome) =
                    crate::support::tasks::poll(&mut wait, &waker)
                {
                    return outcome.ok();
                }
                thread::yield_now();
            }
            None
        }
        _ => {
            drop(wait);
            None
        }
    }
}

/// Uses a permit up: in parts, or by forgetting it.
fn spend(mut permit: OwnedPermit, held: &AtomicUsize, random: &mut Random) {
    let now_held = held.fetch_add(permit.weight(), Ordering::AcqRel) + permit.weight();
    assert!(now_held <= LIMIT, "{now_held} permits of {LIMIT} are held");
    if random.chance(8) {
        thread::yield_now();
    }
    if random.chance(4) {
        let part = permit.split(random.below(permit.weight() + 1)).unwrap();
        if random.chance(2) {
            permit.merge(part);
        } else {
            held.fetch_sub(part.weight(), Ordering::AcqRel);
            drop(part);
        }
    }
    if random.chance(4) {
        let n = random.below(permit.weight() + 1);
        held.fetch_sub(n, Ordering::AcqRel);
        permit.release_some(n).unwrap();
    }
    held.fetch_sub(permit.weight(), Ordering::AcqRel);
    if random.chance(16) { permit.forget() } else { drop(permit) }
}

fn all_permits_come_back(sem: Arc<Semaphore>, seed: u64) {
    const WORKERS: u64 = 4;
    const ROUNDS: usize = 1000;
    let held = AtomicUsize::new(0);
    let spent = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (sem, held, spent) = (&sem, &held, &spent);
            scope.spawn(move || {
                let mut random = Random(seed * 31 + worker + 1);
                for _ in 0..ROUNDS {
                    if let Some(permit) = acquire_somehow(sem, &mut random) {
                        spend(permit, held, &mut random);
                        spent.fetch_add(1, Ordering::Relaxed);
                    }
                    if random.chance(8) {
                        // What was forgotten comes back, too.
                        sem.set_limit(1 + random.below(LIMIT)).unwrap();
                    }
                }
            });
        }
    });
    assert!(spent.into_inner() > ROUNDS / 4, "there were permits to be had");
    sem.set_limit(LIMIT).unwrap();
    assert_eq!(figures(&sem), (LIMIT, 0, 0));
    assert_eq!(sem.try_acquire_all().unwrap().weight(), LIMIT);
    assert_eq!(Arc::strong_count(&sem), 1);
}

#[test]
fn after_any_mixture_of_operations_all_permits_come_back() {
    for seed in 1..=3 {
        within_patience(move || all_permits_come_back(semaphore(LIMIT), seed));
    }
}

#[test]
fn after_any_mixture_of_operations_on_a_short_line_all_permits_come_back() {
    for seed in 4..=5 {
        within_patience(move || all_permits_come_back(bounded(LIMIT, 1), seed));
    }
}

#[test]
fn a_close_in_the_middle_of_it_ends_every_request() {
    for seed in 1..=40 {
        within_patience(move || {
            let sem = semaphore(2);
            thread::scope(|scope| {
                for worker in 0..3 {
                    let sem = &sem;
                    scope.spawn(move || {
                        let mut random = Random(seed * 97 + worker + 1);
                        let mut rounds = 0;
                        while !sem.is_closed() {
                            drop(acquire_somehow(sem, &mut random));
                            rounds += 1;
                            if worker == 0 && rounds == 5 * seed {
                                sem.close();
                            }
                        }
                    });
                }
            });
            assert_eq!(figures(&sem), (2, 0, 0));
        });
    }
}
