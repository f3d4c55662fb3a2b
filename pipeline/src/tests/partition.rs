//! Keys and their workers.

use crate::thread as pipeline;
use std::collections::HashMap;
use std::thread;

/// Items of a key go to one worker, whatever comes between them, and in their order.
#[test]
fn a_key_has_one_worker() {
    let worked: Vec<_> = pipeline::from_iter(0..1_000_u32)
        .par_partition_by(4, |n| n % 17, |n| (n, thread::current().id()))
        .collect()
        .unwrap();
    let mut workers = HashMap::new();
    let mut last = HashMap::new();
    assert_eq!(worked.len(), 1_000);
    for (n, worker) in worked {
        let key = n % 17;
        assert_eq!(*workers.entry(key).or_insert(worker), worker, "key {key}");
        assert!(last.insert(key, n) < Some(n), "key {key}");
    }
}
