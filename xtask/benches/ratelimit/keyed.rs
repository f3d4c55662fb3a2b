//! A limit for each of a million keys: which are asked for evenly, as people are (a few of them most
//! of the time), or all new. None of them is ever full again, so all have to be remembered.

use crate::harness::threads::{Placement, Quota as Portions, together};
use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crate::subject::Limit;
use allocation_counter::measure;
use lockgate_ratelimit::clock::Tsc;
use lockgate_ratelimit::{Keyed, Quota, Rate};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

const KEYS: u64 = 1_000_000;
/// What nobody uses up: no answer is no.
const LIMIT: Limit = Limit { tokens: 1, period: Duration::from_secs(86_400), burst: 1_000_000_000 };

pub fn scenarios() -> Vec<Scenario> {
    let one = |name: &str| Scenario::new(format!("keyed/{name}"), Unit::Wall).sample_ms(30);
    let two = one("uniform/two-threads").needs_two_cores();
    vec![
        entries!(one("uniform"), draws(uniform): Ours, OursTsc, Governor),
        entries!(one("zipf"), draws(zipf): Ours, OursTsc, Governor),
        entries!(two, pair(): Ours, OursTsc, Governor),
        entries!(one("flood"), flood(): Ours, OursTsc, Governor),
        entries!(one("longest-call"), longest(): Ours, Governor),
        entries!(Scenario::new("memory/key", Unit::Bytes), bytes(): Ours, Governor),
        entries!(Scenario::new("memory/key/worst", Unit::Bytes), worst_bytes(): Ours, Governor),
    ]
}

trait ByKey: Subject + Send + Sync + 'static {
    fn new(limit: Limit) -> Self;

    fn try_acquire(&self, key: u64) -> bool;
}

struct Ours(Keyed<u64>);

impl Subject for Ours {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl ByKey for Ours {
    fn new(limit: Limit) -> Self {
        let quota = Quota::new(Rate::per(limit.tokens, limit.period), limit.burst);
        Self(Keyed::builder(quota).capacity(KEYS as usize).build().expect("a good capacity"))
    }

    #[inline]
    fn try_acquire(&self, key: u64) -> bool {
        self.0.try_acquire(&key, 1).is_ok()
    }
}

/// By governor's own clock.
struct OursTsc(Keyed<u64, Tsc>);

impl Subject for OursTsc {
    const NAME: &'static str = "ours/quanta";
    const ROLE: Role = Role::Ours;
}

impl ByKey for OursTsc {
    fn new(limit: Limit) -> Self {
        let quota = Quota::new(Rate::per(limit.tokens, limit.period), limit.burst);
        let builder = Keyed::builder(quota).capacity(KEYS as usize).clock(Tsc::new());
        Self(builder.build().expect("a good capacity"))
    }

    #[inline]
    fn try_acquire(&self, key: u64) -> bool {
        self.0.try_acquire(&key, 1).is_ok()
    }
}

struct Governor(governor::DefaultKeyedRateLimiter<u64>);

impl Subject for Governor {
    const NAME: &'static str = "governor";
}

impl ByKey for Governor {
    fn new(limit: Limit) -> Self {
        // Its numbers wrap at a burst like ours, so the least that will do.
        let quota = governor::Quota::with_period(Duration::from_secs(1)).expect("not zero");
        let burst = NonZeroU32::new(limit.burst).expect("not zero");
        Self(governor::RateLimiter::dashmap(quota.allow_burst(burst)))
    }

