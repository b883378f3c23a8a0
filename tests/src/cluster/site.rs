//! One host's folder: its disk, its servers, its identity, its state.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::config::{HostPorts, Ports, Wishes};
use super::{HOSTS, SERVICES};
use crate::servers::{DataDisk, Nginx, Owned, RedisServer};

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
}

impl Site {
    /// Lays out the folder of the host at this place of [`HOSTS`].
    pub fn make(folder: &Path, place: usize, ports: &Ports, wishes: &Wishes) -> Result<Site> {
        let name = HOSTS[place];
        let own = ports.hosts[place];
        let folder = folder.join(name);
        let disk = DataDisk::make(&folder.join("disk"), wishes.disk_mebibytes)?;
        let redis = RedisServer::configure(&folder.join("redis"), &disk.path().join("redis"), own.redis)?;
        let web = Nginx::configure(&folder.join("web"), &disk.path().join("web"), own.web, name)?;
        Ok(Site {
            name,
            folder,
            disk,
            redis,
            web,
            ports: own,
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
        (Ipv4Addr::LOCALHOST, self.ports.api).into()
    }

    /// Where the other host finds it.
    pub fn peer(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.peer).into()
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
        if service == SERVICES[0] {
            self.redis.start()
        } else {
            self.web.start()
        }
    }
}
