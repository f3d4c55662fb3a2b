//! Waits for tokens of a key, by threads and by tasks.

use super::{Limiter, by_key};
use crate::support::in_both_worlds;
use crate::support::{Outcome, at_ms, ms, quota, secs};
use lockgate_ratelimit::clock::{Clock, Manual};
use lockgate_ratelimit::{AcquireError, Inherit, KeyedAcquireOwned, Policy, Quota};

type Wait = KeyedAcquireOwned<u64, Manual>;

/// How a request waits.
trait World {
    type Waiting;

    /// Sends a request for `n` of a key that has to wait.
    fn queue(limiter: &Limiter, key: u64, n: u32) -> Self::Waiting {
        Self::queue_with(limiter, key, limiter.acquire_owned(key, n))
    }

    fn queue_with(limiter: &Limiter, key: u64, wait: Wait) -> Self::Waiting;
    fn still_waits(waiting: &mut Self::Waiting) -> bool;
    fn outcome(waiting: Self::Waiting) -> Outcome;
    fn at_once(wait: Wait) -> Outcome;
}

#[cfg(feature = "sync")]
impl World for crate::support::threads::Threads {
    type Waiting = std::sync::mpsc::Receiver<Outcome>;

    fn queue_with(limiter: &Limiter, key: u64, wait: Wait) -> Self::Waiting {
        use crate::support::until;
        let before = (limiter.tokens(&key), limiter.clock().sleepers());
        let (done, outcome) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(wait.wait()));
        until("the request is in line", || limiter.tokens(&key) < before.0);
        until("the thread sleeps", || limiter.clock().sleepers() > before.1);
        outcome
    }

    fn still_waits(waiting: &mut Self::Waiting) -> bool {
        matches!(waiting.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty))
    }

    fn outcome(waiting: Self::Waiting) -> Outcome {
        waiting.recv_timeout(crate::support::PATIENCE).expect("it comes back")
    }

    fn at_once(wait: Wait) -> Outcome {
        let (done, outcome) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(wait.wait()));
        Self::outcome(outcome)
    }
}

#[cfg(feature = "async")]
impl World for crate::support::tasks::Tasks {
    type Waiting = crate::support::tasks::Task<Wait>;

    fn queue_with(limiter: &Limiter, key: u64, wait: Wait) -> Self::Waiting {
        let before = limiter.tokens(&key);
        let mut task = crate::support::tasks::Task::spawned(wait);
        assert!(task.still_waits(), "it has to wait");
        assert!(limiter.tokens(&key) < before);
        task
    }

    fn still_waits(waiting: &mut Self::Waiting) -> bool {
        waiting.still_waits()
    }

    fn outcome(waiting: Self::Waiting) -> Outcome {
        waiting.output()
    }

    fn at_once(wait: Wait) -> Outcome {
        crate::support::tasks::Task::spawned(wait).output()
    }
}

/// A limiter whose key 1 has nothing left.
fn empty(quota: Quota) -> (Limiter, Manual) {
    let (limiter, clock) = by_key(quota, 100, Policy::DenyNew);
    limiter.try_acquire(&1, quota.burst_size()).unwrap();
    (limiter, clock)
}

fn a_key_is_served_in_order<W: World>() {
    let (limiter, clock) = empty(quota(10, 2));
    let line: Vec<_> = (0..5).map(|_| W::queue(&limiter, 1, 1)).collect();
    assert_eq!(W::at_once(limiter.acquire_owned(2, 2)), Ok(ms(0)), "another key is not concerned");
    assert!(limiter.try_acquire(&1, 1).is_err(), "nobody is overtaken");
    for (number, waiting) in (1..).zip(line) {
        clock.advance(ms(100));
        assert_eq!(W::outcome(waiting), Ok(ms(100) * number));
    }
    assert!(limiter.tokens(&1).abs() < 1e-6);
}

fn a_wait_that_is_too_long_fails_at_once<W: World>() {
    let (limiter, clock) = empty(quota(10, 2));
    let wait = || limiter.acquire_owned(1, 2);
    let too_long = Err(AcquireError::TooLong { wait: Some(ms(200)) });
    assert_eq!(W::at_once(wait().within(ms(199))), too_long);
    assert_eq!(W::at_once(wait().by(at_ms(199))), too_long);
    assert!(limiter.tokens(&1).abs() < 1e-6, "it has taken nothing");
    let exceeds = Err(AcquireError::ExceedsBurst { requested: 3, burst: 2 });
    assert_eq!(W::at_once(limiter.acquire_owned(1, 3)), exceeds);
    let waiting = W::queue_with(&limiter, 1, wait().within(ms(200)));
    clock.advance(ms(200));
    assert_eq!(W::outcome(waiting), Ok(ms(200)));
    limiter.close();
    assert_eq!(W::at_once(limiter.acquire_owned(3, 1)), Err(AcquireError::Closed));
}

