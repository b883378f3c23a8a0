//! keepalived on both hosts: the usual way to move an address.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::HOSTS;
use crate::lan::{INTERFACE, Lan, PREFIX, VIPS};
use crate::servers::wait_until;

/// One host's keepalived.
pub(super) struct Keepalived {
    process: Child,
}

impl Keepalived {
    /// `tuned`: advertisements each ten milliseconds and announcements at once, instead of the defaults.
    pub(super) fn start(lan: &Lan, folder: &Path, node: &str, tuned: bool) -> Result<Self> {
        ensure!(
            Path::new("/usr/sbin/keepalived").exists(),
            "install the package keepalived (without starting its service)"
        );
        let priority = if node == HOSTS[0] { 150 } else { 100 };
        let (global, interval) = if tuned {
            (
                "vrrp_version 3\n  vrrp_garp_master_delay 1\n  vrrp_garp_master_repeat 5\n  vrrp_garp_interval 0.001",
                "0.01",
            )
        } else {
            ("", "1")
        };
        let vip = VIPS[1];
        let config = format!(
            "global_defs {{\n  router_id {node}\n  {global}\n}}\nvrrp_instance web {{\n  state BACKUP\n  interface {INTERFACE}\n\
             \x20 virtual_router_id 51\n  priority {priority}\n  advert_int {interval}\n\
             \x20 virtual_ipaddress {{\n    {vip}/{PREFIX} dev {INTERFACE}\n  }}\n}}\n"
        );
        let file = folder.join(format!("keepalived-{node}.conf"));
        fs::write(&file, config).context("writing keepalived's configuration")?;
        let pids = ["main", "vrrp"].map(|name| folder.join(format!("keepalived-{node}-{name}.pid")));
        let log = fs::File::create(folder.join(format!("keepalived-{node}.log")))?;
        let mut command = lan.command(node, Path::new("/usr/sbin/keepalived"));
        command
            .args(["--dont-fork", "--vrrp", "--log-console", "--use-file"])
            .arg(&file);
        command.arg("--pid").arg(&pids[0]).arg("--vrrp_pid").arg(&pids[1]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().context("starting keepalived")?;
        Ok(Keepalived { process })
    }

    /// Ends it in order: it tells the other, which takes the address.
    pub(super) fn stop(&mut self) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::TERM);
        }
        let _ended = self.process.wait();
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            self.stop();
        }
    }
}

/// Waits until the host has the address.
pub(super) fn wait_for_address(lan: &Lan, node: &str) -> Result<()> {
    let has = wait_until(Duration::from_secs(20), || {
        lan.has(node, VIPS[1].into()).unwrap_or(false)
    });
    ensure!(has, "keepalived does not take the address");
    Ok(())
}
