//! Places for what hangs on a token, each with a number: taken and freed in one step.
//!
//! Order does not matter when a token is cancelled, so this is no queue, and a place needs no
//! links. The first place is inline: a token with one child or one wait allocates none.

use std::mem;

/// No place.
pub(super) const NIL: usize = usize::MAX;

/// As many places as are kept when the last one is freed. A parent of a million children that
/// are gone should not hold on to their room.
const KEPT: usize = 256;

#[derive(Debug)]
pub(super) struct Slab<T> {
    first: Option<T>,
    /// Place `n + 1` is `more[n]`.
    more: Vec<Place<T>>,
    /// Heads a list of the free places in `more`.
    free: usize,
    taken: usize,
}

#[derive(Debug)]
enum Place<T> {
    /// With the next free one.
    Free(usize),
    Taken(T),
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { first: None, more: Vec::new(), free: NIL, taken: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    pub(super) fn insert(&mut self, value: T) -> usize {
        self.taken += 1;
        if self.first.is_none() {
            self.first = Some(value);
            return 0;
        }
        let at = self.free;
        if let Some(place) = self.more.get_mut(at) {
            match mem::replace(place, Place::Taken(value)) {
                Place::Free(next) => self.free = next,
                Place::Taken(_) => unreachable!("the list of free places names free ones"),
            }
            return at + 1;
        }
        self.more.push(Place::Taken(value));
        self.more.len()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let Some(at) = place.checked_sub(1) else { return self.first.as_mut() };
        match self.more.get_mut(at) {
            Some(Place::Taken(value)) => Some(value),
            Some(Place::Free(_)) | None => None,
        }
    }

    pub(super) fn remove(&mut self, place: usize) -> Option<T> {
        let value = match place.checked_sub(1) {
            None => self.first.take()?,
            Some(at) => match mem::replace(self.more.get_mut(at)?, Place::Free(self.free)) {
                Place::Taken(value) => {
                    self.free = at;
                    value
                }
                free @ Place::Free(_) => {
                    self.more[at] = free;
                    return None;
                }
            },
        };
        self.taken -= 1;
        if self.taken == 0 && self.more.capacity() > KEPT {
            self.more = Vec::new();
            self.free = NIL;
        }
        Some(value)
    }

    /// Everything, and the room with it: nothing is ever put in here again.
    pub(super) fn take(&mut self) -> Self {
        mem::replace(self, Self::new())
    }

    pub(super) fn drain(self) -> impl Iterator<Item = T> {
        let more = self.more.into_iter().filter_map(|place| match place {
            Place::Taken(value) => Some(value),
            Place::Free(_) => None,
        });
        self.first.into_iter().chain(more)
    }
}
