//! Workers that wait for jobs of their own pool.

use super::loom_support::{Bell, Pool};
use crate::primitives::{Arc, Explore, explore};
use crate::thread::house::{Hooks, Work};
use crate::thread::task::Task;

/// H45: a worker parks for a job that waits for its turn, while that job is taken out of the queue; the
/// other worker falls asleep. Who has it runs it by hand: nobody is told that he waits for ever.
#[test]
fn purge_meets_a_worker_that_parks_for_what_waits() {
    explore(Explore::Preemptions(2), || {
        let pool = Pool::new(2, 3);
        let strand = pool.house.engine.open_strand(1);
        let (opens, pushed) = (Bell::new(), Bell::new());
        let hears = Arc::clone(&opens);
        let first = pool.submitter().in_strand(strand).submit(move || hears.wait()).unwrap();
        let (house, says) = (Arc::clone(&pool.house), Arc::clone(&pushed));
        let waits = pool.submitter().submit(move || {
            let submitter = crate::thread::submit::Submitter::new(&house);
            let second = submitter.in_strand(strand).submit(|| 2).unwrap();
            says.ring();
            second.wait()
        });
        pushed.wait();
        let returned = pool.house.engine.sweep(|_| true);
        for item in &returned {
            if let Task::Job(job) = &item.entry {
                pool.house.finish(job.hand_back());
            }
        }
        opens.ring();
        for item in returned {
            let ran = item.entry.run(&Hooks::default(), &());
            pool.house.finish(ran);
        }
        assert_eq!(waits.unwrap().wait().unwrap().unwrap(), 2);
        first.wait().unwrap();
        pool.house.engine.close_strand(strand);
        pool.end();
    });
}
