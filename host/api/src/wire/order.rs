//! What an operator sends, and the answer to it. Bodies are strict: a misspelt field is an error, never ignored.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /services/{service}/takeover`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeoverRequest {
    /// To whom; null: the first candidate that can. With `confirm_stopped` it must be the answering host, or null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why: kept in the journal.
    #[schema(min_length = 1, max_length = 500, example = "kernel update")]
    pub reason: String,
    /// Hosts that are stopped for certain. Makes this a forced takeover by the answering host: a false word here
    /// breaks the promise that one host only serves, and can't be detected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirm_stopped: Vec<String>,
    /// Pass over soft vetoes of the candidate (its replica lags, somebody works on it); hard ones hold.
    #[serde(default, skip_serializing_if = "is_false")]
    pub override_vetoes: bool,
    /// Take the service on the answering host by force, with every other candidate's promise or `confirm_stopped`: for a
    /// service that nobody holds.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// The same, although the answering host is ordered to stay down for a fault.
    #[serde(default, skip_serializing_if = "is_false")]
    pub override_stay_down: bool,
    /// Only say what would come of it: nothing is changed, and the answer is a rehearsal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// Who orders, for the journal; default: the caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

// serde wants a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// `POST /services/{service}/giveback`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivebackRequest {
    /// Why: kept in the journal and the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Pass over soft vetoes of the home host; hard ones hold.
    #[serde(default, skip_serializing_if = "is_false")]
    pub override_vetoes: bool,
    /// Only say what would come of it: nothing is changed, and the answer is a rehearsal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// Who orders, for the journal; default: the caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// `POST /services/{service}/cure`: the fault of the answering host is cured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CureRequest {
    /// Why: kept in the journal and the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Who orders, for the journal; default: the caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// `POST /services/{service}/cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Why: kept in the journal and the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Who orders, for the log; default: the caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// `POST /services/{service}/bootstrap`: start the service for the first time, on the answering host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BootstrapRequest {
    /// Why: kept in the journal and the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// Who orders, for the journal; default: the caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Which order was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// Move the service.
    Takeover,
    /// Move it home.
    Giveback,
    /// The fault is cured.
    Cure,
    /// End the takeover under way.
    Cancel,
    /// Start the service for the first time.
    Bootstrap,
    /// Let nothing move by itself.
    Pause,
    /// End that.
    Unpause,
}

/// An accepted order: it is under way, not done. `Location` names where to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// What was ordered.
    pub order: OrderKind,
    /// For which service.
    pub service: String,
    /// The takeover's id, once it has one; null for orders that open none, and for those that have not opened it yet.
    pub takeover: Option<String>,
    /// Where to look: the takeover, or the service's newest takeover, or the service.
    #[schema(example = "/api/v1/takeovers/9f3a01c4-12")]
    pub location: String,
}

/// The answer of `GET /services/{service}/active` where this host serves the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActiveAnswer {
    /// The active host: the one that answers.
    pub active: String,
}
