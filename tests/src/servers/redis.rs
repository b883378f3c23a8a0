//! A Redis server of our own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::listen_on;
use super::process::{Owned, run_to_end, wait_until};

/// One Redis server with everything it needs in two folders: configuration and pid file, and what it writes.
#[derive(Debug, Clone)]
pub struct RedisServer {
    folder: PathBuf,
    data: PathBuf,
    address: SocketAddr,
}

impl RedisServer {
    /// Writes the configuration of a server that listens at `address` to `folder`; its data and its log go to
    /// `data`, which may be a disk of its own.
    pub fn configure(folder: &Path, data: &Path, address: impl Into<SocketAddr>) -> Result<RedisServer> {
        let server = RedisServer {
            folder: folder.to_owned(),
            data: data.to_owned(),
            address: address.into(),
        };
        for needed in [folder, data] {
            fs::create_dir_all(needed).with_context(|| format!("making {}", needed.display()))?;
        }
        fs::write(server.config_file(), server.config())
            .with_context(|| format!("writing {}", server.config_file().display()))?;
        Ok(server)
    }

    fn config(&self) -> String {
        let RedisServer { folder, data, address } = self;
        let (listen, port) = (listen_on(*address), address.port());
        let (bind, protected) = (listen.ip(), if listen.ip().is_loopback() { "yes" } else { "no" });
        let (folder, data) = (folder.display(), data.display());
        // Snapshots every few seconds under load, so that a full disk is noticed; and no refusal of writes because of a
        // failed snapshot: what a standby has copied is safe without it, and clients shall not be the ones to notice.
        format!(
            "bind {bind}\nport {port}\nprotected-mode {protected}\ndaemonize yes\n\
             dir {data}\npidfile {folder}/redis.pid\nlogfile {data}/redis.log\ndbfilename dump.rdb\n\
             save 3 1\nappendonly no\nstop-writes-on-bgsave-error no\n\
             repl-diskless-sync yes\nrepl-diskless-sync-delay 0\nrepl-diskless-load on-empty-db\n\
             repl-backlog-size 16mb\nrepl-timeout 10\nshutdown-timeout 10\n"
        )
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("redis.conf")
    }

    /// The file in which the server writes its process id.
    pub fn pid_file(&self) -> PathBuf {
        self.folder.join("redis.pid")
    }

    /// Where its data and its log are.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The command that starts it in the background.
    pub fn start_command(&self) -> Vec<String> {
        vec!["/usr/bin/redis-server".into(), self.config_file().display().to_string()]
    }

    /// The running server, if it runs.
    pub fn process(&self) -> Option<Owned> {
        Owned::by_pid_file(&self.pid_file(), &self.data)
    }

    /// Starts it, as somebody at the keyboard would.
    pub fn start(&self) -> Result<Owned> {
        run_to_end(&self.start_command())?;
        // It writes its pid file after it listens.
        let runs = || std::net::TcpStream::connect(self.address()).is_ok() && self.process().is_some();
        if !wait_until(Duration::from_secs(10), runs) {
            bail!(
                "Redis does not listen on {}; see {}/redis.log",
                self.address(),
                self.folder.display()
            );
        }
        self.process().context("Redis ended at once")
    }

    /// Stops it, if it runs.
    pub fn stop(&self) -> Result<()> {
        self.process()
            .map_or(Ok(()), |process| process.end(Duration::from_secs(10)))
    }
}
