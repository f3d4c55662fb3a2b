//! What `max_in_flight` says, against a count of what lives: each kind of stage before each other,
//! ordered and not, while the head is held up in the first stage, in the second, or at the end.

use crate::support::{Census, Counted, until};
use lockgate_pipeline::{Opts, thread};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the first item waits for the others to come as far as they can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    InStage(usize),
    AtTheEnd,
}

/// How the two stages run.
#[derive(Clone, Copy, Debug)]
struct Case {
    held: Held,
    is_ordered: [bool; 2],
    windows: [usize; 2],
    chunk: usize,
}

const ITEMS: u32 = 60;

struct Gauge {
    case: Case,
    census: Census,
    entered: [AtomicUsize; 2],
    seen: AtomicUsize,
}

impl Case {
    fn opts(&self, stage: usize) -> Opts {
        let opts = Opts::new().workers(2).window(self.windows[stage]).chunk(self.chunk);
        if self.is_ordered[stage] { opts } else { opts.unordered() }
    }
}

impl Gauge {
    fn new(case: Case) -> Self {
        let entered = [AtomicUsize::new(0), AtomicUsize::new(0)];
        Self { case, census: Census::default(), entered, seen: AtomicUsize::new(0) }
    }

    /// What the function of a stage does.
    fn pass(&self, stage: usize, item: Counted) -> Counted {
        self.entered[stage].fetch_add(1, Ordering::SeqCst);
        if self.case.held == Held::InStage(stage) && item.n == 0 {
            until(|| match self.case.is_ordered[stage] {
                // The other worker fills the window, and goes no further. If the stage before is unordered,
                // some have left before this one came.
                true => self.entered[stage].load(Ordering::SeqCst) >= self.case.windows[stage],
                // Everybody else gets past it.
                false => self.seen.load(Ordering::SeqCst) == ITEMS as usize - 1,
            });
        }
        item
    }

    fn read(&self, items: &mut dyn Iterator<Item = Counted>) {
        let Case { held, windows: [first, second], chunk, .. } = self.case;
        for item in items {
            if self.seen.load(Ordering::SeqCst) == 0 && held == Held::AtTheEnd {
                // A stage may take a chunk for used up later than it is, and up to a quarter of its window.
                let full = second + first - first / 4 - chunk;
                until(|| self.census.live() >= full as isize);
            }
            drop(item);
            self.seen.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn check(&self, bound: usize, has_run: bool) {
        let Self { case, census, seen, .. } = self;
        assert!(has_run, "{case:?}");
        assert_eq!(bound, 1 + case.windows[0] + case.windows[1], "{case:?}");
        assert_eq!(seen.load(Ordering::SeqCst), ITEMS as usize, "{case:?}");
        assert!(census.most() <= bound as isize, "{} > {bound}: {case:?}", census.most());
        assert_eq!((census.made(), census.live()), (ITEMS as usize, 0), "{case:?}");
    }
}

/// Every case of a pair of kinds; a buffer has no function to be held up in, and is never unordered.
fn cases(has_function: [bool; 2]) -> impl Iterator<Item = Case> {
    let orders = [[true, true], [true, false], [false, true], [false, false]];
    let orders = orders
        .into_iter()
        .filter(move |[first, second]| (has_function[0] || *first) && (has_function[1] || *second));
    orders.flat_map(move |is_ordered| {
        let in_stage = (0..2).filter(move |stage| has_function[*stage]).map(Held::InStage);
        let in_stage =
            in_stage.map(move |held| Case { held, is_ordered, windows: [8, 5], chunk: 1 });
        let sizes = [([8, 5], 1), ([7, 16], 3), ([1, 1], 1), ([4, 2], 2)];
        let at_end = sizes.into_iter().map(move |(windows, chunk)| {
            let held = Held::AtTheEnd;
            Case { held, is_ordered, windows, chunk }
        });
        in_stage.chain(at_end)
    })
}

macro_rules! stage {
    (par_map, $pipe:expr, $gauge:ident, $at:literal) => {
        $pipe.par_map($gauge.case.opts($at), |item| $gauge.pass($at, item))
    };
    (par_map_init, $pipe:expr, $gauge:ident, $at:literal) => {
        $pipe.par_map_init($gauge.case.opts($at), || (), |(), item| $gauge.pass($at, item))
    };
    (par_flat_map, $pipe:expr, $gauge:ident, $at:literal) => {
        $pipe.par_flat_map($gauge.case.opts($at), |item| Some($gauge.pass($at, item)))
    };
    (try_par_map, $pipe:expr, $gauge:ident, $at:literal) => {
        $pipe.try_par_map($gauge.case.opts($at), |item| Ok::<_, ()>($gauge.pass($at, item)))
    };
    (buffer, $pipe:expr, $gauge:ident, $at:literal) => {
        $pipe.buffer($gauge.case.windows[$at])
    };
}

macro_rules! pairs {
    ($($name:ident: $first:tt, $second:tt;)*) => {$(
        #[test]
        fn $name() {
            let has_function = [stringify!($first), stringify!($second)].map(|kind| kind != "buffer");
            for case in cases(has_function) {
                let gauge = &Gauge::new(case);
                let source = thread::from_iter(0..ITEMS).map(|n| gauge.census.item(n));
                let pipe = stage!($second, stage!($first, source, gauge, 0), gauge, 1);
                let bound = pipe.max_in_flight();
                let ran = pipe.with_iter(|items| gauge.read(items));
                gauge.check(bound, ran.is_ok());
            }
        }
    )*};
}

pairs! {
    map_and_map: par_map, par_map;
    map_and_init: par_map, par_map_init;
    map_and_flat: par_map, par_flat_map;
    map_and_try: par_map, try_par_map;
    map_and_buffer: par_map, buffer;
    init_and_map: par_map_init, par_map;
    init_and_init: par_map_init, par_map_init;
    init_and_flat: par_map_init, par_flat_map;
    init_and_try: par_map_init, try_par_map;
    init_and_buffer: par_map_init, buffer;
    flat_and_map: par_flat_map, par_map;
    flat_and_init: par_flat_map, par_map_init;
    flat_and_flat: par_flat_map, par_flat_map;
    flat_and_try: par_flat_map, try_par_map;
    flat_and_buffer: par_flat_map, buffer;
    try_and_map: try_par_map, par_map;
    try_and_init: try_par_map, par_map_init;
    try_and_flat: try_par_map, par_flat_map;
    try_and_try: try_par_map, try_par_map;
    try_and_buffer: try_par_map, buffer;
    buffer_and_map: buffer, par_map;
    buffer_and_init: buffer, par_map_init;
    buffer_and_flat: buffer, par_flat_map;
    buffer_and_try: buffer, try_par_map;
    buffer_and_buffer: buffer, buffer;
}
