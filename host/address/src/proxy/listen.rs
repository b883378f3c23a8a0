//! Makes listening sockets, and says who has one when that fails.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// A listening socket whose queue is as long as the kernel allows.
pub(super) fn bind(listen: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a former listener in TIME_WAIT must not keep the address; two listeners stay impossible.
    socket.set_reuse_address(true)?;
    if listen.is_ipv6() {
        // An IPv4 address is configured by itself.
        socket.set_only_v6(true)?;
    }
    socket.bind(&listen.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Who listens on the address, for people: a process where this user may see it.
pub(super) fn holder(listen: SocketAddr) -> String {
    let Some(found) = listeners().into_iter().find(|found| found.covers(listen)) else {
        return "a process that can't be seen from here".to_owned();
    };
    match process_with(found.inode) {
        Some((pid, name)) => format!("process {pid} ({name})"),
        None => format!("a process of another user (socket inode {})", found.inode),
    }
}

/// How many established connections wait to be accepted from the listening socket.
pub(super) fn waiting(listen: SocketAddr) -> Option<u64> {
    listeners()
        .into_iter()
        .find(|found| found.address == listen)
        .map(|found| found.queue)
}

struct Listener {
    address: SocketAddr,
    queue: u64,
    inode: u64,
}

impl Listener {
    fn covers(&self, wanted: SocketAddr) -> bool {
        let ip = self.address.ip();
        let overlap = ip == wanted.ip() || ip.is_unspecified() || wanted.ip().is_unspecified();
        self.address.port() == wanted.port() && overlap
    }
}

fn listeners() -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| table.lines().filter_map(parse).collect::<Vec<_>>())
        .collect()
}

/// One line of the kernel's table, if it is a listening socket: `sl local remote st tx:rx tr:when retr uid timeout inode`.
fn parse(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != STATE_LISTEN {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    let (_, queue) = fields.get(4)?.split_once(':')?;
    Some(Listener {
        address: SocketAddr::new(parse_ip(ip)?, u16::from_str_radix(port, 16).ok()?),
        queue: u64::from_str_radix(queue, 16).ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// The kernel prints an address as words in the machine's byte order.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        u32::from_str_radix(text.get(at..at + 8)?, 16)
            .ok()
            .map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at * 8)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

fn process_with(inode: u64) -> Option<(u32, String)> {
    let wanted = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let has = fs::read_dir(entry.path().join("fd"))
            .ok()?
            .filter_map(Result::ok)
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target.to_str() == Some(&wanted)));
        let name = || {
            fs::read_to_string(entry.path().join("comm"))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        has.then(|| (pid, name()))
    })
}

/// `TCP_LISTEN` in the kernel's table.
const STATE_LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_socket_is_named_and_its_queue_is_counted() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let listener = bind(any.parse().unwrap(), 16).unwrap();
            let listen = listener.local_addr().unwrap();
            assert_eq!(waiting(listen), Some(0));
            let _client = std::net::TcpStream::connect(listen).unwrap();
            assert_eq!(waiting(listen), Some(1));
            assert_eq!(bind(listen, 16).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            let holder = holder(listen);
            assert!(holder.contains(&std::process::id().to_string()), "{holder}");
        }
    }
}
