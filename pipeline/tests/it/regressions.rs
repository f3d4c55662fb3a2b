//! Defects of others, each with whose it was. Those that are not tests here:
//!
//! | whose | what | where, or why it cannot be |
//! |---|---|---|
//! | rill#86, #90 | `All` said yes, `First` found something, where there was an error | `go_parity::consume::any_and_all`, `go_parity::consume::first_error_is_first` |
//! | rill#97 | errors inside of batches | `go_parity::batch_no_timeout` |
//! | rill#56, TPL runtime#1177, #37125 | a split or a merge loses errors, items or inputs | no subject yet |
//! | rill#104, #107 | `nil` errors and channels | cannot be said |
//! | rill, futures `buffered`, akka-core#28674 | a worker that is done out of turn waits: the window is the number of workers | `laws::a_blocked_head_holds_no_more_than_the_window` needs the others to go on |
//! | rill, Go | an early exit leaks the source | `go_parity::consume::to_seq2_normal_and_early_exit`, `laws::dropping_the_iterator_ends_an_infinite_source` |
//! | futures-rs#2937 | refills only when it is polled | [`stages_go_on_while_nobody_reads`] |
//! | tokio-stream#7715, reactor#1557, #2236, #3012, #4377 | a batch with a time limit loses items, or fails for want of demand | no subject yet: a batch has no time limit |
//! | TPL runtime#60768, corefx#26587 | who waits is woken under a lock | wakers are called when no lock is held; the models would deadlock |
//! | TPL runtime#79535 | the enumerator ends as if nothing were wrong | `laws::an_abnormal_end_is_no_end_of_stream` |
//! | TPL dotnet-api-docs#10635 | nobody knows what the capacity counts | `in_flight` |
//! | rust-ssp | a worker that panics is waited for for ever | [`a_panic_is_no_end`], `loom_ends::panic_at_the_head_is_no_hole` |
//! | rust-ssp, parallel-stream | no backpressure, a limit that is not used | `laws::a_slow_consumer_stops_the_source`, `laws::as_many_calls_run_at_once_as_was_said` |
//! | rayon#690, #847, #1142 | deadlock where pipelines nest | `ends::pipelines_nest` |
//! | rayon, `collect` | which of several errors is not said | `laws::the_lowest_failing_index_decides` |
//! | pariter 0.6 | the scoped iterator can leave its scope | `with_iter`'s documentation has code that must not compile |
//! | pumps 0.1 | a relief valve is off by one | no subject yet: a buffer that is full waits |
//! | tower's `buffer` | a slot that was reserved and not used is lost | there is no reservation: room that a claim does not use is free again, `tests::state` |
//! | crossbeam-channel, RUSTSEC-2025-0024 | items are dropped twice | no unsafe code; `chains` counts |
//! | flume#124, iroh#2533 | lost wake-ups | the models |

use crate::support::{Census, Flag, leak, until};
use lockgate_pipeline::{RunError, opts, thread};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::task::{Poll, Waker};

/// pariter 0.6: `readahead` spins for ever on an infinite source after it was dropped.
#[test]
fn a_dropped_buffer_stops_its_source() {
    let census = Census::default();
    let items = census.clone();
    let mut results = thread::from_iter(0..).map(move |n| items.item(n)).buffer(8).into_iter();
    assert_eq!(results.next().unwrap().unwrap().n, 0);
    drop(results);
    assert_eq!(census.live(), 0);
}

/// pariter 0.6: the payload of a panic is replaced.
#[test]
fn the_payload_of_a_panic_arrives() {
    let ran = catch_unwind(|| thread::from_iter(0..9).par_map(2, |_: u8| panic_any(9_u8)).run());
    assert_eq!(ran.unwrap_err().downcast_ref::<u8>(), Some(&9));
}

/// pumps 0.1, par-stream 0.10, pipelines 0.4: a stage panics, and the stream ends as if that were all.
#[test]
fn a_panic_is_no_end() {
    let mut results = thread::from_iter(0..100)
        .par_map(2, |n| if n == 50 { panic_any("fifty") } else { n })
        .into_iter();
    let seen = catch_unwind(AssertUnwindSafe(|| results.by_ref().count()));
    assert_eq!(seen.unwrap_err().downcast_ref(), Some(&"fifty"));
}

