//! What holds of groups, one law at a time.
//!
//! What the compiler holds, and no test can show without failing to compile:
//!
//! * a task of a `scope` may borrow from outside the scope, and not from its body;
//! * neither a `thread::Cx` nor a task's borrow of the group leaves the task: it is not `Sync`
//!   and lives no longer than the call;
//! * a group that was joined cannot be spawned into: `join` and `shutdown` take it;
//! * a builder is used up by its group, and a policy's results have the type of its join;
//! * tasks of a `Group` own what they use (`'static`) and may move to another thread (`Send`).
#![cfg(any(feature = "sync", feature = "async"))]

use crate::support::{CountsDrop, failed};
use lockgate_errgroup::join::FirstError;
use lockgate_errgroup::{
    BuildError, Builder, Cancelled, Cause, Error, LimitError, LiveTask, Panicked, Rejected,
    Snapshot, Spawned, TaskId, TaskState, TrySpawnError,
};

fn is_shared_freely<T: Send + Sync>() {}
fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn what_a_group_gives_goes_to_other_threads() {
    is_shared_freely::<Builder<FirstError<CountsDrop>>>();
    is_shared_freely::<Snapshot>();
    is_shared_freely::<LiveTask>();
    is_shared_freely::<TaskState>();
    is_shared_freely::<TaskId>();
    is_shared_freely::<Cause>();
    is_shared_freely::<Spawned<fn()>>();
    is_an_error::<Error<String>>();
    is_an_error::<Error<anyhow::Error>>();
    is_an_error::<Error<Box<dyn std::error::Error + Send + Sync>>>();
    is_an_error::<Panicked>();
    is_an_error::<BuildError>();
    is_an_error::<LimitError>();
    is_an_error::<Cancelled>();
    is_an_error::<Rejected<fn()>>();
    is_an_error::<TrySpawnError<fn()>>();
}

#[test]
fn errors_say_what_is_the_matter() {
    assert_eq!(LimitError::Zero.to_string(), "limit is 0, and has to be 1 or more");
    assert_eq!(LimitError::Unlimited.to_string(), "the group was made without a limit");
    let error = Error::<String>::Build(BuildError::ZeroLimit);
    assert_eq!(error.to_string(), "limit is 0, and has to be 1 or more");
    assert_eq!(failed::<()>(Ok(())), None);
}

#[cfg(feature = "sync")]
mod threads;

#[cfg(feature = "async")]
mod tasks;