    #[inline]
    fn try_acquire(&self, key: u64) -> bool {
        self.0.check_key(&key).is_ok()
    }
}

/// The `nth` key: they look like hashes, as keys of users do.
fn key(nth: u64) -> u64 {
    (nth + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

fn filled<K: ByKey>() -> K {
    let limiter = K::new(LIMIT);
    for nth in 0..KEYS {
        assert!(limiter.try_acquire(key(nth)), "{}: each has its own", K::NAME);
    }
    limiter
}

fn uniform(random: &mut fastrand::Rng) -> u64 {
    random.u64(0..KEYS)
}

/// About as words are used: the logarithm of the rank is even.
fn zipf(random: &mut fastrand::Rng) -> u64 {
    ((KEYS as f64).powf(random.f64()) as u64).min(KEYS) - 1
}

fn draws<K: ByKey>(draw: fn(&mut fastrand::Rng) -> u64) -> impl FnMut(u64) -> Sample {
    let mut limiter = None;
    let mut random = fastrand::Rng::with_seed(7);
    move |ops| {
        let limiter = limiter.get_or_insert_with(filled::<K>);
        // Drawn before, so that drawing is in nobody's figure.
        let keys: Vec<u64> = (0..ops).map(|_| key(draw(&mut random))).collect();
        let mut granted = 0;
        let start = Instant::now();
        for key in &keys {
            granted += u64::from(black_box(&*limiter).try_acquire(*key));
        }
        let time = start.elapsed();
        assert_eq!(granted, ops, "{}", K::NAME);
        Sample::time(ops, time)
    }
}

fn pair<K: ByKey>() -> impl FnMut(u64) -> Sample {
    let mut limiter = None;
    let mut random = fastrand::Rng::with_seed(7);
    move |ops| {
        let limiter = &*limiter.get_or_insert_with(filled::<K>);
        let keys: [Vec<u64>; 2] =
            std::array::from_fn(|_| (0..ops).map(|_| key(uniform(&mut random))).collect());
        let portions = Portions::new(ops as i64 as u64, 64);
        let (elapsed, granted) = together(2, Placement::Pinned, |me| {
            let mut keys = keys[me].iter();
            let mut granted = 0;
            loop {
                let portion = portions.take();
                if portion == 0 {
                    return granted;
                }
                for key in keys.by_ref().take(portion as usize) {
                    granted += u64::from(black_box(limiter).try_acquire(*key));
                }
            }
        });
        assert_eq!(granted.iter().sum::<u64>(), ops, "{}", K::NAME);
        Sample::time(ops, elapsed.wall)
    }
}

/// From nothing to a million keys, however few are asked for.
fn flood<K: ByKey>() -> impl FnMut(u64) -> Sample {
    |_| {
        let limiter = K::new(LIMIT);
        let mut granted = 0;
        let start = Instant::now();
        for nth in 0..KEYS {
            granted += u64::from(black_box(&limiter).try_acquire(key(nth)));
        }
        let time = start.elapsed();
        assert_eq!(granted, KEYS, "{}", K::NAME);
        Sample::time(KEYS, time)
    }
}

/// New keys until there is no place for one more, and some beyond: the longest call of all after the
/// first million. Ours has grown to its full size by then.
fn longest<K: ByKey>() -> impl FnMut(u64) -> Sample {
    |_| {
        let limiter = filled::<K>();
        let mut longest = Duration::ZERO;
        for nth in KEYS..KEYS + KEYS / 8 {
            let key = key(nth);
            let start = Instant::now();
            black_box(black_box(&limiter).try_acquire(key));
            longest = longest.max(start.elapsed());
        }
        Sample::time(1, longest)
    }
}

/// The most that a key takes while a million come: that is when tables have just grown.
fn worst_bytes<K: ByKey>() -> impl FnMut(u64) -> Sample {
    const STEP: u64 = 1_000;
    |_| {
        let (mut limiter, mut bytes, mut worst) = (None, 0, 0.0_f64);
        for keys in (STEP..=KEYS).step_by(STEP as usize) {
            let counted = measure(|| {
                let limiter = limiter.get_or_insert_with(|| K::new(LIMIT));
                for nth in keys - STEP..keys {
                    assert!(limiter.try_acquire(key(nth)), "{}: each has its own", K::NAME);
                }
            });
            bytes += counted.bytes_current;
            // What a limiter takes without any keys is nothing to go by.
            if keys >= KEYS / 10 {
                worst = worst.max(bytes as f64 / keys as f64);
            }
        }
        Sample::count(1, worst)
    }
}

fn bytes<K: ByKey>() -> impl FnMut(u64) -> Sample {
    |_| {
        let mut limiter = None;
        let counted = measure(|| limiter = Some(filled::<K>()));
        drop(limiter);
        Sample::count(KEYS, counted.bytes_current as f64)
    }
}
