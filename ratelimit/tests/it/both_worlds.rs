//! Threads and tasks in one line, and every executor.
#![cfg(feature = "async")]

use crate::support::tasks::{Task, poll};
use crate::support::{at_ms, limiter, ms, quota, within_patience};
use lockgate_ratelimit::{Quota, Rate, RateLimiter};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

#[cfg(feature = "sync")]
#[test]
fn a_thread_and_a_task_stand_in_one_line() {
    use crate::support::World;
    use crate::support::tasks::Tasks;
    use crate::support::threads::Threads;

    let (limiter, clock) = limiter(quota(10, 1).initial(0));
    let mut threads = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..6 {
        threads.push(Threads::queue(&limiter, limiter.acquire_owned(1)));
        tasks.push(Tasks::queue(&limiter, limiter.acquire_owned(1)));
    }
    for turn in 0..6 {
        clock.set(at_ms(200 * turn + 100));
        assert_eq!(Threads::outcome(threads.remove(0)), Ok(ms(200 * turn + 100)));
        assert!(tasks.iter_mut().all(Tasks::still_waits));
        clock.set(at_ms(200 * turn + 200));
        assert_eq!(Tasks::outcome(tasks.remove(0)), Ok(ms(200 * turn + 200)));
        assert!(threads.iter_mut().all(Threads::still_waits));
    }
}

/// One rate for all: 4 threads and 4 tasks, real time, and nobody is early.
#[cfg(feature = "sync")]
#[test]
fn threads_and_tasks_share_a_rate() {
    within_patience(|| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
        let runtime = runtime.unwrap();
        let limiter = Arc::new(RateLimiter::new(Quota::per_second(1000).burst(1)));
        let start = crate::support::now();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                runtime.spawn(async move {
                    for _ in 0..10 {
                        limiter.acquire(1).await.unwrap();
                    }
                })
            })
            .collect();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        limiter.acquire(1).wait().unwrap();
                    }
                });
            }
        });
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        assert!(start.elapsed() >= ms(79));
    });
}

async fn three_turns(limiter: Arc<RateLimiter>) -> Duration {
    let mut waited = Duration::ZERO;
    for _ in 0..3 {
        waited += limiter.acquire_owned(1).await.unwrap();
    }
    waited
}

fn slow() -> Arc<RateLimiter> {
    Arc::new(RateLimiter::new(Quota::every(ms(50))))
}

/// The third turn is 100 ms after the first, by real time, on every executor.
fn check(run: impl FnOnce(Arc<RateLimiter>) -> Duration + Send + 'static) {
    let start = crate::support::now();
    let waited = within_patience(move || run(slow()));
    assert!(start.elapsed() >= ms(100) && waited > Duration::ZERO && waited <= start.elapsed());
}

#[test]
fn a_runtime_of_one_thread_drives_waits() {
    check(|limiter| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(three_turns(limiter))
    });
}

#[test]
fn a_runtime_of_several_threads_drives_waits() {
    check(|limiter| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
        let runtime = runtime.unwrap();
        runtime.block_on(async { tokio::spawn(three_turns(limiter)).await.unwrap() })
    });
}

/// No runtime's timer: a thread of the crate's keeps the time.
#[test]
fn an_executor_without_timers_drives_waits() {
    check(|limiter| futures::executor::block_on(three_turns(limiter)));
}

#[test]
fn many_waits_without_a_runtime_share_one_timer() {
    within_patience(|| {
        let start = crate::support::now();
        let limiter = Arc::new(RateLimiter::new(Quota::per_second(2000).burst(1)));
        let waits = (0..40).map(|_| limiter.acquire_owned(1));
        let waited = futures::executor::block_on(futures::future::join_all(waits));
        assert!(waited.iter().all(Result::is_ok), "{waited:?}");
        assert!(start.elapsed() >= ms(19));
    });
}

