//! Runs plugins: WebAssembly components that look at servers and drain them, each in a sandbox with nothing but the
//! capabilities that its manifest asks for and the operator granted.
//!
//! ```text
//!  Runtime::load ──> Plugin ──check, settle, …──> guest.rs: one store, one call ──> imports/: what it may use
//!   load.rs, cache.rs   plugin.rs, plugin/          limits, three clocks            capability.rs decides
//!                         convert.rs, answer.rs: the only way in and out
//! ```
//!
//! Invariants: no other crate names the sandbox's own types; whatever a plugin does, its call ends within its bounds, is
//! at worst a [`CallFailure`] with evidence, and never the daemon's failure; a plugin never learns an address, a path or
//! a credential. This crate must not know the protocol: it neither decides what follows from an answer nor keeps state
//! between calls, except the breakers'.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod bindings;
mod breaker;
mod cache;
mod call;
mod capability;
mod command;
mod convert;
mod description;
mod disks;
mod engine;
mod epoch;
mod failure;
mod guest;
mod http;
mod imports;
mod limits;
mod load;
mod plugin;
mod readings;
mod runtime;
mod sockets;
mod state;
mod stream;
mod target;
mod threads;
mod trace;

pub use breaker::BreakerState;
pub use call::{
    Assessment, CallContext, Cancellation, Diagnostic, DispositionPagesSink, Expectation, Manner, PluginError, Reading,
    Report, RequestPages, RequestPagesSink, SavedState, Status, Step,
};
pub use capability::{Ask, BadAsk, Denial, declare_line, grant_line};
pub use command::{BadCommand, BadParameter, CommandSpec, Pattern};
pub use description::{BadDescription, Description};
pub use failure::CallFailure;
pub use limits::{BreakerPolicy, Limits};
pub use load::LoadError;
pub use plugin::{Plugin, World};
pub use runtime::{Runtime, RuntimeConfig, RuntimeError};
pub use target::{ClientCertificate, ConnectionAnnotator, Endpoint, Secret, Target};
