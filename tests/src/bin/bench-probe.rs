//! Measures what a check costs.

fn main() {}
