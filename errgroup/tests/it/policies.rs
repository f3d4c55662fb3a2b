//! What each policy makes of the same tasks: the behaviour of Java's joiners, and more.

#[cfg(feature = "sync")]
mod threads;

use lockgate_errgroup::join::{
    AllErrors, AllOk, AllResults, Completions, Discard, Errors, FirstError, FirstOk, Join,
    MaxErrors, Quorum, Supervise, completions, until,
};
use lockgate_errgroup::{BuildError, Cause, Error, TaskId};
use std::sync::Arc;

/// Tells a policy of results, by index, as a group would, up to its `Break`.
fn tell<J: Join<u32, &'static str>>(
    join: &mut J,
    results: impl IntoIterator<Item = (usize, Result<u32, &'static str>)>,
) -> bool {
    results.into_iter().any(|(index, result)| join.complete(index, result).is_break())
}

const THREE: [(usize, Result<u32, &str>); 3] = [(2, Ok(2)), (0, Err("zero")), (1, Ok(1))];

fn text<E: std::fmt::Display>(results: Vec<Result<u32, Error<E>>>) -> Vec<String> {
    let line = |result: Result<u32, Error<E>>| match result {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    };
    results.into_iter().map(line).collect()
}

/// `awaitAll`: all end, and each tells how.
#[test]
fn all_results_are_in_the_order_of_the_spawns() {
    let mut join = AllResults::new();
    assert!(!tell(&mut join, THREE));
    assert_eq!(text(join.finish().unwrap()), ["task 0: zero", "1", "2"]);
}

#[test]
fn all_results_tell_why_a_task_gave_none() {
    let mut join = AllResults::of(4);
    assert!(!tell(&mut join, [(1, Ok(1))]));
    join.cancelled(Cause::Deadline);
    Join::<u32, &str>::stragglers(&mut join, vec![id(2)]);
    let results = text(join.finish().unwrap());
    assert_eq!(results[0], "the group was cancelled: the deadline passed");
    assert_eq!(results[1], "1");
    assert_eq!(results[2], "the deadline passed with these still running: task 2");
    assert_eq!(results[3], results[0]);
}

/// There is no public way to make a [`TaskId`]; a policy is told one.
fn id(index: usize) -> TaskId {
    let (mut policy, mut receiver) = completions::<(), ()>(1);
    let _ = policy.complete(index, Ok(()));
    receiver.try_next().unwrap().0
}

/// `allSuccessfulOrThrow`.
#[test]
fn all_ok_gives_values_in_the_order_of_the_spawns_or_the_first_error() {
    let mut join = AllOk::new();
    assert!(!tell(&mut join, [(2, Ok(2)), (0, Ok(0)), (1, Ok(1))]));
    assert_eq!(join.finish().unwrap(), [0, 1, 2]);
    let mut join = AllOk::new();
    assert!(tell(&mut join, THREE));
    assert_eq!(join.finish().unwrap_err().to_string(), "task 0: zero");
}

#[test]
fn all_ok_of_a_cancelled_group_is_an_error() {
    let mut join = AllOk::new();
    assert!(!tell(&mut join, [(1, Ok(1))]));
    join.cancelled(Cause::Requested);
    assert!(matches!(join.finish(), Err(Error::Cancelled(Cause::Requested))));
}

/// `awaitAllSuccessfulOrThrow`.
#[test]
fn first_error_keeps_no_values() {
    let mut join = FirstError::new();
    assert!(tell(&mut join, THREE));
    let error = Join::<u32, _>::finish(join).unwrap_err();
    assert_eq!(error.into_task_error(), Some("zero"));
}

#[test]
fn all_errors_keeps_so_many_and_counts_the_rest() {
    let mut join = AllErrors::new().keep(2);
    let errors =
        [(5, Err("five")), (1, Err("one")), (2, Ok(2)), (0, Err("zero")), (9, Err("nine"))];
    assert!(!tell(&mut join, errors));
    Join::<u32, _>::cancelled(&mut join, Cause::Deadline);
    let errors = Join::<u32, _>::finish(join).unwrap_err();
    assert_eq!((errors.len(), errors.kept(), errors.dropped()), (5, 3, 2));
    let text = "5 errors: task 1: one; task 5: five; \
                the group was cancelled: the deadline passed; and 2 more";
    assert_eq!(errors.to_string(), text);
    let indices = errors.into_iter().map(|error| match error {
        Error::Task { index, .. } => Some(index),
        _ => None,
    });
    assert_eq!(indices.collect::<Vec<_>>(), [Some(1), Some(5), None]);
}

