//! The TCP connections of some local ports, as the kernel lists them (sock_diag over netlink). Needs no privilege; it
//! blocks for as long as the kernel takes to answer.

mod tcp_info;

use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::{Socket, protocols::NETLINK_SOCK_DIAG};
use tcp_info::TcpInfo;

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) state: &'static str,
    pub(crate) receive_queue: u64,
    pub(crate) send_queue: u64,
    pub(crate) attributes: Vec<(String, String)>,
}

/// The connections whose local port is one of these: not those that only listen or are over.
pub(crate) fn of_ports(ports: &[u16]) -> io::Result<Vec<Connection>> {
    let mut found = Vec::new();
    if ports.is_empty() {
        return Ok(found);
    }
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
    for &port in ports {
        for family in [AF_INET, AF_INET6] {
            dump(&socket, family, port, &mut found)?;
        }
    }
    Ok(found)
}

fn dump(socket: &Socket, family: u8, port: u16, found: &mut Vec<Connection>) -> io::Result<()> {
    socket.send(&request(family, port), 0)?;
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(io::Error::other)?;
            let length = usize::try_from(message.header.length)
                .unwrap_or(0)
                .next_multiple_of(ALIGNMENT);
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    found.extend(connection(&response, port));
                }
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::Overrun(_) => return Err(io::Error::other("the kernel lost a part of the answer")),
                NetlinkPayload::InnerMessage(_) | NetlinkPayload::Noop => {}
                _ => {}
            }
            rest = rest.get(length.max(ALIGNMENT)..).unwrap_or_default();
        }
    }
}

fn request(family: u8, port: u16) -> Vec<u8> {
    let mut socket_id = if family == AF_INET {
        SocketId::new_v4()
    } else {
        SocketId::new_v6()
    };
    // The kernel filters by it.
    socket_id.source_port = port;
    let query = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all() - StateFlags::LISTEN - StateFlags::CLOSE - StateFlags::TIME_WAIT,
        socket_id,
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(query).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn connection(response: &InetResponse, port: u16) -> Option<Connection> {
    let header = &response.header;
    let id = &header.socket_id;
    if id.source_port != port {
        return None;
    }
    let info = response.nlas.iter().find_map(|nla| match nla {
        Nla::TcpInfo(bytes) => Some(TcpInfo::parse(bytes)),
        _ => None,
    });
    let receive_queue = u64::from(header.recv_queue);
    Some(Connection {
        local: SocketAddr::new(id.source_address.to_canonical(), id.source_port),
        remote: SocketAddr::new(id.destination_address.to_canonical(), id.destination_port),
        state: state_name(header.state),
        receive_queue,
        send_queue: u64::from(header.send_queue),
        attributes: info.map(|info| info.attributes(receive_queue)).unwrap_or_default(),
    })
}

/// The kernel's number of a state as its own tools spell it.
fn state_name(number: u8) -> &'static str {
    const NAMES: [&str; 12] = [
        "unknown",
        "established",
        "syn-sent",
        "syn-recv",
        "fin-wait-1",
        "fin-wait-2",
        "time-wait",
        "close",
        "close-wait",
        "last-ack",
        "listen",
        "closing",
    ];
    // A connection that is not yet handed to the server has a number of its own.
    if number == 12 {
        "syn-recv"
    } else {
        NAMES.get(usize::from(number)).copied().unwrap_or("unknown")
    }
}

/// Netlink messages begin at multiples of this.
const ALIGNMENT: usize = 4;
