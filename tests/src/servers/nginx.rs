//! An nginx of our own, with a quick and a slow file.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::process::{Owned, is_root, run_to_end, wait_until};
use super::{QUICK_FILE, SLOW_FILE, SLOW_RATE, listen_on};

/// One nginx with everything it needs in two folders: its configuration and content, and what it writes.
#[derive(Debug, Clone)]
pub struct Nginx {
    folder: PathBuf,
    data: PathBuf,
    address: SocketAddr,
    host: String,
}

/// Where the server tells its own counters.
pub const STATUS_PATH: &str = "/understudy-status";

impl Nginx {
    /// Writes configuration and content to `folder`; logs and temporary files go to `data`, which may be a disk of its
    /// own. Its answers say `Server-Host: HOST`.
    ///
    /// It listens on loopback alone where `address` is there, else on every address of its network namespace, as a
    /// server must whose clients' address comes and goes.
    pub fn configure(folder: &Path, data: &Path, address: impl Into<SocketAddr>, host: &str) -> Result<Nginx> {
        let server = Nginx {
            folder: folder.to_owned(),
            data: data.to_owned(),
            address: address.into(),
            host: host.to_owned(),
        };
        for needed in [folder.join("content"), data.join("logs"), data.join("temp")] {
            fs::create_dir_all(&needed).with_context(|| format!("making {}", needed.display()))?;
        }
        for file in [&QUICK_FILE, &SLOW_FILE] {
            let path = folder.join("content").join(file.path.trim_start_matches('/'));
            fs::write(&path, file.content()).with_context(|| format!("writing {}", path.display()))?;
        }
        fs::write(server.config_file(), server.config()).context("writing nginx.conf")?;
        Ok(server)
    }

    fn config(&self) -> String {
        let Nginx {
            folder,
            data,
            address,
            host,
        } = self;
        let listen = listen_on(*address);
        let (folder, data, slow) = (folder.display(), data.display(), SLOW_FILE.path);
        // Started by root, the workers would become www-data, who can't look into a private folder.
        let user = if is_root() { "user root;\n" } else { "" };
        format!(
            "{user}worker_processes 1;\npid {folder}/nginx.pid;\nerror_log {data}/logs/error.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n\
             \x20 access_log {data}/logs/access.log;\n\
             \x20 client_body_temp_path {data}/temp/body;\n  proxy_temp_path {data}/temp/proxy;\n\
             \x20 fastcgi_temp_path {data}/temp/fastcgi;\n  uwsgi_temp_path {data}/temp/uwsgi;\n\
             \x20 scgi_temp_path {data}/temp/scgi;\n\
             \x20 default_type text/plain;\n  keepalive_timeout 60s;\n  keepalive_requests 100000;\n\
             \x20 add_header Server-Host {host};\n\
             \x20 server {{\n    listen {listen};\n    root {folder}/content;\n\
             \x20   location = {slow} {{ limit_rate {SLOW_RATE}k; }}\n\
             \x20   location = {STATUS_PATH} {{ access_log off; stub_status; }}\n  }}\n}}\n"
        )
    }

    /// The folder of the files that it serves.
    pub fn content(&self) -> PathBuf {
        self.folder.join("content")
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("nginx.conf")
    }

    /// The file in which the server writes its process id.
    pub fn pid_file(&self) -> PathBuf {
        self.folder.join("nginx.pid")
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `nginx` with this server's configuration and further arguments, for example `-s quit`.
    pub fn command(&self, arguments: &[&str]) -> Vec<String> {
        let config = self.config_file().display().to_string();
        let error_log = self.data.join("logs/error.log").display().to_string();
        let fixed = ["/usr/sbin/nginx", "-c", &config, "-e", &error_log];
        fixed.iter().chain(arguments).map(|word| (*word).to_owned()).collect()
    }

    /// Whether any process of it is there: a command that succeeds then. A worker may outlive the first process.
    pub fn status_command(&self) -> Vec<String> {
        for_each_process(&self.data, "exit 0", "exit 1")
    }

    /// Ends every process of it at once: a command.
    pub fn kill_command(&self) -> Vec<String> {
        for_each_process(&self.data, "kill -KILL $p", "exit 0")
    }

    /// The running server's first process, if it runs.
    pub fn process(&self) -> Option<Owned> {
        Owned::by_pid_file(&self.pid_file(), &self.folder)
    }

    /// Starts it, as somebody at the keyboard would.
    pub fn start(&self) -> Result<Owned> {
        run_to_end(&self.command(&[]))?;
        let process = || self.process();
        if !wait_until(Duration::from_secs(10), || process().is_some()) {
            bail!(
                "nginx does not run on {}; see {}/logs/error.log",
                self.address(),
                self.data.display()
            );
        }
        process().context("nginx ended at once")
    }

    /// Stops it, if it runs.
    pub fn stop(&self) -> Result<()> {
        self.process()
            .map_or(Ok(()), |process| process.end(Duration::from_secs(10)))
    }
}

/// A command that does something with every nginx that writes to this folder, and something at the end. A worker is known
/// by nothing else: its title names no file, and its parent may be dead.
pub fn for_each_process(folder: &Path, action: &str, end: &str) -> Vec<String> {
    // Without braces: in a command of the daemon they are parameters. A process may end between two looks.
    let script = format!(
        "cd /proc; exec 2>/dev/null; for p in [0-9]*; do \
         read -r name <$p/comm || continue; \
         test \"$name\" = nginx || continue; \
         ls -l $p/fd | grep -qF '{}/' || continue; \
         {action}; done; {end}",
        folder.display()
    );
    ["/bin/sh", "-c", &script].map(str::to_owned).to_vec()
}