#[test]
fn all_errors_without_any_is_ok() {
    let mut join = AllErrors::<&str>::new();
    assert!(!tell(&mut join, [(0, Ok(0))]));
    Join::<u32, _>::finish(join).unwrap();
}

/// A million errors cost the memory of those that are kept.
#[test]
fn all_errors_is_bounded() {
    let token = Arc::new(());
    let mut join = AllErrors::new().keep(10);
    for index in 0..1_000_000 {
        let _ = Join::<(), _>::complete(&mut join, index, Err(Arc::clone(&token)));
    }
    assert_eq!(Arc::strong_count(&token), 11);
    let errors = Join::<(), _>::finish(join).unwrap_err();
    assert_eq!((errors.kept(), errors.dropped()), (10, 999_990));
}

#[test]
fn supervise_is_bounded_and_keeps_the_latest() {
    let token = Arc::new(());
    let mut join = Supervise::new().keep(3);
    for index in 0..100_000 {
        let result = if index % 2 == 0 { Ok(()) } else { Err(Arc::clone(&token)) };
        assert!(join.complete(index, result).is_continue());
    }
    assert_eq!(Arc::strong_count(&token), 4);
    let report = Join::<(), _>::finish(join).unwrap();
    assert_eq!((report.succeeded, report.failed, report.panicked), (50_000, 50_000, 0));
    assert_eq!(report.ended(), 100_000);
    assert!(!report.is_clean());
    let kept = report.latest.iter().map(|error| match error {
        Error::Task { index, .. } => *index,
        _ => unreachable!("no other errors were told"),
    });
    assert_eq!(kept.collect::<Vec<_>>(), [99_995, 99_997, 99_999]);
}

#[test]
fn supervise_of_nothing_keeps_nothing() {
    let mut join = Supervise::new().keep(0);
    assert!(!tell(&mut join, [(0, Err("zero")), (1, Ok(1))]));
    Join::<u32, _>::cancelled(&mut join, Cause::Deadline);
    let report = Join::<u32, _>::finish(join).unwrap();
    assert!(report.latest.is_empty());
    let text = "1 succeeded, 1 failed, 0 panicked; the group was cancelled: the deadline passed";
    assert_eq!(report.to_string(), text);
}

/// `anySuccessfulOrThrow`.
#[test]
fn first_ok_ends_the_group_with_the_first_success() {
    let mut join = FirstOk::new();
    assert!(tell(&mut join, [(3, Err("three")), (1, Ok(1)), (0, Ok(0))]));
    assert_eq!(join.finish().unwrap(), 1);
    let mut join = FirstOk::new();
    assert!(!tell(&mut join, [(3, Err("three")), (1, Err("one"))]));
    let errors = join.finish().unwrap_err();
    assert_eq!(errors.to_string(), "0 of 1 successes, 2 errors: task 1: one; task 3: three");
    assert_eq!(errors.quorum(), Some((0, 1)));
}

/// Java's throws `NoSuchElementException` there.
#[test]
fn first_ok_of_nobody_is_an_error_without_errors() {
    let errors = Join::<u32, &str>::finish(FirstOk::new()).unwrap_err();
    assert!(errors.is_empty());
    assert_eq!(errors.to_string(), "0 of 1 successes, no errors");
}

#[test]
fn first_ok_of_a_cancelled_group_that_had_no_success_tells_the_cause() {
    let mut join = FirstOk::<u32, &str>::new();
    join.cancelled(Cause::Deadline);
    let errors = join.finish().unwrap_err();
    assert!(matches!(errors.as_slice(), [Error::Cancelled(Cause::Deadline)]));
}

