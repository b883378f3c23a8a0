//! One host and all its services, as it sees them itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ServiceView;

/// One host: its own word about itself, with source and age. A peer that can't be reached keeps its last word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostView {
    /// Its name.
    pub host: String,
    /// Whether this is the host that answers. It is the first of the list.
    pub me: bool,
    /// The daemon's version; null when the host was never heard.
    pub version: Option<String>,
    /// When its daemon was started, by its own clock.
    pub started_at_ms: Option<u64>,
    /// Its own clock when it made this view.
    pub now_ms: Option<u64>,
    /// The answering host's clock when it got (or made) this view; null when it never got one.
    pub seen_at_ms: Option<u64>,
    /// How old this view was when the answer was sent; null when there is none. Timers have run on by as much.
    pub age_ms: Option<u64>,
    /// Whether the answering host has a connection to it now.
    pub reachable: bool,
    /// Its services.
    pub services: Vec<ServiceView>,
    /// Standing alerts about the host itself, in words.
    pub alerts: Vec<String>,
}
