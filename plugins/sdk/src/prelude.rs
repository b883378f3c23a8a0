//! Everything a plugin usually names: `use understudy_plugin::prelude::*;`.

pub use crate::host::{clock, commands, ledger, log, sockets, system};
pub use crate::{
    Assessment, Attributes, AttributesExt, Call, Description, Diagnostic, Disposition, Drain, Expectation, Fault,
    FaultExt, FaultKind, HostError, Manner, Outcome, Plugin, PluginError, PluginErrorExt, Probe, Refusal, Report,
    RequestState, RequestStatus, ServerState, Severity, State, Status, Step, Stream, Verdict, http,
};
pub use serde::Deserialize;
