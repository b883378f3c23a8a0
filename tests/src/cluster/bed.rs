//! What an end-to-end test starts from: two hosts of its own, bootstrapped, and swept away in any case.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Built, Cluster, Journals, Ports, Wishes, ports_for_tests};
use crate::servers::{Guard, is_root};

/// No step of a takeover takes longer than this on a busy machine with two cores.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Two hosts with servers are as much as two cores can run without being late.
static ONE_AT_A_TIME: LazyLock<Arc<Mutex<()>>> = LazyLock::new(Arc::default);

/// Two hosts for one test.
#[derive(Debug)]
pub struct Bed {
    /// The hosts; alpha is active.
    pub cluster: Cluster,
    /// Their journals.
    pub journals: Journals,
    _guard: Guard,
    _folder: TempDir,
    _alone: OwnedMutexGuard<()>,
}

impl Bed {
    /// Both hosts run and have heard each other; nobody serves yet.
    pub async fn unborn(wishes: &Wishes) -> Result<Bed> {
        ensure!(
            is_root(),
            "end-to-end tests fill a disk of their own, and only root may mount one: run them as root"
        );
        let alone = Arc::clone(&ONE_AT_A_TIME).lock_owned().await;
        let built = Built::for_tests()?;
        let folder = tempfile::tempdir().context("making the test's folder")?;
        let ports = match &wishes.lan {
            Some(lan) => {
                lan.note_in(folder.path())?;
                Ports::on_a_lan()
            }
            None => ports_for_tests()?,
        };
        let guard = Guard::start(&built.guard(), folder.path())?;
        let mut cluster = Cluster::prepare(folder.path(), &built, ports, wishes)?;
        for host in cluster.hosts() {
            built.share_compiled(&host.site)?;
            if wishes.knobs.is_some() {
                host.site.turn_all_back()?;
            }
        }
        cluster.start_daemons().await?;
        let journals = Journals::follow(&cluster);
        Ok(Bed {
            cluster,
            journals,
            _guard: guard,
            _folder: folder,
            _alone: alone,
        })
    }

    /// Alpha serves, and beta is ready to take over.
    pub async fn serving(wishes: &Wishes) -> Result<Bed> {
        let bed = Bed::unborn(wishes).await?;
        bed.cluster.bootstrap(&wishes.services).await?;
        Ok(bed)
    }

    /// Waits for a step in a host's journal.
    pub async fn step(&mut self, host: &str, service: &str, step: &str) -> Result<super::JournalLine> {
        self.journals.wait(&self.cluster, host, service, step, PATIENCE).await
    }
}
