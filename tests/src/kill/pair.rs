//! Two hosts on a link of their own, with a watch over both, and the way back to the beginning: alpha serves, beta is
//! ready to take over, nobody remembers a fault.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::story::Story;
use super::{Fault, Moment};
use crate::cluster::{Built, Cluster, Giveback, HOSTS, Host, Ports, SERVICES, ServiceView, Wishes};
use crate::lan::{Lan, VIPS, Watch};
use crate::load::{RedisClient, Reply, ask_once};
use crate::servers::{DataDisk, Guard, QUICK_FILE, run_to_end};

/// The longest way back to the beginning on a busy machine: a restart, a takeover and a giveback, with all their timers.
const RECOVERY: Duration = Duration::from_secs(120);
/// The longest until what became of a request is asked once more, and said.
const RESOLVED: Duration = Duration::from_secs(12);
/// Room for a store of thousands of lines, and little to fill.
const STORE_MEBIBYTES: u32 = 24;
/// Between looks.
const LOOK: Duration = Duration::from_millis(50);

/// Two hosts.
pub struct Pair {
    /// The hosts.
    pub cluster: Cluster,
    /// Their link.
    pub lan: Arc<Lan>,
    /// The service that its stories are about.
    pub service: &'static str,
    stores: [DataDisk; 2],
    watch: Watch,
    _guard: Guard,
    _folder: TempDir,
}

impl Pair {
    /// Both daemons run; nobody serves yet.
    pub async fn unborn(lan: &Arc<Lan>, story: &Story) -> Result<Pair> {
        let built = Built::for_tests()?;
        let folder = tempfile::tempdir().context("making the pair's folder")?;
        let guard = Guard::start(&built.guard(), folder.path())?;
        let wishes = Wishes {
            services: vec![story.service],
            giveback: Giveback::Manual,
            disk_mebibytes: 64,
            lan: Some(Arc::clone(lan)),
            knobs: Some(story.policies),
            ..Wishes::for_tests(&[story.service])
        };
        let mut cluster = Cluster::prepare(folder.path(), &built, Ports::on_a_lan(), &wishes)?;
        let stores = HOSTS.map(|name| DataDisk::make(&cluster.host(name).site.state(), STORE_MEBIBYTES));
        let [first, second] = stores;
        let stores = [first?, second?];
        for name in HOSTS {
            let host = cluster.host_mut(name);
            built.share_compiled(&host.site)?;
            host.site.turn_all_back()?;
            let points = crash_folder(host);
            fs::create_dir_all(&points)?;
            host.daemon
                .set("UNDERSTUDY_CRASH_POINTS", &points.display().to_string());
        }
        let servers = HOSTS.map(|name| {
            let site = &cluster.host(name).site;
            let pid_file = if story.service == SERVICES[0] {
                site.redis.pid_file()
            } else {
                site.web.pid_file()
            };
            (pid_file, site.folder.clone())
        });
        let address = if story.service == SERVICES[0] { VIPS[0] } else { VIPS[1] };
        let watch = Watch::start(lan, address, servers)?;
        cluster.start_daemons().await?;
        Ok(Pair {
            cluster,
            lan: Arc::clone(lan),
            service: story.service,
            stores,
            watch,
            _guard: guard,
            _folder: folder,
        })
    }

    /// A host of it.
    pub fn host(&self, name: &str) -> &Host {
        self.cluster.host(name)
    }

    /// What a host says of the service.
    pub async fn view(&self, host: &str) -> Result<ServiceView> {
        let asked = self.host(host).rest.service(self.service);
        tokio::time::timeout(Duration::from_secs(3), asked)
            .await
            .context("no answer within 3 s")?
    }

    /// The number of the last line in a host's journal.
    pub(super) async fn last_line(&self, host: &str) -> u64 {
        let lines = self.host(host).rest.journal().await.unwrap_or_default();
        lines.last().map_or(0, |line| line.seq)
    }

    /// Gives an order; whether it was accepted. No answer counts as not.
    pub async fn order(&self, host: &str, order: &str, body: serde_json::Value) -> bool {
        self.host(host).rest.order(self.service, order, body).await.is_ok()
    }

    /// The host's daemon kills or stops itself at this row.
    pub fn arm(&self, host: &str, moment: Moment, fault: Fault, row: &str) -> Result<()> {
        let signal = if fault.kills() { "kill" } else { "stop" };
        let text = format!("{}\t{}\t{row}\t{signal}", moment.as_str(), self.service);
        fs::write(crash_folder(self.host(host)).join("die-at"), text).context("arming a crash point")
    }

