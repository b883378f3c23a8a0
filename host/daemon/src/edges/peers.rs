//! The connections to the other hosts, as far as the driver and the effects speak on them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use understudy_protocol::HostName;
use understudy_store::ClockOffset;

use crate::inquiries::Clocks;
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
    /// How a peer's wall clock stands to this host's, where that was measured.
    fn clock_of(&self, _host: &HostName) -> Option<ClockOffset> {
        None
    }
}

/// The connections, and what was measured of the clocks at their other ends.
pub(crate) struct Lines {
    peers: Peers,
    clocks: Clocks,
}

impl Lines {
    pub(crate) fn new(peers: Peers, clocks: Clocks) -> Self {
        Lines { peers, clocks }
    }
}

#[async_trait]
impl Links for Lines {
    fn send(&self, to: &HostName, frame: Frame) -> bool {
        self.peers.send(to, frame)
    }

    async fn send_waiting(&self, to: &HostName, frame: Frame) -> bool {
        self.peers.send_waiting(to, frame).await
    }

    fn connected(&self) -> BTreeSet<HostName> {
        self.peers.connected()
    }

    fn troubles(&self) -> BTreeMap<HostName, String> {
        self.peers.troubles()
    }

    fn clock_of(&self, host: &HostName) -> Option<ClockOffset> {
        self.clocks.of(host)
    }
}
