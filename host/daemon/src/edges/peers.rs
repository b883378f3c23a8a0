//! The connections to the other hosts, as far as the driver and the effects speak on them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use understudy_protocol::HostName;

use crate::peers::{Frame, Peers};

/// Speaks to the peers; what they say comes as `Input`.
#[async_trait]
pub(crate) trait Links: Send + Sync {
    /// Queues a frame and says whether it was queued; what was not is as good as lost on the way.
    fn send(&self, to: &HostName, frame: Frame) -> bool;
    /// Waits for room, then queues; false when the connection is gone. Never from the driver's task.
    async fn send_waiting(&self, to: &HostName, frame: Frame) -> bool;
    /// The peers that are there now.
    fn connected(&self) -> BTreeSet<HostName>;
    /// What is in the way of each peer that is not there, in words: for people.
    fn troubles(&self) -> BTreeMap<HostName, String>;
}

#[async_trait]
impl Links for Peers {
    fn send(&self, to: &HostName, frame: Frame) -> bool {
        Peers::send(self, to, frame)
    }

    async fn send_waiting(&self, to: &HostName, frame: Frame) -> bool {
        Peers::send_waiting(self, to, frame).await
    }

    fn connected(&self) -> BTreeSet<HostName> {
        Peers::connected(self)
    }

    fn troubles(&self) -> BTreeMap<HostName, String> {
        Peers::troubles(self)
    }
}
