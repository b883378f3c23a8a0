//! What can go wrong with an address; each error names the place and the mend.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// Why the address could not be moved as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The configuration contradicts itself.
    #[error("[service.address] of {service}: {problem}")]
    Config {
        /// The service.
        service: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
    /// A privilege is missing.
    #[error(
        "{what} needs {capability}, which this process does not have: run as root, or put AmbientCapabilities={capability} \
         into the unit of understudy (setcap {lower}+ep on the program does as well)",
        lower = capability.to_lowercase()
    )]
    Privilege {
        /// What was attempted.
        what: &'static str,
        /// The capability, like `CAP_NET_ADMIN`.
        capability: &'static str,
    },
    /// The kernel lacks something.
    #[error("{what} is not possible here: {error}; {mend}")]
    Kernel {
        /// What was attempted.
        what: String,
        /// The kernel's answer.
        error: String,
        /// The module, sysctl or package, and what to do.
        mend: String,
    },
    /// Somebody else listens on the address.
    #[error("{listen} is in use by {holder}: stop it, or give the service another address")]
    InUse {
        /// The listening address.
        listen: SocketAddr,
        /// Who, as far as the kernel lets us know.
        holder: String,
    },
    /// The listening socket could not be made.
    #[error("can't listen on {listen}: {error}")]
    Listen {
        /// The listening address.
        listen: SocketAddr,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// The predecessor on this machine does not give the listening socket.
    #[error("the predecessor does not hand {listen} over: {error}")]
    Handover {
        /// The listening address.
        listen: SocketAddr,
        /// What happened.
        error: String,
    },
    /// The interface is missing or down.
    #[error("interface {interface}: {problem}")]
    Interface {
        /// The interface.
        interface: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An address could not be changed.
    #[error("{doing} {address} on {interface}: {error}")]
    Change {
        /// `adding`, `removing`, …
        doing: &'static str,
        /// The address.
        address: IpAddr,
        /// The interface.
        interface: String,
        /// The kernel's answer.
        error: String,
    },
    /// The kernel's packet filter refuses.
    #[error("the packet filter for the address of {service}: {error}; {mend}")]
    Filter {
        /// The service.
        service: String,
        /// The part and the kernel's answer.
        error: String,
        /// What to do.
        mend: &'static str,
    },
    /// Something of the system failed that has no better name.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What happened.
        #[source]
        error: io::Error,
    },
}
