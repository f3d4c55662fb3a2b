//! Jobs that submit jobs, from inside the workers.

use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::OursUnbounded;
use crate::rivals::{ByHandUnbounded, Rayon, RustyPool, ThreadPool, Tokio};
use crate::subject::Spawn;
use crate::work::Tally;
use std::time::Instant;

/// Levels of a tree: 65 535 jobs.
const LEVELS: u32 = 16;

pub fn scenarios() -> Vec<Scenario> {
    vec![entries!(Scenario::new("inside/tree", Unit::Wall).sample_ms(20), tree():
        OursUnbounded, ByHandUnbounded, Rayon, ThreadPool, RustyPool, Tokio)]
}

/// One operation is a job of a binary tree, each of which submits two more.
fn tree<P: Spawn + Sync>() -> impl FnMut(u64) -> Sample {
    let (mut pool, tally) = (None::<&'static P>, Tally::leak());
    move |jobs| {
        let pool = *pool.get_or_insert_with(|| Box::leak(Box::new(P::new())));
        let size = (1 << LEVELS) - 1;
        let trees = jobs.div_ceil(size);
        let before = tally.total();
        let start = Instant::now();
        for done in 1..=trees {
            pool.spawn(move || grow(pool, tally, LEVELS));
            tally.look(before + done * size);
        }
        Sample::time(trees * size, start.elapsed())
    }
}

fn grow<P: Spawn + Sync>(pool: &'static P, tally: &'static Tally, levels: u32) {
    if levels > 1 {
        for _ in 0..2 {
            pool.spawn(move || grow(pool, tally, levels - 1));
        }
    }
    tally.count();
}
