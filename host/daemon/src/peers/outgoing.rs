//! Our own connection to one peer: dial, greet, then speak; again, with a growing pause, whenever it ends.
//!
//! Invariant: nothing but the greeting and a refusal is ever heard here; what the peer has to say comes in on its own
//! connection.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::codec::{self, FrameReader};
use super::error::LinkError;
use super::greeting::{Me, printable};
use super::link::{Link, Queued};
use super::{Pace, tls};
use understudy_wire::{Decoded, Heartbeat, Packet};

/// Keeps one peer dialled.
pub(super) struct Dialer {
    pub(super) me: Arc<Me>,
    pub(super) tls: TlsConnector,
    pub(super) link: Arc<Link>,
    pub(super) pace: Pace,
}

type Reader = FrameReader<ReadHalf<TlsStream<TcpStream>>>;
type Writer = WriteHalf<TlsStream<TcpStream>>;

impl Dialer {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut backoff = self.pace.backoff_min;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let dialled = tokio::select! {
                dialled = self.dial() => dialled,
                () = stop.cancelled() => return,
            };
            let end = match dialled {
                Ok((reader, writer)) => self.speak(reader, writer, &stop).await,
                Err(error) => error,
            };
            if stop.is_cancelled() {
                return;
            }
            self.link.note("to it", &end);
            // A connection that did not last is as good as none: dialling it at once again would only be noise.
            let lasted = begun.elapsed() > self.pace.dead_after;
            backoff = if lasted {
                self.pace.backoff_min
            } else {
                (backoff * 2).min(self.pace.backoff_max)
            };
            tokio::select! {
                () = tokio::time::sleep(jittered(backoff)) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn dial(&self) -> Result<(Reader, Writer), LinkError> {
        let patience = self.pace.greeting;
        let greeted = tokio::time::timeout(patience, self.connect_and_greet()).await;
        greeted.unwrap_or(Err(LinkError::NoGreeting(patience)))
    }

    async fn connect_and_greet(&self) -> Result<(Reader, Writer), LinkError> {
        let name = tls::expected(&self.link.name).map_err(LinkError::Refused)?;
        let address = &self.link.address;
        let connected = TcpStream::connect(address.as_str()).await;
        let stream = connected.map_err(|source| LinkError::Connect {
            address: address.clone(),
            source,
        })?;
        tune(&stream)?;
        let stream = self.tls.connect(name, stream).await.map_err(LinkError::Tls)?;
        let (reader, mut writer) = tokio::io::split(stream);
        let mut reader = FrameReader::new(reader);
        self.me.greet(&mut writer, self.pace.greeting).await?;
        self.me.hear(&mut reader, &self.link.name, self.pace.greeting).await?;
        Ok((reader, writer))
    }

    /// Until the connection ends or the daemon stops; then what is queued goes out first.
    async fn speak(&self, reader: Reader, mut writer: Writer, stop: &CancellationToken) -> LinkError {
        let mut queue = self.link.outgoing_stands().await;
        let end = tokio::select! {
            end = listen_for_the_end(reader) => end,
            end = self.send_all(&mut writer, &mut queue, stop) => end,
        };
        if matches!(end, LinkError::Stopping) {
            farewell(&mut writer, &mut queue).await;
        }
        self.link.outgoing_ended().await;
        end
    }

    /// Ends between two frames, never within one.
    async fn send_all<W: AsyncWrite + Unpin>(
        &self,
        writer: &mut W,
        queue: &mut mpsc::Receiver<Queued>,
        stop: &CancellationToken,
    ) -> LinkError {
        let mut hears = self.link.hears();
        let mut tick = tokio::time::interval(self.pace.heartbeat);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Signs of life go before a long queue, or a large compilation would look like a dead host.
            let written = tokio::select! {
                biased;
                () = stop.cancelled() => return LinkError::Stopping,
                _ = tick.tick() => {
                    let hears_you = *hears.borrow();
                    heartbeat(writer, hears_you).await
                }
                Ok(()) = hears.changed() => {
                    let hears_you = *hears.borrow_and_update();
                    heartbeat(writer, hears_you).await
                }
                queued = queue.recv() => match queued {
                    Some(queued) => codec::write(writer, &queued.framed, STUCK_AFTER).await,
                    None => return LinkError::Stopping,
                },
            };
            if let Err(error) = written {
                return error;
            }
        }
    }
}

async fn heartbeat<W: AsyncWrite + Unpin>(writer: &mut W, hears_you: bool) -> Result<(), LinkError> {
    match understudy_wire::frame(&Packet::Heartbeat(Heartbeat { hears_you })) {
        Some(framed) => codec::write(writer, &framed, STUCK_AFTER).await,
        None => Ok(()),
    }
}

/// The other side says nothing on this connection after its greeting; reading is how a close is noticed at once.
async fn listen_for_the_end<R: AsyncRead + Unpin>(mut reader: FrameReader<R>) -> LinkError {
    loop {
        match reader.next(FOR_EVER).await {
            Ok(Decoded::Packet(Packet::Turned(turned))) => return LinkError::TurnedAway(printable(&turned.reason)),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

async fn farewell(writer: &mut Writer, queue: &mut mpsc::Receiver<Queued>) {
    queue.close();
    let last_words = async {
        while let Some(queued) = queue.recv().await {
            codec::write(writer, &queued.framed, FAREWELL).await?;
        }
        writer.shutdown().await.map_err(LinkError::from)
    };
    // A peer that does not listen any more has nothing to lose by this.
    let _ = tokio::time::timeout(FAREWELL, last_words).await;
}

/// Small messages go at once, and a peer whose kernel acknowledges nothing is given up.
pub(super) fn tune(stream: &TcpStream) -> Result<(), LinkError> {
    stream.set_nodelay(true)?;
    let patience = u32::try_from(STUCK_AFTER.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream, patience).map_err(std::io::Error::from)?;
    Ok(())
}

/// Between half and all of it, so that hosts that lost each other together do not come back in step.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0u8) % 1000;
    pause / 2 + pause.mul_f64(random as f64 / 2000.0)
}

/// How long written bytes may wait for the peer to take them. Longer than the silence that makes a peer lost: this is
/// for the connection's end, not for the verdict, and a host that stores a large compilation may read slowly.
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// For the last queued messages at a shutdown.
const FAREWELL: Duration = Duration::from_secs(1);
/// No bound: silence is right on this direction, and TCP's own timeout covers the dead.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
