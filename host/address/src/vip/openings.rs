//! The frames that open TCP connections: which connection, and what must change so that another host takes them.
//! Pure; ethernet only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::frames::Link;

/// Who wants to speak with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Opening {
    pub(super) client: SocketAddr,
    pub(super) service: SocketAddr,
}

/// The connection that this frame opens; none if it opens none.
pub(super) fn opening(frame: &[u8]) -> Option<Opening> {
    let (from, to, start) = addresses(frame)?;
    let segment = frame.get(start..)?;
    if segment.len() < TCP_HEADER || segment.get(13)? & FLAGS != SYN {
        return None;
    }
    Some(Opening {
        client: SocketAddr::new(from, u16::from_be_bytes([segment[0], segment[1]])),
        service: SocketAddr::new(to, u16::from_be_bytes([segment[2], segment[3]])),
    })
}

/// The frame for another link-layer address, with its checksum made afresh: between interfaces of one machine it often
/// was never made.
pub(super) fn readdressed(frame: &[u8], to: Link, from: Link) -> Option<Vec<u8>> {
    let (source, destination, start) = addresses(frame)?;
    let end = end(frame)?;
    let mut frame = frame.to_vec();
    frame.get_mut(..6)?.copy_from_slice(&to);
    frame.get_mut(6..12)?.copy_from_slice(&from);
    frame.get_mut(start + 16..start + 18)?.copy_from_slice(&[0, 0]);
    let segment = frame.get(start..end)?;
    let length = u32::try_from(segment.len()).ok()?;
    let mut summed = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => [source.octets(), destination.octets()].concat(),
        (IpAddr::V6(source), IpAddr::V6(destination)) => [source.octets(), destination.octets()].concat(),
        _ => return None,
    };
    summed.extend(length.to_be_bytes());
    summed.extend([0, 0, 0, TCP]);
    summed.extend(segment);
    let sum = super::frames::checksum(&summed);
    frame
        .get_mut(start + 16..start + 18)?
        .copy_from_slice(&sum.to_be_bytes());
    Some(frame)
}

/// Source, destination and the place of the TCP header, of a whole packet.
fn addresses(frame: &[u8]) -> Option<(IpAddr, IpAddr, usize)> {
    let packet = frame.get(ETHERNET_HEADER..)?;
    match frame.get(12..14)? {
        [0x08, 0x00] => {
            let fragment = u16::from_be_bytes(*packet.get(6..8)?.first_chunk()?) & FRAGMENT;
            if packet.first()? >> 4 != 4 || *packet.get(9)? != TCP || fragment != 0 {
                return None;
            }
            let header = usize::from(packet[0] & 0xf) * 4;
            let from: [u8; 4] = *packet.get(12..16)?.first_chunk()?;
            let to: [u8; 4] = *packet.get(16..20)?.first_chunk()?;
            let start = ETHERNET_HEADER + header.max(20);
            Some((Ipv4Addr::from(from).into(), Ipv4Addr::from(to).into(), start))
        }
        [0x86, 0xdd] => {
            if packet.first()? >> 4 != 6 || *packet.get(6)? != TCP {
                return None;
            }
            let from: [u8; 16] = *packet.get(8..24)?.first_chunk()?;
            let to: [u8; 16] = *packet.get(24..40)?.first_chunk()?;
            Some((
                Ipv6Addr::from(from).into(),
                Ipv6Addr::from(to).into(),
                ETHERNET_HEADER + 40,
            ))
        }
        _ => None,
    }
}

/// Where the packet ends: short frames are filled up.
fn end(frame: &[u8]) -> Option<usize> {
    let packet = frame.get(ETHERNET_HEADER..)?;
    let number = |at: usize| Some(usize::from(u16::from_be_bytes(*packet.get(at..at + 2)?.first_chunk()?)));
    let length = match packet.first()? >> 4 {
        4 => number(2)?,
        _ => number(4)? + 40,
    };
    Some(ETHERNET_HEADER + length)
}

const ETHERNET_HEADER: usize = 14;
const TCP_HEADER: usize = 20;
const TCP: u8 = 6;
/// FIN, SYN, RST and ACK.
const FLAGS: u8 = 0x17;
const SYN: u8 = 2;
const FRAGMENT: u16 = 0x1fff;

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 SYN from 192.0.2.1:40000 to 192.0.2.10:80, filled up to 60 bytes; its checksum was never made.
    fn syn() -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        frame.extend([0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]);
        frame.extend([192, 0, 2, 1, 192, 0, 2, 10]);
        frame.extend([
            0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0xab, 0xcd, 0, 0,
        ]);
        frame.resize(60, 0);
        frame
    }

    #[test]
    fn an_opening_is_told_from_everything_else() {
        let frame = syn();
        let opening = opening(&frame).unwrap();
        assert_eq!(opening.client, "192.0.2.1:40000".parse().unwrap());
        assert_eq!(opening.service, "192.0.2.10:80".parse().unwrap());
        for (place, value) in [(47, 0x12), (47, 0x10), (23, 17), (21, 1), (12, 9), (14, 0x65)] {
            let mut other = frame.clone();
            other[place] = value;
            assert_eq!(super::opening(&other), None, "{place}");
        }
        for cut in 0..54 {
            assert_eq!(super::opening(&frame[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn a_readdressed_frame_has_a_right_checksum() {
        let frame = readdressed(&syn(), [2, 0, 0, 0, 0, 3], [2, 0, 0, 0, 0, 2]).unwrap();
        assert_eq!(frame[..12], [2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 2]);
        let mut summed = frame[26..34].to_vec();
        summed.extend([0, 0, 0, 20, 0, 0, 0, TCP]);
        summed.extend(&frame[34..54]);
        assert_eq!(super::super::frames::checksum(&summed), 0);
        assert_eq!(readdressed(&syn()[..50], [0; 6], [0; 6]), None, "a cut frame");
    }
}
