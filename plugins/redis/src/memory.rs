//! What this plugin keeps from call to call: above all, whether the data on this host's disk is all there is. Pure.

use serde::{Deserialize, Serialize};
use understudy_plugin::Call;

/// The number of this layout.
pub(crate) const FORMAT: u32 = 1;

/// Kept by the host with the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    #[serde(default)]
    pub(crate) copy: Copy,
    /// `rejected_connections` as the last probe saw it.
    #[serde(default)]
    pub(crate) rejected_connections: Option<u64>,
    /// When Redis was told to shut down, in milliseconds since the epoch; none once it is known to run.
    #[serde(default)]
    pub(crate) shut_down_sent_at_ms: Option<u64>,
}

/// What a Redis that is started on this host's disk would have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Copy {
    /// Nothing is known to be missing: it served here last, or nobody knows better.
    #[default]
    Own,
    /// What a replica happened to have on disk.
    OfAReplica,
    /// It was shut down without saving: a replica had everything, or the disk was broken and nothing else was possible.
    LeftWithoutSaving,
}

impl Memory {
    pub(crate) fn of(call: &Call) -> Self {
        call.state(FORMAT).unwrap_or_default()
    }

    /// Why a Redis started here as the master would lack writes, where it would.
    pub(crate) fn what_disk_lacks(&self) -> Option<&'static str> {
        match self.copy {
            Copy::Own => None,
            Copy::OfAReplica => Some("Redis stopped while it was a replica: what it has on disk may be old"),
            Copy::LeftWithoutSaving => Some("Redis was shut down without saving: what it has on disk is old"),
        }
    }
}
