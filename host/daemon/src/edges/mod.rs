//! What the driver, the effects and the probes need of the world, as traits, and what stands behind each in production.
//!
//! ```text
//!  records.rs  the store            peers.rs   the connections to the other hosts
//!  plugins.rs  drain and probes     door.rs    the service's address        audience.rs  who watches
//! ```
//! Invariants: each trait is what is used here and nothing more; the production side only hands on. They exist so that
//! the simulation can stand in for a disk, a network and a server, with everything between them real.

mod audience;
mod door;
mod peers;
mod plugins;
mod records;

pub(crate) use audience::Audience;
pub(crate) use door::Door;
pub(crate) use peers::{Lines, Links};
pub(crate) use plugins::{Drainer, Granted, Named, Prober};
pub(crate) use records::Records;
#[cfg(test)]
pub(crate) use records::StoredPages;
