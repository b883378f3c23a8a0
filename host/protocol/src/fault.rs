//! What probes find: verdicts and faults. The words are those of the `fault-probe` world.
//!
//! Invariant: `Unknown` is not `Failing`. Nothing here decides what follows from a fault.

use std::time::Duration;

/// What a probe says of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing to say against it.
    Healthy,
    /// It works, but somebody should look at it.
    Impaired,
    /// It does not work, or will not for long.
    Failing,
    /// The probe could not find out (time-out, trap, refused): says nothing about the server.
    Unknown,
}

/// Where a fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Processor, board, fan, temperature.
    Hardware,
    /// Disks, file systems, arrays.
    Storage,
    /// RAM.
    Memory,
    /// Links, addresses, routes.
    Network,
    /// Supply, battery.
    Power,
    /// The server's own program or its configuration.
    Software,
    /// Something the server needs from elsewhere.
    Dependency,
    /// Too much work for what is there.
    Capacity,
    /// Somebody wants it.
    Operator,
    /// None of these.
    Other,
}

/// What a fault asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Tell somebody.
    Impaired,
    /// The server must shut down.
    ShutdownRequired,
}

/// A fault as a probe found it, and as the second host is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Stable, kebab-case, listed in the plugin's documentation.
    pub code: String,
    /// Where it lies.
    pub kind: FaultKind,
    /// What it asks for.
    pub severity: Severity,
    /// One line for people.
    pub message: String,
    /// How long the server can go on, where that is known.
    pub shutdown_within: Option<Duration>,
    /// What was seen: open-ended key/value pairs.
    pub evidence: Vec<(String, String)>,
}
