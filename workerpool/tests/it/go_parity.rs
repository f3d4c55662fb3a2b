//! The tests of Go's pools, by name and by what they assert: pond v2 (a2e34e8), ants v2 (76ddb18),
//! gammazero/workerpool (22a7e8d) and sourcegraph/conc; of pools of threads, and in `tasks` of pools of tasks.
//!
//! Where Go cancels a context, here `shutdown_now` hands back what waits: there is no other way in
//! which a pool could leave jobs alone that it has accepted.
//!
//! | what cannot occur here | in Go | why |
//! |---|---|---|
//! | a size of 0 that means no limit | pond's `ResizeWithZeroMaxConcurrency` | it is an error: `pond::pool_resize_to_zero` |
//! | a size below 0 | pond's `ResizeWithNegativeMaxConcurrency` | sizes are `usize` |
//! | a subpool that is resized | pond's `SubpoolResize` | it keeps the cap it was made with, beside which another can be made; the pool is resized |
//! | a job that ends its thread | pond's `TaskInvokesGoexitAndPoolRecovers`, `StopAndWaitWithGoexit` | Rust has no `Goexit`; a panic without a message comes closest: `pond::task_invokes_goexit` |
//! | a pool that is opened again | ants' `RebootNewPool` | closed is closed, and a new pool costs nothing more: `ants::reboot_new_pool` |
//! | a pool whose workers are allocated before | ants' `PreMalloc` variants | workers take no memory of the pool's before they are started |
//! | a pool with one function for all values | ants' `PoolWithFunc` variants | `Workers` is that, and has tests of its own in `workers.rs`; what the variants assert beside is asserted of jobs here |
//! | a bound for submitters that wait, beside that of the queue | ants' `MaxBlockingSubmit` | who waits is not bounded; who may not wait is told: `ants::max_blocking_submit` |
//! | a panic that ends the process | gammazero's `PanicDo`, ants' `PanicWithoutHandler` | it is the result of the job: `gammazero::panic_do` |
//! | a pool that rethrows a panic from `Wait` | conc | it is the result of the handle: `conc::panics_do_not_exhaust_goroutines` |
//! | a worker of tasks that goes when it has been idle | ants' `PurgePool`, in `tasks` | it is a task that sleeps, and takes no thread; it goes with a smaller limit or the end: `tasks::pond::pool_resize`, `tasks::gammazero::worker_leak` |
//!
//! What users of these pools asked for and did not get, and what shows that it is here: a submit that
//! waits for so long (ants#237, conc#107) `ants::max_blocking_submit`; a result of a job (ants#256)
//! `conc::deterministic_order`; priorities (ants#59)
//! `policies::lanes_go_in_order`; a job that is taken back while it waits (pond#75)
//! `policies::an_aborted_job_gives_its_place_and_what_it_captured_back`.

#[cfg(feature = "sync")]
mod ants;
#[cfg(feature = "sync")]
mod conc;
#[cfg(feature = "sync")]
mod gammazero;
#[cfg(feature = "sync")]
mod pond;
#[cfg(feature = "async")]
mod tasks;

/// Occupies so many workers until the gate opens.
#[cfg(feature = "sync")]
fn occupy(
    pool: &lockgate_workerpool::thread::Pool<'static>,
    workers: usize,
) -> crate::support::Gate {
    use crate::support::{Counter, Gate, until};
    let (gate, started) = (Gate::default(), Counter::default());
    for _ in 0..workers {
        let (waits, starts) = (gate.clone(), started.clone());
        let job = move || {
            starts.add();
            waits.pass();
        };
        pool.spawn(job).unwrap();
    }
    until("they run", || started.value() == workers);
    gate
}
