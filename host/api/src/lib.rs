//! REST, events and the embedded page: the only crate that names axum.
//!
//! Start with `wire/`: the JSON that the UI, the CLI and everybody else sees. The daemon implements [`Host`] and
//! calls [`router`] and [`serve`]. What a request passes on its way in:
//!
//! ```text
//! serve ── guard (request id, log, headers, panics, Host, Origin, token, time) ── routes/* ── dyn Host
//!                                                                             └── ui (the embedded page)
//! ```
//!
//! Invariants: everything read here is a published view or a stored record, never the machine; every change is an
//! [`understudy_protocol::Order`]; every error is a problem document (RFC 9457).
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod wire;

mod config;
mod extract;
mod guard;
mod host;
mod idempotency;
mod openapi;
mod overview;
mod problem;
mod router;
mod routes;
mod serve;
mod ui;

pub use config::{ApiConfig, BadConfig};
pub use host::{
    Caller, FaultFilter, Host, HostError, JournalFilter, KeptAnswer, OrderError, PageFilter, RequestFilter, Wish,
};
pub use router::router;
pub use serve::serve;
