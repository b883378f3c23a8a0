//! What clients notice when a service's address moves from one machine to another, in ways that can be compared.
//!
//! - `lan` makes a link with a client and two hosts, each in a network namespace; `web` runs an nginx on each.
//! - `clients` is an open load that goes on asking however slow the answers are, and remembers every request.
//! - `subjects` are the ways to move; `calls` drives the address crate itself, `daemons` two real daemons, `keepalived`
//!   that program. `harsh` makes life harder.
//! - `rounds` lets them take turns; `report` and `picture` say what was seen.
//!
//! Invariants: a move is judged by what clients saw and by nothing else; the figures are for a reader, and no test
//! depends on them; namespaces and processes go away however a round ends.

mod calls;
mod clients;
mod daemons;
mod harsh;
mod keepalived;
mod lan;
mod picture;
mod report;
mod rounds;
mod subjects;
mod web;

pub use report::Report;
pub use rounds::{Plan, measure};
