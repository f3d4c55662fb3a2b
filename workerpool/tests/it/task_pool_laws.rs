//! Pools of tasks: whatever is done to them, what was accepted runs once or comes back.

use crate::support::{Counter, runtime};
use futures::FutureExt;
use lockgate_workerpool::task::{Group, Job, Pool, Queue, Reject, Returned};
use lockgate_workerpool::{BatchSize, JobError};
use proptest::prelude::*;
use tokio::task::yield_now;

#[derive(Clone, Copy, Debug)]
enum Act {
    Submit {
        waits: u8,
        panics: bool,
    },
    Spawn {
        waits: u8,
    },
    /// A request that is polled once and dropped if it has to wait.
    Give {
        waits: u8,
    },
    /// The same with a job of the group.
    Join {
        waits: u8,
        fails: bool,
    },
    /// The group has its end to come, and another begins.
    Regroup {
        cancels: bool,
    },
    /// Many at once, polled once.
    Batch {
        jobs: u8,
        waits: u8,
    },
    /// A map that is polled so often and then dropped; by a job of the pool, or from outside.
    Map {
        items: u8,
        size: usize,
        polls: u8,
        inside: bool,
    },
    Abort(usize),
    Forget(usize),
    Pause,
    Resume,
    Resize(usize),
    Purge {
        runs: bool,
    },
    Turn(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..4_u8, any::<bool>()).prop_map(|(waits, panics)| Act::Submit { waits, panics }),
        3 => (0..4_u8).prop_map(|waits| Act::Spawn { waits }),
        3 => (0..4_u8).prop_map(|waits| Act::Give { waits }),
        4 => (0..4_u8, any::<bool>()).prop_map(|(waits, fails)| Act::Join { waits, fails }),
        1 => any::<bool>().prop_map(|cancels| Act::Regroup { cancels }),
        2 => (0..5_u8, 0..4_u8).prop_map(|(jobs, waits)| Act::Batch { jobs, waits }),
        3 => (0..9_u8, 1..4_usize, 0..9_u8, any::<bool>())
            .prop_map(|(items, size, polls, inside)| Act::Map { items, size, polls, inside }),
        2 => any::<usize>().prop_map(Act::Abort),
        1 => any::<usize>().prop_map(Act::Forget),
        1 => Just(Act::Pause),
        1 => Just(Act::Resume),
        2 => (1..5_usize).prop_map(Act::Resize),
        1 => any::<bool>().prop_map(|runs| Act::Purge { runs }),
        4 => (1..8_u8).prop_map(Act::Turn),
    ]
}

fn policy() -> impl Strategy<Value = Reject> {
    use Reject::{Block, CallerRuns, DropNewest, DropOldest, Fail};
    prop::sample::select(vec![Block, Fail, CallerRuns, DropNewest, DropOldest])
}

/// What a job of a case does, seen from outside.
#[derive(Clone, Default)]
struct Ledger {
    made: Counter,
    dropped: Counter,
    begun: Counter,
}

impl Ledger {
    fn job(&self, waits: u8, panics: bool) -> impl Future<Output = u8> + Send + 'static + use<> {
        self.made.add();
        let (held, begun) = (self.dropped.on_drop(), self.begun.clone());
        async move {
            let _held = held;
            begun.add();
            for _ in 0..waits {
                yield_now().await;
            }
            if panics {
                std::panic::resume_unwind(Box::new("quiet"));
            }
            waits
        }
    }
}

struct Case {
    pool: Pool,
    ledger: Ledger,
    jobs: Vec<Job<u8>>,
    /// The last takes jobs.
    groups: Vec<Group<u8>>,
    returned: Vec<Returned>,
}

/// A map that is dropped after so many polls, if it is not over by then.
async fn map(pool: Pool, ledger: Ledger, items: u8, size: usize, polls: u8) {
    let jobs: Vec<_> = (0..items).map(|n| ledger.job(n % 3, n == 5)).collect();
    let mut map = pool.map_batched(jobs, BatchSize::Fixed(size), |job| job).unordered();
    for _ in 0..polls {
        match map.next_result().now_or_never() {
            None => yield_now().await,
            Some(None) => return,
            Some(Some(result)) => drop(result.map_err(|error| error.item)),
        }
    }
}

