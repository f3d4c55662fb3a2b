//! What conc's tests ask of a stream, and of iterators.

use lockgate_pipeline::{Errors, opts, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn stream_simple() {
    let mut all = Vec::new();
    thread::from_iter(0..5).par_map(5, |n| n * 2).for_each(|n| all.push(n)).unwrap();
    assert_eq!(all, [0, 2, 4, 6, 8]);
}

/// "nil callback": tasks that give nothing are run all the same.
#[test]
fn stream_no_callback() {
    let count = AtomicUsize::new(0);
    let ran = thread::from_iter(0..5).par_flat_map(5, |_| {
        count.fetch_add(1, Ordering::SeqCst);
        None::<()>
    });
    assert_eq!(ran.count().unwrap(), 0);
    assert_eq!(count.into_inner(), 5);
}

/// Tasks at most five at once, callbacks one after the other.
#[test]
fn stream_max_goroutines() {
    let (tasks, callbacks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::from_iter(0..50)
        .par_map(opts("five").workers(5).chunk(1), |_| {
            assert!(tasks.fetch_add(1, Ordering::SeqCst) < 5);
            std::thread::yield_now();
            tasks.fetch_sub(1, Ordering::SeqCst);
        })
        .for_each(|()| {
            assert_eq!(callbacks.fetch_add(1, Ordering::SeqCst), 0);
            std::thread::yield_now();
            callbacks.fetch_sub(1, Ordering::SeqCst);
        })
        .unwrap();
}

#[test]
fn stream_panic_in_task_is_propagated() {
    let ran = catch_unwind(|| thread::from_iter([1]).par_map(5, |_| panic_any("task")).run());
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"task"));
}

/// "panic in callback is propagated", and "does not block producers", who have ended.
#[test]
fn stream_panic_in_callback_is_propagated() {
    let running = AtomicUsize::new(0);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let task = |n| {
            running.fetch_add(1, Ordering::SeqCst);
            running.fetch_sub(1, Ordering::SeqCst);
            n
        };
        let tasks = thread::from_iter(0..1_000).par_map(opts("five").workers(5).window(8), task);
        tasks.for_each(|_| panic_any("callback"))
    }));
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"callback"));
    assert_eq!(running.into_inner(), 0);
}

#[test]
fn iter_mutating_inputs() {
    let mut items = vec![1, 2, 3, 4, 5];
    thread::from_iter(&mut items).par_map(2, |item| *item += 1).run().unwrap();
    assert_eq!(items, [2, 3, 4, 5, 6]);
}

#[test]
fn iter_huge_inputs() {
    let inputs: Vec<u64> = (0..100_000).collect();
    let outputs: Vec<u64> = thread::from_iter(&inputs).par_map(4, |n| n + 1).collect().unwrap();
    assert!(outputs.into_iter().eq(1..100_001));
}

/// "multiple errors are propagated".
#[test]
fn iter_multiple_errors() {
    let errors = Errors::at_most(usize::MAX);
    let even: Vec<u32> = thread::from_iter(1..=5)
        .try_par_map(5, |n| if n % 2 == 0 { Ok(n) } else { Err(n) })
        .on_error(errors.clone())
        .collect()
        .unwrap();
    assert_eq!(even, [2, 4]);
    assert_eq!(errors.take().into_iter().map(|failed| failed.error).collect::<Vec<_>>(), [1, 3, 5]);
}
