//! A takeover: while it runs (part of a service's view) and as an operation to look up afterwards.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fault, JournalLine, Refusal, Term};

/// Why the service moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// A fault that requires a shutdown.
    Fault {
        /// Which.
        fault: Fault,
    },
    /// An operator asked for it.
    Requested {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The service goes home.
    Giveback {
        /// Who asked, or `policy`.
        by: String,
    },
    /// An operator vouched that the silent hosts are stopped.
    Forced {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// The hosts said to be stopped.
        stopped: Vec<String>,
    },
}

/// A takeover under way, as one host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakeoverView {
    /// The round: the takeover's id. Null for a forced takeover.
    #[schema(example = "9f3a01c4-12")]
    pub round: Option<String>,
    /// Who gives.
    pub first: Option<String>,
    /// Who takes.
    pub second: Option<String>,
    /// Why.
    pub cause: Option<Cause>,
    /// The step under way, kebab-case, for example `settle`.
    pub step: String,
    /// Requests left, where known.
    pub remaining: Option<u64>,
    /// Who or what blocks.
    pub blocker: Option<String>,
    /// When this host first saw it.
    pub started_at_ms: Option<u64>,
}

/// How far a takeover got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TakeoverState {
    /// A candidate is asked.
    Asking,
    /// New requests are refused or held, existing ones complete. Can still be cancelled.
    Draining,
    /// Past the point of no return.
    Released,
    /// The second makes its server serve.
    TakingOver,
    /// The second serves.
    Done,
    /// The candidate declined, or did not answer.
    Declined,
    /// Ended before the release; the first serves on.
    Cancelled,
}

impl TakeoverState {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        match self {
            TakeoverState::Done | TakeoverState::Declined | TakeoverState::Cancelled => true,
            TakeoverState::Asking | TakeoverState::Draining | TakeoverState::Released | TakeoverState::TakingOver => {
                false
            }
        }
    }
}

/// A takeover as an operation: one attempt to hand one service to one candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Takeover {
    /// The round; for a forced takeover, which has none, `forced-`, the service and the term.
    #[schema(example = "9f3a01c4-12")]
    pub id: String,
    /// The service.
    pub service: String,
    /// Who gives.
    pub first: Option<String>,
    /// Who takes.
    pub second: Option<String>,
    /// Why; null when this host was told of the takeover only afterwards.
    pub cause: Option<Cause>,
    /// How far it got.
    pub state: TakeoverState,
    /// The term the second serves with, once it is granted.
    pub new_term: Option<Term>,
    /// When it began.
    pub started_at_ms: u64,
    /// When it ended; null while it runs.
    pub ended_at_ms: Option<u64>,
    /// How long new requests waited: from the drain's beginning on the first to serving on the second, by the two hosts' own
    /// clocks; null until the second serves.
    pub outage_ms: Option<u64>,
    /// Why it was declined or cancelled.
    pub refusal: Option<Refusal>,
    /// What happened, step by step, oldest first. Empty in lists: ask for the one takeover.
    pub steps: Vec<JournalLine>,
}
