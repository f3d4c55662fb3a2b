//! Groups and maps of tasks: requests that are dropped, jobs that are lost, batches that two come for.

use super::loom_tasks::{end, run, wait};
use crate::primitives::{Explore, explore, future, thread};
use crate::runtime::Runtime;
use crate::task::{Pool, Queue};
use crate::{GroupError, JobError};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

fn pool(limit: usize, bound: usize) -> (Runtime, Pool) {
    let runtime = Runtime::install();
    (runtime, Pool::builder().limit(limit).queue(Queue::Bounded(bound)).build().unwrap())
}

/// One poll of what waits.
fn polled(mut it: Pin<&mut (impl Future + ?Sized)>) {
    assert!(it.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// H50: a request that stands in line with a job of a group is dropped while the group is cancelled: the
/// job is counted out once, and the wait for the group is over.
#[test]
fn request_that_is_dropped_meets_a_cancel() {
    explore(Explore::Preemptions(3), || {
        let (runtime, pool) = pool(1, 1);
        pool.pause();
        let first = pool.try_submit(async { 1 }).unwrap();
        let group = pool.group::<u8>();
        let mut request = group.submit(async { Ok(()) });
        polled(Pin::new(&mut request));
        let handle = group.handle();
        let cancels = thread::spawn(move || handle.cancel());
        drop(request);
        cancels.join().unwrap();
        assert!(matches!(future::block_on(group), Err(GroupError::Cancelled)));
        pool.resume();
        let worker = run(runtime.take().unwrap());
        assert_eq!(wait(first).unwrap(), 1);
        end(&pool, [worker]);
    });
}

/// H51: the runtime drops a worker that has a job of a group, while another of the group waits: both are
/// counted out, and the group has the reason.
#[test]
fn runtime_drops_a_worker_with_a_job_of_a_group() {
    explore(Explore::Preemptions(3), || {
        let (runtime, pool) = pool(1, 1);
        let group = pool.group::<u8>();
        let first = future::block_on(group.submit(pending::<Result<(), u8>>())).unwrap();
        let mut worker = runtime.take().unwrap();
        polled(worker.as_mut());
        let second = future::block_on(group.submit(async { Ok(2) })).unwrap();
        let drops = thread::spawn(move || {
            drop(worker);
            runtime.shut_down();
        });
        assert!(matches!(future::block_on(group), Err(GroupError::Job(JobError::NoRuntime))));
        assert!(matches!(wait(first), Err(JobError::NoRuntime)));
        assert!(matches!(wait(second), Err(JobError::NoRuntime)));
        drops.join().unwrap();
        end(&pool, []);
    });
}

/// H52: a job of the pool maps, and comes to its batch while another worker does: one of them runs it, and
/// the map is told.
#[test]
fn map_inside_meets_another_worker() {
    explore(Explore::Preemptions(3), || {
        let (runtime, pool) = pool(2, 2);
        let inner = pool.clone();
        let mut first_poll = true;
        let mut waits = poll_fn(move |cx| {
            if !std::mem::take(&mut first_poll) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let mut job = pool
            .try_submit(async move {
                Pin::new(&mut waits).await;
                inner.map([5], |n| async move { n }).await.unwrap()
            })
            .unwrap();
        let mut here = runtime.take().unwrap();
        polled(here.as_mut());
        // It has a job, so that another is started for this one.
        let beside = pool.try_submit(async { 1 }).unwrap();
        let other = run(runtime.take().unwrap());
        let both = poll_fn(|cx| {
            assert!(here.as_mut().poll(cx).is_pending());
            Pin::new(&mut job).poll(cx)
        });
        assert_eq!(future::block_on(both).unwrap(), [5]);
        assert_eq!(wait(beside).unwrap(), 1);
        drop(pool.shutdown());
        future::block_on(here);
        end(&pool, [other]);
    });
}
