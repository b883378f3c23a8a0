//! Sends and sees link-layer frames on one interface.
//!
//! Binding a packet socket and closing it make the kernel wait until every processor has passed by, ten to twenty
//! milliseconds each, which is too long for a move that nobody is to notice. So the socket is not bound, it has a filter
//! instead, and it is closed aside.
//!
//! Invariant: a `Wire` belongs to one incarnation of the interface, see [`Wire::index`]; when that is deleted, nothing
//! comes any more and nothing can be sent.

use std::io;
use std::net::{IpAddr, Ipv6Addr, UdpSocket as StdSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{LinkAddr, MsgFlags, sendto};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::net::UdpSocket;
use tokio::runtime::Handle;

use super::frames::{self, Link};

/// Open sockets on an interface.
pub(super) struct Wire {
    place: LinkAddr,
    link: Link,
    /// Always there until the wire is dropped.
    sockets: Option<Sockets>,
}

struct Sockets {
    /// The same socket as `packets`. The runtime does not let a socket be used before it has waited for it once; an
    /// announcement can't wait.
    sender: Socket,
    packets: Datagrams,
    neighbours: Option<Datagrams>,
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
        packets.attach_filter(&only_from(place.ifindex())?)?;
        packets.set_nonblocking(true)?;
        // What came before the filter may be another interface's.
        while packets.recv(&mut [std::mem::MaybeUninit::uninit(); 1]).is_ok() {}
        let neighbours = with_ipv6.then(|| neighbours(place.ifindex())).transpose()?;
        let sockets = Sockets {
            sender: packets.try_clone()?,
            packets: datagrams(packets)?,
            neighbours,
        };
        Ok(Some(Wire {
            place,
            link,
            sockets: Some(sockets),
        }))
    }

    /// Our own link-layer address.
    pub(super) fn link(&self) -> Link {
        self.link
    }

    /// The kernel's number of the interface: another one of the same name has another number.
    pub(super) fn index(&self) -> usize {
        self.place.ifindex()
    }

    /// Sends a whole frame.
    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        let Some(sockets) = &self.sockets else { return Ok(()) };
        sendto(sockets.sender.as_raw_fd(), frame, &self.place, MsgFlags::empty())?;
        Ok(())
    }

    /// The next claim of somebody else to have an address.
    pub(super) async fn claim(&self) -> io::Result<(IpAddr, Link)> {
        let packets = self.sockets.as_ref().map(|sockets| &sockets.packets);
        let neighbours = self.sockets.as_ref().and_then(|sockets| sockets.neighbours.as_ref());
        loop {
            let claim = tokio::select! {
                frame = receive(packets) => frames::arp_claim(&frame?).map(|(ip, link)| (IpAddr::V4(ip), link)),
                packet = receive(neighbours) => {
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

impl Drop for Wire {
    fn drop(&mut self) {
        if let (Some(sockets), Ok(runtime)) = (self.sockets.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(sockets));
        }
    }
}

/// A program of the kernel's classic filter: frames that came in by this interface.
fn only_from(interface: usize) -> io::Result<[SockFilter; 4]> {
    let index = u32::try_from(interface).map_err(io::Error::other)?;
    Ok([
        SockFilter::new(LOAD_WORD, 0, 0, INTERFACE_INDEX),
        SockFilter::new(JUMP_EQUAL, 0, 1, index),
        SockFilter::new(RETURN, 0, 0, 0xffff),
        SockFilter::new(RETURN, 0, 0, 0),
    ])
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
const LOAD_WORD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// `SKF_AD_OFF + SKF_AD_IFINDEX`.
const INTERFACE_INDEX: u32 = 0xffff_f008;
/// `ARPHRD_ETHER`.
const HARDWARE_ETHERNET: u16 = 1;
/// A claim is far shorter; the rest of a longer frame does not matter.
const LONGEST_CLAIM: usize = 256;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
