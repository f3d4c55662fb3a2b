//! Conservation: whatever is done to a pool while it works, each job that was accepted runs once or
//! is handed back once, its handle says which, and what it captured is dropped once.

use crate::support::{Counter, ends};
use lockgate_workerpool::thread::{Job, Pool, Queue, Reject, Returned};
use lockgate_workerpool::{JobError, Reason, Rejected};
use proptest::collection::vec;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest,
};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

/// What a submitter does.
#[derive(Clone, Copy, Debug)]
enum Submit {
    Plain,
    Try,
    InLane,
    InSubpool,
    ByKey(u8),
    Panics,
    /// It submits another, and waits for it.
    Nests,
    /// It is late.
    Expired,
    Batch(u8),
    Reserved,
    /// A place that is given back.
    GivenBack,
    /// Aborts the latest but so many.
    Abort(u8),
}

/// What somebody else does to the pool meanwhile.
#[derive(Clone, Copy, Debug)]
enum Control {
    Resize(usize, usize),
    Pause,
    Resume,
    /// Runs so many of those that it gets by hand.
    Purge(usize),
    Yield,
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// When the submitters are done.
    Quiet,
    /// While they are at it.
    Shutdown,
    Now,
    /// By dropping what is left of it.
    Drop,
}

fn submits() -> impl Strategy<Value = Vec<Submit>> {
    let one = prop_oneof![
        4 => Just(Submit::Plain),
        1 => Just(Submit::Try),
        1 => Just(Submit::InLane),
        2 => Just(Submit::InSubpool),
        2 => any::<u8>().prop_map(|key| Submit::ByKey(key % 3)),
        1 => Just(Submit::Panics),
        2 => Just(Submit::Nests),
        1 => Just(Submit::Expired),
        1 => (0..6_u8).prop_map(Submit::Batch),
        1 => Just(Submit::Reserved),
        1 => Just(Submit::GivenBack),
        3 => (0..6_u8).prop_map(Submit::Abort),
    ];
    vec(one, 0..40)
}

fn controls() -> impl Strategy<Value = Vec<Control>> {
    let one = prop_oneof![
        (0..3_usize, 1..4_usize).prop_map(|(min, more)| Control::Resize(min, min + more)),
        Just(Control::Pause),
        Just(Control::Resume),
        Just(Control::Resume),
        (0..4_usize).prop_map(Control::Purge),
        Just(Control::Yield),
        Just(Control::Yield),
    ];
    vec(one, 0..20)
}

/// What became of each job, seen from inside and from outside.
#[derive(Clone, Default)]
struct Fates {
    /// Jobs that were made, that ran and that were dropped.
    made: Counter,
    ran: Counter,
    dropped: Counter,
    /// What handles say; and those that came back.
    completed: Counter,
    panicked: Counter,
    aborted: Counter,
    expired: Counter,
    squeezed: Counter,
    refused: Counter,
}

struct Plan {
    panics: bool,
    nests: Option<Pool<'static>>,
}

impl Fates {
    fn job(&self, plan: Plan) -> impl FnOnce() -> u32 + Send + use<> {
        self.made.add();
        let (fates, capture) = (self.clone(), self.dropped.on_drop());
        move || {
            let _capture = capture;
            fates.ran.add();
            if let Some(pool) = plan.nests {
                let inner = pool.submit(fates.job(Plan { panics: false, nests: None }));
                fates.settle(inner);
            }
            if plan.panics {
                std::panic::resume_unwind(Box::new("quiet"));
            }
            1
        }
    }

    fn settle<F>(&self, submitted: Result<Job<'static, u32>, Rejected<F>>) {
        if let Some(job) = self.accepted(submitted) {
            self.note(job);
        }
    }

    fn accepted<J, F>(&self, submitted: Result<J, Rejected<F>>) -> Option<J> {
        if submitted.is_err() {
            self.refused.add();
        }
        submitted.ok()
    }

    fn note(&self, job: Job<'static, u32>) {
        let fate = match job.wait() {
            Ok(1) => &self.completed,
            Err(JobError::Panicked(_)) => &self.panicked,
            Err(JobError::Aborted) => &self.aborted,
            Err(JobError::Expired) => &self.expired,
            Err(JobError::Dropped) => &self.squeezed,
            other => panic!("{other:?}"),
        };
        fate.add();
    }
}

