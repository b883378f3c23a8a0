//! What one host states about a takeover: the shape of what is signed.
//!
//! Invariant: a field that this version does not know is an error: nothing may be signed that nobody checks.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use understudy_api::wire::Outcome;

/// One host's half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    /// [`super::FORM`].
    pub(super) form: String,
    /// Who states it.
    pub(super) host: String,
    pub(super) service: String,
    /// The round, or `forced-`, the service and the term.
    pub(super) takeover: String,
    /// The daemon's version.
    pub(super) understudy: String,
    pub(super) stated_at_ms: u64,
    /// SHA-256 of the authority's certificate, and of the host's own.
    pub(super) authority: String,
    pub(super) certificate: String,
    /// The best measurement of each peer's clock that was made in this takeover.
    pub(super) clocks: Vec<ClockReading>,
    /// Every step and every message, in the order in which this host took, heard and said them.
    pub(super) events: Vec<Happened>,
    /// What the service's address did meanwhile.
    pub(super) address: Vec<AddressMoment>,
    pub(super) compilation: Option<Compiled>,
}

/// How a peer's wall clock stood: the peer's less this host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockReading {
    pub(super) peer: String,
    /// When the message went that it was noted with.
    pub(super) at_ms: u64,
    pub(super) offset_us: i64,
    pub(super) uncertainty_us: i64,
}

/// A step, or a message; one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Happened {
    /// Counted from 1.
    pub(super) n: u64,
    /// By this host's wall clock.
    pub(super) at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Said>,
}

/// A journal line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) seq: u64,
    pub(super) name: String,
    pub(super) reason: String,
    pub(super) detail: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) term: u64,
    pub(super) round: Option<String>,
}

/// A message of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    pub(super) direction: Direction,
    pub(super) peer: String,
    pub(super) name: String,
    /// As it goes over the wire.
    pub(super) body: Value,
    /// How often, and when last: a release is sent until it is settled.
    pub(super) times: u64,
    pub(super) last_at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Direction {
    Received,
    Sent,
}

/// Something the address did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressMoment {
    pub(super) at_ms: u64,
    pub(super) event: String,
    pub(super) detail: String,
}

/// The compilation, as this host has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compiled {
    pub(super) first: String,
    pub(super) second: Option<String>,
    pub(super) count: u64,
    /// SHA-256 over the canonical form of the requests; none while it is not sealed.
    pub(super) digest: Option<String>,
    /// None where there are too many to be listed.
    pub(super) requests: Option<Vec<Request>>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// As it goes over the wire, and as it is sealed.
    pub(super) request: Value,
    /// What became of it; said on the second only.
    pub(super) disposition: Option<Disposed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disposed {
    pub(super) outcome: Outcome,
    pub(super) message: String,
}