#[test]
fn a_quorum_takes_so_many_and_no_more() {
    let mut join = Quorum::new(2);
    assert!(tell(&mut join, [(7, Ok(7)), (1, Err("one")), (3, Ok(3)), (0, Ok(0))]));
    assert_eq!(join.finish().unwrap(), [3, 7]);
    let mut join = Quorum::new(3);
    assert!(!tell(&mut join, THREE));
    assert_eq!(join.finish().unwrap_err().quorum(), Some((2, 3)));
}

#[test]
fn a_quorum_that_was_reached_does_not_mind_a_cancel() {
    let mut join = Quorum::new(1);
    assert!(tell(&mut join, [(7, Ok(7))]));
    join.cancelled(Cause::Deadline);
    Join::<u32, &str>::stragglers(&mut join, Vec::new());
    assert_eq!(join.finish().unwrap(), [7]);
}

#[test]
fn a_quorum_of_none_is_there_at_once() {
    assert_eq!(Join::<u32, &str>::finish(Quorum::new(0)).unwrap(), [0_u32; 0]);
    let mut join = Quorum::new(0);
    assert!(tell(&mut join, [(0, Ok(0))]));
    assert_eq!(join.finish().unwrap(), [0_u32; 0]);
}

#[test]
fn max_errors_tolerates_so_many() {
    let one_more = [(0, Err("zero")), (1, Ok(1)), (2, Err("two")), (3, Err("three"))];
    for (tolerated, ends) in [(0, true), (1, true), (2, true), (3, false)] {
        let mut join = MaxErrors::new(tolerated);
        assert_eq!(tell(&mut join, one_more), ends, "{tolerated} tolerated");
        let outcome = Join::<u32, _>::finish(join);
        assert_eq!(outcome.is_err(), ends);
        let (Ok(errors) | Err(errors)) = outcome;
        assert_eq!(errors.len(), 3.min(tolerated + 1));
    }
}

#[test]
fn max_errors_counts_what_it_does_not_keep() {
    let mut join = MaxErrors::new(2).keep(1);
    assert!(!tell(&mut join, [(0, Err("zero")), (1, Err("one"))]));
    assert!(tell(&mut join, [(2, Err("two"))]));
    let errors = Join::<u32, _>::finish(join).unwrap_err();
    assert_eq!(errors.to_string(), "3 errors: task 0: zero; and 2 more");
}

/// `allUntil`.
#[test]
fn until_ends_with_the_result_that_is_enough() {
    let mut join =
        until(|task: &TaskId, result: &Result<u32, _>| task.index() == 2 || result.is_err());
    assert!(tell(&mut join, [(0, Ok(0)), (4, Ok(4)), (2, Ok(2))]));
    let results = text(join.finish().unwrap());
    assert_eq!(results[0], "0");
    assert_eq!(results[1], "the group was cancelled: task 2 ended the group");
    assert_eq!(results[2], "2");
    assert_eq!(results[3], results[1]);
    assert_eq!(results[4], "4");
}

#[test]
fn what_cannot_be_built_is_refused_by_each() {
    fn build<T, E>(outcome: Result<T, E>) -> E {
        outcome.map(|_| ()).expect_err("nothing ran")
    }
    fn first(errors: Errors<&'static str>) -> BuildError {
        match errors.into_vec().as_slice() {
            [Error::Build(error)] => *error,
            _ => unreachable!("it is told alone"),
        }
    }
    let zero = BuildError::ZeroLimit;
    let refused = [
        build(AllResults::<u32, &str>::new().refuse(zero)),
        build(until(|_, _: &Result<u32, &str>| true).refuse(zero)),
        build(Join::<u32, &str>::refuse(Discard, zero)),
        build(Join::<u32, &str>::refuse(Supervise::new(), zero)),
        build(completions::<u32, &str>(1).0.refuse(zero)),
        first(build(Join::<u32, _>::refuse(AllErrors::new(), zero))),
        first(build(FirstOk::<u32, _>::new().refuse(zero))),
        first(build(Quorum::<u32, _>::new(2).refuse(zero))),
        first(build(Join::<u32, _>::refuse(MaxErrors::new(2), zero))),
    ];
    assert_eq!(refused, [zero; 9]);
    let error = build(AllOk::<u32, &str>::new().refuse(zero));
    assert!(matches!(error, Error::Build(BuildError::ZeroLimit)));
}

