//! The pure state machine, on one thread and without an atomic.
