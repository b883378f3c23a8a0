//! What a plugin looks after and what it is granted for it: everything one call may touch, by name.
//!
//! Invariant: the guest learns the names, never what stands behind them: no address, no path, no credential.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use understudy_protocol::{HostName, ServiceName};

use crate::capability::Ask;
use crate::command::CommandSpec;
use crate::limits::Limits;

/// One service as one plugin sees it, with everything the operator granted. Build it with [`Target::new`],
/// fill the fields, share it in an [`Arc`]; a changed configuration is a new target.
#[derive(Clone)]
pub struct Target {
    /// The service.
    pub service: ServiceName,
    /// The server's type, one of those in the plugin's description.
    pub server_type: String,
    /// The host that the plugin runs on.
    pub host: HostName,
    /// What the operator added.
    pub attributes: Vec<(String, String)>,
    /// The plugin's configuration: a JSON object.
    pub config: String,
    /// What the operator granted.
    pub granted: BTreeSet<Ask>,
    /// What the endpoints' names stand for.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What the commands' names stand for.
    pub commands: BTreeMap<String, CommandSpec>,
    /// What the secrets' names stand for.
    pub secrets: BTreeMap<String, Secret>,
    /// The disks of `system` readings: paths on them.
    pub disks: Vec<PathBuf>,
    /// The service's own ports: what `sockets` lists.
    pub ports: Vec<u16>,
    /// Adds to each listed connection what the daemon knows of it.
    pub annotator: Option<Arc<dyn ConnectionAnnotator>>,
    /// The service's current term: a call of a lower term changes nothing any more.
    pub fence: Arc<AtomicU64>,
    /// Bounds of this target's calls, where they differ from the runtime's.
    pub limits: Option<Limits>,
}

impl Target {
    /// A target with nothing granted and a fence that lets every term pass.
    pub fn new(service: ServiceName, server_type: &str, host: HostName) -> Self {
        Self {
            service,
            server_type: server_type.to_owned(),
            host,
            attributes: Vec::new(),
            config: "{}".to_owned(),
            granted: BTreeSet::new(),
            endpoints: BTreeMap::new(),
            commands: BTreeMap::new(),
            secrets: BTreeMap::new(),
            disks: Vec::new(),
            ports: Vec::new(),
            annotator: None,
            fence: Arc::new(AtomicU64::new(0)),
            limits: None,
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("service", &self.service)
            .field("server_type", &self.server_type)
            .field("granted", &self.granted)
            .finish_non_exhaustive()
    }
}

/// Where a named endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP port.
    Tcp {
        /// `host:port`; a name is looked up at each connection.
        address: String,
    },
    /// A TCP port that speaks TLS.
    Tls {
        /// `host:port`; a name is looked up at each connection.
        address: String,
        /// The name that the server's certificate must carry.
        server_name: String,
        /// PEM of the certificates that may sign the server's; none: those of the machine.
        authorities: Option<Vec<u8>>,
        /// What the host shows of itself, where the server asks.
        client: Option<ClientCertificate>,
    },
    /// A unix socket.
    Unix {
        /// Where it is.
        path: PathBuf,
    },
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain, the host's own certificate first.
    pub chain: Vec<u8>,
    /// The private key.
    pub key: Secret,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate")
    }
}

/// Bytes that are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps the bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What the daemon knows of a connection and the kernel does not: for example the real client behind the
/// host's own proxy. Called on a blocking thread, once for each listed connection: it must be quick.
pub trait ConnectionAnnotator: Send + Sync {
    /// Attributes to add; `local` is the server's side, `remote` the other side as the server sees it.
    fn annotate(&self, local: SocketAddr, remote: SocketAddr) -> Vec<(String, String)>;
}
