//! Operators that make at most one item of one.

use super::{Op, Stop, passed};
use std::borrow::Cow;
use std::ops::ControlFlow;

/// What the operators of this file look like: the fields, and what becomes of an item.
macro_rules! ops {
    ($(
        $(#[$meta:meta])*
        $name:ident<$($generic:ident),*> { $($field:ident: $type:ty),* }
        where [$($bounds:tt)*] $out:ty;
        |$this:ident, $item:ident, $sink:ident| $body:expr
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name<$($generic),*> { $(pub(crate) $field: $type),* }

        impl<T, E, $($bounds)*> Op<T, E> for $name<$($generic),*> {
            type Out = $out;

            #[inline]
            fn apply(
                &mut self,
                $item: T,
                $sink: &mut impl FnMut(Self::Out) -> ControlFlow<()>,
            ) -> Result<(), Stop<E>> {
                let $this = self;
                $body
            }
        }
    )*};
}

ops! {
    /// See [`Pipe::map`](crate::Pipe::map).
    Map<F> { f: F } where [U, F: FnMut(T) -> U] U;
    |this, item, sink| passed(sink((this.f)(item)))

    /// See [`Pipe::filter`](crate::Pipe::filter).
    Filter<F> { f: F } where [F: FnMut(&T) -> bool] T;
    |this, item, sink| if (this.f)(&item) { passed(sink(item)) } else { Ok(()) }

    /// See [`Pipe::filter_map`](crate::Pipe::filter_map).
    FilterMap<F> { f: F } where [U, F: FnMut(T) -> Option<U>] U;
    |this, item, sink| match (this.f)(item) {
        Some(made) => passed(sink(made)),
        None => Ok(()),
    }

    /// See [`Pipe::inspect`](crate::Pipe::inspect).
    Inspect<F> { f: F } where [F: FnMut(&T)] T;
    |this, item, sink| {
        (this.f)(&item);
        passed(sink(item))
    }

    /// See [`Pipe::enumerate`](crate::Pipe::enumerate).
    Enumerate<> { next: u64 } where [] (u64, T);
    |this, item, sink| {
        this.next += 1;
        passed(sink((this.next - 1, item)))
    }

    /// See [`Pipe::map_init`](crate::Pipe::map_init).
    MapInit<L, I, F> { local: Option<L>, init: I, f: F }
    where [U, L, I: FnMut() -> L, F: FnMut(&mut L, T) -> U] U;
    |this, item, sink| {
        let local = this.local.get_or_insert_with(&mut this.init);
        passed(sink((this.f)(local, item)))
    }

    /// See [`Pipe::skip`](crate::Pipe::skip).
    Skip<> { left: u64 } where [] T;
    |this, item, sink| match this.left.checked_sub(1) {
        Some(left) => {
            this.left = left;
            Ok(())
        }
        None => passed(sink(item)),
    }

    /// See [`Pipe::skip_while`](crate::Pipe::skip_while).
    SkipWhile<F> { f: F, skips: bool } where [F: FnMut(&T) -> bool] T;
    |this, item, sink| {
        this.skips = this.skips && (this.f)(&item);
        if this.skips { Ok(()) } else { passed(sink(item)) }
    }
}

/// See [`Pipe::take`](crate::Pipe::take).
#[derive(Debug)]
pub struct Take {
    pub(crate) left: u64,
}

impl<T, E> Op<T, E> for Take {
    type Out = T;

    #[inline]
    fn apply(
        &mut self,
        item: T,
        sink: &mut impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), Stop<E>> {
        self.left -= 1;
        passed(sink(item))?;
        if self.left == 0 { Err(Stop::Over) } else { Ok(()) }
    }

    fn is_over(&self) -> bool {
        self.left == 0
    }
}

/// See [`Pipe::take_while`](crate::Pipe::take_while).
#[derive(Debug)]
pub struct TakeWhile<F> {
    pub(crate) f: F,
}

impl<T, E, F: FnMut(&T) -> bool> Op<T, E> for TakeWhile<F> {
    type Out = T;

    #[inline]
    fn apply(
        &mut self,
        item: T,
        sink: &mut impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), Stop<E>> {
        if (self.f)(&item) { passed(sink(item)) } else { Err(Stop::Over) }
    }
}

/// See [`Pipe::scan`](crate::Pipe::scan).
#[derive(Debug)]
pub struct Scan<L, F> {
    pub(crate) state: L,
    pub(crate) f: F,
}

impl<T, E, U, L, F: FnMut(&mut L, T) -> Option<U>> Op<T, E> for Scan<L, F> {
    type Out = U;

    #[inline]
    fn apply(
        &mut self,
        item: T,
        sink: &mut impl FnMut(U) -> ControlFlow<()>,
    ) -> Result<(), Stop<E>> {
        match (self.f)(&mut self.state, item) {
            Some(made) => passed(sink(made)),
            None => Err(Stop::Over),
        }
    }
}

/// See [`Pipe::try_map`](crate::Pipe::try_map).
#[derive(Debug)]
pub struct TryMap<F> {
    pub(crate) f: F,
    pub(crate) name: &'static str,
    pub(crate) seen: u64,
}

impl<T, U, E, F: FnMut(T) -> Result<U, E>> Op<T, E> for TryMap<F> {
    type Out = U;

    #[inline]
    fn apply(
        &mut self,
        item: T,
        sink: &mut impl FnMut(U) -> ControlFlow<()>,
    ) -> Result<(), Stop<E>> {
        self.seen += 1;
        match (self.f)(item) {
            Ok(made) => passed(sink(made)),
            Err(error) => Err(Stop::Failed(error)),
        }
    }

    fn place(&self) -> (Cow<'static, str>, u64) {
        (Cow::Borrowed(self.name), self.seen - 1)
    }
}
