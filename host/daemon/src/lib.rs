//! The daemon: one process beside each server. It is a library so that its parts can be tested and read by themselves;
//! `main.rs` is five lines.
//!
//! ```text
//! cli/       parses the command line; asks a running daemon over REST, or starts one (run.rs)
//! config/    what the operator settled          cluster/   who belongs to the cluster
//! peers/     connections to the other hosts     driver/, effects/   the machine, and what it orders
//! edges/     what driver, effects and probes need of the world, as traits
//! inquiries/ questions between daemons          proof/   a takeover's proof bundle: made, signed, verified
//! rehearsal/ what would come of a takeover now
//! assemble.rs  from configuration to parts     surface.rs, shown.rs, takeovers.rs  what the API sees
//! exit.rs    every exit code
//! ```
//! Invariant: no decision of the takeover protocol is made here; they are all in `understudy-protocol`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod assemble;
pub mod cli;
pub mod cluster;
mod components;
pub mod config;
#[cfg(test)]
mod damage;
mod driver;
mod edges;
mod effects;
pub mod exit;
mod flows;
mod inquiries;
mod metrics;
mod notify;
pub mod peers;
mod probes;
mod proof;
mod rehearsal;
mod reload;
pub mod run;
mod shown;
mod signals;
#[cfg(test)]
mod simulation;
mod surface;
mod takeovers;
