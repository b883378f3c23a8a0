//! Tells the server who its client is: the PROXY protocol, version 2, in front of the client's first byte. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What comes before the client's bytes.
pub(super) fn header(client: SocketAddr, listen: SocketAddr) -> Vec<u8> {
    let (family, addresses) = match (client.ip().to_canonical(), listen.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (TCP_OVER_IPV4, [from.octets(), to.octets()].concat()),
        (from, to) => (TCP_OVER_IPV6, [wide(from).octets(), wide(to).octets()].concat()),
    };
    let mut header = SIGNATURE.to_vec();
    header.extend([VERSION_2_PROXY, family, 0, addresses.len() as u8 + PORTS]);
    header.extend(addresses);
    header.extend(client.port().to_be_bytes());
    header.extend(listen.port().to_be_bytes());
    header
}

fn wide(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_2_PROXY: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
/// The length of both ports.
const PORTS: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_told_and_mixed_ones_as_ipv6() {
        let v4 = header("192.0.2.1:40000".parse().unwrap(), "192.0.2.10:80".parse().unwrap());
        assert_eq!(v4.len(), 28);
        assert_eq!(
            v4[12..],
            [0x21, 0x11, 0, 12, 192, 0, 2, 1, 192, 0, 2, 10, 0x9c, 0x40, 0, 80]
        );
        let v6 = header("[2001:db8::1]:1".parse().unwrap(), "[2001:db8::10]:80".parse().unwrap());
        assert_eq!((v6.len(), &v6[12..16]), (52, &[0x21, 0x21, 0, 36][..]));
        let mapped = header(
            "[::ffff:192.0.2.1]:40000".parse().unwrap(),
            "192.0.2.10:80".parse().unwrap(),
        );
        assert_eq!(mapped, v4);
        let mixed = header("192.0.2.1:1".parse().unwrap(), "[2001:db8::10]:80".parse().unwrap());
        assert_eq!(mixed[26..32], [0xff, 0xff, 192, 0, 2, 1]);
    }
}
