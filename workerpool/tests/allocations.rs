//! What a job of a pool of tasks allocates.
//!
//! A binary of its own, because it replaces the allocator by one that counts, for each thread by
//! itself.
#![cfg(feature = "async")]

use allocation_counter::measure;
use lockgate_workerpool::task::{Pool, Queue};
use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;

/// How often `body` allocates.
fn allocations(body: impl FnOnce()) -> u64 {
    measure(body).count_total
}

/// Not tokio's, which keeps a list of those that yield.
async fn waits_once() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(black_box(1)))), 1);
}

#[test]
fn a_job_allocates_itself_and_where_it_is_pinned() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    // One worker: another would take what it has set aside, with a list to put it in.
    let pool = Pool::builder().limit(1).queue(Queue::Bounded(256)).build().unwrap();
    let jobs = 100;
    let submitted = |yields: bool| {
        runtime.block_on(async {
            for _ in 0..jobs {
                let job = async move {
                    if yields {
                        waits_once().await;
                    }
                };
                pool.submit(job).await.unwrap().await.unwrap();
            }
        });
    };
    let spawned = || {
        runtime.block_on(async {
            for _ in 0..jobs {
                pool.spawn(async {}).await.unwrap();
            }
            pool.wait_idle().await;
        });
    };
    // Once for the queue, the workers and the lists of those who wait.
    submitted(true);
    spawned();
    assert_eq!(allocations(|| submitted(false)), 2 * jobs, "two for one whose result is wanted");
    assert_eq!(allocations(|| submitted(true)), 2 * jobs, "and none for waiting");
    assert_eq!(allocations(spawned), jobs, "one for another");
}
