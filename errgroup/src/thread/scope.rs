//! The scope: tasks that borrow.

use super::crew::{Crew, Starter};
use super::cx::Cx;
use crate::builder::Builder;
use crate::join::Join;
use crate::primitives::{Arc, Mutex};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::{self, Scope, ScopedJoinHandle};

/// The handles of the threads that were started. They are joined one by one: the end of
/// [`std::thread::scope`] waits for the threads' closures alone, and not for the destructors of
/// their thread-locals (rust-lang/rust#116237).
type Handles<'s> = Arc<Mutex<Vec<ScopedJoinHandle<'s, ()>>>>;

/// Runs `body`, and every task that it spawns, and returns when all have ended: what the policy
/// makes of their results.
///
/// Tasks may borrow from outside the scope. Threads are started when they are needed, at most as
/// many as the limit and as there are tasks; this thread does its share when `body` is through.
///
/// # Panics
///
/// If a task panicked (see [`on_panic`](crate::Builder::on_panic)) or `body` did; the panic of
/// `body` wins. All tasks have ended by then.
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::{Builder, thread};
///
/// let pages = ["home", "about", "missing"];
/// let error = thread::scope(Builder::new().limit(2), |g| {
///     for page in &pages {
///         g.spawn(move |_| match *page {
///             "missing" => Err(format!("{page}: not found")),
///             _ => Ok(page.len()),
///         });
///     }
/// })
/// .unwrap_err();
/// assert_eq!(error.to_string(), "task 2: missing: not found");
/// ```
pub fn scope<'env, T, E, J>(
    builder: Builder<J>,
    body: impl for<'s> FnOnce(&Cx<'s, 'env, T, E>),
) -> J::Output
where
    T: Send + 'env,
    E: Send + 'env,
    J: Join<T, E> + 'env,
{
    if let Err(error) = builder.check() {
        return builder.join.refuse(error);
    }
    thread::scope(|scope| {
        let handles: Handles<'_> = Arc::new(Mutex::new(Vec::new()));
        let starter = starter(scope, &handles, builder.name.clone(), builder.stack_size);
        let (crew, verdict) = Crew::new(builder, starter);
        let cx = Cx::outside(Arc::clone(&crew));
        let ran = catch_unwind(AssertUnwindSafe(|| body(&cx)));
        if ran.is_err() {
            crew.core.cancel("the body of the scope panicked");
        }
        if crew.token().deadline().is_none() {
            // Nothing is to be watched but the threads: in a closed pool they end when all is
            // over, and this one is woken once.
            crew.close();
            join_threads(&handles);
        }
        crew.wait_quiet(false);
        crew.pool.dismiss();
        join_threads(&handles);
        match ran {
            Ok(()) => crew.core.conclude(&verdict, Vec::new()),
            Err(payload) => crew.core.abandon(&verdict, payload),
        }
    })
}

fn starter<'s, 'env, T, E>(
    scope: &'s Scope<'s, 'env>,
    handles: &Handles<'s>,
    name: Option<Arc<str>>,
    stack_size: Option<usize>,
) -> Starter<'s, 'env, T, E>
where
    T: Send + 's,
    E: Send + 's,
{
    let handles = Arc::clone(handles);
    Box::new(move |crew| {
        let builder = super::group::thread_builder(name.as_deref(), stack_size);
        let handle = builder.spawn_scoped(scope, move || crew.serve())?;
        handles.lock().push(handle);
        Ok(())
    })
}

/// A thread's handle is there before the thread that started it ends. So when none is left, all
/// threads are joined.
fn join_threads(handles: &Handles<'_>) {
    loop {
        let handle = handles.lock().pop();
        let Some(handle) = handle else { return };
        if let Err(payload) = handle.join() {
            // Tasks' panics are caught: this one is ours, or a thread-local's.
            resume_unwind(payload);
        }
    }
}
