//! Runs real components in the real sandbox, most of them hostile, against real servers. One program, so that it is linked
//! once; one runtime, so that plugins are compiled once.
//!
//! The plugins must have been built: `make plugins`.
#![allow(clippy::unwrap_used)]

mod breaker;
mod cache;
mod capability;
mod commands;
mod endpoints;
mod fencing;
mod hostile;
mod http;
mod ledger;
mod load;
mod log;
mod machine;
mod servers;
mod starvation;
mod support;
