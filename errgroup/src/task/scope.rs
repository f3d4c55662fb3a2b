//! The scope of tasks that borrow: concurrent, in the task that awaits it.
//!
//! A future that may be forgotten cannot lend what it borrows to other threads, so the tasks of a
//! scope run inside the one that awaits it, as those of `join!` do.

use super::nursery::{Driver, Nursery};
use crate::builder::Builder;
use crate::core::Label;
use crate::error::{Cancelled, LimitError, Rejected, Spawned, TaskId, TrySpawnError};
use crate::join::{FirstError, Join};
use crate::pool::Place;
use crate::primitives::Arc;
use crate::snapshot::Snapshot;
use crate::token::{CancelToken, WaitCancelled};
use crate::waiters::Ticket;
use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a task of a [`scope`] does.
pub type SendWork<'env, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'env>>;
/// What a task of a [`scope_local`] does.
pub type LocalWork<'env, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + 'env>>;

/// A scope of tasks, as its body and its tasks see it; each is handed its own.
pub struct Scope<'env, T, E, W = SendWork<'env, T, E>> {
    nursery: Arc<Nursery<'env, W, T, E>>,
    /// `None` in the body.
    id: Option<TaskId>,
}

/// A [`Scope`] whose tasks need not be `Send`.
pub type LocalScope<'env, T, E> = Scope<'env, T, E, LocalWork<'env, T, E>>;

impl<'env, T, E, W> Scope<'env, T, E, W> {
    /// The scope's token. It is cancelled by the first error, a panic, the deadline, the parent,
    /// and when the scope ends.
    #[must_use]
    pub fn token(&self) -> &CancelToken {
        &self.nursery.core.token
    }

    /// Whether the scope goes on.
    ///
    /// # Errors
    ///
    /// It is cancelled.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.token().check()
    }

    /// Which task this is; `None` in the body.
    #[must_use]
    pub const fn id(&self) -> Option<&TaskId> {
        self.id.as_ref()
    }

    /// For the next spawn: the task's name, which errors, causes and snapshots tell.
    pub fn named(&self, name: impl Into<Arc<str>>) -> ScopedNamed<'_, 'env, T, E, W> {
        ScopedNamed { scope: self, name: name.into() }
    }

    /// Snapshots tell that this task waits for `what`, until the label is dropped. In the body,
    /// which is no task, it tells nothing.
    pub fn waiting_for(&self, what: &'static str) -> Label<'_> {
        let index = self.id.as_ref().map_or(usize::MAX, TaskId::index);
        self.nursery.core.label(index, what)
    }

    /// Changes the limit. It never blocks.
    ///
    /// # Errors
    ///
    /// `limit` is 0.
    pub fn set_limit(&self, limit: usize) -> Result<(), LimitError> {
        LimitError::check(limit)?;
        self.nursery.set_limit(limit);
        Ok(())
    }

    /// What the scope does at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.nursery.snapshot()
    }
}

/// A spawn with a name, made by [`Scope::named`].
#[must_use = "it does nothing until something is spawned"]
pub struct ScopedNamed<'a, 'env, T, E, W = SendWork<'env, T, E>> {
    scope: &'a Scope<'env, T, E, W>,
    name: Arc<str>,
}

