//! What it costs to forward one large answer: the proxy, and beside it a loop that copies.

use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::sync::oneshot;
use understudy_address::{Address, AddressConfig, ProxyConfig};
use understudy_protocol::{HostName, ServiceName};

use super::spread::Spread;

/// Both ways, measured in turns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forwarding {
    proxy: Cost,
    copying: Cost,
}

/// What one GiB cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Milliseconds that passed.
    took: Spread,
    /// Milliseconds of CPU of the thread that forwards.
    cpu: Spread,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Proxy,
    Copying,
}

/// Measures both.
pub(super) fn measure() -> Result<Forwarding> {
    let mut seen = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (way, seen) in [Way::Proxy, Way::Copying].into_iter().zip(&mut seen) {
            seen.push(once(way)?);
        }
    }
    let cost = |seen: &[(Duration, Duration)]| -> Result<Cost> {
        let each = |of: fn(&(Duration, Duration)) -> Duration| {
            Spread::of(seen.iter().map(|one| of(one).as_secs_f64() * 1e3).collect()).context("no turn")
        };
        Ok(Cost {
            took: each(|one| one.0)?,
            cpu: each(|one| one.1)?,
        })
    };
    Ok(Forwarding {
        proxy: cost(&seen[0])?,
        copying: cost(&seen[1])?,
    })
}

/// One answer through a forwarder of its own: how long it took, and the forwarder's CPU time.
fn once(way: Way) -> Result<(Duration, Duration)> {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let behind = server.local_addr()?;
    let speaking = std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = server.accept()?;
        let bytes = vec![b'x'; PIECE];
        (0..GIB / PIECE).try_for_each(|_| stream.write_all(&bytes))?;
        Ok(())
    });
    let (stop, forwarder, listen) = forwarder(way, behind)?;
    let began = Instant::now();
    let mut client = TcpStream::connect(listen).context("connecting to the forwarder")?;
    let mut bytes = vec![0; PIECE];
    let mut left = GIB;
    while left > 0 {
        let read = client.read(&mut bytes)?;
        anyhow::ensure!(read > 0, "the answer ended {left} bytes too early");
        left -= read;
    }
    let took = began.elapsed();
    drop(client);
    let _ended = stop.send(());
    let cpu = forwarder.join().map_err(|_| anyhow!("the forwarder panicked"))??;
    speaking.join().map_err(|_| anyhow!("the server panicked"))??;
    Ok((took, cpu))
}

/// A thread that forwards until it is told to stop, and gives its CPU time.
type Forwarder = (oneshot::Sender<()>, JoinHandle<Result<Duration>>, SocketAddr);

fn forwarder(way: Way, behind: SocketAddr) -> Result<Forwarder> {
    let (stop, stopped) = oneshot::channel();
    let (ready, listens) = mpsc::channel();
    let thread = std::thread::spawn(move || -> Result<Duration> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let before = cpu_of_this_thread()?;
        runtime.block_on(async {
            match way {
                Way::Proxy => proxy(behind, ready, stopped).await,
                Way::Copying => copying(behind, ready, stopped).await,
            }
        })?;
        Ok(cpu_of_this_thread()?.saturating_sub(before))
    });
    let listen = listens.recv().context("the forwarder does not start")?;
    Ok((stop, thread, listen))
}

async fn proxy(behind: SocketAddr, ready: mpsc::Sender<SocketAddr>, stopped: oneshot::Receiver<()>) -> Result<()> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let config = AddressConfig::Proxy(ProxyConfig::new(vec![free], behind));
    let address = Address::new(config, ServiceName::new("bench")?, HostName::new("bench")?).await?;
    address.take().await?;
    ready.send(free)?;
    let _ended = stopped.await;
    address.shutdown().await;
    Ok(())
}

/// What most forwarders in user space do, with as large a buffer as the proxy's.
async fn copying(behind: SocketAddr, ready: mpsc::Sender<SocketAddr>, stopped: oneshot::Receiver<()>) -> Result<()> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    ready.send(listener.local_addr()?)?;
    let (mut client, _) = listener.accept().await?;
    let mut server = tokio::net::TcpStream::connect(behind).await?;
    tokio::select! {
        copied = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, PIECE, PIECE) => drop(copied),
        _ = stopped => {}
    }
    Ok(())
}

fn cpu_of_this_thread() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).context("reading the CPU time used")?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(microseconds).unwrap_or(0)))
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nForwarding one answer of 1 GiB over loopback, {TURNS} turns each:\n\n\
             | | ms | CPU of the forwarding thread, ms |\n|---|--:|--:|"
        )?;
        for (what, cost) in [("the proxy (splice)", self.proxy), ("a loop that copies", self.copying)] {
            writeln!(f, "| {what} | {} | {} |", cost.took, cost.cpu)?;
        }
        Ok(())
    }
}

const GIB: usize = 1 << 30;
const PIECE: usize = 64 * 1024;
const TURNS: usize = 5;
