//! The table of a limiter by key, against a map that knows everything.

use crate::keyed::table::{GROUP, Gone, Table, mix};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::{BTreeSet, HashMap};

/// A key that is not plain, so that the table hands over what it drops.
type Key = Box<u64>;

/// `width` bits of hash: with few, many keys want the same places.
fn hash(key: u64, width: u32) -> u64 {
    if width == 0 { 7 } else { mix(key & ((1 << width) - 1)) }
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        key: u64,
        consumed: u64,
        grow: bool,
    },
    Set {
        key: u64,
        consumed: u64,
    },
    Remove {
        key: u64,
    },
    Sweep {
        groups: usize,
        brim: u64,
    },
    Shrink,
    /// Everybody has consumed half.
    Convert,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..400_u64;
    prop_oneof![
        12 => (key.clone(), 1..100_u64, any::<bool>())
            .prop_map(|(key, consumed, grow)| Step::Put { key, consumed, grow }),
        4 => (key.clone(), 1..100_u64).prop_map(|(key, consumed)| Step::Set { key, consumed }),
        3 => key.prop_map(|key| Step::Remove { key }),
        1 => (1..8_usize, 0..30_u64).prop_map(|(groups, brim)| Step::Sweep { groups, brim }),
        1 => Just(Step::Shrink),
        1 => Just(Step::Convert),
    ]
}

struct Both {
    table: Table<Key>,
    map: HashMap<u64, u64>,
    width: u32,
    /// Who has consumed no more makes room.
    brim: u64,
}

impl Both {
    fn new(groups: usize, width: u32, brim: u64) -> Self {
        Self { table: Table::new(groups), map: HashMap::new(), width, brim }
    }

    /// Whom the table has dropped, the map drops, if it was full.
    fn drop_full(&mut self, gone: &Gone<Key>, brim: u64) {
        for key in gone.keys() {
            let consumed = self.map.remove(key).expect("only what is there is dropped");
            assert!(consumed <= brim, "a key that is not full was dropped");
        }
    }

    fn put(&mut self, key: u64, consumed: u64, grow: bool) {
        let (width, mut gone) = (self.width, Gone::new());
        if self.table.find(hash(key, width), &key).is_some() {
            return;
        }
        let vacant = match grow {
            true => self.table.vacate_or_grow(
                hash(key, width),
                self.brim,
                |key| hash(**key, width),
                &mut gone,
            ),
            false => self.table.vacate(hash(key, width), self.brim, &mut gone),
        };
        match vacant {
            Some(vacant) => {
                self.table.put(vacant, Box::new(key), consumed);
                self.drop_full(&gone, self.brim);
                self.map.insert(key, consumed);
            }
            None => {
                assert_eq!(gone.keys().count(), 0, "nobody is dropped for nothing");
                let fullest = self.table.fullest(hash(key, width));
                assert!(fullest.is_none_or(|(_, least)| least > self.brim), "a full key stays");
            }
        }
    }

