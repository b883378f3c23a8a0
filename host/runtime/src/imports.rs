//! What plugins may call: one file for each interface of `wit/host.wit`.
//!
//! Invariants: every function checks its right first, ends at the call's deadline at the latest, and bounds what it
//! returns; what the host refuses is a `host-error` with a code, never a trap, except a log flood. The guest never
//! learns an address, a path or a credential.

pub(crate) mod clock;
pub(crate) mod commands;
pub(crate) mod config;
pub(crate) mod endpoints;
pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod refuse;
pub(crate) mod sockets;
pub(crate) mod system;

use crate::bindings::understudy::plugin::types;
use crate::state::CallState;

impl types::Host for CallState {}
