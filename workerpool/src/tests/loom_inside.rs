//! Workers that wait for jobs of their own pool.

use super::loom_support::{Bell, Pool};
use crate::hooks::Hooks;
use crate::primitives::{Arc, Explore, explore};
use crate::thread::house::Work;
use crate::thread::submit::Submitter;
use crate::thread::task::Task;

/// H45: a worker parks for a job that waits for its turn, while that job is taken out of the queue. The
/// other worker waits for the first: nobody is told that he waits for ever, since the job is run by hand.
#[test]
fn purge_meets_a_worker_that_parks_for_what_waits() {
    explore(Explore::Preemptions(2), || {
        let pool = Pool::new(2, 2);
        let strand = pool.house.engine.open_strand(1);
        let [goes, pushed, begun] = [Bell::new(), Bell::new(), Bell::new()];
        let (house, hears, says) =
            (Arc::clone(&pool.house), Arc::clone(&goes), Arc::clone(&pushed));
        let first = pool.submitter().submit(move || {
            hears.wait();
            let job = Submitter::new(&house).in_strand(strand).submit(|| 2).unwrap();
            says.ring();
            job.wait().unwrap()
        });
        let (first, says) = (first.unwrap(), Arc::clone(&begun));
        let second = pool.submitter().submit(move || {
            says.ring();
            first.wait()
        });
        // It took the first job before, or waits for it now: either is on its way or runs.
        begun.wait();
        pool.house.engine.pause();
        goes.ring();
        pushed.wait();
        let returned = pool.house.engine.sweep(|_| true);
        for item in &returned {
            if let Task::Job(job) = &item.entry {
                pool.house.finish(job.hand_back());
            }
        }
        let start = pool.house.engine.resume();
        pool.house.start(start);
        for item in returned {
            let ran = item.entry.run(&Hooks::default(), &());
            pool.house.finish(ran);
        }
        assert_eq!(second.unwrap().wait().unwrap().unwrap(), 2);
        pool.house.engine.close_strand(strand);
        pool.end();
    });
}
