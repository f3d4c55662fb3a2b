//! The table of keys by itself, and what of a shard no caller can see.

use crate::keyed::table::{Gone, Table, mix};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// Everybody in the table, and what he has consumed: its keys are `Arc`s, so what is dropped counts.
struct Model {
    table: Table<Arc<u32>>,
    reference: HashMap<u32, (Arc<u32>, u64)>,
    spread: u32,
}

impl Model {
    fn new(groups: usize, spread: u32) -> Self {
        Self { table: Table::new(groups), reference: HashMap::new(), spread }
    }

    /// With a small spread, many keys have one hash.
    fn hash(spread: u32, key: u32) -> u64 {
        mix(u64::from(key % spread).wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn insert(&mut self, number: u32, consumed: u64, brim: u64) -> bool {
        let (key, spread) = (Arc::new(number), self.spread);
        let hash = Self::hash(spread, number);
        if let Some(at) = self.table.find(hash, &key) {
            self.table.set_consumed(at, consumed);
            self.reference.get_mut(&number).unwrap().1 = consumed;
            return true;
        }
        let mut gone = Gone::new();
        let hash_of = |key: &Arc<u32>| Self::hash(spread, **key);
        let vacant = self.table.vacate_or_grow(hash, brim, hash_of, &mut gone);
        drop(gone);
        // Who was full again may have gone, and nobody else has.
        self.reference.retain(|_, (key, consumed)| Arc::strong_count(key) > 1 || *consumed > brim);
        let Some(vacant) = vacant else { return false };
        self.table.put(vacant, Arc::clone(&key), consumed);
        self.reference.insert(number, (key, consumed));
        true
    }

    fn remove(&mut self, number: u32) {
        let at = self.table.find(Self::hash(self.spread, number), &number_key(number));
        assert_eq!(at.is_some(), self.reference.remove(&number).is_some());
        if let Some(at) = at {
            assert_eq!(self.table.remove(at).as_deref(), Some(&number));
        }
    }

    /// Everybody is where he can be found, once, and there is nobody else.
    fn check(&self) {
        assert_eq!(self.table.len(), self.reference.len());
        for (number, (key, consumed)) in &self.reference {
            let at = self.table.find(Self::hash(self.spread, *number), key);
            let at = at.unwrap_or_else(|| panic!("{number} is overlooked"));
            assert_eq!(self.table.consumed(at), *consumed);
            assert_eq!(Arc::strong_count(key), 2);
        }
    }
}

fn number_key(number: u32) -> Arc<u32> {
    Arc::new(number)
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u32, u64),
    Remove(u32),
    Sweep(u64),
    Shrink,
    Convert(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        24 => (0_u32..400, 1_u64..1000).prop_map(|(key, consumed)| Op::Insert(key, consumed)),
        6 => (0_u32..400).prop_map(Op::Remove),
        1 => (0_u64..400).prop_map(Op::Sweep),
        1 => Just(Op::Shrink),
        1 => (0_u64..100).prop_map(Op::Convert),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever comes, goes, is moved along, swept or rehashed: the table is a map.
    #[test]
    fn the_table_is_a_map(
        groups in 1_usize..20,
        spread in prop_oneof![Just(u32::MAX), 1_u32..40],
        brim in prop_oneof![Just(0_u64), 0_u64..500],
        ops in prop::collection::vec(op(), 1..600),
    ) {
        let mut model = Model::new(groups, spread);
        for op in ops {
            match op {
                Op::Insert(key, consumed) => { model.insert(key, consumed, brim); }
                Op::Remove(key) => model.remove(key),
                Op::Sweep(brim) => {
                    let mut gone = Gone::new();
                    model.table.sweep(usize::MAX, brim, &mut gone);
                    model.reference.retain(|_, (_, consumed)| *consumed > brim);
                }
                Op::Shrink => model.table.shrink(|key| Model::hash(spread, **key)),
                Op::Convert(more) => {
                    model.table.convert(|consumed| consumed + more);
                    model.reference.values_mut().for_each(|(_, consumed)| *consumed += more);
                    let most = model.reference.values().map(|(_, consumed)| *consumed).max();
                    prop_assert_eq!(model.table.most_consumed(), most.unwrap_or(0));
                }
            }
            model.check();
        }
    }
}

#[test]
fn a_table_gets_nearly_full_before_it_refuses() {
    for groups in [64, 333, 1000, 1152] {
        let mut model = Model::new(groups, u32::MAX);
        let mut number = 0;
        while model.insert(number, 1 + u64::from(number), 0) {
            number += 1;
        }
        model.check();
        let load = f64::from(number) / (groups * 8) as f64;
        assert!(load >= 0.96, "{load} of {groups} groups");
    }
}

#[test]
fn keys_of_one_hash_do_not_blow_the_table_up() {
    let mut model = Model::new(100_000, 1);
    let taken = (0..1000).filter(|number| model.insert(*number, 7, 0)).count();
    assert!((8..=16).contains(&taken), "{taken}");
    model.check();
}

#[test]
fn who_is_full_again_makes_room_before_the_table_grows() {
    let mut model = Model::new(1000, u32::MAX);
    for number in 0..10_000 {
        assert!(model.insert(number, u64::from(number) + 1, u64::from(number.max(8) - 8)));
    }
    assert!(model.table.len() < 64, "{}", model.table.len());
    model.check();
}

#[test]
fn hashing_that_panics_loses_nobody() {
    let mut table = Table::new(100);
    let hash_of = |key: &u32| mix(u64::from(*key) << 7);
    let mut kept = Vec::new();
    for key in 0..400_u32 {
        let left = std::cell::Cell::new(key / 2);
        let panicking = |key: &u32| {
            let more = left.get().checked_sub(1).expect("a hash that panics");
            left.set(more);
            hash_of(key)
        };
        let place = |table: &mut Table<u32>| {
            table.vacate_or_grow(hash_of(&key), 0, panicking, &mut Gone::new())
        };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| place(&mut table)));
        if let Ok(Some(vacant)) = caught {
            table.put(vacant, key, u64::from(key) + 1);
            kept.push(key);
        }
        for key in &kept {
            let at = table.find(hash_of(key), key).expect("nobody is lost");
            assert_eq!(table.consumed(at), u64::from(*key) + 1);
        }
        if caught_nothing_for_long(&kept, key) {
            break;
        }
    }
    assert!(kept.len() >= 8, "{}", kept.len());
}

/// From some size on every step of growth panics, and the table stays as it is.
fn caught_nothing_for_long(kept: &[u32], key: u32) -> bool {
    kept.last().is_some_and(|last| key - last > 40)
}
