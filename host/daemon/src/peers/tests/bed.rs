//! What the tests stand on: a cluster in a temporary folder, relays that can be cut and frozen, and strangers that
//! speak TLS by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::cluster;

/// Events that wait: few, so that a daemon that takes none is noticed soon.
pub(super) const EVENTS: usize = 64;

pub(super) fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

/// Fast, but with room for a machine under load.
pub(super) fn pace() -> Pace {
    Pace {
        heartbeat: Duration::from_millis(50),
        dead_after: Duration::from_millis(1500),
        greeting: Duration::from_secs(2),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(200),
    }
}

/// A cluster's first host is `founder`; everybody's identity is made from it.
struct Authority(TempDir);

impl Authority {
    fn found() -> Self {
        let folder = tempfile::tempdir().unwrap();
        cluster::init(&folder.path().join("founder"), &host("founder"), false).unwrap();
        Authority(folder)
    }

    fn identity(&self, name: &str) -> Identity {
        let place = self.0.path().join(name);
        if !place.exists() {
            let bundle = cluster::invite(&self.0.path().join("founder"), &host(name)).unwrap();
            cluster::join(&place, &bundle, false).unwrap();
        }
        Identity::load(&place).unwrap()
    }
}

/// One identity of a cluster of its own.
pub(super) fn issue(folder: &TempDir, name: &str) -> Identity {
    let place = folder.path().join("id");
    cluster::init(&place, &host(name), false).unwrap();
    Identity::load(&place).unwrap()
}

pub(super) struct One {
    pub(super) peers: Peers,
    pub(super) events: mpsc::Receiver<PeerEvent>,
}

