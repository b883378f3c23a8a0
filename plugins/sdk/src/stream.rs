//! A byte stream to a named endpoint, with a buffer for protocols of lines and of frames.

use crate::HostError;
use crate::host::endpoints::{self, Connection};

/// The bytes asked for at once: what a line or a status page usually fits in.
const CHUNK: u32 = 64 * 1024;
/// The bytes the host takes in one write.
const MAX_WRITE: usize = 256 * 1024;

/// A byte stream to a named endpoint.
pub struct Stream {
    connection: Connection,
    buffer: Vec<u8>,
    timeout_ms: u32,
}

impl Stream {
    /// Connects to the endpoint `name`; `timeout_ms` holds for the connection and for each read and write.
    ///
    /// # Errors
    /// What the host says: `unreachable`, `timed-out`, `not-granted`, …
    pub fn connect(name: &str, timeout_ms: u32) -> Result<Self, HostError> {
        let connection = endpoints::connect(name, timeout_ms)?;
        Ok(Self {
            connection,
            buffer: Vec::new(),
            timeout_ms,
        })
    }

    /// Another time-out for the reads and writes that follow.
    pub fn set_timeout(&mut self, timeout_ms: u32) {
        self.timeout_ms = timeout_ms;
    }

    /// What has been read and not consumed.
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes `count` bytes of what was read.
    pub fn consume(&mut self, count: usize) {
        self.buffer.drain(..count.min(self.buffer.len()));
    }

    /// Reads some more into the buffer; false where the other side has closed.
    ///
    /// # Errors
    /// What the host says.
    pub fn fill(&mut self) -> Result<bool, HostError> {
        let more = self.connection.read(CHUNK, self.timeout_ms)?;
        self.buffer.extend_from_slice(&more);
        Ok(!more.is_empty())
    }

    /// One line without its end; none where the other side closed before there was one. A line of more than `max` bytes is
    /// an error.
    ///
    /// # Errors
    /// What the host says, or `too-large`.
    pub fn read_line(&mut self, max: usize) -> Result<Option<Vec<u8>>, HostError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            if self.buffer.len() > max {
                let message = format!("a line of more than {max} bytes");
                return Err(HostError {
                    code: "too-large".into(),
                    message,
                    hint: None,
                });
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Writes all of `data`.
    ///
    /// # Errors
    /// What the host says.
    pub fn write(&mut self, data: &[u8]) -> Result<(), HostError> {
        data.chunks(MAX_WRITE)
            .try_for_each(|chunk| self.connection.write(chunk, self.timeout_ms))
    }
}
