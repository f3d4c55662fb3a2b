//! The scope: the same pool, for jobs that borrow.

use super::builder::{Builder, Handles, named};
use super::house::Starter;
use super::owner::Owner;
use super::pool::Pool;
use super::task::Task;
use crate::error::BuildError;
use crate::primitives::{Arc, Mutex};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::{self, ScopedJoinHandle};

/// The pool of a [`scope`]: a [`Pool`] whose jobs may borrow what lives longer than the scope.
pub struct Scope<'scope, 'env> {
    pool: Pool<'scope>,
    env: PhantomData<&'scope mut &'env ()>,
}

/// The handles of the threads that were started. They are joined one by one: the end of
/// [`std::thread::scope`] waits for the threads' closures alone, and not for the destructors of
/// their thread-locals (rust-lang/rust#116237).
type ScopedHandles<'scope> = Arc<Mutex<Vec<ScopedJoinHandle<'scope, ()>>>>;

/// Runs `body` with a pool whose jobs may borrow, and returns what it gives when every job has
/// ended.
///
/// # Errors
///
/// As [`Builder::build`]; `body` has not run then.
///
/// # Panics
///
/// If `body` does, when every job has ended. Jobs' panics stay with their handles.
///
/// # Examples
///
/// ```
/// use lockgate_workerpool::thread::{Pool, scope};
///
/// let words = ["gate", "lock"];
/// let total = scope(Pool::builder().threads(2), |pool| {
///     let jobs: Vec<_> = words.iter().map(|word| pool.submit(|| word.len()).unwrap()).collect();
///     jobs.into_iter().map(|job| job.wait().unwrap()).sum::<usize>()
/// })?;
/// assert_eq!(total, 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn scope<'env, R>(
    builder: Builder,
    body: impl for<'scope> FnOnce(&Scope<'scope, 'env>) -> R,
) -> Result<R, BuildError> {
    thread::scope(|threads| {
        let handles: ScopedHandles<'_> = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&handles);
        let (name, stack_size) = (builder.thread_name(), builder.stack_bytes());
        let starter: Starter<'_, Task<'_>> = Box::new(move |house, index| {
            let builder = named(&name, index, stack_size);
            let handle = builder.spawn_scoped(threads, move || house.serve())?;
            let mut kept = kept.lock();
            kept.retain(|handle| !handle.is_finished());
            kept.push(handle);
            Ok(())
        });
        // The pool of the scope has no handles of its own.
        let pool = Pool::of(Owner::start(builder.house((), starter)?, Arc::new(Handles::new()))?);
        let scope = Scope { pool, env: PhantomData };
        let ran = catch_unwind(AssertUnwindSafe(|| body(&scope)));
        // Waits for the last worker, as any pool that is dropped.
        drop(scope);
        let handles = std::mem::take(&mut *handles.lock());
        for handle in handles {
            if let Err(payload) = handle.join() {
                // Jobs' panics are caught: this one is a thread-local's.
                resume_unwind(payload);
            }
        }
        Ok(ran.unwrap_or_else(|payload| resume_unwind(payload)))
    })
}

impl<'scope> Deref for Scope<'scope, '_> {
    type Target = Pool<'scope>;

    fn deref(&self) -> &Pool<'scope> {
        &self.pool
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("pool", &self.pool).finish()
    }
}
