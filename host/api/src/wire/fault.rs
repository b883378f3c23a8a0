//! What probes find, in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a probe says of its server. `unknown` says nothing about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing to say against it.
    Healthy,
    /// It works, but somebody should look at it.
    Impaired,
    /// It does not work, or will not for long.
    Failing,
    /// The probe could not find out.
    Unknown,
}

/// Where a fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Tell somebody.
    Impaired,
    /// The server must shut down.
    ShutdownRequired,
}

/// One open-ended key and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attribute {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A fault as a probe found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// Stable, kebab-case, listed in the plugin's documentation.
    #[schema(example = "disk-nearly-full")]
    pub code: String,
    /// Where it lies.
    pub kind: FaultKind,
    /// What it asks for.
    pub severity: Severity,
    /// One line for people.
    pub message: String,
    /// How long the server can go on, where that is known.
    pub shutdown_within_ms: Option<u64>,
    /// What was seen.
    pub evidence: Vec<Attribute>,
}

/// A fault of the past or the present, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultRecord {
    /// The record's number on the host that answers; rises.
    pub id: u64,
    /// When it was found.
    pub at_ms: u64,
    /// When it was gone; null while it stands.
    pub cleared_at_ms: Option<u64>,
    /// On which host.
    pub host: String,
    /// Of which service.
    pub service: String,
    /// The plugin that found it; null when it was reported by a peer without naming one.
    pub plugin: Option<String>,
    /// What was found.
    pub fault: Fault,
}
