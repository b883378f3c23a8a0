//! What rules are made of. Each of these is one instruction of the kernel's small machine or a few that belong together;
//! a rule ends at the first that does not match.
//!
//! Registers are the machine's: sixteen of four bytes. A key of several parts lies in neighbouring ones.

use std::net::IpAddr;

use super::attribute::Attributes;

/// One instruction, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression {
    name: &'static str,
    data: Attributes,
}

impl Expression {
    /// The packet is of this address's family and goes to it.
    pub(crate) fn to_address(ip: IpAddr) -> Vec<Self> {
        Self::address(ip, 16, 24)
    }

    /// The packet is of this address's family and comes from it.
    pub(crate) fn from_address(ip: IpAddr) -> Vec<Self> {
        Self::address(ip, 12, 8)
    }

    /// The frame comes from this link-layer address.
    pub(crate) fn from_link(link: [u8; 6]) -> Vec<Self> {
        vec![Self::load(LINK, 6, 6, FIRST), Self::equal(&link)]
    }

    /// It is TCP.
    pub(crate) fn tcp() -> Vec<Self> {
        Self::transport(TCP)
    }

    /// It goes to this port of TCP or UDP.
    pub(crate) fn to_port(port: u16) -> Vec<Self> {
        vec![Self::load(TRANSPORT, 2, 2, FIRST), Self::equal(&port.to_be_bytes())]
    }

    /// It opens a TCP connection.
    pub(crate) fn opens() -> Vec<Self> {
        let masked = Attributes::new()
            .number(1, FIRST)
            .number(2, FIRST)
            .number(3, 1)
            .nested(4, value(&[FIN | SYN | RST | ACK]))
            .nested(5, value(&[0]));
        vec![
            Self::load(TRANSPORT, 13, 1, FIRST),
            Self::named("bitwise", masked),
            Self::equal(&[SYN]),
        ]
    }

    /// It is an ARP request of this sender (`true`) or for this target.
    pub(crate) fn arp_request(ip: [u8; 4], sender: bool) -> Vec<Self> {
        let offset = if sender { ARP_SENDER } else { ARP_TARGET };
        vec![
            Self::load(NETWORK, 6, 2, FIRST),
            Self::equal(&[0, 1]),
            Self::load(NETWORK, offset, 4, FIRST),
            Self::equal(&ip),
        ]
    }

    /// Writes another sender into an ARP frame.
    pub(crate) fn set_arp_sender(ip: [u8; 4]) -> Vec<Self> {
        vec![Self::immediate(FIRST, &ip), Self::store(ARP_SENDER, 4, 0)]
    }

    /// Writes another source into an IPv6 packet, and corrects its transport checksum.
    pub(crate) fn set_ipv6_source(ip: [u8; 16]) -> Vec<Self> {
        vec![
            Self::immediate(FIRST, &ip),
            Self::store(8, 16, TRANSPORT_CHECKSUM_FOLLOWS),
        ]
    }

    /// It is an ICMPv6 message of this type.
    pub(crate) fn icmpv6(kind: u8) -> Vec<Self> {
        let mut all = Self::transport(ICMPV6);
        all.extend([Self::load(TRANSPORT, 0, 1, FIRST), Self::equal(&[kind])]);
        all
    }

    /// It is a neighbour discovery message about this address.
    pub(crate) fn neighbour_target(ip: [u8; 16]) -> Vec<Self> {
        vec![Self::load(TRANSPORT, 8, 16, FIRST), Self::equal(&ip)]
    }

    /// Loads who speaks with whom into the registers: the key of a set of flows, see [`super::KeyPart`].
    pub(crate) fn flow_key(ipv6: bool) -> Vec<Self> {
        let (from, to, length) = if ipv6 { (8, 24, 16) } else { (12, 16, 4) };
        let words = length / 4;
        vec![
            Self::load(NETWORK, from, length, WORDS),
            Self::load(TRANSPORT, 0, 2, WORDS + words),
            Self::load(NETWORK, to, length, WORDS + words + 1),
            Self::load(TRANSPORT, 2, 2, WORDS + words + 1 + words),
        ]
    }

    /// The loaded key is in the set.
    pub(crate) fn in_set(set: &str) -> Vec<Self> {
        vec![Self::named("lookup", Attributes::new().text(1, set).number(2, WORDS))]
    }

    /// Puts the loaded key into the set, or renews it; does not match when the set is full.
    pub(crate) fn remember(set: &str) -> Vec<Self> {
        Self::change_set(set, DYNSET_UPDATE)
    }

    /// Takes the loaded key out of the set; the rule goes on in any case.
    pub(crate) fn forget(set: &str) -> Vec<Self> {
        Self::change_set(set, DYNSET_DELETE)
    }

    /// Sends the packet to a neighbour on the interface, past everything else of this host.
    pub(crate) fn forward(interface: u32, neighbour: IpAddr) -> Vec<Self> {
        let (bytes, family) = match neighbour {
            IpAddr::V4(ip) => (ip.octets().to_vec(), NFPROTO_IPV4),
            IpAddr::V6(ip) => (ip.octets().to_vec(), NFPROTO_IPV6),
        };
        let data = Attributes::new().number(1, FIRST).number(2, SECOND).number(3, family);
        vec![
            Self::immediate(FIRST, &interface.to_ne_bytes()),
            Self::immediate(SECOND, &bytes),
            Self::named("fwd", data),
        ]
    }

