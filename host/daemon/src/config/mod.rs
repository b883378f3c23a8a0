//! The operator's configuration: one TOML file, and `conf.d/*.toml` beside it with further services.
//!
//! ```text
//! source.rs   files and places    reader.rs  tables, key by key    value.rs  single values
//! host.rs  service.rs  address.rs  plugin.rs  timing.rs  retention.rs   the sections
//! check.rs   what must fit together (pure)      files.rs   what must be there on this machine
//! ```
//! Invariants: one run finds every error that can be found; each has its place, its line and a mend; a [`Config`] is
//! whole: whoever has one need not check it again. The sections are pure; only `load.rs` and `files.rs` touch the disk.

mod address;
mod check;
mod error;
mod files;
mod host;
mod load;
mod plugin;
mod reader;
mod retention;
mod service;
mod source;
mod suggest;
#[cfg(test)]
mod tests;
mod timing;
mod value;

pub use error::ConfigErrors;
pub use host::{Api, Cluster, Host, IDENTITY, Peer};
pub use load::api_of;
pub use plugin::{Endpoint, Plugin};
pub use service::{Probe, Reboot, Service};

/// Everything that the operator settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// This machine.
    pub host: Host,
    /// REST and the UI.
    pub api: Api,
    /// The other hosts.
    pub cluster: Cluster,
    /// How long what is kept.
    pub retention: understudy_store::Retention,
    /// The services, in the order of the files.
    pub services: Vec<Service>,
}

/// Where the configuration is, unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/understudy/understudy.toml";
