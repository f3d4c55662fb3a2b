//! The queue and the decks, with two runners.

use crate::pool::{Job, Next, Pool, Seat};
use crate::primitives::{Arc, Explore, explore, thread};

fn job(index: usize) -> Job<usize> {
    Job { index, name: None, work: index }
}

fn filled(jobs: usize) -> Arc<Pool<usize>> {
    let pool = Arc::new(Pool::new(2, None));
    for _ in 0..jobs {
        // The starts are played by the threads of the model.
        let _ = pool.push(true, job);
    }
    pool
}

/// What a runner does, without the sleep: the sum of what it finds.
fn drain(pool: &Pool<usize>, seat: &Arc<Seat<usize>>) -> Vec<usize> {
    let mut found = Vec::new();
    loop {
        let job = match pool.next_own(seat) {
            Some(job) => job,
            None => match pool.next(seat, &mut None, None) {
                (Next::Job(job), _) => job,
                _ => return found,
            },
        };
        found.push(job.work);
    }
}

#[track_caller]
fn assert_over(pool: &Pool<usize>) {
    let numbers = pool.numbers();
    assert_eq!((numbers.running, numbers.queued), (0, 0));
}

/// G9: one runner takes from its own deck while another, who finds the queue empty, takes half of
/// it: each job is found once.
#[test]
fn steal_meets_own_pop() {
    explore(Explore::All, || {
        let pool = filled(4);
        let owner = {
            let pool = Arc::clone(&pool);
            let seat = pool.arrive();
            // Two in its deck, of which this is the first.
            let (next, start) = pool.next(&seat, &mut None, None);
            assert!(matches!(next, Next::Job(job) if job.work == 0));
            assert!(start.is_some(), "there is more to do");
            thread::spawn(move || drain(&pool, &seat))
        };
        let seat = pool.arrive();
        let mut found = drain(&pool, &seat);
        found.extend(owner.join().unwrap());
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
        assert_over(&pool);
    });
}

/// G13: what has not started is dropped while a runner takes from its deck: each job is found or
/// dropped, once, and the numbers agree.
#[test]
fn purge_meets_own_pop() {
    explore(Explore::All, || {
        let pool = filled(4);
        let owner = {
            let pool = Arc::clone(&pool);
            let seat = pool.arrive();
            let (next, _start) = pool.next(&seat, &mut None, None);
            assert!(matches!(next, Next::Job(_)));
            thread::spawn(move || drain(&pool, &seat))
        };
        pool.purge();
        assert!(owner.join().unwrap().len() <= 3);
        // The runner that was on its way.
        let seat = pool.arrive();
        assert!(drain(&pool, &seat).is_empty());
        assert_over(&pool);
    });
}

/// G9: a runner goes with jobs in its deck, because the limit was lowered, while another looks for
/// work: they are found.
#[test]
fn leaving_runner_meets_a_search() {
    explore(Explore::All, || {
        let pool = filled(4);
        let (first, second) = (pool.arrive(), pool.arrive());
        let (next, start) = pool.next(&first, &mut None, None);
        assert!(matches!(next, Next::Job(_)) && start.is_some());
        let leaver = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                let _ = pool.set_limit(1);
                drain(&pool, &first)
            })
        };
        let mut found = drain(&pool, &second);
        found.extend(leaver.join().unwrap());
        let seat = pool.enlist();
        found.extend(seat.iter().flat_map(|seat| drain(&pool, seat)));
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
        assert_over(&pool);
    });
}
