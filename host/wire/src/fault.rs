//! Faults and causes on the wire.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use understudy_protocol as protocol;

use super::number::milliseconds;

/// A fault as a probe found it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fault {
    code: String,
    kind: FaultKind,
    severity: Severity,
    message: String,
    shutdown_within_ms: Option<u64>,
    evidence: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FaultKind {
    Hardware,
    Storage,
    Memory,
    Network,
    Power,
    Software,
    Dependency,
    Capacity,
    Operator,
    Other,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Severity {
    Impaired,
    ShutdownRequired,
}

/// Why a round was opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(super) enum Cause {
    Fault {
        fault: Fault,
    },
    Requested {
        by: String,
        reason: String,
        #[serde(default)]
        override_vetoes: bool,
    },
    Giveback {
        by: String,
        #[serde(default)]
        reason: String,
        #[serde(default)]
        override_vetoes: bool,
    },
}

impl From<&protocol::Cause> for Cause {
    fn from(cause: &protocol::Cause) -> Self {
        match cause {
            protocol::Cause::Fault(fault) => Cause::Fault { fault: fault.into() },
            protocol::Cause::Requested {
                by,
                reason,
                override_vetoes,
            } => Cause::Requested {
                by: by.clone(),
                reason: reason.clone(),
                override_vetoes: *override_vetoes,
            },
            protocol::Cause::Giveback {
                by,
                reason,
                override_vetoes,
            } => Cause::Giveback {
                by: by.clone(),
                reason: reason.clone(),
                override_vetoes: *override_vetoes,
            },
        }
    }
}

impl From<Cause> for protocol::Cause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Fault { fault } => protocol::Cause::Fault(fault.into()),
            Cause::Requested {
                by,
                reason,
                override_vetoes,
            } => protocol::Cause::Requested {
                by,
                reason,
                override_vetoes,
            },
            Cause::Giveback {
                by,
                reason,
                override_vetoes,
            } => protocol::Cause::Giveback {
                by,
                reason,
                override_vetoes,
            },
        }
    }
}

impl From<&protocol::Fault> for Fault {
    fn from(fault: &protocol::Fault) -> Self {
        let protocol::Fault {
            code,
            kind,
            severity,
            message,
            shutdown_within,
            evidence,
        } = fault;
        Fault {
            code: code.clone(),
            kind: (*kind).into(),
            severity: (*severity).into(),
            message: message.clone(),
            shutdown_within_ms: shutdown_within.map(milliseconds),
            evidence: evidence.clone(),
        }
    }
}

impl From<Fault> for protocol::Fault {
    fn from(fault: Fault) -> Self {
        let Fault {
            code,
            kind,
            severity,
            message,
            shutdown_within_ms,
            evidence,
        } = fault;
        protocol::Fault {
            code,
            kind: kind.into(),
            severity: severity.into(),
            message,
            shutdown_within: shutdown_within_ms.map(Duration::from_millis),
            evidence,
        }
    }
}

impl From<protocol::FaultKind> for FaultKind {
    fn from(kind: protocol::FaultKind) -> Self {
        match kind {
            protocol::FaultKind::Hardware => FaultKind::Hardware,
            protocol::FaultKind::Storage => FaultKind::Storage,
            protocol::FaultKind::Memory => FaultKind::Memory,
            protocol::FaultKind::Network => FaultKind::Network,
            protocol::FaultKind::Power => FaultKind::Power,
            protocol::FaultKind::Software => FaultKind::Software,
            protocol::FaultKind::Dependency => FaultKind::Dependency,
            protocol::FaultKind::Capacity => FaultKind::Capacity,
            protocol::FaultKind::Operator => FaultKind::Operator,
            protocol::FaultKind::Other => FaultKind::Other,
        }
    }
}

impl From<FaultKind> for protocol::FaultKind {
    fn from(kind: FaultKind) -> Self {
        match kind {
            FaultKind::Hardware => protocol::FaultKind::Hardware,
            FaultKind::Storage => protocol::FaultKind::Storage,
            FaultKind::Memory => protocol::FaultKind::Memory,
            FaultKind::Network => protocol::FaultKind::Network,
            FaultKind::Power => protocol::FaultKind::Power,
            FaultKind::Software => protocol::FaultKind::Software,
            FaultKind::Dependency => protocol::FaultKind::Dependency,
            FaultKind::Capacity => protocol::FaultKind::Capacity,
            FaultKind::Operator => protocol::FaultKind::Operator,
            FaultKind::Other => protocol::FaultKind::Other,
        }
    }
}

impl From<protocol::Severity> for Severity {
    fn from(severity: protocol::Severity) -> Self {
        match severity {
            protocol::Severity::Impaired => Severity::Impaired,
            protocol::Severity::ShutdownRequired => Severity::ShutdownRequired,
        }
    }
}

impl From<Severity> for protocol::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Impaired => protocol::Severity::Impaired,
            Severity::ShutdownRequired => protocol::Severity::ShutdownRequired,
        }
    }
}
