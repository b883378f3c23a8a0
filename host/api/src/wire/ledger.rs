//! Compilations and their requests, in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Attribute;

/// How far a request got on the first server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// Accepted, not begun.
    Queued,
    /// Begun, not answered.
    Running,
    /// Answered.
    Completed,
    /// Answered with an error.
    Failed,
    /// Ended without an answer, because the server had to stop.
    Cut,
    /// Turned away.
    Refused,
}

/// What became of a request on the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Answered before the server stopped.
    Completed,
    /// The second went on where the first stopped.
    Resumed,
    /// The second did it again from the start.
    Replayed,
    /// The client has seen no answer and will ask again.
    ClientRetries,
    /// The second will not do it.
    Refused,
    /// Nobody can say, and nothing more can be done.
    Lost,
}

/// How much of a request is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all, where known.
    pub total: Option<u64>,
    /// What a unit is, for example `bytes`.
    pub unit: String,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disposition {
    /// In one word.
    pub outcome: Outcome,
    /// One line for people.
    pub message: String,
}

/// One request of a compilation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestLine {
    /// Unique within the compilation.
    pub id: String,
    /// Who asked: an address or a name.
    pub client: String,
    /// What was asked, in the server's words.
    pub operation: String,
    /// How far it got on the first.
    pub state: RequestState,
    /// When it began; null where unknown.
    pub started_at_ms: Option<u64>,
    /// How much of it is done.
    pub progress: Option<Progress>,
    /// Lets the second recognise a retry of the same request.
    pub idempotency_key: Option<String>,
    /// Whether the second got what it needs to go on with it.
    pub resumable: bool,
    /// Whatever else the plugin says of it.
    pub attributes: Vec<Attribute>,
    /// What became of it on the second; null until that is settled.
    pub disposition: Option<Disposition>,
}

/// The written account of one takeover's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Compilation {
    /// The round it belongs to; also the takeover's id.
    #[schema(example = "9f3a01c4-12")]
    pub round: String,
    /// The service.
    pub service: String,
    /// Whose requests.
    pub first: String,
    /// Who keeps it; null when nobody could be found.
    pub second: Option<String>,
    /// Whether it is complete: the first added its last word.
    pub sealed: bool,
    /// The number of requests so far.
    pub count: u64,
    /// SHA-256 over all of them, in hex; null until it is sealed.
    pub digest: Option<String>,
    /// When it was begun on the host that answers.
    pub started_at_ms: u64,
    /// When it was sealed.
    pub sealed_at_ms: Option<u64>,
    /// The requests by how far they got on the first.
    pub states: StateCounts,
    /// The requests by what became of them on the second.
    pub outcomes: OutcomeCounts,
}

/// Requests counted by [`RequestState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StateCounts {
    /// Accepted, not begun.
    pub queued: u64,
    /// Begun, not answered.
    pub running: u64,
    /// Answered.
    pub completed: u64,
    /// Answered with an error.
    pub failed: u64,
    /// Ended without an answer.
    pub cut: u64,
    /// Turned away.
    pub refused: u64,
}

/// Requests counted by [`Outcome`]; the keys are the outcomes' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct OutcomeCounts {
    /// Answered before the server stopped.
    pub completed: u64,
    /// The second went on.
    pub resumed: u64,
    /// The second did it again.
    pub replayed: u64,
    /// The client will ask again.
    pub client_retries: u64,
    /// The second will not do it.
    pub refused: u64,
    /// Nobody can say.
    pub lost: u64,
    /// Not settled yet.
    pub unsettled: u64,
}

/// One page of a long list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The page's items.
    pub items: Vec<T>,
    /// Give this back as `cursor` for the next page; null on the last.
    pub next: Option<String>,
}
