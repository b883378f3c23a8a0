//! Who watches the driver: what it did is told, and nothing comes back.

use std::sync::Arc;

use understudy_protocol::{HostName, Output, ServiceName, ServiceView};
use understudy_store::JournalLine;

use super::Links;
use crate::effects::Context;

/// Is told what the driver does.
pub(crate) trait Audience: Send + Sync {
    /// A turn was stored, and is about to be acted on.
    fn turned(&self, _service: &ServiceName, _output: &Output) {}
    /// A stored line: to those who watch, and to the peers.
    fn line(&self, peers: &dyn Links, line: &JournalLine);
    /// Older lines for a peer that has just connected.
    fn catch_up(&self, peers: &dyn Links, host: &HostName, lines: &[JournalLine]);
    /// A peer told a line of its own.
    fn peer_line(&self, host: &HostName, json: serde_json::Value);
    /// A peer told how it is.
    fn peer_view(&self, host: &HostName, json: serde_json::Value);
    /// A step of this service could not be stored.
    fn store_failed(&self, service: &ServiceName, error: String);
    /// The store works, as far as this service knows.
    fn store_works(&self, service: &ServiceName);
    /// How every service is now.
    fn publish(&self, peers: &dyn Links, services: Vec<(ServiceView, Arc<Context>)>);
}
