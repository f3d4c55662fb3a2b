//! Allocations of a call, and bytes of a breaker. Counted exactly, so one round tells.

use crate::harness::{Role, Sample, Scenario, Unit, entries};
use crate::ours::{ByPermit, Consecutive, Count, Run, TimeCached};
use crate::rivals::{Breaker2x, Failsafe, Recloser};
use crate::subject::{Ended, Guard};
use crate::tower::{Layered, Stack, TowerResilience};
use allocation_counter::measure;

const CALLS: u64 = 10_000;
const BREAKERS: usize = 10_000;

pub fn scenarios() -> Vec<Scenario> {
    let allocations = |name: &str| Scenario::new(format!("allocations/{name}"), Unit::Allocations);
    let bytes = |name: &str| Scenario::new(format!("memory/{name}"), Unit::Bytes);
    vec![
        entries!(allocations("call"), calls(): Consecutive, Failsafe, Recloser),
        entries!(allocations("call/count"), calls(): Count, Failsafe, Recloser),
        entries!(allocations("call/time"), calls(): TimeCached, Failsafe, Recloser),
        entries!(allocations("call/poll-once"), calls(): Run, Breaker2x),
        entries!(allocations("call/permit"), calls(): ByPermit),
        entries!(allocations("call/rejected"), rejections():
            Consecutive, Failsafe, Recloser, Breaker2x),
        entries!(allocations("call/tower"), requests(): Layered, TowerResilience),
        entries!(bytes("breaker/consecutive"), built(700): Consecutive, Failsafe),
        entries!(bytes("breaker/count-100"), built(800): Count, Recloser, Breaker2x),
        entries!(bytes("breaker/time-10"), built(1_000): TimeCached),
    ]
}

/// A failure in ten.
fn calls<G: Guard>() -> impl FnMut(u64) -> Sample {
    let guard = G::closed();
    move |_| {
        let counted = measure(|| {
            for call in 0..CALLS {
                let fails = call % 10 == 0;
                let ended = guard.call(|| if fails { Err(()) } else { Ok(()) });
                assert_eq!(ended, if fails { Ended::Failed } else { Ended::Well }, "{}", G::NAME);
            }
        });
        Sample::count(CALLS, counted.count_total as f64)
    }
}

fn rejections<G: Guard>() -> impl FnMut(u64) -> Sample {
    let guard = G::open();
    move |_| {
        let counted = measure(|| {
            for _ in 0..CALLS {
                assert_eq!(guard.call(|| Ok(())), Ended::Rejected, "{}", G::NAME);
            }
        });
        Sample::count(CALLS, counted.count_total as f64)
    }
}

fn requests<S: Stack>() -> impl FnMut(u64) -> Sample {
    let mut stack = S::closed();
    move |_| {
        let counted = measure(|| {
            for request in 0..CALLS {
                assert_eq!(stack.request(request), Some(request), "{}", S::NAME);
            }
        });
        Sample::count(CALLS, counted.count_total as f64)
    }
}

/// On the heap and in the handle. Ours takes no more than its page says.
fn built<G: Guard>(most: usize) -> impl FnMut(u64) -> Sample {
    move |_| {
        // What comes once with the first: threads, tables.
        drop(G::closed());
        let mut all = Vec::with_capacity(BREAKERS);
        let counted = measure(|| all.extend((0..BREAKERS).map(|_| G::closed())));
        assert_eq!(all.len(), BREAKERS);
        let handles = BREAKERS * std::mem::size_of::<G>();
        let bytes = counted.bytes_current as f64 + handles as f64;
        let stated = (most * BREAKERS) as f64;
        assert!(
            G::ROLE != Role::Ours || bytes <= stated,
            "{}: {bytes} bytes, not {stated}",
            G::NAME
        );
        Sample::count(BREAKERS as u64, bytes)
    }
}
