//! The load: new connections, kept ones and long answers, each on its own clock. What is slow does not slow it down.
//!
//! Invariant: every request is remembered, with when it was due, how long it took from then on, and who answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use super::web::{QUICK, SLOW};
use crate::lan::{CLIENT, Lan};

/// How much is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// New connections a second, one request each.
    pub(super) new: u32,
    /// Connections that stay, with twenty requests a second each.
    pub(super) kept: u32,
    /// Answers of two seconds that begin each second.
    pub(super) slow: u32,
}

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    New,
    Kept,
    Slow,
}

/// One request as its client saw it.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) kind: Kind,
    /// When it was due.
    pub(super) due: Instant,
    pub(super) took: Duration,
    /// The node that answered, or what went wrong.
    pub(super) answer: Result<String, String>,
}

/// The clients at work.
pub(super) struct Clients {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
    samples: mpsc::Receiver<Sample>,
}

impl Clients {
    /// Begins to ask `target`, within the client's namespace.
    pub(super) fn start(lan: &Lan, target: IpAddr, load: Load) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (seen, samples) = mpsc::channel();
        let target = SocketAddr::new(target, 80);
        let thread = lan.within(CLIENT, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(ask(target, load, stopped, seen));
            }
        })?;
        Ok(Clients { stop, thread, samples })
    }

    /// Asks nothing new, waits for the answers that are under way, and gives everything that was seen.
    pub(super) fn finish(self) -> Result<Vec<Sample>> {
        let _ended = self.stop.send(true);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow::anyhow!("the clients' thread panicked"))?;
        Ok(self.samples.try_iter().collect())
    }
}

async fn ask(target: SocketAddr, load: Load, stopped: watch::Receiver<bool>, seen: mpsc::Sender<Sample>) {
    let mut tasks = tokio::task::JoinSet::new();
    for (kind, rate) in [(Kind::New, load.new), (Kind::Slow, load.slow)] {
        let (target, stopped, seen) = (target, stopped.clone(), seen.clone());
        tasks.spawn(async move { fresh(kind, rate, target, stopped, seen).await });
    }
    for _ in 0..load.kept {
        let (target, stopped, seen) = (target, stopped.clone(), seen.clone());
        tasks.spawn(async move { kept(target, stopped, seen).await });
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    while tasks.join_next().await.is_some() {}
}

/// A connection for each request.
async fn fresh(kind: Kind, rate: u32, target: SocketAddr, stopped: watch::Receiver<bool>, seen: mpsc::Sender<Sample>) {
    if rate == 0 {
        return;
    }
    let mut tasks = tokio::task::JoinSet::new();
    let began = Instant::now();
    let mut number = 0u32;
    while !*stopped.borrow() {
        let due = began + Duration::from_secs_f64(f64::from(number) / f64::from(rate));
        number += 1;
        sleep_until(due.into()).await;
        let seen = seen.clone();
        tasks.spawn(async move {
            let asked = timeout(PATIENCE, async {
                let mut stream = TcpStream::connect(target).await?;
                let path = if kind == Kind::Slow { SLOW } else { QUICK };
                exchange(&mut stream, path, false).await
            });
            note(&seen, kind, due, asked.await.map(|answer| answer.map(|(node, _)| node)));
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

/// One connection for all requests. A server may close it between two, as HTTP says; a request that it loses is one
/// that failed.
async fn kept(target: SocketAddr, stopped: watch::Receiver<bool>, seen: mpsc::Sender<Sample>) {
    let began = Instant::now();
    let mut number = 0u32;
    let mut stream: Option<TcpStream> = None;
    while !*stopped.borrow() {
        let due = began + KEPT_PAUSE * number;
        number += 1;
        sleep_until(due.into()).await;
        if stream.as_ref().is_some_and(is_closed) {
            stream = None;
        }
        let asked = timeout(PATIENCE, async {
            let mut open = match stream.take() {
                Some(stream) => stream,
                None => TcpStream::connect(target).await?,
            };
            let (node, stays) = exchange(&mut open, QUICK, true).await?;
            Ok((node, stays.then_some(open)))
        });
        let answer = asked.await.map(|answer| {
            answer.map(|(node, open)| {
                stream = open;
                node
            })
        });
        note(&seen, Kind::Kept, due, answer);
    }
}

/// Whether the server has closed the connection, asked of the kernel itself: what the runtime knows of it may be older.
fn is_closed(stream: &TcpStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(rustix::net::recv(stream, &mut [0u8; 1], flags), Ok((_, 0)))
}

fn note(
    seen: &mpsc::Sender<Sample>,
    kind: Kind,
    due: Instant,
    answer: Result<Result<String>, tokio::time::error::Elapsed>,
) {
    let answer = match answer {
        Ok(Ok(node)) => Ok(node),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    };
    let took = due.elapsed();
    let _unheard = seen.send(Sample {
        kind,
        due,
        took,
        answer,
    });
}

/// Asks for a file and reads it to its last byte; says who answered and whether the connection stays.
async fn exchange(stream: &mut TcpStream, (path, length): (&str, usize), stay: bool) -> Result<(String, bool)> {
    let wish = if stay { "keep-alive" } else { "close" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: {wish}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::with_capacity(1024);
    let body = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed before an answer");
    };
    let head = String::from_utf8_lossy(bytes.get(..body).unwrap_or_default()).into_owned();
    anyhow::ensure!(
        head.starts_with("HTTP/1.1 200"),
        "{}",
        head.lines().next().unwrap_or("nothing")
    );
    while bytes.len() < body + length {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed within an answer");
    }
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let node = header("Server-Host:").unwrap_or("?").to_owned();
    Ok((node, header("Connection:") == Some("keep-alive")))
}

/// Longer than any stall that is worth a number.
const PATIENCE: Duration = Duration::from_secs(15);
const KEPT_PAUSE: Duration = Duration::from_millis(50);