fn another_quota_retimes<W: World>() {
    let (limiter, clock) = empty(quota(10, 2));
    let first = W::queue(&limiter, 1, 1);
    let mut second = W::queue(&limiter, 1, 1);
    clock.advance(ms(50));
    limiter.set_quota(quota(100, 2), Inherit::AsIs);
    clock.advance(ms(5));
    assert_eq!(W::outcome(first), Ok(ms(55)));
    limiter.set_quota(quota(1, 2), Inherit::AsIs);
    clock.advance(ms(999));
    assert!(W::still_waits(&mut second));
    clock.advance(ms(1));
    assert_eq!(W::outcome(second), Ok(ms(1_055)));
    let last = W::queue(&limiter, 1, 1);
    limiter.set_quota(Quota::INF, Inherit::AsIs);
    assert!(W::outcome(last).is_ok());
}

fn a_quota_of_its_own_retimes_its_key<W: World>() {
    let (limiter, clock) = empty(quota(10, 2));
    limiter.try_acquire(&2, 2).unwrap();
    let mine = W::queue(&limiter, 1, 1);
    let mut other = W::queue(&limiter, 2, 1);
    limiter.set_override(1, quota(1_000, 10));
    clock.advance(ms(1));
    assert_eq!(W::outcome(mine), Ok(ms(1)));
    assert!(W::still_waits(&mut other));
    let mine = W::queue(&limiter, 1, 10);
    assert!(limiter.remove_override(&1));
    clock.advance(ms(99));
    assert_eq!(W::outcome(other), Ok(ms(100)));
    clock.advance(ms(901));
    assert_eq!(W::outcome(mine), Ok(ms(1_000)));
    // A moment by which there is no fraction of a unit, which would be rounded off.
    clock.set(at_ms(1_250));
    assert_eq!(super::take_all(&limiter, 1), 2);
}

fn a_close_ends_all_waits<W: World>() {
    let (limiter, _) = empty(quota(10, 2));
    limiter.try_acquire(&2, 2).unwrap();
    let waiting = [W::queue(&limiter, 1, 1), W::queue(&limiter, 1, 2), W::queue(&limiter, 2, 1)];
    limiter.close();
    for waiting in waiting {
        assert_eq!(W::outcome(waiting), Err(AcquireError::Closed));
    }
}

/// A change makes it too long for one of two: he gives back what he took.
fn a_deadline_is_kept_after_a_change<W: World>() {
    let (limiter, clock) = empty(quota(10, 2));
    let waiting = W::queue_with(&limiter, 1, limiter.acquire_owned(1, 2).by(at_ms(300)));
    limiter.set_quota(quota(1, 2), Inherit::AsIs);
    let too_long = Err(AcquireError::TooLong { wait: Some(secs(2)) });
    assert_eq!(W::outcome(waiting), too_long);
    assert!(limiter.tokens(&1).abs() < 1e-6);
    assert_eq!(clock.now(), at_ms(0));
}

/// Those who share one bucket wait in one line.
fn those_without_a_place_wait_in_line<W: World>() {
    let (limiter, clock) = by_key(quota(1, 5), 8, Policy::SharedOverflow);
    for key in 0..8 {
        limiter.try_acquire(&key, 5).unwrap();
    }
    limiter.try_acquire(&100, 5).unwrap();
    let first = W::queue(&limiter, 101, 1);
    let second = W::queue(&limiter, 102, 1);
    clock.advance(secs(1));
    assert_eq!(W::outcome(first), Ok(secs(1)));
    limiter.set_quota(quota(2, 5), Inherit::AsIs);
    clock.advance(ms(500));
    assert_eq!(W::outcome(second), Ok(ms(1_500)));
}

in_both_worlds!(
    a_key_is_served_in_order,
    a_wait_that_is_too_long_fails_at_once,
    another_quota_retimes,
    a_quota_of_its_own_retimes_its_key,
    a_close_ends_all_waits,
    a_deadline_is_kept_after_a_change,
    those_without_a_place_wait_in_line,
);

#[cfg(feature = "async")]
mod cancels {
    use super::{Limiter, at_ms, by_key, empty, ms, quota, secs};
    use crate::support::tasks::Task;
    use lockgate_ratelimit::Policy;

    fn owes(limiter: &Limiter, key: u64, tokens: f64) {
        let level = limiter.tokens(&key);
        assert!((level + tokens).abs() < 1e-6, "{key} has {level}");
    }

