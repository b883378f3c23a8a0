//! A takeover's proof bundle, and what verifying it found, in JSON. The bundle's form is described in
//! `docs/proof-bundle.md`; its statements are opaque here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the hosts of a takeover recorded, signed by each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofBundle {
    /// The form's name.
    #[schema(example = "understudy proof bundle 1")]
    pub form: String,
    /// The takeover's id.
    pub takeover: String,
    /// The service.
    pub service: String,
    /// Who put it together, and when.
    pub assembled: ProofAssembly,
    /// The cluster's authority, as PEM. Believe it only after a look at its fingerprint.
    pub authority: String,
    /// What each host states.
    pub halves: Vec<ProofHalf>,
    /// Hosts that took part and whose half is missing.
    pub absent: Vec<ProofAbsence>,
    /// Of the host that put it together, over everything else: DER in base64.
    pub signature: String,
}

/// Who put a bundle together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofAssembly {
    /// The host.
    pub by: String,
    /// When.
    pub at_ms: u64,
    /// Its certificate, as PEM.
    pub certificate: String,
}

/// One host's half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofHalf {
    /// Whose.
    pub host: String,
    /// Its certificate, as PEM.
    pub certificate: String,
    /// What it states.
    pub statement: serde_json::Value,
    /// Over the statement's canonical bytes: ECDSA on P-256 with SHA-256, DER in base64.
    pub signature: String,
}

/// A host whose half is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofAbsence {
    /// The host.
    pub host: String,
    /// Why.
    pub because: String,
}

/// What verifying a bundle found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofReport {
    /// The takeover's id.
    pub takeover: String,
    /// The service.
    pub service: String,
    /// In one word.
    pub verdict: ProofVerdict,
    /// In one sentence.
    pub summary: String,
    /// Each check, and what it found.
    pub checks: Vec<ProofCheck>,
    /// How long nobody admitted clients; null where it can't be said.
    pub outage: Option<ProofOutage>,
}

/// What a bundle is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProofVerdict {
    /// Everything was checked, and everything holds.
    Holds,
    /// What could be checked holds; something could not be checked, and the checks say what.
    HoldsInPart,
    /// Something does not hold.
    Fails,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofCheck {
    /// What is checked, kebab-case.
    #[schema(example = "signatures")]
    pub check: String,
    /// How it ended.
    pub result: ProofResult,
    /// What it found, in words; where it fails, the place first.
    pub found: String,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProofResult {
    /// It holds.
    Holds,
    /// It could not be checked.
    Unproven,
    /// It does not hold.
    Fails,
}

/// How long nobody admitted clients, by the two hosts' clocks brought together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofOutage {
    /// From the first's beginning of the drain, after which it admits nobody, to the second's word that it serves.
    pub ms: i64,
    /// The same between what the two hosts' addresses did; null where that was not recorded.
    pub address_ms: Option<i64>,
    /// The truth is not further away than this; null where the clocks were never compared.
    pub uncertainty_ms: Option<u64>,
}
