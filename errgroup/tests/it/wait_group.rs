//! The wait group: Go's, for threads and tasks.

use lockgate_errgroup::WaitGroup;

#[test]
fn members_are_counted() {
    let wg = WaitGroup::new();
    assert!(wg.is_empty());
    let one = wg.enter();
    let two = one.clone();
    assert_eq!((wg.count(), two.group().count()), (2, 2));
    drop(one);
    assert_eq!(wg.clone().count(), 1);
    drop(two);
    assert!(wg.is_empty());
}

#[test]
fn members_in_bulk_are_done_where_they_are_not_handed_out() {
    let wg = WaitGroup::new();
    let mut members = wg.enter_many(4);
    assert_eq!((members.len(), wg.count()), (4, 4));
    let two: Vec<_> = members.by_ref().take(2).collect();
    drop(members);
    assert_eq!(wg.count(), 2);
    drop(two);
    assert_eq!(wg.count(), 0);
    assert_eq!(wg.enter_many(0).next().map(drop), None);
    assert_eq!(wg.enter_many(3).count(), 3);
    assert!(wg.is_empty());
}

#[test]
fn a_member_that_panics_is_done() {
    let wg = WaitGroup::new();
    let member = wg.enter();
    std::thread::spawn(move || {
        let _member = member;
        std::panic::resume_unwind(Box::new("gone"));
    })
    .join()
    .unwrap_err();
    assert!(wg.is_empty());
}

#[test]
fn too_many_members_are_refused_and_leave_no_trace() {
    let wg = WaitGroup::new();
    for count in [usize::MAX, usize::MAX / 2, usize::MAX / 4 + 1] {
        let enter = || drop(wg.enter_many(count));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(enter)).unwrap_err();
        assert!(wg.is_empty());
    }
    let many = wg.enter_many(usize::MAX / 4);
    let more = wg.enter_many(1);
    assert_eq!(wg.count(), usize::MAX / 4 + 1);
    let enter = || drop(wg.enter());
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(enter)).unwrap_err();
    drop((many, more));
    assert!(wg.is_empty());
}

#[cfg(feature = "sync")]
mod threads {
    use super::WaitGroup;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    #[allow(clippy::disallowed_methods, reason = "a test of deadlines needs instants")]
    fn now() -> Instant {
        Instant::now()
    }

    /// Go's `TestWaitGroup`: two groups, used again eight times.
    #[test]
    fn a_group_can_be_used_again() {
        let (first, second) = (WaitGroup::new(), WaitGroup::new());
        for _ in 0..8 {
            let exited = Arc::new(AtomicUsize::new(0));
            let gate = second.enter();
            for member in first.enter_many(16) {
                let (exited, second) = (Arc::clone(&exited), second.clone());
                std::thread::spawn(move || {
                    drop(member);
                    second.wait().wait();
                    exited.fetch_add(1, Ordering::Relaxed)
                });
            }
            first.wait().wait();
            assert_eq!(exited.load(Ordering::Relaxed), 0, "none passes the second group");
            drop(gate);
            second.wait().wait();
        }
    }

    #[test]
    fn an_empty_group_is_not_waited_for() {
        let wg = WaitGroup::new();
        wg.wait().wait();
        wg.wait().wait_timeout(Duration::ZERO).unwrap();
        wg.wait().wait_deadline(now()).unwrap();
        wg.wait_owned().wait_timeout(Duration::MAX).unwrap();
    }

    #[test]
    fn a_time_out_leaves_no_trace() {
        let wg = WaitGroup::new();
        let member = wg.enter();
        let error = wg.wait().wait_timeout(Duration::from_millis(2)).unwrap_err();
        assert_eq!(error.to_string(), "deadline passed while waiting for a group to be empty");
        wg.wait().wait_deadline(now() + Duration::from_millis(2)).unwrap_err();
        drop(member);
        wg.wait().wait_timeout(Duration::MAX).unwrap();
    }

    #[test]
    fn many_come_and_go_while_many_wait() {
        let (wg, done) = (WaitGroup::new(), AtomicUsize::new(0));
        for round in 1..=200 {
            std::thread::scope(|scope| {
                let members = wg.enter_many(3);
                for member in members {
                    let done = &done;
                    scope.spawn(move || {
                        let twin = member.clone();
                        drop(member);
                        done.fetch_add(1, Ordering::Relaxed);
                        drop(twin);
                    });
                }
                for _ in 0..2 {
                    scope.spawn(|| {
                        wg.wait().wait();
                        assert_eq!(done.load(Ordering::Relaxed), 3 * round);
                    });
                }
            });
        }
    }
}

#[cfg(feature = "async")]
mod tasks {
    use super::WaitGroup;
    use lockgate_errgroup::WaitEmptyOwned;
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wakes {
        fn count(&self) -> usize {
            self.0.load(Ordering::Acquire)
        }
    }

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn poll(wait: &mut WaitEmptyOwned, wakes: &Arc<Wakes>) -> bool {
        let waker = Waker::from(Arc::clone(wakes));
        Pin::new(wait).poll(&mut Context::from_waker(&waker)).is_ready()
    }

    #[test]
    fn all_who_wait_are_woken_once() {
        let wg = WaitGroup::new();
        let member = wg.enter();
        let wakes = Arc::new(Wakes::default());
        let mut waits: Vec<_> = (0..40).map(|_| wg.clone().wait_owned()).collect();
        assert!(!waits.iter_mut().any(|wait| poll(wait, &wakes)));
        drop(member.clone());
        assert_eq!(wakes.count(), 0);
        drop(member);
        assert_eq!(wakes.count(), 40);
        assert!(waits.iter_mut().all(|wait| poll(wait, &wakes)));
    }

    #[test]
    fn a_task_that_moved_is_woken_where_it_is() {
        let wg = WaitGroup::new();
        let member = wg.enter();
        let (old, new) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
        let mut wait = wg.wait_owned();
        assert!(!poll(&mut wait, &old) && !poll(&mut wait, &old) && !poll(&mut wait, &new));
        assert_eq!(Arc::strong_count(&old), 1);
        drop(member);
        assert_eq!((old.count(), new.count()), (0, 1));
    }

    #[test]
    fn a_dropped_wait_is_not_woken_and_keeps_no_waker() {
        let wg = WaitGroup::new();
        let member = wg.enter();
        let wakes = Arc::new(Wakes::default());
        let mut wait = wg.clone().wait_owned();
        assert!(!poll(&mut wait, &wakes));
        drop(wait);
        assert_eq!(Arc::strong_count(&wakes), 1);
        drop(member);
        assert_eq!(wakes.count(), 0);
    }

    #[test]
    fn a_moment_of_none_is_enough() {
        let wg = WaitGroup::new();
        let wakes = Arc::new(Wakes::default());
        let member = wg.enter();
        let (mut first, mut second) = (wg.clone().wait_owned(), wg.clone().wait_owned());
        assert!(!poll(&mut first, &wakes));
        drop(member);
        let member = wg.enter();
        assert!(!poll(&mut second, &wakes));
        assert!(poll(&mut first, &wakes));
        assert!(!poll(&mut second, &wakes));
        drop(member);
        assert!(poll(&mut second, &wakes));
    }

    #[tokio::test]
    async fn tasks_are_waited_for() {
        let (wg, done) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
        for member in wg.enter_many(10) {
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                done.fetch_add(1, Ordering::Relaxed);
                drop(member);
            });
        }
        wg.wait().await;
        assert_eq!(done.load(Ordering::Relaxed), 10);
    }
}
