//! Batches, without threads: what is packed, and the moment that is decided on here.

use crate::batch::{Batch, By, Each, Packer};
use crate::error::{Failed, Fault};
use crate::feed::{ALL, Fed, Feed, Until};
use crate::primitives::Deadline;
use proptest::prelude::*;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

/// Everything that was added, in batches.
fn pack(most: usize, weights: &[usize]) -> Vec<Vec<usize>> {
    let mut packer = Packer::new(most);
    let mut batches = Vec::new();
    for (at, weight) in weights.iter().enumerate() {
        packer.add(at, *weight);
        batches.extend(std::iter::from_fn(|| packer.take_full()));
        assert!(!packer.is_full());
    }
    batches.extend(std::iter::from_fn(|| packer.take_rest()));
    assert!(packer.is_empty());
    batches
}

proptest! {
    #[test]
    fn packing_keeps_everything_and_the_limit(
        most in 1_usize..20,
        weights in prop::collection::vec(0_usize..30, 0..60),
    ) {
        let batches = pack(most, &weights);
        prop_assert!(batches.concat().into_iter().eq(0..weights.len()));
        let weigh = |batch: &[usize]| batch.iter().map(|at| weights[*at].max(1)).sum::<usize>();
        for (at, batch) in batches.iter().enumerate() {
            prop_assert!(batch.len() == 1 || weigh(batch) <= most, "{batch:?} of {weights:?}");
            // Greedy: the next item would have been too much.
            if let Some(next) = batches.get(at + 1) {
                prop_assert!(weigh(batch) + weigh(&next[..1]) > most, "{batch:?} of {weights:?}");
            }
        }
    }
}

#[test]
fn weights_do_not_overflow() {
    assert_eq!(pack(usize::MAX, &[usize::MAX, usize::MAX, 1, 1]), [vec![0], vec![1], vec![2, 3]]);
    assert_eq!(pack(usize::MAX, &[usize::MAX - 1, 1, 1]), [vec![0, 1], vec![2]]);
}

fn failed(error: u8) -> Fault<u8> {
    Fault::Failed(Failed { stage: "script".into(), index: 0, error })
}

/// What a script's feed does when it is asked.
enum Act {
    Items(Vec<u8>),
    Nothing,
    Fail,
    Cancel,
}

/// Ends when there is nothing left to do.
struct Script(std::vec::IntoIter<Act>);

impl Feed for Script {
    type Item = u8;
    type Error = u8;

    fn feed(
        &mut self,
        _: Until<'_>,
        most: usize,
        mut sink: impl FnMut(u8) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<u8>> {
        match self.0.next() {
            None => Ok(Fed::Over),
            Some(Act::Nothing) => Ok(Fed::More),
            Some(Act::Fail) => Err(failed(7)),
            Some(Act::Cancel) => Err(Fault::Cancelled),
            Some(Act::Items(items)) => {
                assert!(items.len() <= most, "{} were asked for", most);
                let count = items.len();
                let taken = items.into_iter().take_while(|item| sink(*item).is_continue()).count();
                assert!(
                    taken + 1 >= count,
                    "the sink broke off in the middle of what it asked for"
                );
                Ok(Fed::More)
            }
        }
    }
}

fn now() -> Option<Deadline> {
    Deadline::after(Duration::ZERO)
}

fn never() -> Option<Deadline> {
    None
}

fn batch(acts: Vec<Act>, most: usize, alarm: fn() -> Option<Deadline>) -> Batch<Script, Each> {
    Batch::new(Script(acts.into_iter()), Each, most, Box::new(alarm))
}

/// Every batch, and how it ends.
fn read<F: Feed<Error = u8>>(feed: &mut F, most: usize) -> (Vec<F::Item>, Result<(), u8>) {
    let mut items = Vec::new();
    loop {
        let fed = feed.feed(Until::NEVER, most, |item| {
            items.push(item);
            if most == 1 { Break(()) } else { Continue(()) }
        });
        match fed {
            Ok(Fed::More) => {}
            Ok(Fed::Over) => return (items, Ok(())),
            Err(Fault::Failed(failed)) => return (items, Err(failed.error)),
            Err(_) => return (items, Err(255)),
        }
    }
}

#[test]
fn a_batch_goes_on_at_its_moment_with_what_is_there() {
    for most in [1, 64, ALL] {
        let acts =
            || vec![Act::Items(vec![1]), Act::Items(vec![2]), Act::Nothing, Act::Items(vec![3])];
        assert_eq!(read(&mut batch(acts(), 9, now), most), (vec![vec![1, 2], vec![3]], Ok(())));
        assert_eq!(read(&mut batch(acts(), 9, never), most), (vec![vec![1, 2, 3]], Ok(())));
        assert_eq!(read(&mut batch(acts(), 2, never), most), (vec![vec![1, 2], vec![3]], Ok(())));
    }
}

/// It is the batch's own moment that counts, not the one before it.
#[test]
fn the_time_begins_with_the_first_item() {
    let mut moments = vec![never(), now(), never()].into_iter();
    let acts = [vec![1, 2], vec![3], vec![], vec![4], vec![]].map(Act::Items);
    let alarm = Box::new(move || moments.next().expect("a moment for each batch"));
    let mut batches = Batch::new(Script(Vec::from(acts).into_iter()), Each, 2, alarm);
    assert_eq!(read(&mut batches, ALL), (vec![vec![1, 2], vec![3], vec![4]], Ok(())));
}

#[test]
fn an_error_comes_after_the_batch_that_it_cuts_short() {
    for most in [1, 64, ALL] {
        let acts = vec![Act::Items(vec![1, 2]), Act::Fail];
        assert_eq!(read(&mut batch(acts, 9, never), most), (vec![vec![1, 2]], Err(7)));
    }
}

#[test]
fn nothing_goes_on_after_a_cancel() {
    let acts = vec![Act::Items(vec![1, 2]), Act::Cancel];
    assert_eq!(read(&mut batch(acts, 9, never), 64), (vec![], Err(255)));
}

#[test]
fn there_is_no_empty_batch() {
    let acts = || vec![Act::Nothing, Act::Nothing];
    assert_eq!(read(&mut batch(acts(), 9, now), 64), (vec![], Ok(())));
    assert_eq!(read(&mut batch(vec![], 9, now), 64), (vec![], Ok(())));
}

/// Who asks for a while gets nothing, and what is held is there afterwards.
#[test]
fn who_cannot_wait_loses_nothing() {
    let acts = vec![Act::Items(vec![1]), Act::Nothing, Act::Items(vec![2])];
    let mut batches = batch(acts, 9, never);
    let moment = now();
    for _ in 0..2 {
        let fed = batches.feed(Until(moment.as_ref()), 1, |batch| panic!("{batch:?}"));
        assert!(matches!(fed, Ok(Fed::More)));
    }
    assert_eq!(read(&mut batches, 1), (vec![vec![1, 2]], Ok(())));
}

/// A heavy item ends the batch before it, and is one itself.
#[test]
fn heavy_items_come_one_by_one() {
    for most in [1, ALL] {
        let script =
            Script(vec![Act::Items(vec![1]), Act::Items(vec![9]), Act::Items(vec![2])].into_iter());
        let weigh = By(|item: &u8| usize::from(*item));
        let mut batches = Batch::new(script, weigh, 4, Box::new(never));
        assert_eq!(read(&mut batches, most), (vec![vec![1], vec![9], vec![2]], Ok(())));
    }
}
