//! `OnPanic::Abort` ends the process, so it is tried in one of its own: this binary again, told by
//! its environment which group is to panic.
#![cfg(any(feature = "sync", feature = "async"))]

use crate::support::within_patience;
use lockgate_errgroup::{Builder, OnPanic};
use std::process::{Command, Output, Stdio};

/// Which world's group panics; set in the child alone.
const WORLD: &str = "LOCKGATE_TEST_ABORTS";

/// What the child says if it is there after the join.
const SURVIVED: &str = "the group was joined";

type Plain = Builder<lockgate_errgroup::join::FirstError<()>>;

fn abort(world: &str, panics: impl FnOnce()) {
    if std::env::var_os(WORLD).is_some_and(|told| told == world) {
        panics();
        #[allow(clippy::print_stdout, reason = "the parent reads it")]
        {
            println!("{SURVIVED}");
        }
        return;
    }
    let test = std::thread::current().name().expect("a test's thread has its name").to_owned();
    let world = world.to_owned();
    let output = within_patience(move || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([&*test, "--exact", "--nocapture", "--test-threads=1"]).env(WORLD, world);
        child.stdin(Stdio::null()).output().unwrap()
    });
    let Output { status, stdout, stderr } = output;
    let (said, told) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(told.contains("the task's own words"), "the hook runs first: {told}");
    assert!(!said.contains(SURVIVED), "{said}");
    assert!(!status.success());
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        const SIGABRT: i32 = 6;
        assert_eq!(status.signal(), Some(SIGABRT), "{status}");
    }
}

#[cfg(feature = "sync")]
#[test]
fn a_panic_in_a_thread_aborts_the_process() {
    abort("threads", || {
        let joined = lockgate_errgroup::thread::scope(Plain::new().on_panic(OnPanic::Abort), |g| {
            g.spawn(|_| -> Result<(), ()> { panic!("the task's own words") });
        });
        drop(joined);
    });
}

#[cfg(feature = "async")]
#[test]
fn a_panic_in_a_task_aborts_the_process() {
    abort("tasks", || {
        crate::support::tasks::current_thread().block_on(async {
            let builder = Plain::new().on_panic(OnPanic::Abort);
            let group = lockgate_errgroup::task::Group::<(), ()>::build(builder).unwrap();
            group.spawn(|_| async { panic!("the task's own words") }).await;
            drop(group.join().await);
        });
    });
}

#[cfg(feature = "async")]
#[test]
fn a_panic_in_a_scope_of_tasks_aborts_the_process() {
    abort("scope", || {
        crate::support::tasks::current_thread().block_on(async {
            let builder = Plain::new().on_panic(OnPanic::Abort);
            let scope =
                lockgate_errgroup::task::scope_with::<(), _, _, _>(builder, |g| async move {
                    g.spawn(|_| async { panic!("the task's own words") }).await;
                });
            drop(scope.await);
        });
    });
}
