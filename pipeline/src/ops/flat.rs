//! Operators that make many items of one, or one of many.

use super::{Op, Stop, passed};
use std::mem;
use std::ops::ControlFlow::{self, Break, Continue};

/// See [`Pipe::flat_map`](crate::Pipe::flat_map).
#[derive(Debug)]
pub struct FlatMap<F, I> {
    f: F,
    /// What is left of an expansion that the sink broke off in.
    rest: Option<I>,
}

impl<F, I> FlatMap<F, I> {
    pub(crate) fn new(f: F) -> Self {
        Self { f, rest: None }
    }
}

impl<T, E, J: IntoIterator, F: FnMut(T) -> J> Op<T, E> for FlatMap<F, J::IntoIter> {
    type Out = J::Item;
    const EXPANDS: bool = true;

    #[inline]
    fn apply(
        &mut self,
        item: T,
        sink: &mut impl FnMut(J::Item) -> ControlFlow<()>,
    ) -> Result<(), Stop<E>> {
        let mut made = (self.f)(item).into_iter();
        let flow = made.try_for_each(sink);
        if flow.is_break() {
            self.rest = Some(made);
        }
        passed(flow)
    }

    fn resume(&mut self, sink: &mut impl FnMut(J::Item) -> ControlFlow<()>) -> ControlFlow<()> {
        let Some(rest) = &mut self.rest else { return Continue(()) };
        if rest.try_for_each(sink).is_break() {
            return Break(());
        }
        self.rest = None;
        Continue(())
    }
}

/// See [`Pipe::chunks`](crate::Pipe::chunks).
#[derive(Debug)]
pub struct Chunks<T> {
    size: usize,
    held: Vec<T>,
}

impl<T> Chunks<T> {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, held: Vec::new() }
    }
}

impl<T, E> Op<T, E> for Chunks<T> {
    type Out = Vec<T>;

    #[inline]
    fn apply(
        &mut self,
        item: T,
        sink: &mut impl FnMut(Vec<T>) -> ControlFlow<()>,
    ) -> Result<(), Stop<E>> {
        self.held.push(item);
        if self.held.len() < self.size {
            return Ok(());
        }
        passed(sink(mem::take(&mut self.held)))
    }

    fn rest(&mut self) -> Option<Vec<T>> {
        (!self.held.is_empty()).then(|| mem::take(&mut self.held))
    }

    fn bound(&self) -> usize {
        self.size
    }
}
