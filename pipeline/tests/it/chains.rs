//! Random pipelines of two steps of any kind, beside the chain of iterators that they should be:
//! P1, P2, P4, P6 and P7 of the properties, for each pair of operators and stages.

use crate::support::{Census, Counted};
use lockgate_pipeline::{Fails, Opts, Pipe, Stage, thread};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

/// What a step does, by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Map,
    TryMap,
    Filter,
    FlatMap,
    Take,
    Skip,
    TakeWhile,
    Scan,
    Batches,
    ParMap,
    ParFlatMap,
    TryParMap,
    Buffer,
}

use Kind::{
    Batches, Buffer, Filter, FlatMap, Map, ParFlatMap, ParMap, Scan, Skip, Take, TakeWhile, TryMap,
    TryParMap,
};

/// How an item can go wrong in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Never,
    /// From this number on, in a step that can fail.
    Error(u32),
    /// From this number on, in a step that calls a function.
    Panic(u32),
}

#[derive(Clone, Debug)]
struct Step {
    kind: Kind,
    wrong: Wrong,
    number: u32,
    opts: Opts,
}

/// How a chain ends before it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Failed(u32),
    Panicked(u32),
}

impl Step {
    /// What a function does to an item, here and in the chain that it is compared with.
    fn outcome(&self, n: u32) -> Result<u32, End> {
        match self.wrong {
            Wrong::Panic(at) if n >= at => Err(End::Panicked(n)),
            Wrong::Error(at) if n >= at && matches!(self.kind, TryMap | TryParMap) => {
                Err(End::Failed(n))
            }
            _ => Ok(n + 1),
        }
    }

    fn call(&self, item: Counted) -> Counted {
        self.try_call(item).unwrap_or_else(|n| panic!("{n} failed where nothing can"))
    }

    fn try_call(&self, mut item: Counted) -> Result<Counted, u32> {
        match self.outcome(item.n) {
            Ok(n) => item.n = n,
            Err(End::Failed(n)) => return Err(n),
            Err(End::Panicked(n)) => panic_any(n),
        }
        Ok(item)
    }

    fn copies(&self, item: Counted) -> Vec<Counted> {
        let item = self.call(item);
        let count = (item.n + self.number) as usize % 3;
        std::iter::repeat_n(item, count).collect()
    }

    /// As many and as large as it may be, so that a chain without them holds what its bound says.
    fn keeps_the_count(&self) -> bool {
        !matches!(self.kind, FlatMap | ParFlatMap | Batches)
    }

    /// One that gives the same items, whatever the order in which it takes them.
    fn without_order(self) -> Self {
        let kind = match self.kind {
            Take | Skip => ParMap,
            TakeWhile | Scan => ParFlatMap,
            kind => kind,
        };
        Self { kind, wrong: Wrong::Never, ..self }
    }

    /// The same, as an iterator does it: each error is the end.
    fn reference<'a>(&'a self, before: Option<&Self>, items: Items<'a>) -> Items<'a> {
        let number = self.number as usize;
        let mut left = number;
        match self.kind {
            Map | TryMap | ParMap | TryParMap => Box::new(items.map(|n| self.outcome(n?))),
            Filter => Box::new(items.filter(move |n| n.is_err() || n.is_ok_and(|n| self.keeps(n)))),
            FlatMap | ParFlatMap => {
                Box::new(items.flat_map(move |n| match n.and_then(|n| self.outcome(n)) {
                    Ok(n) => vec![Ok(n); (n as usize + number) % 3],
                    end => vec![end],
                }))
            }
            Take => Box::new(items.take(number)),
            Skip => Box::new(items.filter(move |n| {
                let skips = n.is_ok() && left > 0;
                left -= usize::from(skips);
                !skips
            })),
            TakeWhile => {
                Box::new(items.take_while(move |n| n.is_err() || n.is_ok_and(|n| n < self.number)))
            }
            Scan => Box::new(items.map_while(move |n| match n {
                Ok(n) => {
                    left = left.checked_sub(1)?;
                    Some(Ok(n + left as u32))
                }
                end => Some(end),
            })),
            Batches => {
                let runs_here = before.is_some_and(|step| step.is_fused());
                in_batches(items, number % 9 + 1, runs_here)
            }
            Buffer => items,
        }
    }

    fn is_fused(&self) -> bool {
        !matches!(self.kind, ParMap | ParFlatMap | TryParMap | Buffer)
    }

    fn keeps(&self, n: u32) -> bool {
        n % (self.number % 5 + 1) == 0
    }
}

/// As they are; but a panic that runs right through a batch takes what it holds along, as it does in an
/// iterator. One of a stage, or an error, comes after the batch.
fn in_batches(mut items: Items<'_>, size: usize, runs_here: bool) -> Items<'_> {
    let mut batch = VecDeque::new();
    Box::new(std::iter::from_fn(move || {
        if batch.is_empty() {
            for item in items.by_ref().take(size) {
                if runs_here && matches!(item, Err(End::Panicked(_))) {
                    batch.clear();
                }
                batch.push_back(item);
                if item.is_err() {
                    break;
                }
            }
        }
        batch.pop_front()
    }))
}

type Items<'a> = Box<dyn Iterator<Item = Result<u32, End>> + 'a>;

/// What came out, and how it ended.
type Ran = (Vec<u32>, Option<End>);

/// Adds as many steps as its type says.
trait Grow {
    fn grow<S>(pipe: Pipe<S, Fails<u32>>, steps: &[Step], run: &Run) -> Ran
    where
        S: Stage<Item = Counted, Error = u32, Running: Send>;
}

struct Done;
struct More<N>(N);

/// How the chain is read.
struct Run {
    leave: usize,
    census: Census,
    holds_its_bound: bool,
}

impl Grow for Done {
    fn grow<S>(pipe: Pipe<S, Fails<u32>>, _: &[Step], run: &Run) -> Ran
    where
        S: Stage<Item = Counted, Error = u32, Running: Send>,
    {
        let bound = pipe.max_in_flight();
        let mut seen = Vec::new();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            pipe.with_iter(|items| seen.extend(items.take(run.leave).map(|item| item.n)))
        }));
        let end = match ran {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(End::Failed(error.into_failed().unwrap().error)),
            Err(payload) => Some(End::Panicked(*payload.downcast_ref().expect("the payload"))),
        };
        assert_eq!(run.census.live(), 0);
        let most = run.census.most();
        assert!(!run.holds_its_bound || most <= bound as isize, "{most} > {bound}");
        (seen, end)
    }
}