/// A wait may begin on a runtime and end elsewhere, as long as that runtime is driven: its timer
/// is the one that rings.
#[test]
fn a_wait_may_move_to_another_executor() {
    within_patience(|| {
        // Long enough to be found waiting on a busy machine.
        let limiter = Arc::new(RateLimiter::new(Quota::every(ms(1000))));
        limiter.try_acquire(1).unwrap();
        let mut wait = limiter.acquire_owned(1);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let runtime = runtime.unwrap();
        runtime.block_on(async { assert!(poll(&mut wait, Waker::noop()).is_pending()) });
        let waited = thread::spawn(move || futures::executor::block_on(wait)).join().unwrap();
        assert!(waited.unwrap() > Duration::ZERO);
    });
}

/// A waker may do what it likes, also call the limiter that calls it.
#[test]
fn a_waker_may_come_back_into_the_limiter() {
    struct Meddler(crate::support::Limiter, AtomicUsize);
    impl Wake for Meddler {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Ordering::Relaxed);
            let _ = self.0.try_acquire(1);
            self.0.set_rate(Rate::per_second(50));
            drop(self.0.reserve(1));
        }
    }
    within_patience(|| {
        let (limiter, clock) = limiter(quota(10, 1).initial(0));
        let meddler = Arc::new(Meddler(Arc::clone(&limiter), AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&meddler));
        let mut wait = limiter.acquire(1);
        assert!(poll(&mut wait, &waker).is_pending());
        limiter.set_rate(Rate::per_second(20));
        assert_eq!(meddler.1.load(Ordering::Relaxed), 1);
        assert!(poll(&mut wait, &waker).is_pending());
        clock.advance(ms(20));
        assert_eq!(meddler.1.load(Ordering::Relaxed), 3, "of the time, and of its own change");
        assert!(poll(&mut wait, Waker::noop()).is_ready());
    });
}

/// A waker that panics keeps nobody else from being called, and the limiter from nothing.
#[test]
fn a_waker_that_panics_harms_nobody_else() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let (limiter, clock) = limiter(quota(10, 1).initial(0));
    let mut bad = limiter.acquire(1);
    assert!(poll(&mut bad, &Waker::from(Arc::new(Bomb))).is_pending());
    let mut good = Task::spawned(limiter.acquire(1));
    assert!(good.still_waits());
    let said = crate::support::panic_of(|| limiter.set_rate(Rate::per_second(20)));
    assert_eq!(said, "a waker that panics");
    assert_eq!(good.wakes.count(), 1);
    assert!(good.still_waits());
    let said = crate::support::panic_of(|| clock.set(at_ms(100)));
    assert_eq!(said, "a waker that panics");
    assert_eq!(good.output(), Ok(ms(100)));
    assert_eq!(poll(&mut bad, Waker::noop()), Poll::Ready(Ok(ms(100))));
}

/// Many of each at once, on real time: everybody ends, and the tokens add up.
#[cfg(feature = "sync")]
#[test]
fn what_was_granted_and_what_is_left_add_up() {
    const EACH: u32 = 25;
    within_patience(|| {
        let (limiter, clock) = limiter(quota(1000, 10));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
        let runtime = runtime.unwrap();
        let granted = Arc::new(std::sync::Mutex::new(0));
        let tasks: Vec<_> = (1..=4)
            .map(|n| {
                let (limiter, granted) = (Arc::clone(&limiter), Arc::clone(&granted));
                runtime.spawn(async move {
                    for _ in 0..EACH {
                        limiter.acquire(n).await.unwrap();
                        *granted.lock().unwrap() += n;
                    }
                })
            })
            .collect();
        let threads: Vec<_> = (1..=4)
            .map(|n| {
                let (limiter, granted) = (Arc::clone(&limiter), Arc::clone(&granted));
                thread::spawn(move || {
                    for _ in 0..EACH {
                        limiter.acquire(n).wait().unwrap();
                        *granted.lock().unwrap() += n;
                    }
                })
            })
            .collect();
        let all = 2 * EACH * (1 + 2 + 3 + 4);
        // Never ahead of those who wait, so that nothing runs over the brim.
        for now in 1..=u64::from(all) - 10 {
            crate::support::until("somebody waits", || limiter.tokens() < 0.0);
            clock.set(at_ms(now));
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
        assert_eq!((*granted.lock().unwrap(), limiter.tokens()), (all, 0.0));
    });
}
