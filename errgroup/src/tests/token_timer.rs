//! The timer of a model: none. Its threads fire the deadlines, and play the timer thread by
//! calling `Node::expire`.

use crate::primitives::{Arc, Deadline};
use crate::token::Node;
use std::io;
use std::task::Waker;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Key;

#[derive(Debug)]
#[allow(dead_code, reason = "kept for nobody")]
pub(crate) enum Due {
    Cancel(Arc<Node>),
    Wake(Waker),
}

pub(crate) enum Alarm {
    Set,
}

pub(crate) fn insert(_: &Deadline, _: Due) -> (Key, Alarm) {
    (Key, Alarm::Set)
}

pub(crate) fn remove(_: &Key) -> Option<Due> {
    None
}

pub(crate) fn rearm(_: &Key, _: &Waker) -> bool {
    true
}

impl Alarm {
    pub(crate) fn ring(self) -> io::Result<()> {
        Ok(())
    }
}
