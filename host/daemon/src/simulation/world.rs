//! Everything outside the daemons, in one place: machines, servers, disks' contents as far as the rules compare them,
//! connections, and what has happened so far.
//!
//! Invariants: whoever changes the world does so in one step without waiting in between, and the rules are checked at
//! the end of the step; the lock is never held across an await.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use understudy_protocol::{Durable, HostName, RoundId, ServiceName, ServiceView, Term};

use super::dice::Dice;
use super::disk::{Disk, DiskTrouble};
use super::network::Way;
use super::server::Server;
use super::settings::Settings;
use super::time::VirtualTime;
use super::trace::Trace;
use crate::driver::Input;

/// The world; shared by everything in it.
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) time: VirtualTime,
    /// For the marks, and for the real stores.
    pub(super) folder: tempfile::TempDir,
    /// What a simulated disk asks for in the middle of a write.
    pub(super) crashes: mpsc::UnboundedSender<HostName>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) dice: Dice,
    pub(super) trace: Trace,
    pub(super) now_ms: u64,
    pub(super) hosts: BTreeMap<HostName, Host>,
    pub(super) ways: BTreeMap<(HostName, HostName), Way>,
    /// Who was told that whom is there.
    pub(super) told: BTreeSet<(HostName, HostName)>,
    pub(super) seen: Seen,
    /// How often each kind of thing happened.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// The rows of the table that were taken.
    pub(super) rows: BTreeSet<usize>,
    pub(super) next_request: u64,
    /// Whether the wall clocks of all hosts have always agreed.
    pub(super) clocks_agree: bool,
    /// The first rule that was broken.
    pub(super) wrong: Option<String>,
}

/// What the rules remember.
#[derive(Default)]
pub(super) struct Seen {
    /// Every release that was durable.
    pub(super) granted: BTreeSet<(RoundId, Term, HostName)>,
    /// Every grant that was used.
    pub(super) used: BTreeSet<RoundId>,
    /// The term that a host has released last.
    pub(super) released: BTreeMap<(HostName, ServiceName), Term>,
}

/// A machine and what runs on it.
pub(super) struct Host {
    pub(super) on: bool,
    pub(super) off_since_ms: u64,
    /// Counts the machine's boots.
    pub(super) machine_boot: u64,
    /// Counts the daemon's starts; what an earlier daemon began may change nothing any more.
    pub(super) life: u64,
    pub(super) daemon: Option<Daemon>,
    /// The daemon stands still.
    pub(super) frozen: bool,
    pub(super) thaw: Arc<Notify>,
    pub(super) wall_offset: Arc<AtomicI64>,
    pub(super) disk: Disk,
    pub(super) disk_trouble: DiskTrouble,
    /// What is on the disk of each service.
    pub(super) durable: BTreeMap<ServiceName, Durable>,
    /// What the daemon acts on.
    pub(super) acted: BTreeMap<ServiceName, Durable>,
    pub(super) servers: BTreeMap<ServiceName, Server>,
}

pub(super) struct Daemon {
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) task: tokio::task::JoinHandle<()>,
    pub(super) views: BTreeMap<ServiceName, ServiceView>,
}

impl World {
    pub(super) fn new(
        settings: Settings,
        time: VirtualTime,
        dice: Dice,
        trace: Trace,
        crashes: mpsc::UnboundedSender<HostName>,
    ) -> World {
        let state = State {
            dice,
            trace,
            now_ms: 0,
            hosts: BTreeMap::new(),
            ways: BTreeMap::new(),
            told: BTreeSet::new(),
            seen: Seen::default(),
            counts: BTreeMap::new(),
            rows: BTreeSet::new(),
            next_request: 0,
            clocks_agree: true,
            wrong: None,
        };
        World {
            settings,
            time,
            folder: tempfile::tempdir().expect("a temporary folder"),
            crashes,
            state: Mutex::new(state),
        }
    }

    /// One step of the world.
    pub(super) fn step<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now_ms = self.time.now_ms();
        let done = change(&mut state);
        state.check();
        done
    }

    /// A step that changes no server, no address and no record: there is nothing to check.
    pub(super) fn aside<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.now_ms = self.time.now_ms();
        change(&mut state)
    }

    pub(super) fn throw<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        throw(&mut state.dice)
    }

    /// Waits until this daemon may go on; for ever when it is dead.
    pub(super) async fn gate(&self, who: &HostName, life: u64) {
        loop {
            let thaw = self.aside(|state| {
                let host = &state.hosts[who];
                if host.life != life || host.daemon.is_none() {
                    return Some(None);
                }
                host.frozen.then(|| Some(host.thaw.clone().notified_owned()))
            });
            match thaw {
                None => return,
                Some(None) => std::future::pending().await,
                Some(Some(thawed)) => thawed.await,
            }
        }
    }

    /// Some time passes for a daemon, and more if it stands still in the meantime.
    pub(super) async fn pass(&self, who: &HostName, life: u64, length: Duration) {
        self.gate(who, life).await;
        self.time.sleep(length).await;
        self.gate(who, life).await;
    }
}

impl State {
    pub(super) fn say(&mut self, who: &str, what: std::fmt::Arguments<'_>) {
        self.trace.line(self.now_ms, who, what);
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(super) fn host(&mut self, who: &HostName) -> &mut Host {
        self.hosts.get_mut(who).expect("every host is in the world")
    }

    pub(super) fn server(&mut self, who: &HostName, service: &ServiceName) -> &mut Server {
        let now = self.now_ms;
        let server = self
            .host(who)
            .servers
            .get_mut(service)
            .expect("every host has a server");
        server.complete(now);
        server
    }

    /// A rule is broken; the first one is what a run fails with.
    pub(super) fn broken(&mut self, what: String) {
        if self.wrong.is_none() {
            self.say("RULE", format_args!("{what}"));
            self.wrong = Some(what);
        }
    }
}

impl Host {
    pub(super) fn new(disk: Disk, servers: BTreeMap<ServiceName, Server>) -> Host {
        Host {
            on: true,
            off_since_ms: 0,
            machine_boot: 1,
            life: 0,
            daemon: None,
            frozen: false,
            thaw: Arc::default(),
            wall_offset: Arc::default(),
            disk,
            disk_trouble: DiskTrouble::default(),
            durable: BTreeMap::new(),
            acted: BTreeMap::new(),
            servers,
        }
    }

    pub(super) fn held(&self, service: &ServiceName) -> Option<Term> {
        self.durable.get(service)?.held
    }
}
