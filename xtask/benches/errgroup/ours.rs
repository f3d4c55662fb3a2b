use crate::harness::{Role, Subject};
use crate::subject::{Discard, Fail, Flag, Keep, Limit, Park, Sum, Threads, Token, Tree, Wait};
use crate::tasks::task;
use lockgate_errgroup::join::{FirstError, Join};
use lockgate_errgroup::task::Group;
use lockgate_errgroup::{Builder, CancelToken, thread};
use std::future::Future;
use std::ops::ControlFlow;
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

impl Keep for Ours {
    async fn keep(tasks: u64) -> Sum {
        keep(Builder::<FirstError<()>>::new().join_with(Results::default()), tasks).await
    }
}

impl Discard for Ours {
    async fn discard(tasks: u64) -> Sum {
        discard(Builder::new(), tasks).await
    }
}

impl Limit for Ours {
    async fn limit(limit: usize, tasks: u64) -> Sum {
        discard(Builder::new().limit(limit), tasks).await
    }
}

/// The same, keeping the results where there is a limit.
pub struct OursKept;

impl Subject for OursKept {
    const NAME: &'static str = Ours::NAME;
    const ROLE: Role = Role::Ours;
}

impl Limit for OursKept {
    async fn limit(limit: usize, tasks: u64) -> Sum {
        keep(Builder::<FirstError<()>>::new().limit(limit).join_with(Results::default()), tasks)
            .await
    }
}

async fn discard(builder: Builder<FirstError<()>>, tasks: u64) -> Sum {
    let group = Group::build(builder).expect("the options are right");
    for number in 0..tasks {
        group.spawn(move |_| task(number)).await;
    }
    group.join().await.expect("no task fails");
    None
}

async fn keep(builder: Builder<Results>, tasks: u64) -> Sum {
    let group = Group::build(builder).expect("the options are right");
    for number in 0..tasks {
        group.spawn(move |_| task(number)).await;
    }
    let results = group.join().await;
    Some(results.into_iter().map(|result| result.expect("there").expect("no task fails")).sum())
}

/// Every result, in the order of the spawns.
#[derive(Default)]
struct Results(Vec<Option<Result<u64, ()>>>);

impl Join<u64, ()> for Results {
    type Output = Vec<Option<Result<u64, ()>>>;

    fn complete(&mut self, index: usize, result: Result<u64, ()>) -> ControlFlow<()> {
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(result);
        ControlFlow::Continue(())
    }

    fn finish(self) -> Self::Output {
        self.0
    }
}

impl Fail for Ours {
    async fn fail(tasks: usize) -> Duration {
        let group = Group::<(), Instant>::new();
        let waiting = Arc::new(AtomicUsize::new(0));
        for _ in 0..tasks {
            let waiting = Arc::clone(&waiting);
            let wait = move |cx: lockgate_errgroup::task::Cx<(), Instant>| async move {
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
