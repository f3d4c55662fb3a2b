//! Permits that go from one holder to the next.

use crate::Semaphore;
use crate::primitives::{
    Arc, Explore, atomic::AtomicUsize, atomic::Ordering, explore, future, thread,
};

/// S1: one permit, a thread and a task. Never two holders, and neither is left behind.
#[test]
fn one_permit_excludes_a_thread_and_a_task() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let holders = Arc::new(AtomicUsize::new(0));
        let thread = {
            let (sem, holders) = (Arc::clone(&sem), Arc::clone(&holders));
            thread::spawn(move || {
                let permit = sem.acquire(1).wait().unwrap();
                assert_eq!(holders.fetch_add(1, Ordering::Relaxed), 0);
                holders.fetch_sub(1, Ordering::Relaxed);
                drop(permit);
            })
        };
        future::block_on(async {
            let permit = sem.acquire(1).await.unwrap();
            assert_eq!(holders.fetch_add(1, Ordering::Relaxed), 0);
            holders.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
        thread.join().unwrap();
        assert_eq!((sem.available(), sem.waiters()), (1, 0));
    });
}
