//! The same of pools of tasks, on a runtime of one thread and on one of two.

mod ants;
mod conc;
mod gammazero;
mod pond;
