//! Sends and sees link-layer frames on one interface.
//!
//! Invariant: a `Wire` belongs to one incarnation of the interface; when that is deleted, it only returns errors.

use std::io;
use std::net::{IpAddr, Ipv6Addr, UdpSocket as StdSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::LinkAddr;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::frames::{self, Link};

/// Open sockets on an interface.
pub(super) struct Wire {
    /// The same socket as `packets`. The runtime does not let a socket be used before it has waited for it once; an
    /// announcement can't wait.
    sender: Socket,
    packets: Datagrams,
    neighbours: Option<Datagrams>,
    link: Link,
}

impl Wire {
    /// Opens an ethernet interface; none where the interface is of another kind and nothing can be announced.
    pub(super) fn open(interface: &str, with_ipv6: bool) -> io::Result<Option<Self>> {
        let Some((place, link)) = link_of(interface)? else {
            return Ok(None);
        };
        let packets = Socket::new(
            Domain::PACKET,
            Type::RAW,
            Some(Protocol::from(i32::from(ETHERTYPE_ARP.to_be()))),
        )?;
        nix::sys::socket::bind(packets.as_raw_fd(), &place)?;
        let neighbours = with_ipv6.then(|| neighbours(place.ifindex())).transpose()?;
        let sender = packets.try_clone()?;
        Ok(Some(Wire {
            sender,
            packets: datagrams(packets)?,
            neighbours,
            link,
        }))
    }

    /// Our own link-layer address.
    pub(super) fn link(&self) -> Link {
        self.link
    }

    /// Sends a whole frame.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.sender.send(frame).map(drop)
    }

    /// The next claim of somebody else to have an address.
    pub(super) async fn claim(&self) -> io::Result<(IpAddr, Link)> {
        loop {
            let claim = tokio::select! {
                frame = receive(Some(&self.packets)) => frames::arp_claim(&frame?).map(|(ip, link)| (IpAddr::V4(ip), link)),
                packet = receive(self.neighbours.as_ref()) => {
                    frames::neighbour_claim(&packet?).map(|(ip, link)| (IpAddr::V6(ip), link))
                }
            };
            match claim {
                Some((ip, link)) if link != self.link => return Ok((ip, link)),
                _ => {}
            }
        }
    }
}

/// The place to bind a packet socket to. The list of interfaces is what gives it without unsafe code.
pub(super) fn place_of(interface: &str) -> io::Result<LinkAddr> {
    nix::ifaddrs::getifaddrs()?
        .filter(|found| found.interface_name == interface)
        .find_map(|found| found.address?.as_link_addr().copied())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no interface {interface}")))
}

/// The place to bind to and the link-layer address of an ethernet interface.
fn link_of(interface: &str) -> io::Result<Option<(LinkAddr, Link)>> {
    let place = place_of(interface)?;
    let ethernet = place.hatype() == HARDWARE_ETHERNET && place.halen() == 6;
    Ok(place.addr().filter(|_| ethernet).map(|link| (place, link)))
}

/// A socket that sees neighbour advertisements to all nodes.
fn neighbours(interface: usize) -> io::Result<Datagrams> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    let index = u32::try_from(interface).map_err(io::Error::other)?;
    socket.join_multicast_v6(&ALL_NODES, index)?;
    datagrams(socket)
}

/// The next frame; never one where there is no socket.
async fn receive(socket: Option<&Datagrams>) -> io::Result<Vec<u8>> {
    let Some(socket) = socket else {
        return std::future::pending().await;
    };
    let mut frame = [0; LONGEST_CLAIM];
    let length = socket.recv(&mut frame).await?;
    Ok(frame.get(..length).unwrap_or_default().to_vec())
}

/// Lets the runtime wait for a socket.
pub(super) fn datagrams(socket: Socket) -> io::Result<Datagrams> {
    socket.set_nonblocking(true)?;
    Datagrams::from_std(StdSocket::from(OwnedFd::from(socket)))
}

/// The runtime's one safe type for a socket that sends and receives whole messages. Nothing of UDP is used.
pub(super) type Datagrams = UdpSocket;

const ETHERTYPE_ARP: u16 = 0x0806;
/// `ARPHRD_ETHER`.
const HARDWARE_ETHERNET: u16 = 1;
/// A claim is far shorter; the rest of a longer frame does not matter.
const LONGEST_CLAIM: usize = 256;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
