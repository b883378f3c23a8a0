//! What an operator settles about a service's address. Plain data: the daemon parses its file into this.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use understudy_protocol::HostName;

/// How clients find the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressConfig {
    /// The daemon listens and forwards to the local server.
    Proxy(ProxyConfig),
    /// Addresses that move from one host's interface to another's.
    Vip(VipConfig),
}

/// Settings of a forwarding address. [`ProxyConfig::new`] fills in sound values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// Where clients connect. The same on every host of one machine; a port of 0 is refused.
    pub listen: Vec<SocketAddr>,
    /// The local server.
    pub server: SocketAddr,
    /// Asked length of the queue of connections that wait; the kernel cuts it to `net.core.somaxconn`.
    pub backlog: u32,
    /// For how long a client waits while the server refuses connections (it may just be starting).
    pub connect_patience: Duration,
    /// For how long [`crate::Address::take`] waits for an address that somebody else still listens on.
    pub take_patience: Duration,
    /// For how long the clients that wait are kept for a successor after the address was dropped.
    pub release_linger: Duration,
    /// Whether idle client connections are kept over a switch and attached to the new server.
    ///
    /// Right only where the server remembers nothing between two requests of a connection and every answer marks its
    /// own end: HTTP/1.1 yes, Redis or PostgreSQL no. Connections that turn out to be TLS, HTTP/2 or a websocket are not
    /// carried.
    pub carry_idle: bool,
    /// Whether the server is told who its client is, by the PROXY protocol, version 2. The server must expect it: one that
    /// does not takes it for a broken request.
    pub proxy_protocol: bool,
}

impl ProxyConfig {
    /// A proxy with the default patience, without carrying idle connections and without the PROXY protocol.
    pub fn new(listen: Vec<SocketAddr>, server: SocketAddr) -> Self {
        ProxyConfig {
            listen,
            server,
            backlog: BACKLOG,
            connect_patience: CONNECT_PATIENCE,
            take_patience: TAKE_PATIENCE,
            release_linger: RELEASE_LINGER,
            carry_idle: false,
            proxy_protocol: false,
        }
    }
}

/// Settings of an address that moves between hosts.
///
/// The server must accept clients of an address that comes after its start: let it listen on every address (`0.0.0.0`,
/// `::`), or set `net.ipv4.ip_nonlocal_bind`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VipConfig {
    /// The addresses, all of which move together.
    pub addresses: Vec<VipAddress>,
    /// The interface they are put on.
    pub interface: String,
    /// The service's TCP ports: new connections to them wait during a drain. Empty: every TCP port of the addresses.
    pub ports: Vec<u16>,
    /// The addresses that the candidate hosts themselves have on the interface's link. Needed only where both servers may
    /// run during a move: one of each family for each host.
    pub hosts: BTreeMap<HostName, Vec<IpAddr>>,
}

/// An address with the length of its network's prefix, like `192.0.2.10/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VipAddress {
    /// The address.
    pub ip: IpAddr,
    /// Bits of the network part: at most 32 or 128.
    pub prefix: u8,
}

/// Why a text is not an address with a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address with a prefix length: write it like 192.0.2.10/24 or 2001:db8::10/64")]
pub struct BadVipAddress {
    /// The text that was refused.
    pub text: String,
}

impl FromStr for VipAddress {
    type Err = BadVipAddress;

    fn from_str(text: &str) -> Result<Self, BadVipAddress> {
        let bad = || BadVipAddress {
            text: text.chars().take(80).collect(),
        };
        let (ip, prefix) = text.split_once('/').ok_or_else(bad)?;
        let ip: IpAddr = ip.parse().map_err(|_| bad())?;
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        let usable = !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback();
        if prefix == 0 || prefix > longest || !usable {
            return Err(bad());
        }
        Ok(VipAddress { ip, prefix })
    }
}

impl fmt::Display for VipAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// More than any `somaxconn` in use, so that the kernel's own bound decides.
const BACKLOG: u32 = 65_535;
/// A server that starts in order needs seconds; a client's own time-outs are rarely shorter than this.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// The predecessor drops before it says so: a longer wait means that somebody else listens.
const TAKE_PATIENCE: Duration = Duration::from_secs(5);
/// Longer than a server's start; a client that waited so long is better off with another address.
const RELEASE_LINGER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_prefix_that_fits() {
        for good in ["192.0.2.10/24", "192.0.2.10/32", "2001:db8::10/64", "fe80::1/128"] {
            assert_eq!(good.parse::<VipAddress>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "192.0.2.10",
            "192.0.2.10/33",
            "192.0.2.10/0",
            "::1/64",
            "127.0.0.1/8",
            "224.0.0.1/4",
            "0.0.0.0/8",
            "x/24",
        ] {
            assert!(bad.parse::<VipAddress>().is_err(), "{bad}");
        }
    }
}
