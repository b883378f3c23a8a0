//! An nginx in a node: a quick answer and one that takes two seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::lan::Lan;
use crate::servers::{Owned, wait_until};

/// What a client asks for, and how long the answer is.
pub(super) const QUICK: (&str, usize) = ("/quick", 200);
pub(super) const SLOW: (&str, usize) = ("/slow", 200_000);

/// One node's server.
#[derive(Debug)]
pub(super) struct Web {
    folder: PathBuf,
}

impl Web {
    /// Writes what it needs; its answers say `Server-Host: NODE`.
    pub(super) fn configure(folder: &Path, node: &str, port: u16) -> Result<Self> {
        let folder = folder.join(node);
        fs::create_dir_all(folder.join("content")).context("making a folder for nginx")?;
        for (path, length) in [QUICK, SLOW] {
            fs::write(
                folder.join("content").join(path.trim_start_matches('/')),
                vec![b'x'; length],
            )?;
        }
        let at = folder.display();
        let config = format!(
            "user root;\nworker_processes 1;\npid {at}/nginx.pid;\nerror_log {at}/error.log;\nworker_rlimit_nofile 60000;\n\
             events {{ worker_connections 16384; }}\nhttp {{\n  access_log off;\n  client_body_temp_path {at}/body;\n\
             \x20 proxy_temp_path {at}/proxy;\n  fastcgi_temp_path {at}/fastcgi;\n  uwsgi_temp_path {at}/uwsgi;\n\
             \x20 scgi_temp_path {at}/scgi;\n  default_type text/plain;\n  keepalive_requests 100000;\n\
             \x20 add_header Server-Host {node};\n  server {{\n    listen {port} backlog=8192;\n    listen [::]:{port} backlog=8192;\n\
             \x20   root {at}/content;\n    location = {slow} {{ limit_rate 100k; }}\n\
             \x20   location = /status {{ stub_status; }}\n  }}\n}}\n",
            slow = SLOW.0,
        );
        fs::write(folder.join("nginx.conf"), config)?;
        Ok(Web { folder })
    }

    /// `nginx` with this server's configuration and further words.
    pub(super) fn command(&self, words: &[&str]) -> Vec<String> {
        let config = self.folder.join("nginx.conf").display().to_string();
        let log = self.folder.join("error.log").display().to_string();
        let fixed = ["/usr/sbin/nginx", "-c", &config, "-e", &log];
        fixed.iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    /// The file in which the server writes its process id.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.folder.join("nginx.pid")
    }

    /// Starts it, and waits until it runs.
    pub(super) fn start(&self, lan: &Lan, node: &str) -> Result<()> {
        lan.run_words(node, &self.command(&[]))?;
        let runs = wait_until(Duration::from_secs(10), || self.process().is_some());
        ensure!(runs, "nginx does not start; see {}/error.log", self.folder.display());
        Ok(())
    }

    /// Tells it to answer what is under way and to end.
    pub(super) fn quit(&self) {
        if let Some(process) = self.process() {
            process.signal(Signal::QUIT);
        }
    }

    /// Waits until it has ended, at most so long; then it is killed.
    pub(super) fn wait_ended(&self, within: Duration) {
        let _ = wait_until(within, || self.process().is_none());
        self.kill();
    }

    /// Ends it and its workers at once.
    pub(super) fn kill(&self) {
        if let Some(process) = self.process() {
            process.signal(Signal::TERM);
            let _ended = wait_until(Duration::from_secs(5), || self.process().is_none());
        }
    }

    fn process(&self) -> Option<Owned> {
        Owned::by_pid_file(&self.pid_file(), &self.folder)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.kill();
    }
}
