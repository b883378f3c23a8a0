//! What the demo and the end-to-end tests share: a load that keeps its own record, real servers, two real hosts.
//!
//! - `load` asks the services without pause and remembers each request: it is the witness of what clients saw.
//! - `servers` writes configurations for real servers in a temporary folder, starts and stops them.
//! - `cluster` runs `understudy` daemons, talks REST to them and waits for named conditions.
//! - `lan` puts the hosts into network namespaces of their own, with a link that can be cut.
//! - `kill` kills a daemon at every step of the protocol, and sees the pair recover.
//! - `bench` measures what a check costs.
//! - `moves` measures what clients notice when an address moves.
//! - `story` is the demo: one takeover and one giveback, told as they happen.
//!
//! Invariant: nothing here looks into a daemon. What is known of it comes from its REST interface and its log, as an
//! operator would see it. Only processes started here are ended here.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod bench;
pub mod cluster;
pub mod kill;
pub mod lan;
pub mod load;
pub mod moves;
pub mod servers;
pub mod story;
