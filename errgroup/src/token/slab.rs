//! Places for what hangs on a token, each with a number: taken and freed in one step.
//!
//! Order does not matter when a token is cancelled, so this is no queue, and a place needs no
//! links. The first place is inline: a token with one child or one wait allocates none, and a
//! node is not made larger by what most nodes never have.

use std::mem;

/// No place.
pub(super) const NIL: usize = usize::MAX;

/// As many places as are kept when the last one is freed. A parent of a million children that
/// are gone should not hold on to their room.
const KEPT: usize = 256;

#[derive(Debug)]
pub(super) struct Slab<T> {
    first: Option<T>,
    /// Once there have been two at a time.
    more: Option<Box<More<T>>>,
}

#[derive(Debug)]
struct More<T> {
    /// Place `n + 1` of the slab is `places[n]`.
    places: Vec<Place<T>>,
    /// Heads a list of the free ones.
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
        Self { first: None, more: None }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.as_ref().map_or(0, |more| more.taken)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.as_ref().is_none_or(|more| more.taken == 0)
    }

    #[inline]
    pub(super) fn insert(&mut self, value: T) -> usize {
        if self.first.is_none() {
            self.first = Some(value);
            return 0;
        }
        self.more.get_or_insert_with(More::new).insert(value) + 1
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let Some(at) = place.checked_sub(1) else { return self.first.as_mut() };
        match self.more.as_mut()?.places.get_mut(at) {
            Some(Place::Taken(value)) => Some(value),
            Some(Place::Free(_)) | None => None,
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, place: usize) -> Option<T> {
        match place.checked_sub(1) {
            None => self.first.take(),
            Some(at) => self.remove_more(at),
        }
    }

    fn remove_more(&mut self, at: usize) -> Option<T> {
        let more = self.more.as_mut()?;
        let value = more.remove(at)?;
        if more.taken == 0 && more.places.capacity() > KEPT {
            self.more = None;
        }
        Some(value)
    }

    /// Everything, and the room with it: nothing is ever put in here again.
    pub(super) fn take(&mut self) -> Self {
        mem::replace(self, Self::new())
    }

    /// Calls `each` with everything. Not an iterator: the drops of its halves cost a chain of nodes
    /// as much as all else.
    #[inline]
    pub(super) fn drain(self, mut each: impl FnMut(T)) {
        if let Some(first) = self.first {
            each(first);
        }
        if let Some(more) = self.more {
            for place in more.places {
                if let Place::Taken(value) = place {
                    each(value);
                }
            }
        }
    }
}

impl<T> More<T> {
    #[cold]
    fn new() -> Box<Self> {
        Box::new(Self { places: Vec::new(), free: NIL, taken: 0 })
    }

    fn insert(&mut self, value: T) -> usize {
        self.taken += 1;
        let at = self.free;
        let Some(place) = self.places.get_mut(at) else {
            self.places.push(Place::Taken(value));
            return self.places.len() - 1;
        };
        match mem::replace(place, Place::Taken(value)) {
            Place::Free(next) => self.free = next,
            Place::Taken(_) => unreachable!("the list of free places names free ones"),
        }
        at
    }

    fn remove(&mut self, at: usize) -> Option<T> {
        match mem::replace(self.places.get_mut(at)?, Place::Free(self.free)) {
            Place::Taken(value) => {
                self.free = at;
                self.taken -= 1;
                Some(value)
            }
            free @ Place::Free(_) => {
                self.places[at] = free;
                None
            }
        }
    }
}
