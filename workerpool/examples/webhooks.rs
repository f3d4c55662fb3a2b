//! Webhooks.
fn main() {}
