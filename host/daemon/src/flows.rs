//! Whose connection a server's connection really is, where this host's own proxy stands between.
//!
//! Invariant: plain look-up of what the address knows; nothing is guessed.

use std::net::SocketAddr;

use understudy_address::Address;
use understudy_runtime::ConnectionAnnotator;

/// Answers for the connections that the address forwards.
pub(crate) struct RealClients {
    address: Address,
}

impl RealClients {
    pub(crate) fn of(address: Address) -> Self {
        RealClients { address }
    }
}

impl ConnectionAnnotator for RealClients {
    fn annotate(&self, _local: SocketAddr, remote: SocketAddr) -> Vec<(String, String)> {
        let flow = self
            .address
            .flows()
            .into_iter()
            .find(|flow| flow.server_side_local == Some(remote));
        let Some(flow) = flow else { return Vec::new() };
        vec![
            ("client".to_owned(), flow.client.to_string()),
            ("awaiting-answer".to_owned(), flow.awaiting_answer.to_string()),
        ]
    }
}
