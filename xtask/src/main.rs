//! `cargo xtask`: the one door to testing, model-checking, measuring and publishing the family.

fn main() {}
