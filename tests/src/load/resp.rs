//! As much of the Redis protocol as a client needs who sends commands and reads simple answers.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK` and the like.
    Simple(String),
    /// `-ERR …`.
    Error(String),
    /// `:1`.
    Integer(i64),
    /// A string, or the null string.
    Bulk(Option<Vec<u8>>),
    /// A list of strings.
    List(Vec<Reply>),
}

/// One connection to a Redis server.
#[derive(Debug)]
pub struct RedisClient {
    stream: BufReader<TcpStream>,
    local: SocketAddr,
}

impl RedisClient {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok(RedisClient {
            stream: BufReader::new(stream),
            local,
        })
    }

    /// The client's end of the connection.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether the server has closed the connection while nothing was under way.
    pub fn is_closed(&self) -> bool {
        is_closed(self.stream.get_ref())
    }

    /// Sends a command and reads its answer.
    pub async fn command(&mut self, words: &[&[u8]]) -> Result<Reply> {
        self.send(words).await?;
        self.reply().await
    }

    /// Sends a command.
    pub async fn send(&mut self, words: &[&[u8]]) -> Result<()> {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&out).await.context("sending to Redis")
    }

    /// Reads one answer.
    pub async fn reply(&mut self) -> Result<Reply> {
        let line = self.line().await?;
        if let Some(count) = line.strip_prefix('*') {
            let count: i64 = count.parse().context("Redis sent a list without a length")?;
            let mut items = Vec::new();
            for _ in 0..count.max(0) {
                let line = self.line().await?;
                items.push(self.item(&line).await?);
            }
            return Ok(Reply::List(items));
        }
        self.item(&line).await
    }

    async fn item(&mut self, line: &str) -> Result<Reply> {
        let rest = line.get(1..).unwrap_or_default();
        Ok(match line.as_bytes().first() {
            Some(b'+') => Reply::Simple(rest.to_owned()),
            Some(b'-') => Reply::Error(rest.to_owned()),
            Some(b':') => Reply::Integer(rest.parse().context("Redis sent a bad number")?),
            Some(b'$') => match rest.parse::<i64>().context("Redis sent a string without a length")? {
                -1 => Reply::Bulk(None),
                length => {
                    let mut data = vec![0; usize::try_from(length)? + 2];
                    self.stream
                        .read_exact(&mut data)
                        .await
                        .context("reading a string from Redis")?;
                    data.truncate(data.len() - 2);
                    Reply::Bulk(Some(data))
                }
            },
            _ => bail!("Redis sent {line:?}, which is no answer"),
        })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await.context("reading from Redis")?;
        if read == 0 {
            bail!("Redis closed the connection");
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// Whether the other side has closed an idle connection, as client libraries look before they use one again.
pub(crate) fn is_closed(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0; 1]) {
        Err(e) => e.kind() != std::io::ErrorKind::WouldBlock,
        // Nothing was asked: a byte here is as wrong as the end.
        Ok(_) => true,
    }
}
