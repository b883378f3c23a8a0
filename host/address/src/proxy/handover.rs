//! Passes a listening socket, with everybody who waits in it, to the successor's process on the same machine.
//!
//! Whoever has dropped the address offers its socket under an abstract name that is made of the user and the address;
//! the successor connects, both check that the other is of the same user, and the descriptors are sent:
//!
//! ```text
//! successor                      offerer
//! ask <version> <service> <host> →
//!                              ← listener, with the listening descriptor     | refused <why>
//!                              ← client <address> <opened> <from> <to>, with a descriptor: once per parked client
//!                              ← end <count>
//! taken                          →
//!                              ← (closes)
//! ```
//!
//! Invariant: from `end` on the offerer uses nothing of what it sent, unless the successor's side closes without
//! `taken`. The successor uses nothing before it has sent `taken`. So no connection has two users, and if either dies,
//! the other has everything.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::time::{Duration, SystemTime};

use super::descriptors::{receive, send};
use super::ledger::History;

/// What a hand-over moves.
pub(super) struct Goods {
    pub(super) listener: TcpListener,
    pub(super) clients: Vec<Client>,
}

/// A client connection without a server.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) history: History,
}

/// Who is who in a hand-over.
#[derive(Debug, Clone)]
pub(super) struct Parties {
    pub(super) listen: SocketAddr,
    pub(super) service: String,
    pub(super) host: String,
}

/// Opens the abstract socket under which the goods are offered.
pub(super) fn open_offer(listen: SocketAddr) -> io::Result<UnixListener> {
    let socket = UnixListener::bind_addr(&name(listen)?)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Offerer's side, with one that asks: the successor's name once the goods are its own. Blocking.
pub(super) fn give(stream: &UnixStream, parties: &Parties, goods: &Goods) -> io::Result<String> {
    let to = admit(stream, parties)?;
    send(stream, "listener", Some(goods.listener.as_fd()))?;
    for client in &goods.clients {
        send(stream, &describe(client), Some(client.stream.as_fd()))?;
    }
    send(stream, &format!("end {}", goods.clients.len()), None)?;
    // Whether the successor has taken it is known only by its word or its end: there is no time-out here.
    stream.set_read_timeout(None)?;
    match receive(stream)? {
        (text, _) if text == "taken" => Ok(to),
        (text, _) => Err(invalid(format!("`taken` was expected, not {text:?}"))),
    }
}

/// Successor's side: the goods, or none if nobody offers them. Blocking.
pub(super) fn ask(parties: &Parties) -> io::Result<Option<Goods>> {
    let stream = match UnixStream::connect_addr(&name(parties.listen)?) {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(None),
        Err(error) => return Err(error),
    };
    if !same_user(&stream)? {
        // Somebody else's socket under our name: it gives nothing that could be trusted.
        return Ok(None);
    }
    limit(&stream)?;
    send(
        &stream,
        &format!("ask {VERSION} {} {}", parties.service, parties.host),
        None,
    )?;
    let goods = collect(&stream, parties)?;
    send(&stream, "taken", None)?;
    // The offerer closes the stream after its own copies; it matters only to whoever closes the socket at once.
    let _ = stream.set_read_timeout(Some(CLOSED_WITHIN));
    let _ = receive(&stream);
    Ok(Some(goods))
}

fn admit(stream: &UnixStream, parties: &Parties) -> io::Result<String> {
    stream.set_nonblocking(false)?;
    limit(stream)?;
    if !same_user(stream)? {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "another user asked for the listening socket",
        ));
    }
    let (text, _) = receive(stream)?;
    let refusal = match text.split(' ').collect::<Vec<_>>()[..] {
        ["ask", VERSION, service, host] if service == parties.service => return Ok(host.to_owned()),
        ["ask", VERSION, service, _] => format!(
            "{} is the address of {}, not of {service}",
            parties.listen, parties.service
        ),
        ["ask", version, ..] => {
            format!("hand-over version {version} is not {VERSION}: run the same understudy on both")
        }
        _ => "not understood".to_owned(),
    };
    send(stream, &format!("refused {refusal}"), None)?;
    Err(invalid(refusal))
}

fn collect(stream: &UnixStream, parties: &Parties) -> io::Result<Goods> {
    let listener = match receive(stream)? {
        (text, Some(descriptor)) if text == "listener" => checked(TcpListener::from(descriptor), parties.listen)?,
        (text, _) => return Err(invalid(text)),
    };
    let mut clients = Vec::new();
    loop {
        match receive(stream)? {
            (text, Some(descriptor)) => clients.push(understand(&text, descriptor)?),
            (text, None) if text == format!("end {}", clients.len()) => return Ok(Goods { listener, clients }),
            (text, None) => return Err(invalid(text)),
        }
    }
}

/// A descriptor is what it should be: a socket that listens on this very address.
fn checked(listener: TcpListener, listen: SocketAddr) -> io::Result<TcpListener> {
    let listens = rustix::net::sockopt::socket_acceptconn(&listener)?;
    let address = listener.local_addr()?;
    if listens && address == listen {
        Ok(listener)
    } else {
        Err(invalid(format!(
            "a socket of {address} came instead of a listener of {listen}"
        )))
    }
}

fn describe(client: &Client) -> String {
    let opened = client
        .history
        .opened_at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (from_client, from_server) = (client.history.from_client, client.history.from_server);
    format!(
        "client {} {} {from_client} {from_server}",
        client.address,
        opened.as_millis()
    )
}

fn understand(text: &str, descriptor: OwnedFd) -> io::Result<Client> {
    let parse = || {
        let mut words = text.strip_prefix("client ")?.split(' ');
        let address = words.next()?.parse().ok()?;
        let opened_at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(words.next()?.parse().ok()?))?;
        let history = History {
            opened_at,
            from_client: words.next()?.parse().ok()?,
            from_server: words.next()?.parse().ok()?,
        };
        Some((address, history))
    };
    let (address, history) = parse().ok_or_else(|| invalid(text.to_owned()))?;
    Ok(Client {
        stream: TcpStream::from(descriptor),
        address,
        history,
    })
}

fn same_user(stream: &UnixStream) -> io::Result<bool> {
    let peer = rustix::net::sockopt::socket_peercred(stream)?;
    Ok(peer.uid == rustix::process::geteuid())
}

/// The user is part of the name, so that two users' daemons can't meet by mistake.
fn name(listen: SocketAddr) -> io::Result<UnixAddr> {
    let user = rustix::process::geteuid().as_raw();
    UnixAddr::from_abstract_name(format!("understudy/handover/{user}/{listen}"))
}

fn limit(stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(FRAME_PATIENCE))?;
    stream.set_write_timeout(Some(FRAME_PATIENCE))
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

/// Both ends are run by the same program, rarely of two releases.
const VERSION: &str = "1";
/// Longer than anybody takes to close a few descriptors, shorter than anybody notices.
const CLOSED_WITHIN: Duration = Duration::from_millis(500);
/// A frame between two processes of one machine takes microseconds; a stopped process must not block the other for long.
const FRAME_PATIENCE: Duration = Duration::from_secs(5);