impl<N: Grow> Grow for More<N> {
    fn grow<S>(pipe: Pipe<S, Fails<u32>>, steps: &[Step], run: &Run) -> Ran
    where
        S: Stage<Item = Counted, Error = u32, Running: Send>,
    {
        let (step, rest) = steps.split_first().expect("a step");
        let (number, opts) = (step.number, step.opts.clone());
        match step.kind {
            Map => N::grow(pipe.map(|item| step.call(item)), rest, run),
            TryMap => N::grow(pipe.try_map(|item| step.try_call(item)), rest, run),
            Filter => N::grow(pipe.filter(|item| step.keeps(item.n)), rest, run),
            FlatMap => N::grow(pipe.flat_map(|item| step.copies(item)), rest, run),
            Take => N::grow(pipe.take(u64::from(number)), rest, run),
            Skip => N::grow(pipe.skip(u64::from(number)), rest, run),
            TakeWhile => N::grow(pipe.take_while(|item| item.n < number), rest, run),
            Scan => {
                let scan = |left: &mut u32, mut item: Counted| {
                    *left = left.checked_sub(1)?;
                    item.n += *left;
                    Some(item)
                };
                N::grow(pipe.scan(number, scan), rest, run)
            }
            Batches => N::grow(pipe.chunks(number as usize % 9 + 1).unbatch(), rest, run),
            ParMap => N::grow(pipe.par_map(opts, |item| step.call(item)), rest, run),
            ParFlatMap => N::grow(pipe.par_flat_map(opts, |item| step.copies(item)), rest, run),
            TryParMap => N::grow(pipe.try_par_map(opts, |item| step.try_call(item)), rest, run),
            Buffer => N::grow(pipe.buffer(number as usize + 1), rest, run),
        }
    }
}

fn options() -> impl Strategy<Value = Opts> {
    let window = prop::option::of(1..40_usize);
    let chunk = prop::option::of(1..9_usize);
    (1..5_usize, window, chunk).prop_map(|(workers, window, chunk)| {
        let opts = Opts::from(workers);
        let opts = window.map_or(opts.clone(), |window| opts.window(window));
        chunk.map_or(opts.clone(), |chunk| opts.chunk(chunk))
    })
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = vec![
        Map, TryMap, Filter, FlatMap, Take, Skip, TakeWhile, Scan, Batches, ParMap, ParFlatMap,
        TryParMap, Buffer,
    ];
    let wrong = prop_oneof![
        2 => Just(Wrong::Never),
        1 => (0..150_u32).prop_map(Wrong::Error),
        1 => (0..150_u32).prop_map(Wrong::Panic),
    ];
    (prop::sample::select(kinds), wrong, 0..120_u32, options())
        .prop_map(|(kind, wrong, number, opts)| Step { kind, wrong, number, opts })
}

/// Runs a chain of two steps before a stage that changes nothing.
fn run(steps: &[Step], items: u32, last: Opts, leave: usize) -> Ran {
    let census = Census::default();
    let holds_its_bound = steps.iter().all(Step::keeps_the_count);
    let run = Run { leave, census: census.clone(), holds_its_bound };
    let source = thread::from_iter(0..items).map(|n| census.item(n));
    <More<More<Done>>>::grow(source.try_par_map(last, Ok), steps, &run)
}

/// Panics that are meant are not to fill the output.
fn quietly<R>(run: impl FnOnce() -> R) -> R {
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<u32>().is_none() {
                others(info);
            }
        }));
    });
    run()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The same items, the same end at the same place, whatever the pair and however it is left.
    #[test]
    fn any_two_steps_are_the_iterator_chain(
        steps in [step(), step()],
        first in options(),
        items in 0..200_u32,
        leave in prop_oneof![Just(usize::MAX), 0..150_usize],
    ) {
        let source: Items<'_> = Box::new((0..items).map(Ok));
        let chain = steps[1].reference(Some(&steps[0]), steps[0].reference(None, source));
        let (mut expected, mut end) = (Vec::new(), None);
        for item in chain.take(leave) {
            match item {
                Ok(n) => expected.push(n),
                Err(with) => {
                    end = Some(with);
                    break;
                }
            }
        }
        let ran = quietly(|| run(&steps, items, first, leave));
        prop_assert_eq!(ran, (expected, end));
    }

    /// Unordered, the same items.
    #[test]
    fn any_two_steps_give_the_same_items_unordered(
        steps in [step(), step()],
        first in options(),
        items in 0..200_u32,
    ) {
        let steps = steps.map(Step::without_order);
        let unordered = steps.clone().map(|step| Step { opts: step.opts.unordered(), ..step });
        let (mut ran, end) = run(&unordered, items, first.unordered(), usize::MAX);
        let (mut expected, _) = run(&steps, items, Opts::from(1), usize::MAX);
        ran.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!((ran, end), (expected, None));
    }
}