/// par-stream 0.10: while the head is blocked, everything behind it is held in memory (JDK-8347274 too).
#[test]
fn a_blocked_head_does_not_let_the_source_run_away() {
    let (census, goes_on) = (Census::default(), Flag::default());
    let pipe = thread::from_iter(0..10_000).map(|n| census.item(n)).par_map(
        opts("head").workers(4).window(32),
        |item| {
            if item.n == 0 {
                // Until the other workers have nothing more to take.
                goes_on.wait();
            } else if census.made() >= 32 {
                goes_on.set();
            }
            item
        },
    );
    let bound = pipe.max_in_flight();
    assert_eq!(pipe.count().unwrap(), 10_000);
    assert!(census.most() as usize <= bound, "{} > {bound}", census.most());
}

/// futures-rs#2348, #2740, #2876, #2939: `buffered(0)` hangs.
#[test]
fn nothing_at_a_time_is_an_error() {
    assert!(matches!(thread::from_iter(0..9).par_map(0, |n| n).run(), Err(RunError::Build(_))));
}

/// pumps 0.1: what a buffer holds is lost when it closes.
#[test]
fn a_buffer_that_closes_gives_what_it_holds() {
    let all: Vec<u32> = thread::from_iter(0..100).buffer(64).collect().unwrap();
    assert!(all.into_iter().eq(0..100));
}

/// noodles#405, pipelines 0.4: workers panic because nobody reads any more.
#[test]
fn nobody_panics_because_nobody_reads() {
    let first = thread::from_iter(0..10_000).par_map(3, |n| n).with_iter(|items| items.next());
    assert_eq!(first.unwrap(), Some(0));
}

/// rill#72: an error is lost where there is one item.
#[test]
fn an_error_of_the_only_item_is_heard_of() {
    let reduced = thread::from_iter([1]).try_par_map(2, Err::<u32, _>).reduce(|a, b| a + b);
    assert!(matches!(reduced, Err(RunError::Failed(_))));
}

/// rayon#551, #210: a source that is no range has no order afterwards.
#[test]
fn an_iterator_of_any_kind_keeps_its_order() {
    let source = (0..).filter(|n| n % 3 == 0).take(1_000);
    let all: Vec<i32> = thread::from_iter(source.clone()).par_map(4, |n| n).collect().unwrap();
    assert!(all.into_iter().eq(source));
}

/// rust-ssp: items that are filtered out leave holes in the order.
#[test]
fn what_is_filtered_out_leaves_no_hole() {
    let all: Vec<u32> = thread::from_iter(0..1_000)
        .par_flat_map(opts("none").workers(3).window(4), |n| (n == 999).then_some(n))
        .collect()
        .unwrap();
    assert_eq!(all, [999]);
}

/// akka-core#21318, #21322: an error waits until a slow source gives the next item.
#[test]
fn an_error_is_heard_of_while_the_source_waits() {
    for is_ordered in [true, false] {
        let (sender, receiver) = mpsc::channel();
        let stage = opts("fails").workers(2);
        let stage = if is_ordered { stage } else { stage.unordered() };
        sender.send(1).unwrap();
        let ran = thread::from_iter(receiver)
            .try_par_map(stage, |_: u32| Err::<u32, _>("one"))
            .par_map(2, |n| n)
            .with_iter(|items| {
                assert_eq!(items.next(), None);
                // Until now the source may have given more.
                drop(sender);
            });
        assert_eq!(ran.unwrap_err().into_failed().unwrap().error, "one");
    }
}

/// reactor-core#4328: a size that is large overflows, and nothing comes any more.
#[test]
fn a_batch_may_be_as_large_as_can_be_said() {
    let pipe = thread::from_iter(0..100).par_map(2, |n| n).chunks(usize::MAX).par_map(2, |b| b);
    assert_eq!(pipe.max_in_flight(), usize::MAX);
    let batches: Vec<Vec<u32>> = pipe.collect().unwrap();
    assert!(batches.concat().into_iter().eq(0..100) && batches.len() == 1);
}