impl Case {
    fn new(pool: Pool) -> Self {
        let groups = vec![pool.group()];
        let (ledger, jobs, returned) = (Ledger::default(), Vec::new(), Vec::new());
        Self { pool, ledger, jobs, groups, returned }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Submit { waits, panics } => {
                self.jobs.extend(self.pool.try_submit(self.ledger.job(waits, panics)).ok());
            }
            Act::Spawn { waits } => {
                let job = self.ledger.job(waits, false).map(drop);
                let _ = self.pool.spawn(job).now_or_never();
            }
            Act::Give { waits } => {
                let given = self.pool.submit(self.ledger.job(waits, false)).now_or_never();
                self.jobs.extend(given.and_then(Result::ok));
            }
            Act::Join { waits, fails } => {
                let job = self.ledger.job(waits, false);
                let job = job.map(move |value| if fails { Err(value) } else { Ok(value) });
                let group = self.groups.last().unwrap();
                self.jobs.extend(group.submit(job).now_or_never().and_then(Result::ok));
            }
            Act::Regroup { cancels } => {
                if cancels {
                    self.groups.last().unwrap().cancel();
                }
                self.groups.push(self.pool.group());
            }
            Act::Batch { jobs, waits } => {
                let jobs: Vec<_> = (0..jobs).map(|_| self.ledger.job(waits, false)).collect();
                match self.pool.submit_batch(jobs).now_or_never() {
                    Some(Ok(jobs)) => self.jobs.extend(jobs),
                    Some(Err(refused)) => self.jobs.extend(refused.accepted),
                    None => {}
                }
            }
            Act::Map { items, size, polls, inside } => {
                let maps = map(self.pool.clone(), self.ledger.clone(), items, size, polls);
                if inside {
                    drop(self.pool.try_submit(maps));
                } else {
                    maps.await;
                }
            }
            Act::Abort(index) => {
                if let Some(job) = self.jobs.get(index % self.jobs.len().max(1)) {
                    job.abort();
                }
            }
            Act::Forget(index) => {
                if !self.jobs.is_empty() {
                    drop(self.jobs.swap_remove(index % self.jobs.len()));
                }
            }
            Act::Pause => assert!(self.pool.pause()),
            Act::Resume => self.pool.resume(),
            Act::Resize(limit) => self.pool.resize(limit).unwrap(),
            Act::Purge { runs } => {
                let purged = self.pool.purge();
                if runs {
                    futures::future::join_all(purged).await;
                } else {
                    self.returned.extend(purged);
                }
            }
            Act::Turn(turns) => {
                for _ in 0..turns {
                    yield_now().await;
                }
            }
        }
    }

    /// The end, and the books.
    async fn close(self, now: bool) {
        let Self { pool, ledger, jobs, groups, mut returned } = self;
        if now {
            returned.extend(pool.shutdown_now());
        }
        pool.shutdown().await;
        drop(returned);
        for job in jobs {
            match job.now_or_never().expect("all is over") {
                Ok(_)
                | Err(
                    JobError::Panicked(_)
                    | JobError::Aborted
                    | JobError::Dropped
                    | JobError::Failed,
                ) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for group in groups {
            assert_eq!(group.pending(), 0);
            let _ = group.now_or_never().expect("all of it is over");
        }
        let metrics = pool.metrics();
        let over = metrics.completed + metrics.failed + metrics.panicked + metrics.aborted;
        // What was dropped for another was accepted, and counts as rejected.
        assert!(over <= metrics.submitted && metrics.submitted <= over + metrics.rejected);
        assert_eq!((metrics.workers, metrics.queued, metrics.waiting), (0, 0, 0));
        assert_eq!(ledger.made.value(), ledger.dropped.value(), "each job is dropped once");
        assert!(ledger.begun.value() <= ledger.made.value(), "and begun once at the most");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 200 }))]

    #[test]
    fn what_was_accepted_runs_once_or_comes_back(
        acts in prop::collection::vec(act(), 1..60),
        (limit, bound, reject) in (1..4_usize, 0..6_usize, policy()),
        (threads, now) in (1..3_usize, any::<bool>()),
    ) {
        runtime(threads).block_on(async move {
            let queue = if bound == 0 { Queue::Handoff } else { Queue::Bounded(bound) };
            let pool = Pool::builder().limit(limit).queue(queue).reject(reject).build().unwrap();
            let mut case = Case::new(pool);
            for act in acts {
                case.act(act).await;
            }
            case.close(now).await;
        });
    }

    #[test]
    fn a_runtime_that_ends_at_any_time_loses_nothing(
        acts in prop::collection::vec(act(), 1..40),
        (limit, bound, threads) in (1..4_usize, 1..6_usize, 1..3_usize),
    ) {
        let runtime = runtime(threads);
        let (pool, ledger, jobs, groups) = runtime.block_on(async move {
            let pool = Pool::builder().limit(limit).queue(Queue::Bounded(bound)).build().unwrap();
            let mut case = Case::new(pool);
            for act in acts {
                case.act(act).await;
            }
            (case.pool, case.ledger, case.jobs, case.groups)
        });
        drop(runtime);
        for job in jobs {
            prop_assert!(job.now_or_never().is_some(), "each is over");
        }
        for group in groups {
            prop_assert!(group.now_or_never().is_some(), "each is over");
        }
        futures::executor::block_on(async {
            drop(pool.shutdown_now());
            pool.shutdown().await;
        });
        prop_assert_eq!(pool.metrics().workers, 0);
        prop_assert_eq!(ledger.made.value(), ledger.dropped.value());
    }
}