    /// The file that is there as soon as a host's crash point was reached.
    pub(super) fn death_sign(&self, host: &str) -> PathBuf {
        crash_folder(self.host(host)).join("died-at")
    }

    /// No crash point is armed any more; whether the armed one was reached.
    pub fn disarm(&self, host: &str) -> bool {
        let folder = crash_folder(self.host(host));
        let reached = fs::remove_file(folder.join("died-at")).is_ok();
        // It was reached, or it is disarmed now.
        let _ = fs::remove_file(folder.join("die-at"));
        reached
    }

    /// The journaled rows that each host has taken since the last call, in their order.
    pub fn taken(&self, host: &str) -> Vec<String> {
        let file = crash_folder(self.host(host)).join("taken");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(&file);
        let rows = text.lines().filter_map(|line| line.split_once('\t'));
        rows.filter(|(service, _)| *service == self.service)
            .map(|(_, row)| row.to_owned())
            .collect()
    }

    /// Nothing can be written to the disk of a host's store any more.
    pub(super) fn fill_store(&self, host: &str) -> Result<()> {
        self.store(host).fill()
    }

    /// There is room again.
    pub(super) fn free_store(&self, host: &str) -> Result<()> {
        self.store(host).free()
    }

    /// The disk of a host's store becomes read-only (`ro`) or writable again (`rw`).
    pub(super) fn remount_store(&self, host: &str, mode: &str) -> Result<()> {
        let path = self.store(host).path().display().to_string();
        run_to_end(&["mount", "-o", &format!("remount,{mode}"), &path].map(str::to_owned)).map(drop)
    }

    fn store(&self, host: &str) -> &DataDisk {
        &self.stores[usize::from(host != HOSTS[0])]
    }