    #[test]
    fn the_last_in_line_gives_back() {
        let (limiter, clock) = empty(quota(10, 2));
        let first = Task::spawned(limiter.acquire_owned(1, 1));
        let second = Task::spawned(limiter.acquire_owned(1, 2));
        owes(&limiter, 1, 3.0);
        drop(second);
        owes(&limiter, 1, 1.0);
        let third = Task::spawned(limiter.acquire_owned(1, 2));
        owes(&limiter, 1, 3.0);
        // Somebody was told to wait for its tokens, and does.
        drop(first);
        owes(&limiter, 1, 3.0);
        clock.advance(ms(300));
        assert_eq!(third.output(), Ok(ms(300)));
    }

    #[test]
    fn whoever_lets_his_moment_pass_has_used_his_tokens() {
        let (limiter, clock) = empty(quota(10, 2));
        let wait = Task::spawned(limiter.acquire_owned(1, 1));
        clock.advance(ms(150));
        drop(wait);
        let level = limiter.tokens(&1);
        assert!((level - 0.5).abs() < 1e-6, "{level}");
    }

    #[test]
    fn an_unpolled_wait_takes_nothing() {
        let (limiter, _) = by_key(quota(10, 2), 100, Policy::DenyNew);
        drop(limiter.acquire_owned(1, 1));
        drop(limiter.acquire(1, 1).within(ms(1)));
        assert!(limiter.is_empty());
    }

    #[test]
    fn a_forgotten_key_gives_nothing_back() {
        let (limiter, _) = empty(quota(10, 2));
        let old = Task::spawned(limiter.acquire_owned(1, 2));
        assert!(limiter.reset(&1));
        limiter.try_acquire(&1, 2).unwrap();
        // It is promised the same place as the one before.
        let new = Task::spawned(limiter.acquire_owned(1, 2));
        drop(old);
        owes(&limiter, 1, 2.0);
        drop(new);
        owes(&limiter, 1, 0.0);
    }

    /// A key is dropped at the moment of its promise, the clock steps back, and it comes again and
    /// takes the same place: what the old wait was promised does not come back.
    #[test]
    fn a_dropped_key_gives_nothing_back() {
        let (limiter, clock) = by_key(quota(1, 1), 8, Policy::EvictFullest);
        (0..8).for_each(|key| limiter.try_acquire(&key, 1).unwrap());
        let old = Task::spawned(limiter.acquire_owned(0, 1));
        let twice = |key| [(); 2].map(|()| Task::spawned(limiter.acquire_owned(key, 1)));
        let _debtors: Vec<_> = (1..8).map(twice).collect();
        clock.advance(secs(1));
        limiter.try_acquire(&9, 1).unwrap();
        assert!(limiter.peek(&0, 1).is_ok(), "it was dropped");
        // It leaves its place, which a reset would too, and make all older promises lapse.
        limiter.set_override(9, quota(1, 1));
        clock.set(at_ms(500));
        limiter.try_acquire(&0, 1).unwrap();
        drop(old);
        clock.set(at_ms(1_000));
        assert!(limiter.try_acquire(&0, 1).is_err());
    }

    #[test]
    fn those_without_a_place_give_back_to_theirs() {
        let (limiter, _) = by_key(quota(1, 5), 8, Policy::SharedOverflow);
        for key in 0..8 {
            limiter.try_acquire(&key, 5).unwrap();
        }
        limiter.try_acquire(&100, 5).unwrap();
        let first = Task::spawned(limiter.acquire_owned(101, 2));
        let second = Task::spawned(limiter.acquire_owned(102, 3));
        owes(&limiter, 103, 5.0);
        drop(second);
        owes(&limiter, 103, 2.0);
        drop(first);
        owes(&limiter, 103, 0.0);
    }

    #[test]
    fn an_override_gives_back_to_itself() {
        let (limiter, clock) = empty(quota(10, 2));
        let wait = Task::spawned(limiter.acquire_owned(1, 2));
        limiter.set_override(1, quota(1, 4));
        owes(&limiter, 1, 2.0);
        drop(wait);
        owes(&limiter, 1, 0.0);
        let wait = Task::spawned(limiter.acquire_owned(1, 4));
        limiter.remove_override(&1);
        owes(&limiter, 1, 4.0);
        drop(wait);
        owes(&limiter, 1, 0.0);
        clock.advance(secs(1));
        assert_eq!(super::super::take_all(&limiter, 1), 2);
    }

    /// The wait of a clock that the runtime keeps.
    #[tokio::test(start_paused = true)]
    async fn by_the_clock_of_a_runtime() {
        use lockgate_ratelimit::{Keyed, clock::Tokio};
        let builder = Keyed::builder(quota(1, 1)).clock(Tokio::new());
        let limiter = builder.build().unwrap();
        limiter.acquire("alice", 1).await.unwrap();
        assert_eq!(limiter.acquire("alice", 1).await, Ok(secs(1)));
        assert_eq!(limiter.acquire("bob", 1).await, Ok(secs(0)));
    }
}
