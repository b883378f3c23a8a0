//! What the operator configures, and its defaults.

use std::collections::BTreeMap;

use understudy_plugin::prelude::*;

/// The plugin's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// Where each host's Redis is, as a replica reaches it: host name → `address:port`.
    pub(crate) addresses: BTreeMap<String, Address>,
    /// The host that the endpoint `peer` leads to. Needed only where `addresses` has more than two hosts.
    pub(crate) peer_host: Option<String>,
    /// A replica that is further behind may not take over.
    pub(crate) max_lag_bytes: u64,
    /// The folder of Redis' data (`dir`): its disk is watched. Without it, every disk that the host reports.
    pub(crate) disk_path: Option<String>,
    /// Less free than this is a full disk.
    pub(crate) min_disk_free_bytes: u64,
    /// Less of the machine's memory free than this is an impairment.
    pub(crate) min_memory_free_ratio: f64,
    /// What a snapshot or an append-only file that can't be written means.
    pub(crate) persistence_failure: PersistenceFailure,
    /// Save the data on shutdown where Redis still can, so that this host could come back from its own disk.
    pub(crate) save_on_shutdown: bool,
    /// Promote a copy even if it was never complete since its process started, or is only what a stopped replica left on
    /// disk. For caches: it prefers an old answer to none.
    pub(crate) promote_old_copy: bool,
    /// A link to the master that has been silent for longer is as good as down. Redis' own `repl-timeout`.
    pub(crate) repl_timeout_ms: u64,
    /// The user of an access list; none for the default one. The password is the secret `password`.
    pub(crate) username: Option<String>,
    /// How long Redis may take to answer.
    pub(crate) timeout_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addresses: BTreeMap::new(),
            peer_host: None,
            max_lag_bytes: 10_000_000,
            disk_path: None,
            min_disk_free_bytes: 256 << 20,
            min_memory_free_ratio: 0.05,
            persistence_failure: PersistenceFailure::ShutdownRequired,
            save_on_shutdown: true,
            promote_old_copy: false,
            repl_timeout_ms: 60_000,
            username: None,
            timeout_ms: 1_000,
        }
    }
}

/// What persistence that fails means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PersistenceFailure {
    /// The server must shut down: Redis refuses writes by default when it can't save.
    ShutdownRequired,
    /// Tell somebody: the data may be lost, and that is accepted.
    Impaired,
}

/// `address:port` of a Redis.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not `address:port`, for example `10.0.0.2:6379` or `[2001:db8::2]:6379`");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() || port == 0 {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(out, "[{}]:{}", self.host, self.port),
            false => write!(out, "{}:{}", self.host, self.port),
        }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Vec<Diagnostic> {
        let mut wrong = Vec::new();
        if !(0.0..1.0).contains(&self.min_memory_free_ratio) {
            wrong.push(Diagnostic::new(
                "/min-memory-free-ratio",
                "a ratio of the machine's memory: from 0 to less than 1",
            ));
        }
        if self.timeout_ms == 0 {
            wrong.push(Diagnostic::new(
                "/timeout-ms",
                "Redis needs some time to answer: at least 1",
            ));
        }
        if let Some(host) = self
            .peer_host
            .as_ref()
            .filter(|host| !self.addresses.contains_key(*host))
        {
            wrong.push(Diagnostic::new("/peer-host", format!("`{host}` is not in `addresses`")));
        }
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (host, address) in &self.addresses {
            if let Some(other) = seen.insert(address.to_string(), host) {
                let place = format!("/addresses/{}", host.replace('~', "~0").replace('/', "~1"));
                wrong.push(Diagnostic::new(
                    place,
                    format!("`{address}` is the address of `{other}` already"),
                ));
            }
        }
        wrong
    }

    /// The other hosts' addresses.
    pub(crate) fn others<'a>(&'a self, host: &'a str) -> impl Iterator<Item = (&'a str, &'a Address)> {
        self.addresses
            .iter()
            .map(|(name, address)| (name.as_str(), address))
            .filter(move |(name, _)| *name != host)
    }

    /// The host that the endpoint `peer` leads to: as configured, or the only other one.
    pub(crate) fn peer<'a>(&'a self, host: &'a str) -> Option<&'a str> {
        if let Some(peer) = &self.peer_host {
            return Some(peer.as_str()).filter(|peer| *peer != host);
        }
        let mut others = self.others(host);
        let only = others.next()?;
        others.next().is_none().then_some(only.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Config, Diagnostic> {
        understudy_plugin::parse_config(json)
    }

    #[test]
    fn an_address_is_read_and_written() {
        let config = read(r#"{"addresses": {"a": "10.0.0.1:6379", "b": "[2001:db8::2]:6380"}}"#).unwrap();
        assert_eq!(
            config.addresses["a"],
            Address {
                host: "10.0.0.1".into(),
                port: 6379
            }
        );
        assert_eq!(config.addresses["b"].host, "2001:db8::2");
        assert_eq!(config.addresses["b"].to_string(), "[2001:db8::2]:6380");
        assert_eq!(config.peer("a"), Some("b"));
    }

    #[test]
    fn a_bad_address_names_its_place() {
        assert_eq!(
            read(r#"{"addresses": {"a": "nowhere"}}"#).unwrap_err().path,
            "/addresses/a"
        );
        assert!(read(r#"{"addresses": {"a": ":6379"}}"#).is_err());
        assert!(read(r#"{"addresses": {"a": "x:0"}}"#).is_err());
    }

    #[test]
    fn contradictions_are_found() {
        let config =
            read(r#"{"addresses": {"a": "x:1", "b": "x:1"}, "peer-host": "c", "min-memory-free-ratio": 1.5}"#).unwrap();
        let places: Vec<_> = config.check().into_iter().map(|wrong| wrong.path).collect();
        assert_eq!(places, ["/min-memory-free-ratio", "/peer-host", "/addresses/b"]);
        assert!(read("{}").unwrap().check().is_empty());
    }

    #[test]
    fn with_three_hosts_the_peer_must_be_named() {
        let three = r#"{"addresses": {"a": "x:1", "b": "x:2", "c": "x:3"}"#;
        assert_eq!(read(&format!("{three}}}")).unwrap().peer("a"), None);
        assert_eq!(
            read(&format!(r#"{three}, "peer-host": "c"}}"#)).unwrap().peer("a"),
            Some("c")
        );
    }
}
