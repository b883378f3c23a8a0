//! The demo: two hosts, a load, a fault, a takeover, the stay-down order, the cure, a giveback; told as it happens.
//!
//! - `teller` prints: chapters, the hosts' journals as they are written, checks.
//! - `chapters` is the story itself, one function a chapter.
//! - `account` compares the compilations with the load's own record.
//! - `agreement` compares the two hosts' journals, step by step.
//!
//! Invariant: every claim that is printed is measured: by the load's own record, by reading keys back, or by the hosts'
//! journals. What went wrong is printed as plainly as what went well, and decides the exit code.

mod account;
mod agreement;
mod chapters;
mod checks;
mod teller;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cluster::{Built, Cluster, Giveback, HostPorts, Ports, SERVICES, Wishes};
use crate::servers::{DataDisk, Guard, sweep};

pub use account::{Account, account_for};
pub use agreement::disagreements;
pub use checks::Checks;

use teller::Teller;

/// What the demo is told.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Everything it makes lies here; removed at the end.
    pub folder: PathBuf,
    /// The built things.
    pub built: Built,
    /// End after the story instead of leaving the page up.
    pub once: bool,
}

/// Fixed, so that they can be told in the documents: below the ranges that systems give out by themselves.
const PORTS: Ports = Ports {
    clients: [Ipv4Addr::LOCALHOST; 2],
    redis: 17001,
    web: 17002,
    hosts: [
        HostPorts {
            ip: Ipv4Addr::LOCALHOST,
            redis: 17101,
            web: 17102,
            api: 17420,
            peer: 17421,
        },
        HostPorts {
            ip: Ipv4Addr::LOCALHOST,
            redis: 17201,
            web: 17202,
            api: 17430,
            peer: 17431,
        },
    ],
};

/// Where no disk can be filled, the fault ends with the server that had it: then the giveback waits for its chapter.
fn wishes(can_fill_disks: bool) -> Wishes {
    Wishes {
        services: SERVICES.to_vec(),
        giveback: if can_fill_disks {
            Giveback::AutoAfter(2)
        } else {
            Giveback::Manual
        },
        disk_mebibytes: 64,
        hold: "2s",
        drain: "30s",
        lan: None,
        overlap: false,
        knobs: None,
    }
}

/// Plays the whole story; whether all went well.
pub async fn play(wanted: &Wanted) -> Result<bool> {
    // Whatever a demo that was cut off by a power failure left behind.
    sweep(&wanted.folder).context("cleaning up after an earlier demo")?;
    let guard = Guard::start(&wanted.built.guard(), &wanted.folder)?;
    let mut teller = Teller::new();
    ports_are_free()?;
    let can_fill_disks = DataDisk::make(&wanted.folder.join("trial"), 1)?.can_fill();
    let mut cluster = Cluster::prepare(&wanted.folder, &wanted.built, PORTS, &wishes(can_fill_disks))?;
    let mut checks = Checks::default();
    let played = tokio::select! {
        played = chapters::play(&mut cluster, &mut teller, &mut checks) => played,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted by Ctrl-C")),
    };
    if let Err(error) = &played {
        teller.failed(error);
    } else if !wanted.once {
        teller.stays_up(&cluster);
        tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")?;
    }
    teller.cleaning_up(&wanted.folder);
    drop(cluster);
    guard.sweep()?;
    teller.verdict(&checks, played.is_ok());
    Ok(played.is_ok() && checks.all_well())
}

fn ports_are_free() -> Result<()> {
    let services = [PORTS.redis, PORTS.web];
    let own = PORTS.hosts.iter().flat_map(|h| [h.redis, h.web, h.api, h.peer]);
    for port in own.chain(services) {
        std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).with_context(|| {
            format!("the demo needs the port {port} on 127.0.0.1, and somebody else has it: see `ss -tlnp`")
        })?;
    }
    Ok(())
}
