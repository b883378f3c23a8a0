//! The command `understudy`.

fn main() {}