impl One {
    async fn start(me: &str, identity: Identity, listen: SocketAddr, peer: (&str, SocketAddr)) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let config = PeersConfig {
            me: host(me),
            listen,
            peers: vec![(host(peer.0), peer.1.to_string())],
            identity,
            pace: pace(),
        };
        One {
            peers: Peers::start(config, sender).await.unwrap(),
            events,
        }
    }

    pub(super) async fn trouble_of(&self, peer: &str) -> String {
        self.trouble_with(peer, "").await
    }

    /// The trouble with a peer, once it is noted and has that text.
    pub(super) async fn trouble_with(&self, peer: &str, text: &str) -> String {
        for _ in 0..1000 {
            let trouble = self.peers.troubles().remove(&host(peer)).unwrap_or_default();
            if trouble.contains(':') && trouble.contains(text) {
                return trouble;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no trouble with {text:?}: {:?}", self.peers.troubles());
    }
}

/// Two hosts that dial each other through relays.
pub(super) struct Bed {
    authority: Authority,
    pub(super) alpha: One,
    pub(super) beta: One,
    /// Carries what alpha says to beta.
    pub(super) to_beta: Relay,
    to_alpha: Relay,
}

impl Bed {
    pub(super) async fn start() -> Self {
        Self::start_with(|mine, _| mine).await
    }

    /// `choose` picks beta's identity: of this cluster, or of another.
    pub(super) async fn start_with(choose: impl FnOnce(Identity, Identity) -> Identity) -> Self {
        let authority = Authority::found();
        let identity = choose(authority.identity("beta"), Authority::found().identity("beta"));
        Self::build(authority, "beta", identity).await
    }

    /// At beta's address is another host of the same cluster.
    pub(super) async fn start_as(other: &str) -> Self {
        let authority = Authority::found();
        let identity = authority.identity(other);
        Self::build(authority, other, identity).await
    }

    /// Nobody is at beta's address: strangers play it.
    pub(super) async fn start_alone() -> Self {
        let bed = Self::start_with(|mine, _| mine).await;
        bed.beta.peers.shutdown().await;
        let Bed {
            authority,
            alpha,
            beta,
            to_beta,
            to_alpha,
        } = bed;
        alpha.peers.shutdown().await;
        to_beta.point(nowhere());
        let alpha = One::start(
            "alpha",
            authority.identity("alpha"),
            "127.0.0.1:0".parse().unwrap(),
            ("beta", to_beta.address),
        )
        .await;
        to_alpha.point(alpha.peers.listening());
        Bed {
            authority,
            alpha,
            beta,
            to_beta,
            to_alpha,
        }
    }

    async fn build(authority: Authority, second: &str, identity: Identity) -> Self {
        let (to_beta, to_alpha) = (Relay::start().await, Relay::start().await);
        let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let alpha = One::start(
            "alpha",
            authority.identity("alpha"),
            anywhere,
            ("beta", to_beta.address),
        )
        .await;
        to_alpha.point(alpha.peers.listening());
        let beta = One::start(second, identity, anywhere, ("alpha", to_alpha.address)).await;
        to_beta.point(beta.peers.listening());
        Bed {
            authority,
            alpha,
            beta,
            to_beta,
            to_alpha,
        }
    }

    pub(super) async fn restart_beta(&mut self) {
        let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        self.beta = One::start(
            "beta",
            self.authority.identity("beta"),
            anywhere,
            ("alpha", self.to_alpha.address),
        )
        .await;
        self.to_beta.point(self.beta.peers.listening());
    }

    pub(super) async fn both_connected(&mut self) {
        assert_eq!(event(&mut self.alpha.events).await, PeerEvent::Connected(host("beta")));
        assert_eq!(event(&mut self.beta.events).await, PeerEvent::Connected(host("alpha")));
    }

    pub(super) async fn shutdown(self) {
        self.alpha.peers.shutdown().await;
        self.beta.peers.shutdown().await;
    }
}

pub(super) async fn event(events: &mut mpsc::Receiver<PeerEvent>) -> PeerEvent {
    tokio::time::timeout(Duration::from_secs(20), events.recv())
        .await
        .expect("no event came")
        .expect("no more events")
}

/// Whether no event comes for a while.
pub(super) async fn quiet(events: &mut mpsc::Receiver<PeerEvent>) -> bool {
    tokio::time::timeout(Duration::from_millis(300), events.recv())
        .await
        .is_err()
}

fn nowhere() -> SocketAddr {
    // Port 1 of loopback: nothing listens, connections are refused at once.
    "127.0.0.1:1".parse().unwrap()
}

/// Forwards connections; can be cut (connections end) or frozen (bytes stay where they are).
pub(super) struct Relay {
    address: SocketAddr,
    target: watch::Sender<SocketAddr>,
    frozen: watch::Sender<bool>,
    epoch: watch::Sender<u64>,
}

impl Relay {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (target, frozen, epoch) = (
            watch::Sender::new(nowhere()),
            watch::Sender::new(false),
            watch::Sender::new(0),
        );
        let (aim, ice, cut) = (target.subscribe(), frozen.subscribe(), epoch.subscribe());
        tokio::spawn(async move {
            while let Ok((inner, _)) = listener.accept().await {
                let (aim, ice, mut cut) = (*aim.borrow(), ice.clone(), cut.clone());
                cut.borrow_and_update();
                tokio::spawn(async move {
                    let Ok(outer) = TcpStream::connect(aim).await else {
                        return;
                    };
                    let (from_inner, to_inner) = inner.into_split();
                    let (from_outer, to_outer) = outer.into_split();
                    tokio::select! {
                        () = carry(from_inner, to_outer, ice.clone()) => {}
                        () = carry(from_outer, to_inner, ice) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Relay {
            address,
            target,
            frozen,
            epoch,
        }
    }

    fn point(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    pub(super) fn cut(&self) {
        self.epoch.send_modify(|epoch| *epoch += 1);
    }

    pub(super) fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut ice: watch::Receiver<bool>,
) {
    let mut buffer = [0; 16 * 1024];
    loop {
        // While frozen nothing moves, not even the news that a side has closed.
        if ice.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = ice.changed() => continue,
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                if ice.wait_for(|frozen| !frozen).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Somebody with a certificate of the cluster, who speaks by hand to alpha.
pub(super) struct Stranger {
    stream: TlsStream<TcpStream>,
    cluster: String,
}

impl Stranger {
    pub(super) async fn connect(bed: &Bed, name: &str) -> std::io::Result<Self> {
        let identity = bed.authority.identity(name);
        let mut roots = RootCertStore::empty();
        roots.add(identity.authority.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![identity.certificate.clone()], identity.key.clone_key())
            .unwrap();
        let stream = TcpStream::connect(bed.alpha.peers.listening()).await?;
        let name = super::super::tls::expected(&host("alpha")).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Stranger {
            stream,
            cluster: identity.fingerprint(),
        })
    }

    /// Greeted and let in.
    pub(super) async fn welcome(bed: &Bed, name: &str) -> Self {
        let mut stranger = Self::connect(bed, name).await.unwrap();
        stranger.greet(name, [1, 1]).await;
        let answer = stranger.read().await.unwrap();
        assert!(answer.contains("\"greeting\""), "{answer}");
        stranger
    }

    pub(super) async fn greet(&mut self, name: &str, protocol: [u32; 2]) {
        let cluster = self.cluster.clone();
        self.say(&Packet::Greeting(Greeting {
            protocol,
            version: "9.9.9".into(),
            host: name.into(),
            cluster,
        }))
        .await;
    }

    pub(super) async fn say(&mut self, packet: &Packet) {
        let framed = understudy_wire::frame(packet).unwrap();
        self.raw(&framed).await;
    }

    pub(super) async fn raw(&mut self, bytes: &[u8]) {
        self.try_raw(bytes).await.unwrap();
    }

    pub(super) async fn try_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next frame as text.
    pub(super) async fn read(&mut self) -> std::io::Result<String> {
        let length = self.stream.read_u32().await?;
        let mut body = vec![0; length as usize];
        self.stream.read_exact(&mut body).await?;
        Ok(String::from_utf8(body).unwrap())
    }

    /// Whether the other side ends the connection.
    pub(super) async fn closed(&mut self) -> bool {
        let end = async { while self.read().await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), end).await.is_ok()
    }
}
