//! What the address reports by itself, for the journal and the operator.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use understudy_protocol::HostName;

/// Something happened to the address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressEvent {
    /// This host admits clients now.
    Taken,
    /// New clients wait.
    Held,
    /// Clients are admitted again after a hold.
    Admitted,
    /// New clients go to another host; connections that were under way stay until they end.
    Yielded {
        /// The other host.
        to: HostName,
    },
    /// This host does not have the address any more.
    Dropped,
    /// A listening socket came from the predecessor on this machine, with everybody who waits in it.
    Received {
        /// The listening address.
        listen: SocketAddr,
        /// Open client connections that came with it.
        connections: usize,
    },
    /// A listening socket went to the successor on this machine.
    Passed {
        /// The listening address.
        listen: SocketAddr,
        /// The successor's own word for its name.
        to: String,
        /// Open client connections that went with it.
        connections: usize,
    },
    /// Nobody on this machine asked for the listening socket in time: whoever waited in it was cut off.
    Unclaimed {
        /// The listening address.
        listen: SocketAddr,
        /// Clients that waited, where the kernel could tell.
        waiting: Option<u64>,
    },
    /// The listening socket can't be offered to a successor on this machine.
    OfferFailed {
        /// The listening address.
        listen: SocketAddr,
        /// What happened.
        error: String,
    },
    /// Clients can't be accepted for the moment (too many open files, no memory).
    AcceptFails {
        /// The listening address.
        listen: SocketAddr,
        /// What happened.
        error: String,
    },
    /// A client was closed because the server could not be reached for the whole patience.
    ServerUnreachable {
        /// The client.
        client: SocketAddr,
        /// The last error.
        error: String,
    },
    /// A client's bytes arrived after the server was done, and no server ever saw them: safe to send again.
    Unforwarded {
        /// The client.
        client: SocketAddr,
        /// How many bytes.
        bytes: u64,
    },
    /// Clients that waited were handed to whoever serves now.
    WaitersPassed {
        /// The other host's link-layer address; none: this host.
        to: Option<[u8; 6]>,
        /// How many.
        clients: usize,
    },
    /// Clients that wait can't be kept, and will have to try again by themselves, after a second or more.
    WaitersNotKept {
        /// What happened.
        error: String,
    },
    /// Somebody removed an address that this host holds; it is there again.
    Restored {
        /// The address.
        address: IpAddr,
    },
    /// Somebody removed an address that this host holds, and it can't be put back yet; it is tried again.
    RestoreFails {
        /// The address.
        address: IpAddr,
        /// What happened.
        error: String,
    },
    /// Another machine answers for an address that this host holds.
    DuplicateSeen {
        /// The address.
        address: IpAddr,
        /// The other's link-layer address.
        link: [u8; 6],
    },
    /// An address was found on this host although it does not hold the service; it was removed.
    LeftoverRemoved {
        /// The address.
        address: IpAddr,
    },
    /// The address could not be announced; it is tried again.
    AnnounceFails {
        /// The address.
        address: IpAddr,
        /// What happened.
        error: String,
    },
    /// The interface lost or regained its link.
    LinkChanged {
        /// Whether it works now.
        up: bool,
    },
}

impl AddressEvent {
    /// The event's name in the journal and the UI, kebab-case.
    pub fn name(&self) -> &'static str {
        match self {
            AddressEvent::Taken => "address-taken",
            AddressEvent::Held => "address-held",
            AddressEvent::Admitted => "address-admitted",
            AddressEvent::Yielded { .. } => "address-yielded",
            AddressEvent::Dropped => "address-dropped",
            AddressEvent::Received { .. } => "listener-received",
            AddressEvent::Passed { .. } => "listener-passed",
            AddressEvent::Unclaimed { .. } => "listener-unclaimed",
            AddressEvent::OfferFailed { .. } => "listener-offer-failed",
            AddressEvent::AcceptFails { .. } => "accept-fails",
            AddressEvent::ServerUnreachable { .. } => "server-unreachable",
            AddressEvent::Unforwarded { .. } => "request-unforwarded",
            AddressEvent::WaitersPassed { .. } => "waiters-passed",
            AddressEvent::WaitersNotKept { .. } => "waiters-not-kept",
            AddressEvent::Restored { .. } => "address-restored",
            AddressEvent::RestoreFails { .. } => "address-restore-fails",
            AddressEvent::DuplicateSeen { .. } => "address-duplicate",
            AddressEvent::LeftoverRemoved { .. } => "address-leftover-removed",
            AddressEvent::AnnounceFails { .. } => "announce-fails",
            AddressEvent::LinkChanged { .. } => "link-changed",
        }
    }
}

impl fmt::Display for AddressEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressEvent::Taken => write!(f, "this host admits clients"),
            AddressEvent::Held => write!(f, "new clients wait"),
            AddressEvent::Admitted => write!(f, "clients are admitted again"),
            AddressEvent::Yielded { to } => write!(f, "new clients go to {to}"),
            AddressEvent::Dropped => write!(f, "this host gave up the address"),
            AddressEvent::Received { listen, connections } => {
                write!(
                    f,
                    "{listen} came from the predecessor with {connections} open connections"
                )
            }
            AddressEvent::Passed {
                listen,
                to,
                connections,
            } => {
                write!(f, "{listen} went to {to} with {connections} open connections")
            }
            AddressEvent::Unclaimed {
                listen,
                waiting: Some(waiting),
            } => {
                write!(f, "nobody asked for {listen}: {waiting} waiting clients were cut off")
            }
            AddressEvent::Unclaimed { listen, waiting: None } => write!(f, "nobody asked for {listen}: it is closed"),
            AddressEvent::OfferFailed { listen, error } => {
                write!(f, "{listen} can't be offered to a successor: {error}")
            }
            AddressEvent::AcceptFails { listen, error } => write!(f, "{listen} can't accept clients: {error}"),
            AddressEvent::ServerUnreachable { client, error } => write!(f, "{client} was closed: no server: {error}"),
            AddressEvent::Unforwarded { client, bytes } => {
                write!(
                    f,
                    "{bytes} bytes of {client} came too late for the server and were never forwarded"
                )
            }
            AddressEvent::WaitersPassed {
                to: Some(link),
                clients,
            } => {
                write!(f, "{clients} waiting clients were handed to {}", LinkText(link))
            }
            AddressEvent::WaitersPassed { to: None, clients } => write!(f, "{clients} waiting clients were let in"),
            AddressEvent::WaitersNotKept { error } => {
                write!(f, "clients that wait have to try again by themselves: {error}")
            }
            AddressEvent::Restored { address } => write!(f, "{address} was removed by somebody and is there again"),
            AddressEvent::RestoreFails { address, error } => {
                write!(f, "{address} was removed by somebody and can't be put back: {error}")
            }
            AddressEvent::DuplicateSeen { address, link } => {
                write!(f, "{address} is also used by {}", LinkText(link))
            }
            AddressEvent::LeftoverRemoved { address } => write!(f, "{address} was left over here and is removed"),
            AddressEvent::AnnounceFails { address, error } => write!(f, "{address} can't be announced: {error}"),
            AddressEvent::LinkChanged { up: true } => write!(f, "the interface's link is up"),
            AddressEvent::LinkChanged { up: false } => write!(f, "the interface's link is down"),
        }
    }
}

/// Six bytes as `02:00:00:00:00:01`.
struct LinkText<'a>(&'a [u8; 6]);

impl fmt::Display for LinkText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}
