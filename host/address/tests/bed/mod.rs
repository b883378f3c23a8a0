//! What the proxy's tests share: real servers and clients on loopback, each on a port of its own.
#![allow(dead_code, unreachable_pub)]

pub mod lan;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use understudy_address::{Address, AddressConfig, AddressEvent, ProxyConfig};
use understudy_protocol::{HostName, ServiceName};

/// A loopback address that nobody listens on, never the same twice. Below the range that the kernel gives to clients.
pub fn free() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id()
            .wrapping_mul(131)
            .wrapping_add(NEXT.fetch_add(1, Ordering::SeqCst));
        let port = u16::try_from(12_000 + number % 20_000).unwrap();
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        if StdListener::bind(at).is_ok() {
            return at;
        }
    }
}

pub fn config(listen: SocketAddr, server: SocketAddr) -> ProxyConfig {
    ProxyConfig {
        take_patience: Duration::from_secs(2),
        ..ProxyConfig::new(vec![listen], server)
    }
}

pub async fn address(config: ProxyConfig, host: &str) -> Address {
    let service = ServiceName::new("web").unwrap();
    Address::new(AddressConfig::Proxy(config), service, HostName::new(host).unwrap())
        .await
        .unwrap()
}

/// A server that answers each line with its own name and the line.
pub struct Server {
    pub at: SocketAddr,
    pub lines: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(at: SocketAddr, name: &'static str) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let lines = Arc::new(AtomicUsize::new(0));
        let counter = lines.clone();
        let task = tokio::spawn(async move {
            // Dropped with this task: a server that stops closes its connections.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => drop(connections.spawn(answer(stream, name, counter.clone()))),
                    // Out of descriptors, in the one test that wants that.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Server { at, lines, task }
    }

    /// Stops it and closes all its connections.
    pub async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn answer(stream: TcpStream, name: &'static str, lines: Arc<AtomicUsize>) {
    let mut stream = Lines::new(stream);
    while let Some(line) = stream.next().await {
        lines.fetch_add(1, Ordering::SeqCst);
        if let Some(pause) = line.strip_prefix("slow ") {
            tokio::time::sleep(Duration::from_millis(pause.parse().unwrap())).await;
        }
        if stream.say(&format!("{name} {line}")).await.is_err() {
            return;
        }
    }
}

/// A connection read by lines.
pub struct Lines {
    pub stream: TcpStream,
    kept: Vec<u8>,
}

impl Lines {
    pub fn new(stream: TcpStream) -> Self {
        Lines {
            stream,
            kept: Vec::new(),
        }
    }

    pub async fn connect(to: SocketAddr) -> Self {
        Self::new(TcpStream::connect(to).await.unwrap())
    }

    pub async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{line}\n").as_bytes()).await
    }

    /// The next line; none at the end or a break.
    pub async fn next(&mut self) -> Option<String> {
        self.try_next().await.ok().flatten()
    }

    /// The next line, none at an orderly end.
    pub async fn try_next(&mut self) -> std::io::Result<Option<String>> {
        loop {
            if let Some(end) = self.kept.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.kept.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            let read = tokio::time::timeout(LONGEST, self.stream.read_buf(&mut self.kept));
            if read.await?? == 0 {
                return Ok(None);
            }
        }
    }

    pub async fn ask(&mut self, line: &str) -> std::io::Result<Option<String>> {
        self.say(line).await?;
        self.try_next().await
    }
}

/// No answer in any test takes so long.
const LONGEST: Duration = Duration::from_secs(20);

/// All events that have come so far.
pub fn drain(events: &mut tokio::sync::broadcast::Receiver<AddressEvent>) -> Vec<AddressEvent> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}
