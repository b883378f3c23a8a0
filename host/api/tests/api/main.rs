//! The real router behind a real socket; only the daemon is a stand-in in memory.
#![allow(clippy::unwrap_used)]

mod errors;
mod events;
mod guards;
mod orders;
mod page;
mod pauses;
mod reads;
mod samples;
mod support;
