//! The compilation: the written status of every request the first server was processing, and what became
//! of each on the second. The words are those of the `ledger` interface of the plugins.
//!
//! Invariant: every listed request gets exactly one disposition in the end.

/// How far a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// How much of a request is done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all, where known.
    pub total: Option<u64>,
    /// What a unit is, for example `bytes`.
    pub unit: String,
}

/// One entry of the compilation: a request of the service and how far it got.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestStatus {
    /// Unique within the compilation, chosen by the plugin.
    pub id: String,
    /// Who asked: an address or a name.
    pub client: String,
    /// What was asked, in the server's words.
    pub operation: String,
    /// How far it got.
    pub state: RequestState,
    /// Milliseconds since the Unix epoch; 0 where unknown.
    pub started_at_ms: u64,
    /// How much of it is done, where the server knows.
    pub progress: Option<Progress>,
    /// Lets the second recognise a retry of the same request.
    pub idempotency_key: Option<String>,
    /// Whatever the second needs to go on with it; opaque.
    pub resume: Option<Vec<u8>>,
    /// Open-ended key/value pairs.
    pub attributes: Vec<(String, String)>,
}

/// What became of a request on the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// The disposition of one request of the compilation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Disposition {
    /// The request's id.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// One line for people.
    pub message: String,
}
