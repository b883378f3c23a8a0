//! The TCP connections of the service's addresses on this host, as the kernel lists them (sock_diag).

use std::io;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use crate::VipConfig;
use crate::flow::Remaining;

/// Connections whose client or server still has something to say or to hear.
pub(super) async fn unfinished(config: &VipConfig) -> io::Result<Vec<Remaining>> {
    let states = StateFlags::ESTABLISHED
        | StateFlags::SYN_RECV
        | StateFlags::FIN_WAIT1
        | StateFlags::CLOSE_WAIT
        | StateFlags::LAST_ACK
        | StateFlags::CLOSING;
    let found = list(config, states).await?;
    Ok(found.iter().map(remaining).collect())
}

/// Connections that the server has not accepted yet, and listening sockets with such.
pub(super) async fn unaccepted(config: &VipConfig) -> io::Result<Vec<Remaining>> {
    let found = list(config, StateFlags::SYN_RECV | StateFlags::LISTEN).await?;
    let waiting = found
        .iter()
        .filter(|socket| socket.header.state != LISTEN || socket.header.recv_queue > 0);
    Ok(waiting.map(remaining).collect())
}

async fn list(config: &VipConfig, states: StateFlags) -> io::Result<Vec<InetResponse>> {
    let config = config.clone();
    // Made here: it belongs to this thread's network.
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
    let listing = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        for family in [AF_INET, AF_INET6] {
            if config.ports.is_empty() {
                dump(&socket, family, 0, states.clone(), &mut found)?;
            }
            for port in &config.ports {
                dump(&socket, family, *port, states.clone(), &mut found)?;
            }
        }
        found.retain(|socket| concerns(socket, &config));
        Ok(found)
    });
    listing.await.map_err(io::Error::from)?
}

fn dump(socket: &Socket, family: u8, port: u16, states: StateFlags, found: &mut Vec<InetResponse>) -> io::Result<()> {
    socket.send(&request(family, port, states), 0)?;
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(io::Error::other)?;
            let length = usize::try_from(message.header.length)
                .unwrap_or(0)
                .next_multiple_of(ALIGNMENT);
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => found.push(*response),
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::Overrun(_) => return Err(io::Error::other("the kernel lost a part of the answer")),
                _ => {}
            }
            rest = rest.get(length.max(ALIGNMENT)..).unwrap_or_default();
        }
    }
}

fn request(family: u8, port: u16, states: StateFlags) -> Vec<u8> {
    let mut socket_id = if family == AF_INET {
        SocketId::new_v4()
    } else {
        SocketId::new_v6()
    };
    socket_id.source_port = port;
    let query = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states,
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

/// A connection to one of the addresses, or a listening socket that may have one.
fn concerns(socket: &InetResponse, config: &VipConfig) -> bool {
    let id = &socket.header.socket_id;
    let ip = id.source_address.to_canonical();
    let ours = config.addresses.iter().any(|address| address.ip == ip);
    let port = config.ports.is_empty() || config.ports.contains(&id.source_port);
    let listens_everywhere = socket.header.state == LISTEN && ip.is_unspecified();
    port && (ours || listens_everywhere)
}

fn remaining(socket: &InetResponse) -> Remaining {
    let id = &socket.header.socket_id;
    let at = |ip: IpAddr, port| SocketAddr::new(ip.to_canonical(), port);
    Remaining {
        client: at(id.destination_address, id.destination_port),
        service: at(id.source_address, id.source_port),
        state: STATES
            .get(usize::from(socket.header.state))
            .copied()
            .unwrap_or("syn-recv"),
    }
}

/// The kernel's numbers as its own tools spell them.
const STATES: [&str; 12] = [
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
const LISTEN: u8 = 10;
/// Netlink messages begin at multiples of this.
const ALIGNMENT: usize = 4;
