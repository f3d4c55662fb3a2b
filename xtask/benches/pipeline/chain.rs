//! Generate → square → filter → sum, of numbers: nothing but the way from one to the next.

use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crossbeam_channel::bounded;
use lockgate_pipeline::{opts, thread as pipeline};
use pariter::IteratorExt;
use rayon::iter::{IntoParallelIterator, ParallelBridge, ParallelIterator};
use std::hint::black_box;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(40);
    vec![
        entries!(
            scenario("chain/fused"), chain(): Fused, Iter, RayonIter, RayonBridge, Chunks<64>,
            Chunks<256>, Chunks<1024>, Items, StdItems, Tokio, Readahead,
        ),
        entries!(
            scenario("chain/three-threads"), chain(): Buffered, Iter, Chunks<64>, Chunks<256>,
            Chunks<1024>, Items, StdItems, Tokio, Readahead,
        ),
        entries!(scenario("chain/two-workers"), chain(): Parallel, Iter, Chunks<1024>, RayonBridge, ParMap),
    ]
}

/// The sum of what comes through of `0..items`.
pub trait Chain: Subject {
    fn sum(items: u64) -> u64;
}

fn chain<C: Chain>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let items = ops.max(1 << 16);
        let start = Instant::now();
        let sum = C::sum(black_box(items));
        let time = start.elapsed();
        let expected = (0..items).map(square).filter(passes).fold(0, u64::wrapping_add);
        assert_eq!(sum, expected, "{}: the sum", C::NAME);
        Sample::time(items, time)
    }
}

#[inline]
fn square(n: u64) -> u64 {
    n.wrapping_mul(n)
}

#[inline]
fn passes(n: &u64) -> bool {
    !n.is_multiple_of(3)
}

macro_rules! subjects {
    ($($name:ident $called:literal $role:ident $(<$size:ident>)? |$items:ident| $sum:expr;)*) => {$(
        struct $name$(<const $size: usize>)?;

        impl$(<const $size: usize>)? Subject for $name$(<$size>)? {
            const NAME: &'static str = $called;
            const ROLE: Role = Role::$role;
        }

        impl$(<const $size: usize>)? Chain for $name$(<$size>)? {
            fn sum($items: u64) -> u64 {
                $sum
            }
        }
    )*};
}

subjects! {
    Fused "ours" Ours |items| {
        let all = pipeline::from_iter(0..items).map(square).filter(passes);
        all.fold(0, u64::wrapping_add).expect("nothing fails")
    };
    Buffered "ours" Ours |items| {
        // As the channels: a thread generates, one squares, this one filters and sums.
        let all = pipeline::from_iter(0..items).buffer(8192).map(square).buffer(8192).filter(passes);
        all.fold(0, u64::wrapping_add).expect("nothing fails")
    };
    Parallel "ours" Ours |items| {
        let all = pipeline::from_iter(0..items).par_map(opts("square").workers(2), square);
        all.filter(passes).fold(0, u64::wrapping_add).expect("nothing fails")
    };
    Iter "iterator" Floor |items| {
        (0..items).map(square).filter(passes).fold(0, u64::wrapping_add)
    };
    RayonIter "rayon par_iter" Rival |items| {
        (0..items).into_par_iter().map(square).filter(passes).reduce(|| 0, u64::wrapping_add)
    };
    RayonBridge "rayon par_bridge" Rival |items| {
        (0..items).par_bridge().map(square).filter(passes).reduce(|| 0, u64::wrapping_add)
    };
    Items "crossbeam" Rival |items| {
        let ((generated, numbers), (squared, squares)) = (bounded(1024), bounded(1024));
        thread::scope(|scope| {
            scope.spawn(move || (0..items).try_for_each(|n| generated.send(n)));
            scope.spawn(move || numbers.iter().try_for_each(|n| squared.send(square(n))));
            squares.iter().filter(passes).fold(0, u64::wrapping_add)
        })
    };
    StdItems "std sync_channel" Rival |items| {
        let ((generated, numbers), (squared, squares)) = (sync_channel(1024), sync_channel(1024));
        thread::scope(|scope| {
            scope.spawn(move || (0..items).try_for_each(|n| generated.send(n)));
            scope.spawn(move || numbers.iter().try_for_each(|n| squared.send(square(n))));
            squares.iter().filter(passes).fold(0, u64::wrapping_add)
        })
    };
    Readahead "pariter readahead" Rival |items| {
        let all = (0..items).readahead_custom(|o| o.buffer_size(1024)).map(square);
        let all = all.readahead_custom(|o| o.buffer_size(1024)).filter(passes);
        all.fold(0, u64::wrapping_add)
    };
    ParMap "pariter parallel_map" Rival |items| {
        let all = (0..items).parallel_map_custom(|o| o.threads(2), square);
        all.filter(passes).fold(0, u64::wrapping_add)
    };
}

/// What people write who have measured: the same channels, and numbers in chunks.
struct Chunks<const SIZE: usize>;

impl<const SIZE: usize> Subject for Chunks<SIZE> {
    const NAME: &'static str = match SIZE {
        64 => "crossbeam, chunks of 64",
        256 => "crossbeam, chunks of 256",
        _ => "crossbeam, chunks of 1024",
    };
}

impl<const SIZE: usize> Chain for Chunks<SIZE> {
    fn sum(items: u64) -> u64 {
        let ((generated, numbers), (squared, squares)) = (bounded(8), bounded(8));
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut all = 0..items;
                loop {
                    let chunk: Vec<u64> = all.by_ref().take(SIZE).collect();
                    if chunk.is_empty() || generated.send(chunk).is_err() {
                        return;
                    }
                }
            });
            scope.spawn(move || {
                numbers.iter().try_for_each(|mut chunk| {
                    chunk.iter_mut().for_each(|n| *n = square(*n));
                    squared.send(chunk)
                })
            });
            squares.iter().flatten().filter(passes).fold(0, u64::wrapping_add)
        })
    }
}

/// Tasks of a runtime with two workers.
struct Tokio;

impl Subject for Tokio {
    const NAME: &'static str = "tokio mpsc";
}

impl Chain for Tokio {
    fn sum(items: u64) -> u64 {
        use std::sync::LazyLock;
        use tokio::runtime::{Builder, Runtime};
        use tokio::sync::mpsc::channel;
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
            Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
        });
        let ((generated, mut numbers), (squared, mut squares)) = (channel(1024), channel(1024));
        RUNTIME.spawn(async move {
            for n in 0..items {
                generated.send(n).await.expect("the squares are read");
            }
        });
        RUNTIME.spawn(async move {
            while let Some(n) = numbers.recv().await {
                squared.send(square(n)).await.expect("the squares are read");
            }
        });
        let sums = RUNTIME.spawn(async move {
            let mut sum = 0_u64;
            while let Some(n) = squares.recv().await {
                sum = sum.wrapping_add(if passes(&n) { n } else { 0 });
            }
            sum
        });
        RUNTIME.block_on(sums).expect("it sums")
    }
}
