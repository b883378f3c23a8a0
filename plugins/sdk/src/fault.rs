//! Faults: how to write one down.

use crate::{Attributes, AttributesExt, Fault, FaultKind, Severity};

/// Building a [`Fault`].
pub trait FaultExt {
    /// Somebody should be told; the server can go on.
    #[must_use]
    fn impaired(code: &str, kind: FaultKind, message: impl Into<String>) -> Self;
    /// The server must shut down.
    #[must_use]
    fn shutdown_required(code: &str, kind: FaultKind, message: impl Into<String>) -> Self;
    /// How long the server can go on, in milliseconds.
    #[must_use]
    fn within_ms(self, ms: u64) -> Self;
    /// With what was seen.
    #[must_use]
    fn evidence(self, key: &str, value: impl ToString) -> Self;
}

impl FaultExt for Fault {
    fn impaired(code: &str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            kind,
            severity: Severity::Impaired,
            message: message.into(),
            shutdown_within_ms: None,
            evidence: Attributes::new(),
        }
    }

    fn shutdown_required(code: &str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::ShutdownRequired,
            ..Self::impaired(code, kind, message)
        }
    }

    fn within_ms(mut self, ms: u64) -> Self {
        self.shutdown_within_ms = Some(ms);
        self
    }

    fn evidence(mut self, key: &str, value: impl ToString) -> Self {
        self.evidence = self.evidence.with(key, value);
        self
    }
}
