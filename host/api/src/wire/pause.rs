//! Pauses, and candidates that declined: what keeps a service where it is.

use serde::{Deserialize, Serialize};
use understudy_protocol as protocol;
use utoipa::ToSchema;

use super::Refusal;

/// What a pause covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PauseScope {
    /// Every service of the cluster.
    Cluster,
    /// One service, on every host.
    Service,
    /// Every service on one host.
    Host,
    /// One service, by the flap guard: it moved too often by itself.
    Flapping,
}

impl From<protocol::PauseScope> for PauseScope {
    fn from(scope: protocol::PauseScope) -> Self {
        match scope {
            protocol::PauseScope::Cluster => PauseScope::Cluster,
            protocol::PauseScope::Service => PauseScope::Service,
            protocol::PauseScope::Host => PauseScope::Host,
            protocol::PauseScope::Flapping => PauseScope::Flapping,
        }
    }
}

/// A pause in force: nothing that it covers moves by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseView {
    /// What it covers.
    pub scope: PauseScope,
    /// Who paused.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since_ms: u64,
    /// When it ends by itself; null: when somebody ends it.
    pub until_ms: Option<u64>,
}

impl From<&protocol::PauseView> for PauseView {
    fn from(view: &protocol::PauseView) -> Self {
        PauseView {
            scope: view.scope.into(),
            by: view.pause.by.clone(),
            reason: view.pause.reason.clone(),
            since_ms: view.pause.since.0,
            until_ms: view.pause.until.map(|until| until.0),
        }
    }
}

/// A candidate that declined when it was last asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeclineView {
    /// Who.
    pub host: String,
    /// The takeover it declined.
    pub takeover: String,
    /// Why, with everything that speaks against it, and what would change it.
    pub refusal: Refusal,
}

impl From<&protocol::DeclineView> for DeclineView {
    fn from(view: &protocol::DeclineView) -> Self {
        DeclineView {
            host: view.host.to_string(),
            takeover: view.round.to_string(),
            refusal: (&view.because).into(),
        }
    }
}

/// How often a service moved by itself lately, and how often it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct MovesView {
    /// Within the flap guard's window.
    pub counted: u32,
    /// From so many on it stays where it is; 0: there is no bound.
    pub bound: u32,
}

/// `POST …/pause`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Why: everybody sees it.
    #[schema(min_length = 1, max_length = 500, example = "new switch in rack 3")]
    pub reason: String,
    /// For how long; null: until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub for_ms: Option<u64>,
    /// Who orders; default: the caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// `DELETE …/pause`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnpauseRequest {
    /// Why, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who orders; default: the caller's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What became of an order that is about several services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseAnswer {
    /// What it covers.
    pub scope: PauseScope,
    /// The answering host's services: others are not its own to pause.
    pub services: Vec<ServicePaused>,
}

/// One service's part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServicePaused {
    /// Which.
    pub service: String,
    /// Why not; null when it was done.
    pub refusal: Option<Refusal>,
}
