//! Lets new connections to the addresses wait during a drain: their first packets are dropped, so that the clients'
//! kernels repeat them until the successor answers. Established connections are not touched.
//!
//! Invariant: the rules are one nftables table of a name that is made of the service's; they are put in place and taken
//! away as a whole, and a table that a killed daemon left is found by its name.
//!
//! It stalls clients for up to a second longer than the switch takes, because that is when they repeat themselves.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::{AddressError, VipConfig};

/// The hold of one service's addresses.
pub(super) struct SynHold {
    service: String,
    install: String,
    remove: String,
}

impl SynHold {
    pub(super) fn new(service: &str, config: &VipConfig) -> Self {
        let table = format!("us_hold_{service}");
        // Naming a table creates it, so that deleting it never fails.
        let remove = format!("table inet {table}\ndelete table inet {table}\n");
        let install = format!(
            "{remove}table inet {table} {{\n  chain prerouting {{\n    type filter hook prerouting priority {PRIORITY}; policy accept;\n{}  }}\n}}\n",
            rules(config)
        );
        SynHold {
            service: service.to_owned(),
            install,
            remove,
        }
    }

    /// Asks the kernel whether it could, without doing it.
    pub(super) async fn check(&self) -> Result<(), AddressError> {
        self.run(&["-c"], &self.install).await
    }

    pub(super) async fn install(&self) -> Result<(), AddressError> {
        self.run(&[], &self.install).await
    }

    pub(super) async fn remove(&self) -> Result<(), AddressError> {
        self.run(&[], &self.remove).await
    }

    async fn run(&self, options: &[&str], script: &str) -> Result<(), AddressError> {
        let failed = |error: String, mend| AddressError::HoldBack {
            service: self.service.clone(),
            error,
            mend,
        };
        let child = Command::new("nft")
            .args(options)
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.map_err(|error| failed(error.to_string(), INSTALL_NFT))?;
        if let Some(mut input) = child.stdin.take() {
            // If nft has died of something, its status and words say of what.
            let _ = input.write_all(script.as_bytes()).await;
        }
        let output = child
            .wait_with_output()
            .await
            .map_err(|error| failed(error.to_string(), INSTALL_NFT))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(failed(said.lines().next().unwrap_or("no word").to_owned(), ENABLE_NFT))
    }
}

fn rules(config: &VipConfig) -> String {
    let ports = match config.ports.as_slice() {
        [] => String::new(),
        ports => format!("tcp dport {{ {} }} ", list(ports)),
    };
    let mut rules = String::new();
    for (family, is_v4) in [("ip", true), ("ip6", false)] {
        let addresses: Vec<_> = config
            .addresses
            .iter()
            .map(|address| address.ip)
            .filter(|ip| ip.is_ipv4() == is_v4)
            .collect();
        if !addresses.is_empty() {
            let addresses = list(&addresses);
            rules += &format!(
                "    {family} daddr {{ {addresses} }} {ports}tcp flags & (fin|syn|rst|ack) == syn counter drop\n"
            );
        }
    }
    rules
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Before connection tracking, which need not hear of what is dropped.
const PRIORITY: i32 = -310;
const INSTALL_NFT: &str = "install the package nftables, and let its program nft be in PATH";
const ENABLE_NFT: &str =
    "the kernel needs nf_tables with the inet family (modprobe nf_tables nf_tables_inet) and the process CAP_NET_ADMIN";
