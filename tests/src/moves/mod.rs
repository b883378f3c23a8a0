//! What clients notice when a service's address moves from one machine to another, in ways that can be compared.
//!
//! - `web` runs an nginx on each of two hosts of a [`crate::lan`].
//! - `clients` is an open load that goes on asking however slow the answers are, and remembers every request.
//! - `subjects` are the ways to move; `calls` drives the address crate itself, `daemons` two real daemons, `keepalived`
//!   that program. `harsh` makes life harder.
//! - `forwarding` measures what the proxy costs.
//! - `rounds` lets them take turns; `seen` reads one round; `report`, `aims` and `picture` say what all showed.
//!
//! Invariants: a move is judged by what clients saw and by nothing else; the figures are for a reader, and no test
//! depends on them; namespaces and processes go away however a round ends.

mod aims;
mod calls;
mod clients;
mod daemons;
mod forwarding;
mod harsh;
mod keepalived;
mod picture;
mod report;
mod rounds;
mod seen;
mod spread;
mod subjects;
mod web;

pub use report::Report;
pub use rounds::{Plan, measure};