impl<T, E, W> fmt::Debug for ScopedNamed<'_, '_, T, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedNamed").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes a task's future, inside its span.
#[cfg(feature = "tracing")]
fn begin<'env, T: 'env, E: 'env, W: 'env, Fut: Future>(
    task: impl FnOnce(Scope<'env, T, E, W>) -> Fut,
    scope: Scope<'env, T, E, W>,
) -> impl Future<Output = Fut::Output> {
    let name = scope.nursery.core.name.clone();
    let id = scope.id.clone().unwrap_or(TaskId { index: 0, name: None });
    crate::trace::traced(name.as_deref(), &id, || task(scope))
}

#[cfg(not(feature = "tracing"))]
fn begin<C, Fut: Future>(task: impl FnOnce(C) -> Fut, scope: C) -> Fut {
    task(scope)
}

/// How a future becomes the work of a scope, `Send` or not.
macro_rules! spawns {
    ($work:ident $(, $send:ident)?) => {
        impl<'env, T: 'env, E: 'env> Scope<'env, T, E, $work<'env, T, E>> {
            /// Spawns a task: a request, to be `.await`ed. In the body it waits while the limit
            /// and the backlog are reached, and is woken by the cancel; in a task it never waits.
            pub fn spawn<F, Fut>(
                &self,
                task: F,
            ) -> ScopedSpawn<'_, 'env, T, E, $work<'env, T, E>, F>
            where
                F: FnOnce(Self) -> Fut $(+ $send)? + 'env,
                Fut: Future<Output = Result<T, E>> $(+ $send)? + 'env,
            {
                let make: fn(F, Self) -> $work<'env, T, E> =
                    |task, scope| Box::pin(async move { begin(task, scope).await });
                let (ticket, cancelled) = (None, None);
                ScopedSpawn { scope: self, name: None, task: Some(task), make, ticket, cancelled }
            }

            /// Spawns a task if a slot is free for it. It never waits.
            ///
            /// # Errors
            ///
            /// The limit is reached or the scope is cancelled. Both give the closure back.
            pub fn try_spawn<F, Fut>(&self, task: F) -> Result<TaskId, TrySpawnError<F>>
            where
                F: FnOnce(Self) -> Fut $(+ $send)? + 'env,
                Fut: Future<Output = Result<T, E>> $(+ $send)? + 'env,
            {
                self.spawn(task).try_now()
            }
        }

        impl<'a, 'env, T: 'env, E: 'env> ScopedNamed<'a, 'env, T, E, $work<'env, T, E>> {
            /// [`Scope::spawn`].
            pub fn spawn<F, Fut>(
                self,
                task: F,
            ) -> ScopedSpawn<'a, 'env, T, E, $work<'env, T, E>, F>
            where
                F: FnOnce(Scope<'env, T, E, $work<'env, T, E>>) -> Fut $(+ $send)? + 'env,
                Fut: Future<Output = Result<T, E>> $(+ $send)? + 'env,
            {
                let mut spawn = self.scope.spawn(task);
                spawn.name = Some(self.name);
                spawn
            }

            /// [`Scope::try_spawn`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn try_spawn<F, Fut>(self, task: F) -> Result<TaskId, TrySpawnError<F>>
            where
                F: FnOnce(Scope<'env, T, E, $work<'env, T, E>>) -> Fut $(+ $send)? + 'env,
                Fut: Future<Output = Result<T, E>> $(+ $send)? + 'env,
            {
                self.spawn(task).try_now()
            }
        }
    };
}
spawns!(SendWork, Send);
spawns!(LocalWork);

impl<T, E, W> fmt::Debug for Scope<'_, T, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A request to spawn a task of a scope, made by [`Scope::spawn`].
///
/// # Cancel safety
///
/// Dropped before it is ready, it spawns nothing, and its place in line goes to the next.
#[must_use = "nothing is spawned unless it is waited for with `.await`"]
pub struct ScopedSpawn<'a, 'env, T, E, W, F> {
    scope: &'a Scope<'env, T, E, W>,
    name: Option<Arc<str>>,
    task: Option<F>,
    make: fn(F, Scope<'env, T, E, W>) -> W,
    ticket: Option<Ticket>,
    cancelled: Option<WaitCancelled<Watch<'a, 'env, T, E, W>>>,
}

/// The token of a scope.
struct Watch<'a, 'env, T, E, W>(&'a Scope<'env, T, E, W>);

impl<T, E, W> Borrow<CancelToken> for Watch<'_, '_, T, E, W> {
    fn borrow(&self) -> &CancelToken {
        self.0.token()
    }
}

impl<T, E, W, F> ScopedSpawn<'_, '_, T, E, W, F> {
    fn take(&mut self) -> F {
        self.task.take().expect("a spawn is not polled again after it was ready")
    }

    /// A place is promised.
    fn enter(&mut self) -> TaskId {
        let task = self.take();
        let nursery = &self.scope.nursery;
        let id = TaskId { index: nursery.take_index(), name: self.name.take() };
        let scope = Scope { nursery: Arc::clone(nursery), id: Some(id.clone()) };
        nursery.enqueue(id.clone(), (self.make)(task, scope));
        id
    }

    fn try_now(mut self) -> Result<TaskId, TrySpawnError<F>> {
        let nursery = &self.scope.nursery;
        if nursery.core.refuses() {
            return Err(TrySpawnError::Cancelled(self.take()));
        }
        if nursery.promise(false) {
            Ok(self.enter())
        } else {
            Err(TrySpawnError::Full(self.take()))
        }
    }
}

impl<T, E, W, F> Future for ScopedSpawn<'_, '_, T, E, W, F> {
    type Output = Spawned<F>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let scope = this.scope;
        let nursery = &scope.nursery;
        // Before the place is looked at: what the cancel has ended gives places back.
        if nursery.core.refuses() {
            this.leave();
            return Poll::Ready(Spawned(Err(Rejected(this.take()))));
        }
        if this.ticket.is_none() && scope.id.is_some() {
            // Inside, where waiting for a place could be waiting for oneself.
            nursery.promise_beyond();
            return Poll::Ready(Spawned(Ok(this.enter())));
        }
        if nursery.poll_place(&mut this.ticket, cx.waker()) == Place::Ready {
            this.cancelled = None;
            return Poll::Ready(Spawned(Ok(this.enter())));
        }
        if !nursery.core.runs_all() {
            let cancelled = this.cancelled.get_or_insert_with(|| WaitCancelled::of(Watch(scope)));
            if cancelled.poll_once(true, cx.waker()) {
                this.leave();
                return Poll::Ready(Spawned(Err(Rejected(this.take()))));
            }
        }
        Poll::Pending
    }
}

