//! What tasks gave, by their index.

/// A place for each task up to the last one that is known.
///
/// Grows by doubling: sourcegraph/conc's pool grows to what it needs just now, and copies all
/// results for almost each one.
#[derive(Debug)]
pub(super) struct Slots<V>(Vec<Option<V>>);

impl<V> Slots<V> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// At least `count` places.
    pub(super) fn reach(&mut self, count: usize) {
        if count > self.0.len() {
            self.0.resize_with(count, || None);
        }
    }

    pub(super) fn put(&mut self, index: usize, value: V) {
        if index == self.0.len() {
            // Most tasks end in the order of their spawns.
            self.0.push(Some(value));
        } else {
            self.reach(index + 1);
            self.0[index] = Some(value);
        }
    }

    /// All values in the order of the spawns; `missing` stands for those that never came.
    pub(super) fn into_all(self, missing: impl Fn() -> V) -> Vec<V> {
        self.0.into_iter().map(|value| value.unwrap_or_else(&missing)).collect()
    }

    /// The values that came, in the order of the spawns.
    pub(super) fn into_present(self) -> Vec<V> {
        self.0.into_iter().flatten().collect()
    }
}
