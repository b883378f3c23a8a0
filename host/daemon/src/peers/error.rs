//! What can go wrong with peers: at the start ([`PeersError`]), and with one connection ([`LinkError`]).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use understudy_protocol::HostName;

/// Why the connections to peers can't be started.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// The identity is another host's.
    #[error(
        "the identity names {identity}, and this host is {me}: make its own with `understudy cluster invite --host {me}`"
    )]
    NotMine {
        /// This host.
        me: HostName,
        /// Whose identity it is.
        identity: HostName,
    },
    /// The address can't be listened on.
    #[error("can't listen for peers on {listen}: {source}; see `cluster.listen`")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// TLS refuses the identity.
    #[error("the identity can't be used: {0}; see `understudy cluster show`")]
    Identity(String),
}

/// Why one connection ended, or was never made. Its text is what an operator sees beside a lost peer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("can't connect to {address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the other side closed the connection")]
    Closed,
    #[error("silent for {0:?}")]
    Silent(Duration),
    #[error("it takes nothing for {0:?}")]
    Stuck(Duration),
    #[error("no greeting within {0:?}")]
    NoGreeting(Duration),
    #[error(transparent)]
    TooLarge(#[from] understudy_wire::TooLarge),
    #[error(transparent)]
    NotAFrame(#[from] understudy_wire::NotAFrame),
    #[error("a {0} came where a greeting was due")]
    NotAGreeting(String),
    #[error("the other side turned us away: {0}")]
    TurnedAway(String),
    #[error("{0}")]
    Refused(String),
    #[error("it sent a message in the name of {claimed}")]
    Impersonates { claimed: HostName },
    #[error("it connected again")]
    Replaced,
    #[error("this daemon is shutting down")]
    Stopping,
}