    fn apply(&mut self, step: &Step) {
        let width = self.width;
        match *step {
            Step::Put { key, consumed, grow } => self.put(key, consumed, grow),
            Step::Set { key, consumed } => {
                if let Some(at) = self.table.find(hash(key, width), &key) {
                    self.table.set_consumed(at, consumed);
                    self.map.insert(key, consumed);
                }
            }
            Step::Remove { key } => {
                let at = self.table.find(hash(key, width), &key);
                let removed = at.and_then(|at| self.table.remove(at));
                assert_eq!(removed.map(|key| *key), self.map.remove(&key).map(|_| key));
            }
            Step::Sweep { groups, brim } => {
                let mut gone = Gone::new();
                self.table.sweep(groups, brim, &mut gone);
                self.drop_full(&gone, brim);
            }
            Step::Shrink => self.table.shrink(|key| hash(**key, width)),
            Step::Convert => {
                self.table.convert(|consumed| consumed / 2);
                self.map.values_mut().for_each(|consumed| *consumed /= 2);
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.table.len(), self.map.len());
        assert!(self.table.len() <= self.table.limit());
        for (key, consumed) in &self.map {
            let at = self.table.find(hash(*key, self.width), key);
            let at = at.unwrap_or_else(|| panic!("{key} is lost"));
            assert_eq!(self.table.consumed(at), *consumed);
        }
        for key in (0..400).filter(|key| !self.map.contains_key(key)) {
            assert!(self.table.find(hash(key, self.width), &key).is_none());
        }
        assert_eq!(self.table.most_consumed(), self.map.values().copied().max().unwrap_or(0));
    }
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_table_knows_what_a_map_knows(
        steps in proptest::collection::vec(step(), 1..400),
        groups in 1..40_usize,
        width in 0..64_u32,
        brim in 0..20_u64,
    ) {
        let mut both = Both::new(groups, width, brim);
        for step in &steps {
            both.apply(step);
        }
        both.check();
    }

    /// The same, and every step is looked at.
    #[test]
    fn at_every_step(
        steps in proptest::collection::vec(step(), 1..60),
        groups in 1..4_usize,
        width in 0..6_u32,
        brim in 0..20_u64,
    ) {
        let mut both = Both::new(groups, width, brim);
        for step in &steps {
            both.apply(step);
            both.check();
        }
    }
}

/// Ninety-five per cent of the places can be had: what a capacity is rounded up by is enough.
#[test]
fn a_table_is_nearly_full_before_anybody_is_turned_away() {
    for groups in [16, 100, 1_024, 1_077] {
        let mut table = Table::new(groups);
        let mut gone = Gone::new();
        let turned_away = (0..).find(|key| {
            let vacant = table.vacate_or_grow(mix(*key), 0, |key: &u64| mix(*key), &mut gone);
            vacant.map(|vacant| table.put(vacant, *key, 1)).is_none()
        });
        let load = turned_away.unwrap() as f64 / (groups * GROUP) as f64;
        assert!(load > 0.95, "{groups} groups turn somebody away at {load}");
        assert!((0..turned_away.unwrap()).all(|key| table.find(mix(key), &key).is_some()));
    }
}

/// One group has all its places for everybody, and so have two: each is the other's.
#[test]
fn a_small_table_has_all_its_places() {
    for (groups, first) in (0..6_000).map(|first| (1 + first as usize % 2, first * 1_000)) {
        let mut table = Table::new(groups);
        let mut gone = Gone::new();
        for key in first..first + (groups * GROUP) as u64 {
            let vacant = table.vacate_or_grow(mix(key), 0, |key: &u64| mix(*key), &mut gone);
            table.put(vacant.expect("a place for everybody"), key, 1);
        }
    }
}

/// A hasher that knows one hash only leaves two groups of places, and the table does not grow for it.
#[test]
fn a_bad_hash_does_not_fill_memory() {
    let mut table = Table::new(1 << 16);
    let mut gone = Gone::new();
    let mut places = BTreeSet::new();
    for key in 0..1_000_u64 {
        if let Some(vacant) = table.vacate_or_grow(7, 0, |_| 7, &mut gone) {
            table.put(vacant, key, 1);
            places.insert(key);
        }
    }
    assert!((GROUP..=2 * GROUP).contains(&places.len()), "{} places", places.len());
    assert!(places.iter().all(|key| table.find(7, key).is_some()));
}

/// A panic of the user's hash, while a table grows, leaves it as it was.
#[test]
fn a_panic_in_a_hash_loses_nothing() {
    let mut table = Table::new(64);
    let mut gone = Gone::new();
    let mut keys = 0_u64;
    while let Some(vacant) = table.vacate(mix(keys), 0, &mut gone).or_else(|| {
        if keys > 0 { None } else { table.vacate_or_grow(mix(keys), 0, |_| 0, &mut gone) }
    }) {
        table.put(vacant, keys, 1);
        keys += 1;
    }
    let hash_of = |_: &u64| -> u64 { panic!("the user's hash") };
    let grow = std::panic::AssertUnwindSafe(|| {
        table.vacate_or_grow(mix(keys), 0, hash_of, &mut gone).is_some()
    });
    assert!(std::panic::catch_unwind(grow).is_err());
    assert_eq!(table.len() as u64, keys);
    assert!((0..keys).all(|key| table.find(mix(key), &key).is_some()));
}
