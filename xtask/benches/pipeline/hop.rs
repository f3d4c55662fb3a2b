//! One hop from a thread to another: many items, and one that comes alone.

use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crossbeam_channel::{Receiver, Sender, bounded};
use lockgate_pipeline::{opts, thread as pipeline};
use pariter::IteratorExt;
use std::thread;
use std::time::Instant;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(40);
    vec![
        entries!(scenario("hop/many"), many(): Ours, Items, Chunked, Readahead),
        entries!(scenario("hop/many/chunks-of-64"), many(): Ours64, Chunked),
        entries!(scenario("hop/alone").sample_ms(20), alone(): Ours, Items),
        entries!(scenario("hop/start"), start(): Ours, Items),
    ]
}

/// One thread sums what another gives.
trait Many: Subject {
    fn sum(items: u64) -> u64;
}

/// A thread that answers: it is sent a number and gives it back.
trait Echo: Subject {
    fn with<R>(
        questions: Receiver<u64>,
        body: impl FnOnce(&mut dyn Iterator<Item = u64>) -> R,
    ) -> R;
}

/// One operation is one item.
fn many<M: Many>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let items = ops.max(1 << 16);
        let start = Instant::now();
        let sum = M::sum(items);
        let time = start.elapsed();
        assert_eq!(sum, items * (items - 1) / 2, "{}: the sum", M::NAME);
        Sample::time(items, time)
    }
}

/// One operation is one item that is waited for before the next is given.
fn alone<E: Echo>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let (ask, questions) = bounded(1024);
        E::with(questions, |answers| {
            let start = Instant::now();
            for n in 0..ops {
                ask.send(n).expect("it is read");
                assert_eq!(answers.next(), Some(n), "{}: the answer", E::NAME);
            }
            let time = start.elapsed();
            drop(ask);
            assert_eq!(answers.next(), None, "{}: the end", E::NAME);
            Sample::time(ops, time)
        })
    }
}

/// One operation is a whole pipeline of ten items.
fn start<M: Many>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let start = Instant::now();
        for _ in 0..ops {
            assert_eq!(M::sum(10), 45, "{}: the sum", M::NAME);
        }
        Sample::time(ops, start.elapsed())
    }
}

struct Ours;

impl Subject for Ours {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Many for Ours {
    fn sum(items: u64) -> u64 {
        pipeline::from_iter(0..items).buffer(8192).fold(0, |sum, n| sum + n).expect("nothing fails")
    }
}

impl Echo for Ours {
    fn with<R>(
        questions: Receiver<u64>,
        body: impl FnOnce(&mut dyn Iterator<Item = u64>) -> R,
    ) -> R {
        pipeline::from_iter(questions)
            .buffer(8192)
            .with_iter(|items| body(items))
            .expect("nothing fails")
    }
}

struct Ours64;

impl Subject for Ours64 {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Many for Ours64 {
    fn sum(items: u64) -> u64 {
        let pass = opts("pass").window(8192).chunk(64);
        pipeline::from_iter(0..items)
            .par_map(pass, |n| n)
            .fold(0, |sum, n| sum + n)
            .expect("nothing fails")
    }
}

struct Items;

impl Subject for Items {
    const NAME: &'static str = "crossbeam";
}

fn pass(questions: Receiver<u64>, answers: Sender<u64>) {
    for n in questions {
        answers.send(n).expect("it is read");
    }
}

impl Many for Items {
    fn sum(items: u64) -> u64 {
        let (sender, receiver) = bounded(1024);
        thread::scope(|scope| {
            scope.spawn(move || (0..items).try_for_each(|n| sender.send(n)));
            receiver.iter().sum()
        })
    }
}

impl Echo for Items {
    fn with<R>(
        questions: Receiver<u64>,
        body: impl FnOnce(&mut dyn Iterator<Item = u64>) -> R,
    ) -> R {
        let (answer, answers) = bounded(1024);
        thread::scope(|scope| {
            scope.spawn(move || pass(questions, answer));
            body(&mut answers.iter())
        })
    }
}

struct Chunked;

impl Subject for Chunked {
    const NAME: &'static str = "crossbeam, chunks of 64";
}

impl Many for Chunked {
    fn sum(items: u64) -> u64 {
        let (sender, receiver) = bounded(64);
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut all = 0..items;
                loop {
                    let chunk: Vec<u64> = all.by_ref().take(64).collect();
                    if chunk.is_empty() || sender.send(chunk).is_err() {
                        return;
                    }
                }
            });
            receiver.iter().flatten().sum()
        })
    }
}

struct Readahead;

impl Subject for Readahead {
    const NAME: &'static str = "pariter readahead";
}

impl Many for Readahead {
    fn sum(items: u64) -> u64 {
        (0..items).readahead_custom(|o| o.buffer_size(1024)).sum()
    }
}
