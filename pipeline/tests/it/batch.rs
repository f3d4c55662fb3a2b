//! Batches by number, weight and time.

use crate::support::{Census, Flag, until};
use lockgate_pipeline::{BuildError, RunError, opts, thread};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn batches_are_full_but_for_the_last() {
    let batches: Vec<Vec<u32>> =
        thread::from_iter(0..10).batch(4, Duration::MAX).collect().unwrap();
    assert_eq!(batches, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    let batches: Vec<Vec<u32>> =
        thread::from_iter(0..10).par_map(3, |n| n).batch(4, Duration::MAX).collect().unwrap();
    assert_eq!(batches, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
}

/// Wherever it stands, and however short its time: nothing is lost, nothing changes its place.
#[test]
fn unbatch_undoes_batch() {
    let items = || 0..3_000_u32;
    for (size, time) in [(1, Duration::ZERO), (7, Duration::ZERO), (64, Duration::from_micros(50))]
    {
        for size in [size, usize::MAX] {
            let all: Vec<u32> = thread::from_iter(items())
                .par_map(opts("a").workers(2).window(33), |n| n)
                .batch(size, time)
                .inspect(|batch| assert!(!batch.is_empty() && batch.len() <= size))
                .par_map(opts("b").workers(2).window(5), |batch| batch)
                .batch(3, time)
                .unbatch()
                .unbatch()
                .collect()
                .unwrap();
            assert!(all.into_iter().eq(items()), "{size}, {time:?}");
        }
    }
}

/// A batch that is not full goes on although its source neither gives more nor ends.
#[test]
fn a_batch_does_not_wait_for_ever() {
    for has_stage in [false, true] {
        let (sender, receiver) = mpsc::channel();
        let time = Duration::from_millis(1);
        let mut batches: Box<dyn Iterator<Item = Result<Vec<u32>, _>>> = if has_stage {
            Box::new(thread::from_iter(receiver).par_map(2, |n| n).batch(1_000, time).into_iter())
        } else {
            Box::new(thread::from_iter(receiver).batch(1_000, time).into_iter())
        };
        for round in 0..20 {
            for n in 0..3 {
                sender.send(round * 3 + n).unwrap();
            }
            let mut got = Vec::new();
            while got.len() < 3 {
                got.extend(batches.next().unwrap().unwrap());
            }
            assert!(got.into_iter().eq(round * 3..round * 3 + 3));
        }
        drop(sender);
        assert!(batches.next().is_none());
    }
}

/// A batch whose time is not over waits: here for the last item, which is sent when all others have
/// come out of the stage before.
#[test]
fn a_batch_waits_until_it_is_full() {
    let (sender, receiver) = mpsc::channel();
    (0..9).for_each(|n| sender.send(n).unwrap());
    let (ninth, mut sender) = (AtomicUsize::new(0), Some(sender));
    let batches = thread::from_iter(receiver)
        .par_map(2, |n| n)
        .inspect(|_| {
            if ninth.fetch_add(1, Ordering::SeqCst) == 8 {
                sender.take().unwrap().send(9).unwrap();
            }
        })
        .batch(10, Duration::MAX)
        .collect::<Vec<_>>();
    assert_eq!(batches.unwrap(), [Vec::from_iter(0..10)]);
}

#[test]
fn a_drain_gives_the_last_batch() {
    let counters = (AtomicUsize::new(0), AtomicUsize::new(0), Flag::default());
    let (taken, given, goes_on) = &*Box::leak(Box::new(counters));
    let pipeline = thread::from_iter(0_u64..)
        .inspect(|_| {
            if taken.fetch_add(1, Ordering::SeqCst) == 1_000 {
                goes_on.wait();
            }
        })
        .batch(1_000_000_000, Duration::MAX)
        .inspect(|batch| {
            given.fetch_add(batch.len(), Ordering::SeqCst);
        })
        .spawn()
        .unwrap();
    until(|| taken.load(Ordering::SeqCst) > 1_000);
    pipeline.drain();
    goes_on.set();
    pipeline.wait().unwrap();
    assert_eq!(taken.load(Ordering::SeqCst), given.load(Ordering::SeqCst));
}

/// After an abort nothing is called with what a batch held.
#[test]
fn an_abort_gives_no_batch() {
    for by_time in [false, true] {
        let counters = (AtomicUsize::new(0), AtomicUsize::new(0), Flag::default());
        let (taken, given, goes_on) = &*Box::leak(Box::new(counters));
        let source = thread::from_iter(0_u64..).inspect(|_| {
            if taken.fetch_add(1, Ordering::SeqCst) == 1_000 {
                goes_on.wait();
            }
        });
        let see = |_: &Vec<u64>| {
            given.fetch_add(1, Ordering::SeqCst);
        };
        let pipeline = if by_time {
            source.batch(usize::MAX, Duration::MAX).inspect(see).spawn()
        } else {
            source.par_map(1, |n| n).chunks(usize::MAX).inspect(see).spawn()
        };
        let pipeline = pipeline.unwrap();
        until(|| taken.load(Ordering::SeqCst) > 1_000);
        pipeline.abort();
        goes_on.set();
        assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
        assert_eq!(given.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn an_error_comes_after_the_batch_before_it() {
    let mut batches = thread::from_iter(0..10)
        .try_par_map(2, |n| if n == 6 { Err(n) } else { Ok(n) })
        .batch(4, Duration::MAX)
        .into_iter();
    assert_eq!(batches.next().unwrap().unwrap(), [0, 1, 2, 3]);
    assert_eq!(batches.next().unwrap().unwrap(), [4, 5]);
    assert_eq!(batches.next().unwrap().unwrap_err().into_failed().unwrap().error, 6);
    assert!(batches.next().is_none());
}

#[test]
fn a_size_of_nothing_is_an_error() {
    let ran = thread::from_iter(0..3).batch(0, Duration::ZERO).run();
    let Err(RunError::Build(error)) = ran else { panic!("{ran:?}") };
    let BuildError::OutOfRange { stage, option, value: 0, least: 1, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((&**stage, *option), ("batch", "size"));
    let weighted = thread::from_iter(0..3).batch_weighted(0, Duration::ZERO, |_| 1);
    assert!(matches!(weighted.run(), Err(RunError::Build(_))));
}

#[test]
fn no_more_is_in_flight_than_is_said() {
    for has_stage in [false, true] {
        let census = Census::default();
        let items = thread::from_iter(0..500).map(|n| census.item(n));
        let (bound, ran) = if has_stage {
            let pipe = items.par_map(opts("a").window(8), |item| item);
            let pipe = pipe.batch_weighted(10, Duration::MAX, |item| item.n as usize % 7);
            (pipe.max_in_flight(), pipe.for_each(drop))
        } else {
            let pipe = items.batch(10, Duration::MAX);
            (pipe.max_in_flight(), pipe.for_each(drop))
        };
        ran.unwrap();
        // A batch that was made counts as one, and has ten.
        assert!(census.most() <= bound as isize + 10, "{} > {bound}", census.most());
        assert_eq!((census.live(), census.made()), (0, 500));
    }
}
