//! The listener, and the connections that peers speak on.
//!
//! Invariants: a stranger costs one slot of a bounded number and at most the greeting's time; only a certificate of
//! the cluster that names a configured peer gets further; a connection on which nothing comes is ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use understudy_protocol::HostName;

use super::codec::FrameReader;
use super::error::LinkError;
use super::greeting::{Me, printable, turn_away};
use super::link::Link;
use super::{Pace, outgoing, tls};
use understudy_wire::{Decoded, Frame, Packet};

/// Lets peers in.
pub(super) struct Doorman {
    pub(super) me: Arc<Me>,
    pub(super) tls: TlsAcceptor,
    pub(super) links: BTreeMap<HostName, Arc<Link>>,
    pub(super) pace: Pace,
}

type Reader = FrameReader<ReadHalf<TlsStream<TcpStream>>>;

impl Doorman {
    pub(super) async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let this = Arc::new(self);
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        let guests = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, for example: it passes, or the operator reads this.
                    tracing::warn!(%error, "can't accept a peer");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(slot) = strangers.clone().try_acquire_owned() else {
                tracing::warn!(%from, limit = STRANGERS, "too many connections that have not greeted; this one is closed");
                continue;
            };
            let (this, end) = (this.clone(), stop.child_token());
            guests.spawn(async move {
                let admitted = this.admit(stream, from).await;
                drop(slot);
                if let Some((link, reader, mut writer)) = admitted {
                    hear_out(&link, reader, this.pace.dead_after, end).await;
                    let _ = tokio::time::timeout(FAREWELL, writer.shutdown()).await;
                }
            });
        }
        guests.close();
        guests.wait().await;
    }

    /// TLS and greetings, within their time.
    async fn admit(
        &self,
        stream: TcpStream,
        from: SocketAddr,
    ) -> Option<(Arc<Link>, Reader, impl AsyncWrite + Unpin + use<>)> {
        let patience = self.pace.greeting;
        let admitted = tokio::time::timeout(patience, self.greet(stream)).await;
        match admitted.unwrap_or(Err((None, LinkError::NoGreeting(patience)))) {
            Ok(admitted) => Some(admitted),
            Err((Some(link), error)) => {
                link.note("from it", &error);
                None
            }
            Err((None, error)) => {
                tracing::warn!(%from, %error, "a connection was not let in");
                None
            }
        }
    }

    async fn greet(
        &self,
        stream: TcpStream,
    ) -> Result<(Arc<Link>, Reader, impl AsyncWrite + Unpin + use<>), (Option<Arc<Link>>, LinkError)> {
        let patience = self.pace.greeting;
        outgoing::tune(&stream).map_err(|error| (None, error))?;
        let stream = self
            .tls
            .accept(stream)
            .await
            .map_err(|error| (None, LinkError::Tls(error)))?;
        let certified = tls::certified(stream.get_ref().1.peer_certificates());
        let (reader, mut writer) = tokio::io::split(stream);
        let mut reader = FrameReader::new(reader);

        let link = certified.and_then(|name| self.configured(&name));
        let (link, heard) = match link {
            Ok(link) => (
                Some(link.clone()),
                self.me.hear(&mut reader, &link.name, patience).await,
            ),
            Err(reason) => (None, Err(LinkError::Refused(reason))),
        };
        match (link, heard) {
            (Some(link), Ok(())) => match self.me.greet(&mut writer, patience).await {
                Ok(()) => Ok((link, reader, writer)),
                Err(error) => Err((Some(link), error)),
            },
            (link, heard) => {
                let error = heard.err().unwrap_or(LinkError::Closed);
                turn_away(&mut writer, &error.to_string(), patience).await;
                let _ = writer.shutdown().await;
                Err((link, error))
            }
        }
    }

    fn configured(&self, name: &HostName) -> Result<&Arc<Link>, String> {
        self.links.get(name).ok_or_else(|| {
            format!(
                "{name} is of this cluster, but no [[cluster.peer]] of {} names it: add one there",
                self.me.host
            )
        })
    }
}

/// Takes what a peer says until its connection ends.
async fn hear_out(link: &Link, mut reader: Reader, silence: Duration, end: CancellationToken) {
    let number = link.incoming_stands(end.clone()).await;
    let error = tokio::select! {
        error = hear(link, number, &mut reader, silence) => error,
        () = end.cancelled() => LinkError::Replaced,
    };
    link.incoming_ended(number).await;
    if !matches!(error, LinkError::Replaced) {
        link.note("from it", &error);
    }
}

async fn hear<R: AsyncRead + Unpin>(
    link: &Link,
    number: u64,
    reader: &mut FrameReader<R>,
    silence: Duration,
) -> LinkError {
    loop {
        match reader.next(silence).await {
            Ok(Decoded::Packet(Packet::Heartbeat(beat))) => link.heard(number, beat.hears_you).await,
            Ok(Decoded::Packet(Packet::Frame(frame))) => match speaker(&frame) {
                Some(claimed) if *claimed != link.name => {
                    return LinkError::Impersonates {
                        claimed: claimed.clone(),
                    };
                }
                Some(_) | None => link.deliver(frame).await,
            },
            Ok(Decoded::Packet(Packet::Turned(turned))) => return LinkError::TurnedAway(printable(&turned.reason)),
            Ok(Decoded::Packet(Packet::Greeting(_))) => {}
            Ok(Decoded::Unknown { kind, because }) => {
                let (kind, because) = (printable(&kind), printable(&because));
                tracing::warn!(peer = %link.name, kind, because, "a frame is ignored; is the peer newer?");
            }
            Err(error) => return error,
        }
    }
}

/// In whose name a frame speaks, where it says so.
fn speaker(frame: &Frame) -> Option<&HostName> {
    match frame {
        Frame::Protocol { envelope, .. } => Some(&envelope.from),
        Frame::CompilationPage { .. }
        | Frame::HostView(_)
        | Frame::JournalLine(_)
        | Frame::Asked { .. }
        | Frame::Told { .. } => None,
    }
}

/// Connections that have not greeted yet. Peers need one each; the rest is for their restarts, and for strangers.
const STRANGERS: usize = 64;
/// For closing a connection in order, towards a peer that may be gone.
const FAREWELL: Duration = Duration::from_secs(1);
/// After a failed accept, so that a lack of file descriptors is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
