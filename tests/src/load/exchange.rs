//! One HTTP/1.1 request and its answer on a connection, by hand: the load must know exactly whether a byte of the answer
//! had come when a connection ended, and a client library would retry behind its back.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::resp::is_closed;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) first_byte: Instant,
    pub(crate) body: Vec<u8>,
    /// Whether the server wants to keep the connection.
    pub(crate) keep: bool,
    /// The header by which the test servers say whose they are.
    pub(crate) answered_by: Option<String>,
}

/// The connection ended before the answer was whole.
#[derive(Debug)]
pub(crate) struct Broken {
    /// When the answer had begun, if it had.
    pub(crate) first_byte: Option<Instant>,
    pub(crate) because: String,
}

/// A connection to the web service.
#[derive(Debug)]
pub(crate) struct WebConnection {
    stream: TcpStream,
    pub(crate) local: SocketAddr,
}

/// More than any head that the test servers send; a longer one is an error, not a reason to read on for ever.
const HEAD_MAX: usize = 16 * 1024;

impl WebConnection {
    pub(crate) async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok(WebConnection { stream, local })
    }

    pub(crate) fn is_closed(&self) -> bool {
        is_closed(&self.stream)
    }

    pub(crate) async fn get(&mut self, path: &str, keep: bool, id: u64) -> Result<Answer, Broken> {
        let connection = if keep { "keep-alive" } else { "close" };
        let request =
            format!("GET {path}?r={id} HTTP/1.1\r\nHost: understudy.test\r\nConnection: {connection}\r\n\r\n");
        let broken = |because: String| Broken {
            first_byte: None,
            because,
        };
        self.stream
            .write_all(request.as_bytes())
            .await
            .map_err(|e| broken(format!("sending: {e}")))?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer, Broken> {
        let mut data = Vec::with_capacity(4096);
        let mut first_byte = None;
        let head_end = loop {
            self.more(&mut data, &mut first_byte).await?;
            if let Some(end) = find(&data, b"\r\n\r\n") {
                break end + 4;
            }
            if data.len() > HEAD_MAX {
                return Err(Broken {
                    first_byte,
                    because: "the answer's head is too long".to_owned(),
                });
            }
        };
        let head = Head::parse(&data[..head_end]).map_err(|because| Broken { first_byte, because })?;
        let mut body = data.split_off(head_end);
        while body.len() < head.length {
            self.more(&mut body, &mut first_byte).await?;
        }
        let first_byte = first_byte.unwrap_or_else(Instant::now);
        Ok(Answer {
            status: head.status,
            first_byte,
            body,
            keep: head.keep,
            answered_by: head.answered_by,
        })
    }

    async fn more(&mut self, data: &mut Vec<u8>, first_byte: &mut Option<Instant>) -> Result<(), Broken> {
        let broken = |because: String| Broken {
            first_byte: *first_byte,
            because,
        };
        match self.stream.read_buf(data).await {
            Ok(0) => Err(broken(format!("closed after {} bytes", data.len()))),
            Ok(_) => {
                first_byte.get_or_insert_with(Instant::now);
                Ok(())
            }
            Err(e) => Err(broken(format!("receiving: {e}"))),
        }
    }
}

struct Head {
    status: u16,
    length: usize,
    keep: bool,
    answered_by: Option<String>,
}

impl Head {
    fn parse(data: &[u8]) -> Result<Head, String> {
        let text = std::str::from_utf8(data).map_err(|_| "the answer's head is not text".to_owned())?;
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| format!("{status_line:?} is no status line"))?;
        let mut head = Head {
            status,
            length: 0,
            keep: true,
            answered_by: None,
        };
        let mut length = None;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok(),
                "connection" => head.keep = !value.eq_ignore_ascii_case("close"),
                "server-host" => head.answered_by = Some(value.to_owned()),
                _ => {}
            }
        }
        head.length = length.ok_or_else(|| format!("status {status} without a content-length"))?;
        Ok(head)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
