//! The bytes of announcements and of what betrays a duplicate: ARP (RFC 826, 5227) and neighbour discovery (RFC 4861).
//! Pure; ethernet only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A link-layer address of ethernet.
pub(super) type Link = [u8; 6];

/// The frames that tell everybody on the link that `address` is at `link` now. Both forms of ARP are needed: some
/// neighbours update their tables only on requests, some only on replies.
pub(super) fn announcements(address: IpAddr, link: Link, router: bool) -> Vec<Vec<u8>> {
    match address {
        IpAddr::V4(ip) => vec![
            arp(link, ARP_REQUEST, (link, ip), ([0; 6], ip)),
            arp(link, ARP_REPLY, (link, ip), (BROADCAST, ip)),
        ],
        IpAddr::V6(ip) => vec![advertisement(ip, link, router)],
    }
}

/// The frame whose answer shows that somebody else on the link has `address` too.
pub(super) fn probe(address: IpAddr, link: Link) -> Vec<u8> {
    match address {
        IpAddr::V4(ip) => arp(link, ARP_REQUEST, (link, Ipv4Addr::UNSPECIFIED), ([0; 6], ip)),
        IpAddr::V6(ip) => solicitation(ip, link),
    }
}

/// Who says in an ARP frame that it has which address.
pub(super) fn arp_claim(frame: &[u8]) -> Option<(Ipv4Addr, Link)> {
    let (head, body) = frame.split_at_checked(ETHERNET_HEADER)?;
    let is_arp = head.get(12..14)? == ETHERTYPE_ARP && body.get(..6)? == ARP_OVER_ETHERNET;
    if !is_arp {
        return None;
    }
    let link: Link = body.get(8..14)?.try_into().ok()?;
    let ip: [u8; 4] = body.get(14..18)?.try_into().ok()?;
    Some((ip.into(), link))
}

/// Who says in an ICMPv6 packet (as a raw socket delivers it) that it has which address.
pub(super) fn neighbour_claim(packet: &[u8]) -> Option<(Ipv6Addr, Link)> {
    if *packet.first()? != NEIGHBOUR_ADVERTISEMENT {
        return None;
    }
    let target: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
    let mut options = packet.get(24..)?;
    while let [kind, length, ..] = *options {
        let option = options
            .get(..usize::from(length) * 8)
            .filter(|option| !option.is_empty())?;
        if kind == OPTION_TARGET_LINK {
            return Some((target.into(), option.get(2..8)?.try_into().ok()?));
        }
        options = options.get(option.len()..)?;
    }
    None
}

fn arp(from: Link, operation: u8, sender: (Link, Ipv4Addr), target: (Link, Ipv4Addr)) -> Vec<u8> {
    let mut frame = ethernet(BROADCAST, from, ETHERTYPE_ARP);
    frame.extend(ARP_OVER_ETHERNET);
    frame.extend([0, operation]);
    for (link, ip) in [sender, target] {
        frame.extend(link);
        frame.extend(ip.octets());
    }
    frame
}

/// Unsolicited, with the override flag, to all nodes.
fn advertisement(ip: Ipv6Addr, link: Link, router: bool) -> Vec<u8> {
    let flags = OVERRIDE | if router { ROUTER } else { 0 };
    let mut body = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    body.extend(ip.octets());
    body.extend([OPTION_TARGET_LINK, 1]);
    body.extend(link);
    icmpv6(link, ip, ALL_NODES, body)
}

/// As in duplicate address detection: from nobody, so that the owner answers to all nodes.
fn solicitation(ip: Ipv6Addr, link: Link) -> Vec<u8> {
    let mut body = vec![NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    body.extend(ip.octets());
    let [.., a, b, c] = ip.octets();
    let to = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    icmpv6(link, Ipv6Addr::UNSPECIFIED, to, body)
}

fn icmpv6(link: Link, from: Ipv6Addr, to: Ipv6Addr, mut body: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut pseudo_header = [from.octets(), to.octets()].concat();
    pseudo_header.extend([0, 0, length[0], length[1], 0, 0, 0, PROTOCOL_ICMPV6]);
    let sum = checksum(&[pseudo_header, body.clone()].concat());
    if let Some(place) = body.get_mut(2..4) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    let [.., a, b, c, d] = to.octets();
    let mut frame = ethernet([0x33, 0x33, a, b, c, d], link, ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0, length[0], length[1], PROTOCOL_ICMPV6, ONLY_THIS_LINK]);
    frame.extend(from.octets());
    frame.extend(to.octets());
    frame.extend(body);
    frame
}

/// The internet checksum.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn ethernet(to: Link, from: Link, kind: [u8; 2]) -> Vec<u8> {
    [&to[..], &from[..], &kind[..]].concat()
}

const BROADCAST: Link = [0xff; 6];
const ETHERNET_HEADER: usize = 14;
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
/// Hardware type ethernet, protocol type IPv4, lengths 6 and 4.
const ARP_OVER_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ARP_REQUEST: u8 = 1;
const ARP_REPLY: u8 = 2;
const PROTOCOL_ICMPV6: u8 = 58;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const OPTION_TARGET_LINK: u8 = 2;
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
/// A hop limit that no router can have forwarded: receivers ignore neighbour discovery with any other.
const ONLY_THIS_LINK: u8 = 255;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = [2, 0, 0, 0, 0, 9];

    #[test]
    fn our_own_announcements_are_claims() {
        let ip: Ipv4Addr = "192.0.2.10".parse().unwrap();
        for frame in announcements(ip.into(), LINK, false) {
            assert_eq!(frame.len(), 42);
            assert_eq!(arp_claim(&frame), Some((ip, LINK)));
        }
        let ip: Ipv6Addr = "2001:db8::10".parse().unwrap();
        let frames = announcements(ip.into(), LINK, false);
        assert_eq!(neighbour_claim(&frames[0][54..]), Some((ip, LINK)));
    }

    #[test]
    fn a_probe_claims_nothing() {
        let frame = probe("192.0.2.10".parse().unwrap(), LINK);
        assert_eq!(arp_claim(&frame), Some((Ipv4Addr::UNSPECIFIED, LINK)));
        let frame = probe("2001:db8::10".parse().unwrap(), LINK);
        assert_eq!(neighbour_claim(&frame[54..]), None);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0, 0, 0x10]);
    }

    #[test]
    fn cut_and_strange_frames_are_not_claims() {
        let arp = announcements("192.0.2.10".parse().unwrap(), LINK, false).remove(0);
        let neighbour = announcements("2001:db8::10".parse().unwrap(), LINK, true)
            .remove(0)
            .split_off(54);
        for cut in 0..arp.len() {
            let claim = arp_claim(&arp[..cut]);
            assert!(claim.is_none() || cut >= 32, "{cut}");
        }
        for cut in 0..neighbour.len() {
            assert_eq!(neighbour_claim(&neighbour[..cut]), None, "{cut}");
        }
        let mut endless = neighbour;
        endless[25] = 0;
        assert_eq!(neighbour_claim(&endless), None, "an option of length 0");
    }

    #[test]
    fn the_checksum_of_a_packet_with_its_checksum_is_zero() {
        let frame = announcements("2001:db8::10".parse().unwrap(), LINK, false).remove(0);
        let mut summed = frame[22..54].to_vec();
        summed.extend([0, 0, 0, 32, 0, 0, 0, PROTOCOL_ICMPV6]);
        summed.extend(&frame[54..]);
        assert_eq!(checksum(&summed), 0);
    }
}
