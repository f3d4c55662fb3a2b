//! How soon a thread runs that waits for the cancel.

use crate::harness::threads::{Padded, Placement, together};
use crate::harness::{Sample, Scenario, Unit, clock, entries};
use crate::ours::OurToken;
use crate::subject::Park;
use crate::token_rivals::{ParkingLot, StdCondvar, TokioUtil};
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// From the announcement, made right before the call, to the cancel: whoever spins a little before
/// it sleeps is asleep by then.
const SETTLE: Duration = Duration::from_micros(100);

pub fn scenarios() -> Vec<Scenario> {
    let scenario = Scenario::new("token/wake-thread", Unit::Wall).sample_ms(1).needs_two_cores();
    vec![entries!(scenario, woken(): OurToken, TokioUtil, StdCondvar, ParkingLot)]
}

/// One operation is one wake-up, from before the cancel in one thread to after the wait in the
/// other. The median of a sample counts: a core that is taken away for a moment is nobody's fault.
fn woken<P: Park>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let tokens: Vec<_> = (0..ops).map(|_| P::new()).collect();
        let announced = Padded(AtomicUsize::new(0));
        let (_, moments) = together(2, Placement::Pinned, |me| {
            let moment = |(index, token): (usize, &P)| {
                if me == 0 {
                    announced.0.store(index + 1, Ordering::Release);
                    token.park();
                    Instant::now()
                } else {
                    wait_for(&announced.0, index + 1);
                    clock::spin(SETTLE);
                    let start = Instant::now();
                    token.cancel();
                    start
                }
            };
            tokens.iter().enumerate().map(moment).collect::<Vec<_>>()
        });
        let pairs = moments[0].iter().zip(&moments[1]);
        let mut times: Vec<_> = pairs
            .map(|(end, start)| end.checked_duration_since(*start).expect("woken by the cancel"))
            .collect();
        times.sort_unstable();
        Sample::count(ops, times[times.len() / 2].as_secs_f64() * 1e9 * ops as f64)
    }
}

fn wait_for(announced: &AtomicUsize, count: usize) {
    let mut spins = 0_u32;
    while announced.load(Ordering::Acquire) < count {
        hint::spin_loop();
        spins += 1;
        if spins.is_multiple_of(1 << 14) {
            thread::yield_now();
        }
    }
}
