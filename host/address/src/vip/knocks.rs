//! Sees the frames that open connections while the packet filter drops them, and sends them again: to this host, or to
//! another one on the link.
//!
//! Invariant: a frame that this host sends is never seen; what is seen was for this host's link-layer address.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::frames::Link;
use super::openings::{Opening, opening, readdressed};
use super::wire::{Datagrams, datagrams, place_of};

/// An open view on an interface.
pub(super) struct Knocks {
    frames: Datagrams,
    sender: Socket,
    link: Link,
}

impl Knocks {
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let place = place_of(interface)?;
        let link = place
            .addr()
            .filter(|_| place.hatype() == HARDWARE_ETHERNET)
            .ok_or_else(|| io::Error::other("not an ethernet interface"))?;
        // What comes before the socket has its filter and its place is looked at once more when it is read.
        let everything = Socket::new(
            Domain::PACKET,
            Type::RAW,
            Some(Protocol::from(i32::from(EVERYTHING.to_be()))),
        )?;
        everything.attach_filter(&openings_to_us())?;
        // For a burst of clients; without the privilege the usual size has to do.
        let _ = nix::sys::socket::setsockopt(&everything, RcvBufForce, &RECEIVE_BUFFER);
        nix::sys::socket::bind(everything.as_raw_fd(), &place)?;
        let sender = everything.try_clone()?;
        Ok(Knocks {
            frames: datagrams(everything)?,
            sender,
            link,
        })
    }

    /// The next frame that opens a connection.
    pub(super) async fn next(&self) -> io::Result<(Opening, Vec<u8>)> {
        let mut frame = vec![0; LONGEST];
        loop {
            let length = self.frames.recv(&mut frame).await?;
            // A longer frame than fits was cut.
            if length < LONGEST
                && let Some(bytes) = frame.get(..length)
                && let Some(opening) = opening(bytes)
            {
                return Ok((opening, bytes.to_vec()));
            }
        }
    }

    /// The next such frame that has come already.
    pub(super) fn at_once(&self) -> Option<(Opening, Vec<u8>)> {
        let mut frame = vec![0; LONGEST];
        loop {
            let length = self.frames.try_recv(&mut frame).ok()?;
            if let Some(bytes) = frame.get(..length)
                && let Some(opening) = opening(bytes)
            {
                return Some((opening, bytes.to_vec()));
            }
        }
    }

    /// Sends the frame to another host on the link.
    pub(super) fn pass_on(&self, frame: &[u8], to: Link) -> io::Result<()> {
        match readdressed(frame, to, self.link) {
            Some(frame) => self.sender.send(&frame).map(drop),
            None => Ok(()),
        }
    }
}

/// The way of a frame into this host itself.
pub(super) struct Inward {
    loopback: Socket,
}

impl Inward {
    pub(super) fn open() -> io::Result<Self> {
        let place = place_of(LOOPBACK)?;
        let loopback = Socket::new(Domain::PACKET, Type::RAW, None)?;
        nix::sys::socket::bind(loopback.as_raw_fd(), &place)?;
        Ok(Inward { loopback })
    }

    /// Lets the frame come in as if it had just arrived.
    pub(super) fn deliver(&self, frame: &[u8]) -> io::Result<()> {
        match readdressed(frame, [0; 6], [0; 6]) {
            Some(frame) => self.loopback.send(&frame).map(drop),
            None => Ok(()),
        }
    }
}

/// A program of the kernel's classic filter: TCP segments with SYN and without ACK, RST and FIN, in frames to us.
fn openings_to_us() -> [SockFilter; 19] {
    let steps: [(u16, u8, u8, u32); 19] = [
        (LOAD_BYTE, 0, 0, PACKET_TYPE),
        (JUMP_EQUAL, 0, 16, 0),
        (LOAD_HALF, 0, 0, 12),
        (JUMP_EQUAL, 0, 7, 0x0800),
        // IPv4: TCP, not a later fragment, its flags behind a header of any length.
        (LOAD_BYTE, 0, 0, 23),
        (JUMP_EQUAL, 0, 12, 6),
        (LOAD_HALF, 0, 0, 20),
        (JUMP_BITS, 10, 0, 0x1fff),
        (LOAD_HEADER_LENGTH, 0, 0, 14),
        (LOAD_BYTE_INDEXED, 0, 0, 27),
        (JUMP, 0, 0, 4),
        // IPv6.
        (JUMP_EQUAL, 0, 6, 0x86dd),
        (LOAD_BYTE, 0, 0, 20),
        (JUMP_EQUAL, 0, 4, 6),
        (LOAD_BYTE, 0, 0, 67),
        (AND, 0, 0, 0x17),
        (JUMP_EQUAL, 0, 1, 2),
        (RETURN, 0, 0, 0xffff),
        (RETURN, 0, 0, 0),
    ];
    steps.map(|(code, yes, no, value)| SockFilter::new(code, yes, no, value))
}

const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const LOAD_BYTE_INDEXED: u16 = 0x50;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_BITS: u16 = 0x45;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;
/// `SKF_AD_OFF + SKF_AD_PKTTYPE`: 0 is a frame to this host.
const PACKET_TYPE: u32 = 0xffff_f004;
/// `ETH_P_ALL`.
const EVERYTHING: u16 = 0x0003;
/// `ARPHRD_ETHER`.
const HARDWARE_ETHERNET: u16 = 1;
const LOOPBACK: &str = "lo";
/// An opening with data (TCP Fast Open) fits as well.
const LONGEST: usize = 2048;
/// Five thousand openings that nobody has read yet.
const RECEIVE_BUFFER: usize = 4 << 20;
