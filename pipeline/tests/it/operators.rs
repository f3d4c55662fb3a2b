//! Each operator does what the iterator's does, fused and on both sides of a stage.

use lockgate_pipeline::{opts, thread};

/// The same chain as an iterator, fused, after a stage, and before one.
macro_rules! same {
    ($($name:ident: $items:expr, |$chain:ident| $pipe:expr => $expected:expr;)*) => {$(
        #[test]
        fn $name() {
            let expected: Vec<_> = { let $chain = $items; $expected.collect() };
            let fused: Vec<_> = { let $chain = thread::from_iter($items); $pipe.collect().unwrap() };
            assert_eq!(fused, expected, "fused");
            let after: Vec<_> = {
                let $chain = thread::from_iter($items).par_map(2, |n| n);
                $pipe.collect().unwrap()
            };
            assert_eq!(after, expected, "after a stage");
            for chunk in [1, 3, 64] {
                let before: Vec<_> = {
                    let $chain = thread::from_iter($items).prefetch(chunk);
                    $pipe.par_map(opts("last").workers(2).chunk(chunk), |n| n).collect().unwrap()
                };
                assert_eq!(before, expected, "before a stage, chunks of {chunk}");
            }
            let one_by_one: Vec<_> = {
                let $chain = thread::from_iter($items).par_map(2, |n| n);
                $pipe.into_iter().map(Result::unwrap).collect()
            };
            assert_eq!(one_by_one, expected, "one by one");
        }
    )*};
}

same! {
    map: 0..100_u32, |c| c.map(|n| n * 2) => c.map(|n| n * 2);
    filter: 0..100_u32, |c| c.filter(|n| n % 3 == 0) => c.filter(|n| n % 3 == 0);
    filter_map: 0..100_u32,
        |c| c.filter_map(|n| (n % 3 == 0).then_some(n * 2))
        => c.filter_map(|n| (n % 3 == 0).then_some(n * 2));
    flat_map: 0..30_u32, |c| c.flat_map(|n| 0..n % 5) => c.flat_map(|n| 0..n % 5);
    flat_map_of_flat_map: 0..20_u32,
        |c| c.flat_map(|n| 0..n % 5).flat_map(|n| vec![n; 3])
        => c.flat_map(|n| 0..n % 5).flat_map(|n| vec![n; 3]);
    scan: 0..100_u32,
        |c| c.scan(0, |sum, n| { *sum += n; (*sum < 1000).then_some(*sum) })
        => c.scan(0, |sum, n| { *sum += n; (*sum < 1000).then_some(*sum) });
    take: 0..100_u32, |c| c.take(17) => c.take(17);
    take_more_than_there_is: 0..10_u32, |c| c.take(17) => c.take(17);
    take_nothing: 0..10_u32, |c| c.take(0) => c.take(0);
    take_of_flat_map: 0..10_u32,
        |c| c.flat_map(|n| [n, n, n]).take(8) => c.flat_map(|n| [n, n, n]).take(8);
    flat_map_of_take: 0..10_u32,
        |c| c.take(3).flat_map(|n| [n, n, n]) => c.take(3).flat_map(|n| [n, n, n]);
    take_while: 0..100_u32, |c| c.take_while(|n| *n < 30) => c.take_while(|n| *n < 30);
    skip: 0..100_u32, |c| c.skip(90) => c.skip(90);
    skip_more_than_there_is: 0..10_u32, |c| c.skip(90) => c.skip(90);
    skip_while: 0..100_u32, |c| c.skip_while(|n| n % 50 != 49) => c.skip_while(|n| n % 50 != 49);
    enumerate: 5..50_u32, |c| c.enumerate() => (0_u64..).zip(c);
    chunks: 0..100_u32,
        |c| c.chunks(7) => c.collect::<Vec<_>>().chunks(7).map(<[u32]>::to_vec).collect::<Vec<_>>().into_iter();
    unbatch_of_chunks: 0..100_u32, |c| c.chunks(7).unbatch() => c;
    chunks_of_unbatch: 0..10_u32,
        |c| c.chunks(2).flat_map(|batch| batch).chunks(3)
        => c.collect::<Vec<_>>().chunks(3).map(<[u32]>::to_vec).collect::<Vec<_>>().into_iter();
    map_init: 0..100_u32,
        |c| c.map_init(|| 0, |calls, n| { *calls += 1; *calls * n })
        => (1..).zip(c).map(|(calls, n)| calls * n);
    everything: 0..1000_u32,
        |c| c.skip(3).filter(|n| n % 2 == 0).flat_map(|n| [n; 2]).take(333).map(|n| n + 1)
        => c.skip(3).filter(|n| n % 2 == 0).flat_map(|n| [n; 2]).take(333).map(|n| n + 1);
}

#[test]
fn take_asks_for_no_item_more() {
    let mut asked = 0;
    let source = std::iter::from_fn(|| {
        asked += 1;
        Some(asked)
    });
    assert_eq!(thread::from_iter(source).take(5).count().unwrap(), 5);
    assert_eq!(asked, 5);
}

#[test]
fn inspect_sees_each_item_once() {
    let mut seen = Vec::new();
    thread::from_iter(0..50).inspect(|n| seen.push(*n)).par_map(2, |n| n).run().unwrap();
    assert!(seen.into_iter().eq(0..50));
}

#[test]
fn each_worker_has_a_state_of_its_own() {
    let sums: Vec<(usize, u32)> = thread::from_iter(0..1_000)
        .par_map_init(
            opts("states").workers(3).chunk(1),
            || (std::thread::current().id(), 0),
            |(owner, calls), n: usize| {
                assert_eq!(*owner, std::thread::current().id());
                *calls += 1;
                (n, *calls)
            },
        )
        .collect()
        .unwrap();
    assert!(sums.iter().map(|(n, _)| *n).eq(0..1_000));
    let firsts = sums.iter().filter(|(_, calls)| *calls == 1).count();
    assert!((1..=3).contains(&firsts), "{firsts} states");
}

#[test]
fn prefetch_takes_more_at_once_where_the_iterator_promises_nothing() {
    let mut n = 0;
    let source = std::iter::from_fn(|| {
        n += 1;
        (n <= 1_000).then_some(n)
    });
    let report = thread::from_iter(source).prefetch(64).par_map(opts("all").chunk(64), |n| n).run();
    assert_eq!(report.unwrap().stages[0].given, 1_000);
}

#[test]
#[should_panic(expected = "a batch of no item")]
fn a_batch_of_no_item_is_refused() {
    let _ = thread::from_iter(0..3).chunks(0);
}
