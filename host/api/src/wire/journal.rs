//! The journal in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Role, Term};

/// One line of a host's journal: one transition, with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalLine {
    /// Its place in the answering host's journal; rises, with gaps. Starts at 1.
    pub seq: u64,
    /// When it was stored.
    pub at_ms: u64,
    /// Whose transition.
    pub host: String,
    /// Of which service.
    pub service: String,
    /// The transition's name, kebab-case.
    #[schema(example = "fault-indicated")]
    pub step: String,
    /// Why, as the transition table says.
    pub reason: String,
    /// What it was about.
    pub detail: String,
    /// The role before.
    pub from: Role,
    /// The role after.
    pub to: Role,
    /// The term in force after it.
    pub term: Term,
    /// The round it belongs to.
    pub round: Option<String>,
}