    /// Counts the packets that came so far.
    pub(crate) fn count() -> Vec<Self> {
        vec![Self::named("counter", Attributes::new())]
    }

    /// The packet vanishes.
    pub(crate) fn drop() -> Vec<Self> {
        Self::verdict(VERDICT_DROP, None)
    }

    /// The packet goes on.
    pub(crate) fn accept() -> Vec<Self> {
        Self::verdict(VERDICT_ACCEPT, None)
    }

    /// The rules of another chain come first, and then the next rule here.
    pub(crate) fn call(chain: &str) -> Vec<Self> {
        Self::verdict(VERDICT_JUMP, Some(chain))
    }

    /// The rules of another chain decide.
    pub(crate) fn go_to(chain: &str) -> Vec<Self> {
        Self::verdict(VERDICT_GOTO, Some(chain))
    }

    pub(super) fn encode(&self) -> Attributes {
        Attributes::new().text(1, self.name).nested(2, self.data.clone())
    }

    fn address(ip: IpAddr, offset4: u32, offset6: u32) -> Vec<Self> {
        let (protocol, offset, bytes) = match ip {
            IpAddr::V4(ip) => (ETHERTYPE_IPV4, offset4, ip.octets().to_vec()),
            IpAddr::V6(ip) => (ETHERTYPE_IPV6, offset6, ip.octets().to_vec()),
        };
        let length = if ip.is_ipv4() { 4 } else { 16 };
        vec![
            Self::meta(META_PROTOCOL),
            Self::equal(&protocol),
            Self::load(NETWORK, offset, length, FIRST),
            Self::equal(&bytes),
        ]
    }

    fn transport(protocol: u8) -> Vec<Self> {
        vec![Self::meta(META_L4PROTO), Self::equal(&[protocol])]
    }

    fn meta(key: u32) -> Self {
        Self::named("meta", Attributes::new().number(1, FIRST).number(2, key))
    }

    fn load(base: u32, offset: u32, length: u32, register: u32) -> Self {
        let data = Attributes::new()
            .number(1, register)
            .number(2, base)
            .number(3, offset)
            .number(4, length);
        Self::named("payload", data)
    }

    /// Writes the first register into the network header.
    fn store(offset: u32, length: u32, checksum: u32) -> Self {
        let data = Attributes::new()
            .number(2, NETWORK)
            .number(3, offset)
            .number(4, length)
            .number(5, FIRST)
            .number(6, 0)
            .number(7, 0)
            .number(8, checksum);
        Self::named("payload", data)
    }

    fn equal(bytes: &[u8]) -> Self {
        let data = Attributes::new().number(1, FIRST).number(2, 0).nested(3, value(bytes));
        Self::named("cmp", data)
    }

    fn change_set(set: &str, operation: u32) -> Vec<Self> {
        let data = Attributes::new().text(1, set).number(3, operation).number(4, WORDS);
        vec![Self::named("dynset", data)]
    }

    fn immediate(register: u32, bytes: &[u8]) -> Self {
        Self::named(
            "immediate",
            Attributes::new().number(1, register).nested(2, value(bytes)),
        )
    }

    fn verdict(code: i32, chain: Option<&str>) -> Vec<Self> {
        let mut verdict = Attributes::new().bytes(1, &code.to_be_bytes());
        if let Some(chain) = chain {
            verdict = verdict.text(2, chain);
        }
        let data = Attributes::new()
            .number(1, VERDICT_REGISTER)
            .nested(2, Attributes::new().nested(2, verdict));
        vec![Self::named("immediate", data)]
    }

    fn named(name: &'static str, data: Attributes) -> Self {
        Expression { name, data }
    }
}

fn value(bytes: &[u8]) -> Attributes {
    Attributes::new().bytes(1, bytes)
}

/// `NFT_REG_1` and `NFT_REG_2`, of sixteen bytes.
const FIRST: u32 = 1;
const SECOND: u32 = 2;
const VERDICT_REGISTER: u32 = 0;
/// `NFT_REG32_00`, of four bytes; the following numbers follow it.
const WORDS: u32 = 8;
/// What offsets count from.
const LINK: u32 = 0;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
const META_PROTOCOL: u32 = 1;
const META_L4PROTO: u32 = 16;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const TCP: u8 = 6;
const ICMPV6: u8 = 58;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
/// Of ARP over ethernet for IPv4, after eight bytes and the sender's link-layer address.
const ARP_SENDER: u32 = 14;
const ARP_TARGET: u32 = 24;
/// `NFT_PAYLOAD_L4CSUM_PSEUDOHDR`.
const TRANSPORT_CHECKSUM_FOLLOWS: u32 = 1;
const DYNSET_UPDATE: u32 = 1;
const DYNSET_DELETE: u32 = 2;
const NFPROTO_IPV4: u32 = 2;
const NFPROTO_IPV6: u32 = 10;
const VERDICT_DROP: i32 = 0;
const VERDICT_ACCEPT: i32 = 1;
const VERDICT_JUMP: i32 = -3;
const VERDICT_GOTO: i32 = -4;
