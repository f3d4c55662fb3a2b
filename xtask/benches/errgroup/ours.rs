use crate::blocked;
use crate::harness::{Role, Subject};
use crate::subject::{
    Crowd, Discard, Fail, Flag, Keep, Limit, Park, Slices, Sum, Threads, Token, Tree, Wait, Work,
};
use crate::tasks::Empty;
use lockgate_errgroup::join::{AllResults, FirstError};
use lockgate_errgroup::task::{self, Group};
use lockgate_errgroup::{BuildError, Builder, CancelToken, Error, thread};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// As it comes: the first error ends the group, values are dropped.
pub struct Ours;

impl Subject for Ours {
    const NAME: &'static str = "lockgate";
    const ROLE: Role = Role::Ours;
}

impl Threads for Ours {
    fn run<F: Fn() + Sync>(limit: usize, tasks: usize, task: &F) {
        let result = thread::scope(Builder::new().limit(limit), |group| {
            for _ in 0..tasks {
                group.spawn(move |_| {
                    task();
                    Ok::<(), ()>(())
                });
            }
        });
        result.expect("no task fails");
    }
}

impl Slices for Ours {
    fn for_each<F: Fn(&u64) + Sync>(threads: usize, items: &[u64], body: &F) {
        let result = thread::for_each(Builder::new().limit(threads), items, |_, item| {
            body(item);
            Ok::<(), ()>(())
        });
        result.expect("no item fails");
    }
}

impl Keep for Ours {
    async fn keep(tasks: u64) -> Sum {
        keep::<Empty>(Builder::with(AllResults::new()), tasks).await
    }
}

impl Discard for Ours {
    async fn discard(tasks: u64) -> Sum {
        let group = Group::<(), ()>::new();
        for _ in 0..tasks {
            group.spawn(|_| crate::tasks::nothing()).await;
        }
        group.join().await.expect("no task fails");
        None
    }
}

impl Limit for Ours {
    async fn limit<W: Work>(limit: usize, tasks: u64) -> Sum {
        discard::<W>(Builder::new().limit(limit), tasks).await
    }
}

/// The same, keeping the results where there is a limit.
pub struct OursKept;

impl Subject for OursKept {
    const NAME: &'static str = Ours::NAME;
    const ROLE: Role = Role::Ours;
}

impl Limit for OursKept {
    async fn limit<W: Work>(limit: usize, tasks: u64) -> Sum {
        keep::<W>(Builder::with(AllResults::new()).limit(limit), tasks).await
    }
}

async fn discard<W: Work>(builder: Builder<FirstError<()>>, tasks: u64) -> Sum {
    let group = Group::build(builder).expect("the options are right");
    for number in 0..tasks {
        group.spawn(move |_| W::task(number)).await;
    }
    group.join().await.expect("no task fails");
    None
}

async fn keep<W: Work>(builder: Builder<AllResults<u64, ()>>, tasks: u64) -> Sum {
    let group = Group::build(builder).expect("the options are right");
    for number in 0..tasks {
        group.spawn(move |_| W::task(number)).await;
    }
    sum(group.join().await)
}

fn sum(results: Result<Vec<Result<u64, Error<()>>>, BuildError>) -> Sum {
    let results = results.expect("the options are right");
    Some(results.into_iter().map(|result| result.expect("no task fails")).sum())
}

/// The scope of tasks that may borrow, and so run inside the task that awaits it.
pub struct OurScope;

impl Subject for OurScope {
    const NAME: &'static str = Ours::NAME;
    const ROLE: Role = Role::Ours;
}

impl Keep for OurScope {
    async fn keep(tasks: u64) -> Sum {
        scope::<Empty>(Builder::with(AllResults::new()), tasks).await
    }
}

impl Limit for OurScope {
    async fn limit<W: Work>(limit: usize, tasks: u64) -> Sum {
        scope::<W>(Builder::with(AllResults::new()).limit(limit), tasks).await
    }
}

async fn scope<W: Work>(builder: Builder<AllResults<u64, ()>>, tasks: u64) -> Sum {
    let body = |scope: task::Scope<'static, u64, ()>| async move {
        for number in 0..tasks {
            scope.spawn(move |_| W::task(number)).await;
        }
    };
    sum(task::scope_with(builder, body).await)
}

impl Fail for Ours {
    async fn fail(tasks: usize) -> Duration {
        let group = Group::<(), Instant>::new();
        let waiting = Arc::new(AtomicUsize::new(0));
        for _ in 0..tasks {
            let waiting = Arc::clone(&waiting);
            let wait = move |cx: task::Cx<(), Instant>| async move {
                waiting.fetch_add(1, Ordering::Relaxed);
                cx.token().cancelled().await;
                Ok(())
            };
            group.spawn(wait).await;
        }
        group.spawn(move |_| async move { Err(crate::fail::fail(&waiting, tasks).await) }).await;
        let error = group.join().await.expect_err("one task fails");
        error.into_task_error().expect("an error of a task's").elapsed()
    }
}

pub struct OurCrowd(Group<(), ()>);

impl Subject for OurCrowd {
    const NAME: &'static str = Ours::NAME;
    const ROLE: Role = Role::Ours;
}

impl Crowd for OurCrowd {
    fn new() -> Self {
        Self(Group::new())
    }

    async fn spawn(&mut self) {
        let wait = |cx: task::Cx<(), ()>| async move {
            blocked::begin();
            cx.token().cancelled().await;
            blocked::end();
            Ok(())
        };
        self.0.spawn(wait).await;
    }

    fn cancel(&self) {
        self.0.token().cancel();
    }

    async fn join(self) {
        let error = self.0.join().await.expect_err("it was cancelled");
        assert!(error.into_task_error().is_none(), "no task fails");
    }
}

/// The token.
#[derive(Clone)]
pub struct OurToken(CancelToken);

impl Subject for OurToken {
    const NAME: &'static str = Ours::NAME;
    const ROLE: Role = Role::Ours;
}

impl Flag for OurToken {
    fn new() -> Self {
        Self(CancelToken::new())
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    #[inline]
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl Token for OurToken {}

impl Tree for OurToken {
    #[inline]
    fn child(&self) -> Self {
        Self(self.0.child())
    }
}

impl Wait for OurToken {
    fn new() -> Self {
        Flag::new()
    }

    #[inline]
    fn wait(&self) -> impl Future {
        self.0.cancelled()
    }
}

impl Park for OurToken {
    fn new() -> Self {
        Flag::new()
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    fn park(&self) {
        self.0.cancelled().wait();
    }
}
