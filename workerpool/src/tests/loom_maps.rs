//! Maps: they wait for places and for results at once, and hear of both.

use super::loom_support::Pool;
use crate::primitives::{Explore, explore};

/// H33: a map comes to a pool that has no room for it: it is told when there is.
#[test]
fn map_meets_a_full_queue() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::new(1, 0);
        pool.submitter().spawn(|| ()).unwrap();
        assert_eq!(pool.submitter().map([5], |n| n).wait().unwrap(), [5]);
        pool.end();
    });
}

/// H34: a map is dropped while a worker comes for its batch: nothing of it stays in the queue.
#[test]
fn dropped_map_meets_the_worker() {
    explore(Explore::Preemptions(3), || {
        let pool = Pool::new(1, 1);
        let mut map = pool.submitter().map([1, 2], |n| n);
        assert_eq!(map.next().unwrap().unwrap(), 1);
        drop(map);
        pool.end();
    });
}
