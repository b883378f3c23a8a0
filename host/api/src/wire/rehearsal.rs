//! A rehearsal: what would come of a takeover now. Nothing is changed by it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Refusal, TakeoverView, Verdict};

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rehearsal {
    /// The service.
    pub service: String,
    /// Whether the service would move, as far as can be foreseen.
    pub would_move: bool,
    /// The forecast in one sentence.
    pub summary: String,
    /// Who would give; null where nobody is known to hold the service.
    pub first: Option<String>,
    /// Who would take; null where nobody would.
    pub second: Option<String>,
    /// Why the holder would refuse the order.
    pub refusal: Option<Refusal>,
    /// What is under way already.
    pub under_way: Option<TakeoverView>,
    /// What each candidate would answer, in the order in which they would be asked.
    pub candidates: Vec<CandidateForecast>,
    /// What would be waited for.
    pub requests: Option<RequestForecast>,
    /// How long new clients would wait.
    pub outage: Option<OutageForecast>,
    /// The steps that would run.
    pub steps: Vec<StepForecast>,
    /// What could not be found out.
    pub unknown: Vec<String>,
}

/// What one candidate would answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CandidateForecast {
    /// Who.
    pub host: String,
    /// In one word.
    pub answer: CandidateAnswer,
    /// Why it would decline, and what would change that.
    pub refusal: Option<Refusal>,
    /// What its probes say of its server; null where it is silent.
    pub verdict: Option<Verdict>,
    /// Whether its server is ready to take over; null where it is silent.
    pub ready: Option<bool>,
    /// Why it is silent.
    pub because: Option<String>,
}

/// A candidate's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateAnswer {
    /// It would take over.
    Accepts,
    /// It would decline.
    Declines,
    /// It would not answer, or can't be asked.
    Silent,
}

/// The requests that would be waited for, as the drain plugin lists them now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestForecast {
    /// All that it lists.
    pub listed: u64,
    /// Those that are under way: these would be completed first.
    pub under_way: u64,
    /// How long the oldest of them has been under way, where that is known.
    pub longest_ms: Option<u64>,
    /// Who would be waited for, the longest first; not all of them.
    pub blockers: Vec<Blocker>,
}

/// A request that would be waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blocker {
    /// Who asked.
    pub client: String,
    /// What was asked.
    pub operation: String,
    /// How long ago it began, where that is known.
    pub for_ms: Option<u64>,
}

/// How long new clients would wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutageForecast {
    /// Most probably.
    pub ms: u64,
    /// Hardly less.
    pub low_ms: u64,
    /// Hardly more.
    pub high_ms: u64,
    /// From what it is foreseen.
    pub source: OutageSource,
    /// The same in words, with how sure it is.
    pub basis: String,
}

/// What a forecast rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutageSource {
    /// Earlier takeovers of this service.
    History,
    /// How long the last start took, and the stop, where they were seen.
    Parts,
    /// Only the configured bounds.
    Bounds,
}

/// A step that would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepForecast {
    /// On which host.
    pub host: String,
    /// The step's name in the journal.
    pub step: String,
    /// Why, as the transition table says.
    pub reason: String,
}