/// TPL runtime#59197: what is under way depends on which of two ends comes first.
#[test]
fn an_abort_beats_a_drain() {
    for is_abort_first in [true, false] {
        let (entered, goes_on) = leak((AtomicUsize::new(0), Flag::default()));
        let census = Census::default();
        let items = census.clone();
        let pipeline = thread::from_iter(0..)
            .map(move |n| items.item(n))
            .par_map(opts("held").workers(2).chunk(1), |item| {
                entered.fetch_add(1, Ordering::SeqCst);
                goes_on.wait();
                item
            })
            .spawn()
            .unwrap();
        until(|| entered.load(Ordering::SeqCst) == 2);
        if is_abort_first {
            pipeline.abort();
        }
        pipeline.drain();
        pipeline.abort();
        goes_on.set();
        assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
        assert_eq!((census.live(), entered.load(Ordering::SeqCst)), (0, 2));
    }
}

/// One permit.
#[derive(Default)]
struct Semaphore(Mutex<(bool, Vec<Waker>)>);

struct Permit<'a>(&'a Semaphore);

impl Semaphore {
    fn try_acquire(&self) -> Option<Permit<'_>> {
        let mut state = self.0.lock().unwrap();
        let is_free = !std::mem::replace(&mut state.0, true);
        is_free.then(|| Permit(self))
    }

    async fn acquire(&self) -> Result<Permit<'_>, ()> {
        poll_fn(|cx| {
            if let Some(permit) = self.try_acquire() {
                return Poll::Ready(Ok(permit));
            }
            self.0.lock().unwrap().1.push(cx.waker().clone());
            self.try_acquire().map_or(Poll::Pending, |permit| Poll::Ready(Ok(permit)))
        })
        .await
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap();
        state.0 = false;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// futures-rs#2387, "futurelock": a stage has a permit that it can give back only when it is polled, and
/// who would poll it waits for that permit.
#[test]
fn a_stage_and_its_consumer_may_share_a_semaphore() {
    let semaphore = Semaphore::default();
    let mut count = 0;
    thread::from_iter(0..200)
        .try_par_map(opts("shares").workers(3).window(4), Ok::<u32, ()>)
        .gate(|| semaphore.acquire())
        .for_each(|n| {
            until(|| semaphore.try_acquire().is_some());
            assert_eq!(n, count);
            count += 1;
        })
        .unwrap();
    assert_eq!(count, 200);
}

/// futures 0.3, `buffered`: nothing is done between two polls.
#[test]
fn stages_go_on_while_nobody_reads() {
    let calls = leak(AtomicUsize::new(0));
    let count = |n: u32| (calls.fetch_add(1, Ordering::SeqCst), n).1;
    let stage = opts("count").workers(2).window(50);
    let mut results = thread::from_iter(0..).par_map(stage, count).into_iter();
    until(|| calls.load(Ordering::SeqCst) == 50);
    assert_eq!(results.next().unwrap().unwrap(), 0);
    drop(results);
}

/// fastq_set#1: the thread that reads the input dies, and the output ends.
#[test]
fn a_source_that_dies_is_no_end() {
    for is_ordered in [true, false] {
        let stage = opts("next").workers(3);
        let stage = if is_ordered { stage } else { stage.unordered() };
        let source = (0..100).map(|n| if n == 50 { panic_any("fifty") } else { n });
        let mut seen = 0;
        let ran = catch_unwind(AssertUnwindSafe(|| {
            thread::from_iter(source).buffer(8).par_map(stage, |n| n).for_each(|_| seen += 1)
        }));
        assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"fifty"));
        assert_eq!(seen, 50);
    }
}

/// spmc#5: of many receivers one is woken at the end.
#[test]
fn every_worker_hears_of_the_end() {
    let (sender, receiver) = mpsc::channel::<u32>();
    let results = thread::from_iter(receiver).par_map(16, |n| n).par_map(16, |n| n).into_iter();
    drop(sender);
    assert_eq!(results.count(), 0);
}

/// tylertoo#362: a scope waits for a thread that is blocked by a queue whose reader is still there.
#[test]
fn a_body_may_leave_while_all_stages_are_full() {
    for is_panic in [true, false] {
        let (census, calls) = (Census::default(), AtomicUsize::new(0));
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let full = || opts("full").workers(2).window(2);
            thread::from_iter(0..)
                .map(|n| census.item(n))
                .par_map(full(), |item| item)
                .par_map(full(), |item| (calls.fetch_add(1, Ordering::SeqCst), item).1)
                .with_iter(|items| {
                    let _first = items.next();
                    until(|| calls.load(Ordering::SeqCst) == 2);
                    assert!(!is_panic, "the body panics");
                })
        }));
        assert_eq!(ran.is_err(), is_panic);
        assert_eq!(census.live(), 0);
    }
}
