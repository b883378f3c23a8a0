//! `[host]`, `[api]` and `[cluster]`: this machine, and who it talks to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use understudy_protocol::HostName;

use super::reader::Table;
use super::value;

/// `[host]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// This host.
    pub name: HostName,
    /// Where the store, compiled plugins and the like are kept.
    pub state_dir: PathBuf,
    /// Where plugins are.
    pub plugin_dir: PathBuf,
    /// Paths on further disks that system readings are taken of.
    pub data_disks: Vec<PathBuf>,
}

/// `[api]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Where REST and the UI are.
    pub listen: SocketAddr,
    /// The file with the bearer token.
    pub token_file: Option<PathBuf>,
    /// More names under which the API may be asked for while it listens on loopback.
    pub allowed_hosts: Vec<String>,
}

/// `[cluster]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Where peers are accepted.
    pub listen: SocketAddr,
    /// The directory of `ca.pem`, `cert.pem` and `key.pem`.
    pub identity: PathBuf,
    /// Every other host.
    pub peers: Vec<Peer>,
}

/// `[[cluster.peer]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: HostName,
    /// Where it accepts peers: `host:port`.
    pub address: String,
}

/// Reads `[host]`.
pub(super) fn host(table: &Table<'_>) -> Option<Host> {
    let name = table.required(
        "name",
        "\"alpha\" (a name of your choice, one per machine)",
        value::host,
    );
    let host = Host {
        state_dir: table
            .optional("state_dir", value::path)
            .unwrap_or_else(|| STATE_DIR.into()),
        plugin_dir: table
            .optional("plugin_dir", value::path)
            .unwrap_or_else(|| PLUGIN_DIR.into()),
        data_disks: table.list("data_disks", value::path),
        name: {
            table.finish();
            name?
        },
    };
    Some(host)
}

/// Reads `[api]`; the defaults where there is none.
pub(super) fn api(table: Option<Table<'_>>) -> Api {
    let Some(table) = table else {
        return Api {
            listen: API_LISTEN,
            token_file: None,
            allowed_hosts: Vec::new(),
        };
    };
    let api = Api {
        listen: table.optional("listen", value::socket).unwrap_or(API_LISTEN),
        token_file: table.optional("token_file", value::path),
        allowed_hosts: table.list("allowed_hosts", value::text),
    };
    table.finish();
    api
}

/// Reads `[cluster]`.
pub(super) fn cluster(table: &Table<'_>) -> Cluster {
    let cluster = Cluster {
        listen: table.optional("listen", value::socket).unwrap_or(CLUSTER_LISTEN),
        identity: table
            .optional("identity", value::path)
            .unwrap_or_else(|| IDENTITY.into()),
        peers: table.tables("peer", 0).iter().filter_map(peer).collect(),
    };
    table.finish();
    cluster
}

fn peer(table: &Table<'_>) -> Option<Peer> {
    let name = table.required("name", "\"beta\" (the `host.name` of that host)", value::host);
    let address = table.required(
        "address",
        "\"192.0.2.2:7421\" (where its `cluster.listen` is)",
        value::host_port,
    );
    table.finish();
    Some(Peer {
        name: name?,
        address: address?,
    })
}

const STATE_DIR: &str = "/var/lib/understudy";
const PLUGIN_DIR: &str = "/usr/lib/understudy/plugins";
/// Where `understudy cluster` writes, unless told otherwise.
pub const IDENTITY: &str = "/etc/understudy/identity";
const API_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7420);
const CLUSTER_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 7421);
