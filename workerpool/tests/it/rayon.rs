//! Maps on a rayon pool.

use crate::support::{Counter, Gate, PATIENCE, until};
use lockgate_workerpool::JobError;
use lockgate_workerpool::rayon::map;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Duration;

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn results_come_in_the_order_of_the_items() {
    let pool = pool(2);
    let results = map(&pool, 0..10_000_u64, |n| n * n).wait();
    assert!(results.into_iter().map(Result::unwrap).eq((0..10_000).map(|n| n * n)));
    assert!(map(&pool, Vec::<u8>::new(), |n| n).wait().is_empty());
}

#[test]
fn a_panic_stays_with_its_item() {
    let pool = pool(2);
    let results = map(&pool, 0..100, |n| if n % 10 == 3 { panic!("item {n}") } else { n }).wait();
    for (n, result) in results.into_iter().enumerate() {
        match result {
            Ok(same) => assert_eq!(same, n),
            Err(JobError::Panicked(panicked)) => {
                assert_eq!((n % 10, panicked.message()), (3, Some(format!("item {n}").as_str())));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn nothing_starts_before_it_is_waited_for() {
    let (pool, ran) = (pool(1), Counter::default());
    let runs = ran.clone();
    drop(map(&pool, 0..10, move |_| runs.add()));
    pool.install(|| ());
    assert_eq!(ran.value(), 0);
}

#[test]
fn a_thread_of_the_pool_does_not_sleep_for_its_own_items() {
    // One thread: whoever slept here would wait for himself.
    let (outer, other) = (pool(1), pool(1));
    let sum = outer.install(|| {
        let own = map(&outer, 0..100_u32, |n| n).wait();
        let others = map(&other, 0..100_u32, |n| n).wait();
        own.into_iter().chain(others).map(Result::unwrap).sum::<u32>()
    });
    assert_eq!(sum, 2 * 4950);
}

#[test]
fn a_wait_with_a_limit_gives_the_request_back_and_a_drop_gives_up() {
    let (pool, gate, ran) = (pool(1), Gate::default(), Counter::default());
    let (waits, runs) = (gate.clone(), ran.clone());
    let dropped = Counter::default();
    let items: Vec<_> = (0..50).map(|_| dropped.on_drop()).collect();
    let request = map(&pool, items, move |item| {
        runs.add();
        waits.pass();
        drop(item);
    });
    let request = request.wait_timeout(Duration::from_millis(5)).unwrap_err();
    until("one runs", || ran.value() == 1);
    drop(request);
    gate.open();
    pool.install(|| ());
    until("all items are dropped", || dropped.value() == 50);
    assert_eq!(ran.value(), 1, "the others did not start");
    let again = map(&pool, 0..3, |n| n).wait_timeout(PATIENCE).unwrap();
    assert_eq!(again.len(), 3);
}

#[cfg(feature = "async")]
#[test]
fn a_task_awaits_it() {
    use futures::executor::block_on;
    let pool = pool(2);
    let results = block_on(map(&pool, 0..1000_u32, |n| n + 1));
    assert!(results.into_iter().map(Result::unwrap).eq(1..=1000));
    let both = futures::future::join(map(&pool, 0..9, |n| n), map(&pool, 0..8, |n| n));
    let (first, second) = block_on(both);
    assert_eq!((first.len(), second.len()), (9, 8));
}

/// One that was polled by a task and is then waited for on a thread of the pool.
#[cfg(feature = "async")]
#[test]
fn a_request_may_move_into_the_pool() {
    use futures::FutureExt;
    let pool = pool(1);
    let mut request = map(&pool, 0..100_u32, |n| n);
    let before = (&mut request).now_or_never();
    let results = match before {
        Some(results) => results,
        None => pool.install(|| request.wait()),
    };
    assert_eq!(results.into_iter().map(Result::unwrap).sum::<u32>(), 4950);
}
