//! What went wrong elsewhere: one test per defect, with the commit or issue that tells its story.
//! Races that a model can hold are in `src/tests/loom_*.rs`; here they run for real. Of pools of threads, by
//! whom it happened to; `tasks` has the same of pools of tasks.
//!
//! | what cannot occur here | reference | why |
//! |---|---|---|
//! | a release that races with a reboot | ants b40e489, 95dad45 | closed is closed: `go_parity::ants::reboot_new_pool` |
//! | waiters that depend on a timer, which happens to tick | ants#272 | no timer touches them; `go::ants_272_…` has none |
//! | a thread that a job ends | pond#135, pond#136 | Rust has no `Goexit`; `go_parity::pond::task_invokes_goexit` |
//! | a dispatcher whose lock everybody needs | pond 1d93c12 | there is no dispatcher: workers fetch their jobs |
//! | one shard that is full, or asleep, beside others | tokio#7757, tokio#8057, tokio#8337 | one queue, one lock, one count |
//! | stealing that runs a stranger where somebody waits | rayon#592, rayon#1174, rayon#1181, rayon#1269 | whoever waits runs the job that he waits for, and no other: `rust::rayon_592_…` |
//! | workers that look for work in vain, and burn a core | rayon#642, rayon#576, rayon#390, rayon#343, amethyst#780 | they sleep when they find nothing: `rust::rayon_642_…` |
//! | queues that nobody sees, without an end | tokio#4955, tokio#7261, tokio#2143 | bounded by default; `Metrics::queued`, `Pool::reserve` |
//! | a most number of threads that never comes, for the queue has no end | `ThreadPoolExecutor` | a pool grows before it queues: `elsewhere::java_an_unbounded_queue_…` |
//! | threads that are injected, one each half second, into a pool that starves | .NET | what waits inside runs inside, and who would wait for ever is told |
//! | a panic that nobody catches, and that ends the process | rayon's `spawn` without a handler | it goes to `on_panic`, or is counted: `rust::threadpool_112_…` |
//! | a set of tasks that only one may add to and wait for | tokio#6547 | submits take `&self`, and a group has handles: `tasks::tokio_6547_…` |
//! | idle workers of a pool of tasks that leave while a job comes | tokio#6439, tokio#7922, for tasks | they leave for a smaller limit or the end alone: `tasks::tokio_8056_…` |
//! | a thread that the system refuses, for tasks | tokio#8406, for tasks | workers are tasks; a runtime that is over refuses them: `task_pool_ends::a_runtime_that_is_over_takes_no_job` |
//! | a job of tasks that runs a stranger while it waits | rayon#592, for tasks | an await runs nothing, and `run` polls its own job alone: `tasks::rayon_592_…` |

#[cfg(feature = "sync")]
mod elsewhere;
#[cfg(feature = "sync")]
mod go;
#[cfg(feature = "sync")]
mod rust;
#[cfg(feature = "async")]
mod tasks;

/// A pool of one worker, which is busy until the gate opens, and a queue of `bound`.
#[cfg(feature = "sync")]
fn busy(bound: usize) -> (lockgate_workerpool::thread::Pool<'static>, crate::support::Gate) {
    use crate::support::{Counter, Gate, until};
    use lockgate_workerpool::thread::{Pool, Queue};
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(bound));
    let (pool, gate) = (builder.build().unwrap(), Gate::default());
    let (waits, started) = (gate.clone(), Counter::default());
    let starts = started.clone();
    let job = move || {
        starts.add();
        waits.pass();
    };
    pool.spawn(job).unwrap();
    until("it runs", || started.value() == 1);
    (pool, gate)
}
