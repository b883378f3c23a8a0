//! Errors in JSON: RFC 9457 problem details, with refusals as data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A refusal as data: why not, and what would change the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// Closed list, kebab-case, for example `already-released`.
    #[schema(example = "already-released")]
    pub code: String,
    /// One line for people.
    pub message: String,
    /// What would change the answer, where something would.
    pub would_change: Option<String>,
    /// The host it is about.
    pub host: Option<String>,
    /// That host's own reason.
    #[schema(no_recursion)]
    pub because: Option<Box<Refusal>>,
    /// `probe`, `plugin`, `operator` or `protocol`, for a candidate's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether no operator may pass over it, for a candidate's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard: Option<bool>,
    /// Each reason by itself, where there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub vetoes: Vec<Refusal>,
}

/// An error: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:understudy:problem:` and a stable kebab-case word.
    #[serde(rename = "type")]
    #[schema(example = "urn:understudy:problem:refused")]
    pub kind: String,
    /// The same in words; the same for every problem of this type.
    pub title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// What happened this time, and what mends it.
    pub detail: String,
    /// The path that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The body's or query's field at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The refusal's code, for orders that are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "under-way")]
    pub refusal: Option<String>,
    /// What would change a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_change: Option<String>,
    /// The refusal with all its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Refusal>,
    /// The request's id, as in the answer's `x-request-id` and the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