/// One submitter's life. Its handles are waited for when the pool has ended.
fn submit_all(pool: &Pool<'static>, fates: &Fates, steps: &[Submit]) -> Vec<Job<'static, u32>> {
    let (part, keyed) = (pool.subpool(1), pool.keyed());
    let mut jobs = Vec::new();
    for step in steps {
        let mut plan = Plan { panics: false, nests: None };
        let submitted = match step {
            Submit::Plain => pool.submit(fates.job(plan)).ok(),
            Submit::Try => pool.try_submit(fates.job(plan)).ok(),
            Submit::InLane => {
                pool.lane(pool.metrics().lanes.len() - 1).submit(fates.job(plan)).ok()
            }
            Submit::InSubpool => part.submit(fates.job(plan)).ok(),
            Submit::ByKey(key) => keyed.submit(*key, fates.job(plan)).ok(),
            Submit::Expired => {
                pool.submitter().deadline(Instant::now()).submit(fates.job(plan)).ok()
            }
            Submit::Panics => {
                plan.panics = true;
                pool.submit(fates.job(plan)).ok()
            }
            Submit::Nests => {
                plan.nests = Some(pool.clone());
                pool.submit(fates.job(plan)).ok()
            }
            Submit::Batch(size) => {
                let plain = || fates.job(Plan { panics: false, nests: None });
                match pool.submit_batch((0..*size).map(|_| plain()).collect::<Vec<_>>()) {
                    Ok(accepted) => jobs.extend(accepted),
                    Err(part) => {
                        jobs.extend(part.accepted);
                        for _ in part.rejected {
                            fates.refused.add();
                        }
                    }
                }
                continue;
            }
            Submit::Reserved => match pool.reserve().wait() {
                Ok(slot) => slot.submit(fates.job(plan)).ok(),
                Err(_) => continue,
            },
            Submit::GivenBack => {
                drop(pool.reserve().wait());
                continue;
            }
            Submit::Abort(back) => {
                if let Some(job) = jobs.iter().rev().nth(usize::from(*back)) {
                    let job: &Job<'static, u32> = job;
                    job.abort();
                }
                continue;
            }
        };
        match submitted {
            Some(job) => jobs.push(job),
            None => {
                fates.refused.add();
            }
        }
    }
    jobs
}

fn control_all(pool: &Pool<'static>, steps: &[Control]) {
    for step in steps {
        match *step {
            Control::Resize(min, max) => pool.resize(min..=max).unwrap(),
            Control::Pause => drop(pool.pause()),
            Control::Resume => pool.resume(),
            Control::Purge(run) => {
                let returned = pool.purge();
                // One that nests is no job of the pool here: in a pause it would wait for a place
                // until this very thread ends the pause.
                pool.resume();
                by_hand(returned, run);
            }
            Control::Yield => thread::yield_now(),
        }
    }
}

fn by_hand(returned: Vec<Returned<'static>>, run: usize) {
    for (n, job) in returned.into_iter().enumerate() {
        if n < run {
            job.run();
        }
    }
}

/// Runs the schedule; gives what the pool says and what was seen.
fn live(
    pool: Pool<'static>,
    fates: &Fates,
    submitters: &[Vec<Submit>],
    controls: &[Control],
    end: End,
) -> lockgate_workerpool::Metrics {
    let jobs = Mutex::new(Vec::new());
    thread::scope(|threads| {
        let running: Vec<_> = submitters
            .iter()
            .map(|steps| {
                let pool = pool.clone();
                let jobs = &jobs;
                threads.spawn(move || {
                    let mine = submit_all(&pool, fates, steps);
                    jobs.lock().unwrap().extend(mine);
                })
            })
            .collect();
        control_all(&pool, controls);
        match end {
            End::Shutdown => drop(pool.shutdown()),
            End::Now => by_hand(pool.shutdown_now(), 2),
            // Whoever waits for a place in a pause would wait for ever.
            End::Quiet | End::Drop => pool.resume(),
        }
        running.into_iter().for_each(|it| it.join().unwrap());
    });
    match end {
        End::Quiet => pool.wait_idle().wait(),
        End::Drop => {}
        End::Shutdown | End::Now => pool.shutdown().wait().unwrap(),
    }
    for job in jobs.into_inner().unwrap() {
        fates.note(job);
    }
    if !matches!(end, End::Drop) {
        pool.shutdown().wait().unwrap();
    }
    // A worker counts its last job when it comes for the next.
    pool.wait_idle().wait();
    let metrics = pool.metrics();
    drop(pool);
    metrics
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("CASES").map_or(200, |n| n.parse().unwrap()), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_done_twice(
        submitters in vec(submits(), 1..=3),
        controls in controls(),
        (threads, lanes) in (1..4_usize, 1..3_usize),
        bound in prop_oneof![Just(Queue::Handoff), (1..9_usize).prop_map(Queue::Bounded), Just(Queue::Unbounded)],
        reject in prop_oneof![
            3 => Just(Reject::Block),
            1 => Just(Reject::Fail),
            1 => Just(Reject::CallerRuns),
            1 => Just(Reject::DropNewest),
            2 => Just(Reject::DropOldest),
        ],
        end in prop_oneof![Just(End::Quiet), Just(End::Shutdown), Just(End::Now), Just(End::Drop)],
    ) {
        let builder = Pool::builder().threads(0..=threads).queue(bound).reject(reject).lanes(lanes);
        let fates = Fates::default();
        let metrics = {
            let fates = fates.clone();
            let pool = builder.build().unwrap();
            ends(move || live(pool, &fates, &submitters, &controls, end))
        };
        let Fates { made, ran, dropped, completed, panicked, aborted, expired, squeezed, refused } =
            &fates;
        // Seen from inside: dropped once, run once or not at all.
        prop_assert_eq!(dropped.value(), made.value());
        prop_assert_eq!(ran.value(), completed.value() + panicked.value());
        // Seen from outside: one fate each.
        let over = completed.value() + panicked.value() + aborted.value() + expired.value();
        prop_assert_eq!(made.value(), over + squeezed.value() + refused.value());
        // What the pool says: what was accepted has an end, and nothing is left.
        prop_assert_eq!((metrics.queued, metrics.running, metrics.waiting), (0, 0, 0));
        let over = metrics.completed + metrics.panicked + metrics.aborted + metrics.expired;
        let evicted = if reject == Reject::DropOldest { squeezed.value() as u64 } else { 0 };
        prop_assert_eq!(metrics.submitted, over + evicted);
        prop_assert_eq!(metrics.rejected, (refused.value() + squeezed.value()) as u64);
    }
}

/// The reasons that are given under load are the true ones.
#[test]
fn a_pool_that_is_open_never_says_closed() {
    let pool = Pool::builder().threads(2).queue(Queue::Bounded(1)).reject(Reject::Fail);
    let pool = pool.build().unwrap();
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..1000 {
                    if let Err(rejected) = pool.submit(|| ()) {
                        assert_eq!(rejected.reason, Reason::Full);
                    }
                }
            });
        }
    });
}
