//! How bytes get from one socket to another: copied, and within the kernel (splice) as long as there is much to move.
//!
//! Invariants: what was taken is given before anything more is taken; a kernel or a limit that does not let bytes be
//! spliced costs speed and nothing else.

use std::io::{self, PipeReader, PipeWriter, pipe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::fcntl::{SpliceFFlags, splice};
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One direction's means.
#[derive(Default)]
pub(super) struct Through {
    buffer: Vec<u8>,
    pipe: Option<Pipe>,
    /// Bytes that were taken and are in the pipe.
    in_pipe: usize,
    /// So much came at once that more is likely.
    bulk: bool,
    /// The kernel does not splice these sockets.
    refused: bool,
}

impl Through {
    /// Waits until `from` may have something to say.
    pub(super) async fn readable(&mut self, from: &TcpStream) -> io::Result<()> {
        if self.pipe.is_some() && timeout(IDLE, from.readable()).await.is_err() {
            self.pipe = None;
            self.bulk = false;
        }
        from.readable().await
    }

    /// Takes what is there; says how much, 0 at the end. `sight`: the beginning matters to the caller where it is
    /// `sight`, so such bytes are copied.
    pub(super) fn take(&mut self, from: &TcpStream, sight: Option<&[u8]>) -> io::Result<usize> {
        self.buffer.clear();
        if self.bulk && !self.refused && !sight.is_some_and(|sight| begins_with(from, sight)) {
            self.pipe = self.pipe.take().or_else(Pipe::open);
            if let Some(pipe) = &self.pipe {
                match pipe.take(from) {
                    Ok(bytes) => {
                        self.in_pipe = bytes;
                        self.bulk = bytes >= FEW;
                        return Ok(bytes);
                    }
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.refused = true,
                    Err(error) => return Err(error),
                }
            }
        }
        self.pipe = None;
        self.buffer.reserve_exact(CHUNK);
        let taken = from.try_read_buf(&mut self.buffer);
        match &taken {
            Ok(bytes) => self.bulk = *bytes == CHUNK,
            // Nothing there: give the memory back while nobody speaks.
            Err(_) => self.buffer = Vec::new(),
        }
        taken
    }

    /// What was taken, as far as it was copied.
    pub(super) fn copied(&self) -> &[u8] {
        &self.buffer
    }

    /// Gives all that was taken.
    pub(super) async fn give(&mut self, to: &TcpStream) -> io::Result<()> {
        let mut left = std::mem::take(&mut self.in_pipe);
        while let Some(pipe) = self.pipe.as_ref().filter(|_| left > 0) {
            to.writable().await?;
            match pipe.give(to, left) {
                Ok(bytes) => left = left.saturating_sub(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        super::pump::write_all(to, &self.buffer).await
    }
}

/// A place in the kernel for what is on its way. Empty between a `give` of everything and the next `take`.
struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Pipe {
    /// None when there are too many, or when the kernel gives none.
    fn open() -> Option<Self> {
        if PIPES.fetch_add(1, Ordering::Relaxed) < MOST_PIPES
            && let Ok((reader, writer)) = pipe()
        {
            let pipe = Pipe { reader, writer };
            // A smaller one moves less at once.
            let _ = nix::fcntl::fcntl(&pipe.writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
            return Some(pipe);
        }
        PIPES.fetch_sub(1, Ordering::Relaxed);
        None
    }

    fn take(&self, from: &TcpStream) -> io::Result<usize> {
        from.try_io(Interest::READABLE, || {
            Ok(splice(from, None, &self.writer, None, MOST_AT_ONCE, flags())?)
        })
    }

    fn give(&self, to: &TcpStream, bytes: usize) -> io::Result<usize> {
        to.try_io(Interest::WRITABLE, || {
            Ok(splice(&self.reader, None, to, None, bytes, flags())?)
        })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        PIPES.fetch_sub(1, Ordering::Relaxed);
    }
}

fn flags() -> SpliceFFlags {
    SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE
}

fn begins_with(from: &TcpStream, sight: &[u8]) -> bool {
    let mut head = [0; LONGEST_SIGHT];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match rustix::net::recv(from, &mut head[..], flags) {
        Ok((_, bytes)) => head.get(..bytes).unwrap_or_default().starts_with(sight),
        Err(_) => false,
    }
}

/// Pipes of this process.
static PIPES: AtomicUsize = AtomicUsize::new(0);
/// Each has two descriptors, which must not be missing for clients; who comes later is copied.
const MOST_PIPES: usize = 128;
/// The kernel rounds it up to pages; many times what an ordinary user may have in all pipes is left.
const PIPE_SIZE: i32 = 256 * 1024;
/// More than a pipe of that size takes.
const MOST_AT_ONCE: usize = 1 << 20;
/// Less than this at once is cheaper to copy.
const FEW: usize = 16 * 1024;
/// Large enough that system calls do not dominate a big transfer.
const CHUNK: usize = 64 * 1024;
/// How long a pipe is kept for a stream that pauses.
const IDLE: Duration = Duration::from_secs(1);
const LONGEST_SIGHT: usize = 16;
