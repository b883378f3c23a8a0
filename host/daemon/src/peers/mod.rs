//! Connections between the hosts of a cluster: mutually authenticated TLS 1.3, one listener, one outgoing connection
//! to each peer.
//!
//! ```text
//!            our outgoing  ──────────────►  its incoming      we speak, it listens
//!            our incoming  ◄──────────────  its outgoing      it speaks, we listen
//! ```
//! Each host dials every peer and sends on its own connection only; what it hears comes in on the accepted ones. No
//! host waits for another to dial, and there is nothing to negotiate about who owns a connection.
//!
//! Invariants:
//! - a frame is handed on only from a connection whose certificate names a configured peer, and a protocol message
//!   only if it names the same sender;
//! - `Connected` means both directions: our connection stands, we hear the peer, and the peer says that it hears us;
//! - `Connected` and `Lost` of one peer alternate, beginning with `Connected`; frames may come while a peer counts as
//!   lost (one direction is enough for them), and they are as true as any;
//! - nothing here waits without a bound, except a reader for the daemon to take its event.
//!
//! This module knows nothing of roles, terms or services: it carries frames and says who is there.

mod codec;
mod error;
mod greeting;
mod incoming;
mod link;
mod outgoing;
mod tls;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use understudy_protocol::HostName;

use crate::cluster::Identity;
use link::Link;

pub use error::PeersError;
pub use understudy_wire::Frame;

/// Where this host listens, whom it talks to, and who it is.
#[derive(Debug)]
pub struct PeersConfig {
    /// This host; the identity must be its own.
    pub me: HostName,
    /// Where to accept peers.
    pub listen: SocketAddr,
    /// Every peer with its address (`name:port` or `ip:port`).
    pub peers: Vec<(HostName, String)>,
    /// Certificate, key and authority of this host.
    pub identity: Identity,
    /// How fast things are noticed.
    pub pace: Pace,
}

/// The lengths of all that is waited for here.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two signs of life.
    pub heartbeat: Duration,
    /// A peer that is silent for so long is lost.
    pub dead_after: Duration,
    /// From the first byte of a connection to the end of the greetings; for those who dial and then say nothing.
    pub greeting: Duration,
    /// Before the first attempt to connect again; doubled each time.
    pub backoff_min: Duration,
    /// The longest pause between attempts.
    pub backoff_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            heartbeat: Duration::from_millis(500),
            // Six heartbeats: a lost packet or two and a pause of the other's scheduler are no partition.
            dead_after: Duration::from_secs(3),
            greeting: Duration::from_secs(5),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
        }
    }
}

/// What the daemon is told.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a frame: boxing it would only add an allocation"
)]
pub enum PeerEvent {
    /// The peer is there, in both directions.
    Connected(HostName),
    /// It is not, any more.
    Lost(HostName),
    /// It said something.
    Frame(HostName, Frame),
}

/// The connections to all peers. Cheap to clone; all clones are the same connections.
#[derive(Debug, Clone)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    listening: SocketAddr,
    links: BTreeMap<HostName, Arc<Link>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Peers {
    /// Listens, and begins to dial every peer. Events come until [`Peers::shutdown`]; the daemon must take them.
    ///
    /// # Errors
    /// When the identity is not this host's or can't be used, or the address can't be listened on.
    pub async fn start(config: PeersConfig, events: mpsc::Sender<PeerEvent>) -> Result<Peers, PeersError> {
        let PeersConfig {
            me,
            listen,
            peers,
            identity,
            pace,
        } = config;
        if identity.host != me {
            return Err(PeersError::NotMine {
                me,
                identity: identity.host,
            });
        }
        if identity.remaining().is_none_or(|remaining| remaining < RENEW_BEFORE) {
            tracing::warn!(host = %me, "this host's certificate ends soon: invite it anew (`understudy cluster invite`)");
        }
        let tls = tls::Ends::new(&identity)?;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|source| PeersError::Listen { listen, source })?;
        let listening = listener
            .local_addr()
            .map_err(|source| PeersError::Listen { listen, source })?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let link = |name, address| Arc::new(Link::new(name, address, events.clone(), stop.clone()));
        let links: BTreeMap<_, _> = peers
            .into_iter()
            .map(|(name, address)| (name.clone(), link(name, address)))
            .collect();

        let me = Arc::new(greeting::Me {
            host: me,
            cluster: identity.fingerprint(),
        });
        for link in links.values() {
            let dialer = outgoing::Dialer {
                me: me.clone(),
                tls: tls.connector.clone(),
                link: link.clone(),
                pace,
            };
            tasks.spawn(dialer.run(stop.clone()));
        }
        let doorman = incoming::Doorman {
            me,
            tls: tls.acceptor,
            links: links.clone(),
            pace,
        };
        tasks.spawn(doorman.run(listener, stop.clone()));
        tracing::info!(%listening, peers = links.len(), "listening for peers");
        Ok(Peers(Arc::new(Inner {
            listening,
            links,
            stop,
            tasks,
        })))
    }

    /// Where peers are accepted; of use when the port was left to the system.
    pub fn listening(&self) -> SocketAddr {
        self.0.listening
    }

    /// Queues a frame and says whether it was queued. Not queued (no connection, no room) is the same to the protocol
    /// as lost on the way: its timers send again.
    pub fn send(&self, to: &HostName, frame: Frame) -> bool {
        self.0.links.get(to).is_some_and(|link| link.send(&frame))
    }

    /// Waits for room, then queues: for pages of a compilation, which nobody sends again one by one. Says whether it
    /// was queued; false when the connection is gone.
    ///
    /// Never from the task that takes the events: two hosts doing that could wait for each other.
    pub async fn send_waiting(&self, to: &HostName, frame: Frame) -> bool {
        match self.0.links.get(to) {
            Some(link) => link.send_waiting(&frame).await,
            None => false,
        }
    }

    /// The peers that are there now.
    pub fn connected(&self) -> BTreeSet<HostName> {
        self.0
            .links
            .values()
            .filter(|link| link.is_up())
            .map(|link| link.name.clone())
            .collect()
    }

    /// What is in the way of each peer that is not there, in words: for people.
    pub fn troubles(&self) -> BTreeMap<HostName, String> {
        let links = self.0.links.values().filter(|link| !link.is_up());
        links.map(|link| (link.name.clone(), link.trouble())).collect()
    }

    /// Sends what is queued, closes every connection in order and stops listening. No event comes afterwards.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

/// Ninety days: an operator looks at the log of a healthy daemon seldom.
const RENEW_BEFORE: Duration = Duration::from_secs(90 * 24 * 3600);