    /// Sends a signal to every process on a host that is not its daemon.
    pub fn signal_servers(&self, host: &str, signal: Signal) -> Result<()> {
        let daemon = self.host(host).daemon.pid();
        for pid in self.lan.pids(host)? {
            if Some(pid) != daemon
                && let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
            {
                // It may have ended meanwhile.
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
        Ok(())
    }

    /// Everything that a story did to the hosts is undone; daemons that are down are started, as systemd would.
    pub async fn calm(&mut self) -> Result<()> {
        self.lan.heal_all();
        for name in HOSTS {
            self.signal_servers(name, Signal::CONT)?;
            let host = self.cluster.host_mut(name);
            host.site.turn_all_back()?;
            if host.daemon.runs() {
                host.daemon.thaw()?;
            } else {
                host.daemon.start()?;
            }
        }
        Ok(())
    }

    /// Waits until exactly one host is active, the service answers there, and the other stays down or stands by; then
    /// moves it home, so that the pair is as it was. Says who was active first.
    pub async fn recover(&mut self) -> Result<&'static str> {
        let end = Instant::now() + RECOVERY;
        let first = loop {
            match self.settled().await {
                Ok(active) => break active,
                Err(why) if Instant::now() >= end => {
                    bail!(
                        "no final state within {RECOVERY:?}: {why:#}\n{}",
                        self.cluster.describe().await
                    )
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
            self.begin_if_fresh().await;
        };
        self.answers().await.with_context(|| format!("{first} is active"))?;
        while let Err(why) = self.is_home().await {
            if Instant::now() >= end {
                bail!(
                    "it does not come home within {RECOVERY:?}: {why:#}\n{}",
                    self.cluster.describe().await
                );
            }
            // Refused while the other is not ready yet: asked again.
            self.order(HOSTS[1], "giveback", json!({ "by": "test" })).await;
            tokio::time::sleep(LOOK * 4).await;
        }
        self.answers().await.context("alpha is active again")?;
        Ok(first)
    }

    /// The one host that is active, if the other one is certain not to be.
    async fn settled(&mut self) -> Result<&'static str> {
        for name in HOSTS {
            self.cluster.host_mut(name).daemon.still_runs()?;
        }
        let views = [self.view(HOSTS[0]).await?, self.view(HOSTS[1]).await?];
        let active: Vec<usize> = (0..2)
            .filter(|place| views[*place].role == "active" && views[*place].serves)
            .collect();
        let [place] = active[..] else {
            bail!("{} hosts are active", active.len());
        };
        let other = &views[1 - place];
        ensure!(
            other.role == "standby" && other.held_term.is_none(),
            "the other is {}",
            other.role
        );
        Ok(HOSTS[place])
    }

    async fn is_home(&self) -> Result<()> {
        let views = [self.view(HOSTS[0]).await?, self.view(HOSTS[1]).await?];
        ensure!(
            views[0].role == "active" && views[0].serves && views[0].fault.is_none(),
            "alpha is {}",
            views[0].role
        );
        ensure!(
            views[1].role == "standby" && views[1].ready && views[1].stay_down.is_none(),
            "beta is not ready"
        );
        Ok(())
    }

    /// Whoever is asked where a service starts answers once; here it is the operator who asks again.
    async fn begin_if_fresh(&self) {
        let mut fresh = true;
        for name in HOSTS {
            fresh &= self
                .view(name)
                .await
                .is_ok_and(|view| view.active.is_none() && view.held_term.is_none() && view.known_term.value == 0);
        }
        if fresh {
            self.order(HOSTS[0], "bootstrap", json!({ "by": "test" })).await;
        }
    }

    /// The service answers a client.
    pub async fn answers(&self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            match self.ask().await {
                Ok(()) => return Ok(()),
                Err(why) if Instant::now() >= end => return Err(why).context("the service does not answer"),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn ask(&self) -> Result<()> {
        let address = self.cluster.ports().service(self.service);
        let asked = async {
            if self.service == SERVICES[0] {
                let answer = RedisClient::connect(address)
                    .await?
                    .command(&[b"SET", b"asked", b"yes"])
                    .await?;
                ensure!(matches!(&answer, Reply::Simple(ok) if ok == "OK"), "{answer:?}");
                return Ok(());
            }
            ask_once(address, &QUICK_FILE).await
        };
        tokio::time::timeout(Duration::from_secs(2), asked)
            .await
            .context("no answer within 2 s")?
    }

    /// What must never have been seen since the last call: two hosts with the address, or two running servers; as far
    /// as the story does not bring that about itself.
    pub fn exclusive(&self, story: &Story) -> Result<()> {
        let addresses = self.watch.both_had_the_address();
        let servers = self.watch.both_servers_ran();
        self.watch.forget();
        if !story.vouched_wrongly {
            ensure!(addresses.is_empty(), "both hosts had the address, for {addresses:?}");
        }
        // A Redis that stands by runs.
        if !story.by_hand && !story.vouched_wrongly && self.service != SERVICES[0] {
            ensure!(servers.is_empty(), "both servers ran, for {servers:?}");
        }
        Ok(())
    }

    /// Of every takeover that was done, each request of its compilation has a disposition.
    pub async fn requests_are_accounted_for(&self) -> Result<()> {
        let end = Instant::now() + RESOLVED;
        loop {
            match self.accounted_for().await {
                Err(_) if Instant::now() < end => tokio::time::sleep(LOOK).await,
                found => return found,
            }
        }
    }

    async fn accounted_for(&self) -> Result<()> {
        for name in HOSTS {
            let rest = &self.host(name).rest;
            let takeovers = rest.takeovers(self.service).await?;
            let done = |round: &str| {
                takeovers.iter().any(|takeover| {
                    takeover.id == round && takeover.state == "done" && takeover.second.as_deref() == Some(name)
                })
            };
            for kept in rest.compilations(self.service).await? {
                let disposed: u64 = kept.outcomes.values().sum();
                ensure!(
                    !done(&kept.round) || disposed == kept.count,
                    "{name} says of {disposed} of {} requests of round {} what became of them",
                    kept.count,
                    kept.round
                );
            }
        }
        Ok(())
    }

    /// Both journals can be read, have no gap, and never go back to a lower held term.
    pub async fn journals_are_whole(&self) -> Result<()> {
        for name in HOSTS {
            let lines = self.host(name).rest.journal().await?;
            for two in lines.windows(2) {
                ensure!(
                    two[1].seq == two[0].seq + 1,
                    "{name}'s journal has a gap after {}",
                    two[0].seq
                );
                ensure!(two[1].term >= two[0].term, "{name}'s term falls at line {}", two[1].seq);
            }
        }
        Ok(())
    }
}

fn crash_folder(host: &Host) -> PathBuf {
    host.site.folder.join("crash-points")
}