impl<T, E, W, F> ScopedSpawn<'_, '_, T, E, W, F> {
    fn leave(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            // CANCEL: a place that was promised goes to the next spawner.
            self.scope.nursery.leave_place(ticket);
        }
    }
}

impl<T, E, W, F> Unpin for ScopedSpawn<'_, '_, T, E, W, F> {}

impl<T, E, W, F> Drop for ScopedSpawn<'_, '_, T, E, W, F> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T, E, W, F> fmt::Debug for ScopedSpawn<'_, '_, T, E, W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedSpawn")
            .field("name", &self.name)
            .field("queued", &self.ticket.is_some())
            .finish_non_exhaustive()
    }
}

/// [`scope_with`] without a limit: the first error cancels the rest and is returned.
///
/// # Errors
///
/// The first error in time.
///
/// # Panics
///
/// If a task or the body panicked.
///
/// # Cancel safety
///
/// Dropped, it drops the body and all tasks.
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::task;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let names = vec!["ada".to_owned(), "bob".to_owned()];
/// let names = &names; // borrowed by the tasks
/// let greeted = task::scope(|g| async move {
///     for name in names {
///         g.spawn(move |_| async move {
///             if name.is_empty() { Err("a name is empty") } else { Ok(()) }
///         })
///         .await;
///     }
/// })
/// .await;
/// assert!(greeted.is_ok());
/// # }
/// ```
pub async fn scope<'env, T, E, Fut>(
    body: impl FnOnce(Scope<'env, T, E>) -> Fut,
) -> <FirstError<E> as Join<T, E>>::Output
where
    T: 'env,
    E: Send + 'env,
    Fut: Future<Output = ()> + Send,
{
    scope_with(Builder::new(), body).await
}

/// Runs the future that `body` makes, and every task that it spawns, in the task that awaits
/// this: concurrent, and not parallel. Tasks may borrow.
///
/// # Panics
///
/// If a task panicked (see [`on_panic`](Builder::on_panic)) or the body did; the panic of the body
/// wins. All tasks have ended by then.
///
/// # Cancel safety
///
/// Dropped, it drops the body and all tasks.
pub async fn scope_with<'env, T, E, J, Fut>(
    builder: Builder<J>,
    body: impl FnOnce(Scope<'env, T, E>) -> Fut,
) -> J::Output
where
    T: 'env,
    E: 'env,
    J: Join<T, E> + 'env,
    Fut: Future<Output = ()> + Send,
{
    run(builder, body).await
}

/// [`scope`] for tasks that need not be `Send`.
///
/// # Errors
///
/// The first error in time.
///
/// # Panics
///
/// If a task or the body panicked.
///
/// # Cancel safety
///
/// Dropped, it drops the body and all tasks.
pub async fn scope_local<'env, T, E, Fut>(
    body: impl FnOnce(LocalScope<'env, T, E>) -> Fut,
) -> <FirstError<E> as Join<T, E>>::Output
where
    T: 'env,
    E: Send + 'env,
    Fut: Future<Output = ()>,
{
    scope_local_with(Builder::new(), body).await
}

/// [`scope_with`] for tasks that need not be `Send`.
///
/// # Panics
///
/// As there.
///
/// # Cancel safety
///
/// As there.
pub async fn scope_local_with<'env, T, E, J, Fut>(
    builder: Builder<J>,
    body: impl FnOnce(LocalScope<'env, T, E>) -> Fut,
) -> J::Output
where
    T: 'env,
    E: 'env,
    J: Join<T, E> + 'env,
    Fut: Future<Output = ()>,
{
    run(builder, body).await
}

async fn run<'env, T, E, J, W, Fut>(
    builder: Builder<J>,
    body: impl FnOnce(Scope<'env, T, E, W>) -> Fut,
) -> J::Output
where
    T: 'env,
    E: 'env,
    J: Join<T, E> + 'env,
    W: Future<Output = Result<T, E>> + Unpin,
    Fut: Future<Output = ()>,
{
    if let Err(error) = builder.check() {
        return builder.join.refuse(error);
    }
    let (nursery, verdict) = Nursery::new(builder);
    let nursery = Arc::new(nursery);
    let body = body(Scope { nursery: Arc::clone(&nursery), id: None });
    let ran = Driver::new(Arc::clone(&nursery), Box::pin(body)).await;
    match ran {
        Ok(()) => nursery.core.conclude(&verdict, Vec::new()),
        Err(payload) => nursery.core.abandon(&verdict, payload),
    }
}
