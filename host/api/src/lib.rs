//! REST, events and the embedded page: the only crate that names axum.
//!
//! Start with `wire/`: the JSON that the UI, the CLI and everybody else sees. The daemon implements `Host`; everything
//! here reads published views and stored records through it, and never the machine itself.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod wire;