#[test]
fn only_those_that_drop_values_say_so() {
    fn wants<J: Join<u32, &'static str>>(join: J) -> bool {
        join.wants_values()
    }
    assert!(wants(AllResults::new()) && wants(AllOk::new()) && wants(FirstOk::new()));
    assert!(wants(Quorum::new(1)) && wants(Supervise::new()) && wants(completions(1).0));
    assert!(!wants(AllErrors::new()) && !wants(MaxErrors::new(1)) && !wants(Discard));
}

#[test]
fn errors_are_errors() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
    is_error::<Errors<String>>();
    is_error::<Errors<Box<dyn std::error::Error + Send + Sync>>>();
    is_error::<Errors<anyhow::Error>>();
}

fn stream()
-> (Completions<u32, &'static str>, lockgate_errgroup::join::Completed<u32, &'static str>) {
    completions(2)
}

#[test]
fn completions_beyond_the_capacity_are_counted() {
    let (mut policy, mut results) = stream();
    assert!(!tell(&mut policy, [(1, Ok(1)), (0, Err("zero")), (2, Ok(2))]));
    assert_eq!(results.missed(), 1);
    let (task, result) = results.try_next().unwrap();
    assert_eq!((task.index(), result.unwrap()), (1, 1));
    assert!(!tell(&mut policy, [(3, Ok(3))]));
    assert_eq!(results.try_next().unwrap().1.unwrap_err().to_string(), "task 0: zero");
    assert_eq!(results.try_next().unwrap().0.index(), 3);
    assert!(results.try_next().is_none());
    let delivered = policy.finish().unwrap();
    assert_eq!((delivered.delivered, delivered.missed), (3, 1));
}

#[test]
fn completions_that_nobody_takes_are_dropped_with_the_receiver_and_end_the_group() {
    let token = Arc::new(());
    let (mut policy, results) = completions::<_, ()>(8);
    assert!(policy.complete(0, Ok(Arc::clone(&token))).is_continue());
    assert_eq!(Arc::strong_count(&token), 2);
    drop(results);
    assert_eq!(Arc::strong_count(&token), 1);
    assert!(policy.complete(1, Ok(Arc::clone(&token))).is_break());
    assert_eq!(Arc::strong_count(&token), 1);
}

#[cfg(feature = "async")]
mod tasks {
    use super::stream;
    use futures::StreamExt;
    use lockgate_errgroup::join::Join;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    #[test]
    fn completions_are_a_stream() {
        let (mut policy, mut results) = stream();
        let (old, new) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
        let mut poll = |wakes: &Arc<Wakes>| {
            let waker = Waker::from(Arc::clone(wakes));
            results.poll_next_unpin(&mut Context::from_waker(&waker))
        };
        assert!(poll(&old).is_pending());
        assert!(poll(&new).is_pending());
        assert_eq!(Arc::strong_count(&old), 1, "a waker that is not needed is not kept");
        let _ = policy.complete(3, Ok(3));
        assert_eq!(new.0.load(Ordering::Acquire), 0, "not under the group's lock");
        policy.waker().unwrap().wake();
        assert_eq!((old.0.load(Ordering::Acquire), new.0.load(Ordering::Acquire)), (0, 1));
        assert!(matches!(poll(&new), Poll::Ready(Some((task, Ok(3)))) if task.index() == 3));
        assert!(poll(&new).is_pending());
        policy.finish().unwrap();
        assert_eq!(new.0.load(Ordering::Acquire), 2);
        assert!(matches!(poll(&new), Poll::Ready(None)));
    }

    #[test]
    fn next_is_not_ambiguous() {
        let (mut policy, mut results) = stream();
        let _ = policy.complete(0, Ok(5));
        drop(policy);
        let mut both = Box::pin(async {
            let first = results.next().await;
            (first.unwrap().1.unwrap(), results.next().await.is_none())
        });
        let polled = Pin::new(&mut both).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready((5, true)));
    }
}
