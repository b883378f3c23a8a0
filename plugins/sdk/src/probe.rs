//! The half of a plugin that looks, and changes nothing.

use serde::Serialize;

use crate::host::system::Reading;
use crate::{Attributes, Call, Fault, Plugin, PluginError, Severity, State};

/// Looks, and changes nothing.
pub trait Probe: Plugin {
    /// Looks once. A server that does not answer is a fault in the report, not an error.
    ///
    /// # Errors
    /// Where the plugin could not do its work: it says nothing about the server's health.
    fn check(call: &Call, config: &Self::Config) -> Result<Report, PluginError>;
}

/// What a probe says of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Healthy,
    /// Somebody should look.
    Impaired,
    /// It is not doing its work, or will soon not.
    Failing,
    /// It can't be said.
    Unknown,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What it comes to.
    pub verdict: Verdict,
    /// With `Failing`, at least one.
    pub faults: Vec<Fault>,
    /// What was measured.
    pub readings: Vec<Reading>,
    /// What the host keeps for the next call.
    pub state: State,
}

impl Report {
    /// Nothing is wrong.
    pub fn healthy() -> Self {
        Self {
            verdict: Verdict::Healthy,
            faults: Vec::new(),
            readings: Vec::new(),
            state: State::Same,
        }
    }

    /// One thing is badly wrong.
    pub fn failing(fault: Fault) -> Self {
        Self {
            verdict: Verdict::Failing,
            faults: vec![fault],
            ..Self::healthy()
        }
    }

    /// The verdict that follows from these faults: failing where one of them requires a shutdown, impaired where there is
    /// any, else healthy.
    pub fn of(faults: Vec<Fault>) -> Self {
        let verdict = if faults.iter().any(|fault| fault.severity == Severity::ShutdownRequired) {
            Verdict::Failing
        } else if faults.is_empty() {
            Verdict::Healthy
        } else {
            Verdict::Impaired
        };
        Self {
            verdict,
            faults,
            ..Self::healthy()
        }
    }

    /// With one more measurement.
    #[must_use]
    pub fn reading(mut self, key: &str, value: f64, unit: &str) -> Self {
        self.readings.push(Reading {
            key: key.to_owned(),
            value,
            unit: unit.to_owned(),
            attributes: Attributes::new(),
        });
        self
    }

    /// Keeps `value` for the next call's [`Call::state`] in `format`.
    #[must_use]
    pub fn keep<T: Serialize>(mut self, format: u32, value: &T) -> Self {
        self.state = State::keep(format, value);
        self
    }
}
