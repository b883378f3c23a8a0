//! Real servers in a folder of their own: configuration, start, stop, and the ways in which they are broken.
//!
//! Debian's own instances of the same servers are never touched: own ports, own data, own pid files. Every file a server
//! needs lies in the folder that the caller gives, so that removing the folder removes the server.

use std::net::{Ipv4Addr, SocketAddr};

mod disk;
mod nginx;
mod ports;
mod process;
mod redis;
mod sweep;

pub use disk::DataDisk;
pub use nginx::{Nginx, STATUS_PATH, for_each_process};
pub use ports::free_ports;
pub use process::{Owned, is_root, limit_file_size, run_to_end, wait_until};
pub use redis::RedisServer;
pub use sweep::{Guard, guard_until_eof, sweep};

/// Where a server listens whose clients' address may come and go: on loopback there, elsewhere on every address.
fn listen_on(address: SocketAddr) -> SocketAddr {
    if address.ip().is_loopback() {
        address
    } else {
        (Ipv4Addr::UNSPECIFIED, address.port()).into()
    }
}

/// A file that the web servers serve and the load asks for.
#[derive(Debug)]
pub struct WebFile {
    /// Its path in the URL.
    pub path: &'static str,
    /// Its size in bytes.
    pub size: usize,
}

/// Small: answered at once.
pub const QUICK_FILE: WebFile = WebFile {
    path: "/quick.txt",
    size: 1024,
};

/// Served at [`SLOW_RATE`] bytes a second: about one and a half seconds.
pub const SLOW_FILE: WebFile = WebFile {
    path: "/slow.txt",
    size: 160 * 1024,
};

/// What the web servers limit the slow file to, in KiB a second.
pub const SLOW_RATE: usize = 64;

impl WebFile {
    /// The file's content: lines that tell their own place, so that a cut or a shift is seen.
    pub fn content(&self) -> Vec<u8> {
        (0..)
            .flat_map(|line: u32| format!("{line:07}\n").into_bytes())
            .take(self.size)
            .collect()
    }

    /// Whether this is the whole file.
    pub fn is_content(&self, body: &[u8]) -> bool {
        let line_is_right = |(number, line): (usize, &[u8])| line == format!("{number:07}\n").as_bytes();
        body.len() == self.size && body.chunks(8).enumerate().all(line_is_right)
    }
}
