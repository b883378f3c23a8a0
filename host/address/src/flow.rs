//! What is told of one client connection through the proxy.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// One client's connection, as it was at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Unique within this process, rising.
    pub id: u64,
    /// The client.
    pub client: SocketAddr,
    /// Where it connected to.
    pub listen: SocketAddr,
    /// The proxy's own address towards the server: what the server sees as its client. None while not connected.
    pub server_side_local: Option<SocketAddr>,
    /// When the client was accepted.
    pub opened_at: SystemTime,
    /// Bytes from the client.
    pub from_client: u64,
    /// Bytes from the server.
    pub from_server: u64,
    /// Who spoke last; none when nothing was said yet.
    pub spoke_last: Option<Spoke>,
    /// The client spoke last: a request is probably in progress.
    pub awaiting_answer: bool,
    /// Since the last byte from the client (or since the connection was accepted).
    pub client_silent_for: Duration,
    /// Since the last byte from the server (or since the connection was accepted).
    pub server_silent_for: Duration,
    /// The client's further bytes are held back.
    pub quiesced: bool,
}

/// Which side of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spoke {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// What [`crate::Address::quiesce`] achieved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quiet {
    /// Idle flows whose clients are held back now.
    pub quiesced: usize,
    /// Flows in which something is still in progress.
    pub busy: Vec<Flow>,
}

/// A connection that the kernel still has on the first of two hosts, or (`listen`) a socket whose server has not accepted
/// everybody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remaining {
    /// The client; unspecified for a listening socket.
    pub client: SocketAddr,
    /// The service's end.
    pub service: SocketAddr,
    /// The state as the kernel's tools spell it, like `established`.
    pub state: &'static str,
}
