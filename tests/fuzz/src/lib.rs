//! What every decoder must hold for any bytes whatever: it does not panic, it takes no more room than its input gives
//! reason for, and what it read is written again to something that reads the same.
//!
//! Each function here is one target. A fuzzer drives them (`make fuzz`, `targets/`), and an ordinary test replays the
//! inputs that are kept (`tests/kept.rs`): `seeds/` are real encodings for the fuzzer to begin with, `found/` is what
//! once broke something. This crate knows the decoders and nothing of the daemon: whatever it depends on is built again
//! with the fuzzer's instruments.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod rows;
mod sample;
mod store;
mod taker;
mod wire;

pub use rows::store_rows;
pub use store::store_page;
pub use wire::{wire_packet, wire_pages, wire_stream};

/// A check that takes any bytes, and panics when the decoder does not hold what it must.
pub type Check = fn(&[u8]);

/// All targets, by the names of their programs.
pub const TARGETS: [(&str, Check); 5] = [
    ("wire-packet", wire_packet),
    ("wire-stream", wire_stream),
    ("wire-pages", wire_pages),
    ("store-page", store_page),
    ("store-rows", store_rows),
];
