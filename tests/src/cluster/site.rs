//! One host's folder: its disk, its servers, its identity, its state.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::config::{HostPorts, Ports, Wishes};
use super::{HOSTS, SERVICES};
use crate::lan::Lan;
use crate::servers::{DataDisk, Nginx, Owned, RedisServer, run_to_end, wait_until};

/// A server that was started by hand runs within this time.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// One host's files and servers.
#[derive(Debug)]
pub struct Site {
    /// The host's name.
    pub name: &'static str,
    /// Everything of it lies here.
    pub folder: PathBuf,
    /// The disk that its servers write to.
    pub disk: DataDisk,
    /// Its Redis.
    pub redis: RedisServer,
    /// Its nginx.
    pub web: Nginx,
    /// Its own ports.
    pub ports: HostPorts,
    lan: Option<Arc<Lan>>,
}

impl Site {
    /// Lays out the folder of the host at this place of [`HOSTS`].
    pub fn make(folder: &Path, place: usize, ports: &Ports, wishes: &Wishes) -> Result<Site> {
        let name = HOSTS[place];
        let own = ports.hosts[place];
        let folder = folder.join(name);
        let disk = DataDisk::make(&folder.join("disk"), wishes.disk_mebibytes)?;
        let redis = RedisServer::configure(&folder.join("redis"), &disk.path().join("redis"), (own.ip, own.redis))?;
        let web = Nginx::configure(&folder.join("web"), &disk.path().join("web"), (own.ip, own.web), name)?;
        Ok(Site {
            name,
            folder,
            disk,
            redis,
            web,
            ports: own,
            lan: wishes.lan.clone(),
        })
    }

    /// The daemon's configuration.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("understudy.toml")
    }

    /// Where its certificate and key are.
    pub fn identity(&self) -> PathBuf {
        self.folder.join("identity")
    }

    /// Where the daemon remembers.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Where REST and the page are.
    pub fn api(&self) -> SocketAddr {
        (self.ports.ip, self.ports.api).into()
    }

    /// Where the other host finds it.
    pub fn peer(&self) -> SocketAddr {
        (self.ports.ip, self.ports.peer).into()
    }

    /// Where the token lies, if the API needs one.
    pub fn token_file(&self) -> Option<PathBuf> {
        self.lan.as_ref().map(|_| self.folder.join("token"))
    }

    /// What a command begins with that is to run on this host.
    pub fn enter(&self) -> Vec<String> {
        self.lan.as_ref().map(|lan| lan.enter(self.name)).unwrap_or_default()
    }

    /// The local server of a service.
    pub fn server(&self, service: &str) -> SocketAddr {
        if service == SERVICES[0] {
            self.redis.address()
        } else {
            self.web.address()
        }
    }

    /// The local server's process, if it runs.
    pub fn process(&self, service: &str) -> Option<Owned> {
        if service == SERVICES[0] {
            self.redis.process()
        } else {
            self.web.process()
        }
    }

    /// Starts the local server past the daemon, as somebody at the keyboard would.
    pub fn start_by_hand(&self, service: &str) -> Result<Owned> {
        let (command, pid_file) = if service == SERVICES[0] {
            (self.redis.start_command(), self.redis.pid_file())
        } else {
            (self.web.command(&[]), self.web.pid_file())
        };
        let mut argv = self.enter();
        argv.extend(command);
        run_to_end(&argv)?;
        if !wait_until(START_PATIENCE, || self.process(service).is_some()) {
            bail!("nothing runs by {}", pid_file.display());
        }
        self.process(service).context("the server ended at once")
    }
}
