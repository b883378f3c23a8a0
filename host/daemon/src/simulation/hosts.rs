//! Starting a daemon in the world, as `run.rs` does it, and everything that ends or stops one.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::ready;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use understudy_protocol::{
    Durable, Event, HostName, Machine, Output, Plan, ServerState, ServiceName, ServiceView, Time,
};
use understudy_store::JournalLine;

use super::disk::{Disk, SimulatedRecords, Start};
use super::door::SimulatedDoor;
use super::network::SimulatedLinks;
use super::plugin::SimulatedPlugin;
use super::server::Server;
use super::time::VirtualTime;
use super::world::{Daemon, State, World};
use crate::driver::{Clock, Driver, Service, Ticks};
use crate::edges::{Audience, Links, Records};
use crate::effects::{Context, Effector, Parts, ServingMark};
use crate::probes::{Counts, ProbeSettings};
use crate::run::records_of;

const INPUTS: usize = 1024;

/// A daemon's clock in the world.
struct HostClock {
    time: VirtualTime,
    started_ms: u64,
    /// The wall's time then.
    begin_ms: u64,
    wall_offset: Arc<AtomicI64>,
}

#[async_trait]
impl Ticks for HostClock {
    fn now(&self) -> Time {
        Time(self.begin_ms + self.time.now_ms() - self.started_ms)
    }

    fn wall_ms(&self) -> i64 {
        wall_ms(self.time.now_ms(), &self.wall_offset)
    }

    async fn until(&self, at: Time) {
        let after = at.0.saturating_sub(self.begin_ms);
        self.time.until_ms(self.started_ms.saturating_add(after)).await;
    }
}

/// A host's wall clock.
fn wall_ms(now_ms: u64, offset: &AtomicI64) -> i64 {
    /// 2027-01-15T08:00:00Z
    const AT_START_MS: i64 = 1_800_000_000_000;
    AT_START_MS + i64::try_from(now_ms).unwrap() + offset.load(Ordering::SeqCst)
}

/// Sees what the driver does.
struct Watcher {
    world: Arc<World>,
    who: HostName,
}

impl Audience for Watcher {
    fn turned(&self, _: &ServiceName, output: &Output) {
        self.world.step(|state| {
            state.rows.extend(output.row());
            *state.counts.entry("turns").or_default() += 1;
            if let Some(entry) = output.entry() {
                state.acting(&self.who, entry);
            }
        });
    }

    fn line(&self, _: &dyn Links, _: &JournalLine) {}
    fn catch_up(&self, _: &dyn Links, _: &HostName, _: &[JournalLine]) {}
    fn peer_line(&self, _: &HostName, _: serde_json::Value) {}
    fn peer_view(&self, _: &HostName, _: serde_json::Value) {}
    fn store_failed(&self, _: &ServiceName, _: String) {}
    fn store_works(&self, _: &ServiceName) {}

    fn publish(&self, _: &dyn Links, services: Vec<(ServiceView, Arc<Context>)>) {
        self.world.aside(|state| {
            if let Some(daemon) = &mut state.host(&self.who).daemon {
                daemon.views = services
                    .into_iter()
                    .map(|(view, _)| (view.service.clone(), view))
                    .collect();
            }
        });
    }
}

/// Starts the daemon on a machine that has power; nothing where one runs, or where the disk can't be written.
pub(super) fn start(world: &Arc<World>, who: &HostName) {
    let begun = world.step(|state| {
        let host = state.host(who);
        let writable = !host.disk_trouble.full && !host.disk_trouble.read_only;
        if !host.on || host.daemon.is_some() || !writable {
            return None;
        }
        host.life += 1;
        host.frozen = false;
        let (inputs, waiting) = mpsc::channel(INPUTS);
        let (life, disk, machine_boot) = (host.life, host.disk.clone(), host.machine_boot);
        state.say(who.as_str(), format_args!("the daemon starts"));
        state.count("starts of a daemon");
        Some((life, disk, machine_boot, inputs, waiting))
    });
    let Some((life, disk, machine_boot, inputs, waiting)) = begun else {
        return;
    };
    let begin = disk.start(machine_boot);
    let run = run(
        world.clone(),
        who.clone(),
        life,
        (disk, begin, machine_boot),
        inputs.clone(),
        waiting,
    );
    let task = tokio::spawn(stands_still(world.clone(), who.clone(), run));
    world.step(|state| {
        state.host(who).daemon = Some(Daemon {
            inputs,
            task,
            views: BTreeMap::new(),
        });
    });
}

async fn run(
    world: Arc<World>,
    who: HostName,
    life: u64,
    (disk, begin, machine_boot): (Disk, Start, u64),
    inputs: mpsc::Sender<crate::driver::Input>,
    waiting: mpsc::Receiver<crate::driver::Input>,
) {
    let wall_offset = world.step(|state| state.host(&who).wall_offset.clone());
    let clock = Clock::of(HostClock {
        time: world.time.clone(),
        started_ms: world.time.now_ms(),
        begin_ms: u64::try_from(wall_ms(world.time.now_ms(), &wall_offset)).unwrap(),
        wall_offset,
    });
    let records = || -> Arc<dyn Records> {
        Arc::new(SimulatedRecords {
            world: world.clone(),
            who: who.clone(),
            life,
            disk: disk.clone(),
        })
    };
    let links = || -> Arc<dyn Links> {
        Arc::new(SimulatedLinks {
            world: world.clone(),
            who: who.clone(),
            life,
        })
    };
    let mut driver = Driver {
        clock: clock.clone(),
        store: records(),
        peers: links(),
        services: BTreeMap::new(),
        publisher: Arc::new(Watcher {
            world: world.clone(),
            who: who.clone(),
        }),
    };
    let mut starting = Vec::new();
    for plan in &world.settings.plans {
        let service = plan.service.clone();
        let fence = Arc::new(AtomicU64::new(0));
        let plugin = SimulatedPlugin {
            world: world.clone(),
            who: who.clone(),
            life,
            service: service.clone(),
            fence: fence.clone(),
        };
        let mark = ServingMark::new(
            world.folder.path(),
            &mark_name(&who, &service),
            &machine_boot.to_string(),
        );
        let durable = disk.durable(&service);
        let holds = durable.as_ref().is_some_and(|durable| durable.held.is_some());
        let completes = durable.as_ref().is_some_and(Durable::completes);
        let moving = durable.as_ref().is_some_and(Durable::is_moving);
        let still_serving = world.step(|state| {
            if let Some(durable) = &durable {
                state.host(&who).acted.insert(service.clone(), durable.clone());
            }
            let server = state.server(&who, &service);
            if !holds && !moving {
                server.lose_address();
            }
            (holds || completes) && begin.same_machine_boot && mark.is_set() && server.state == ServerState::Serving
        });
        let effector = Effector::start(Parts {
            service: service.clone(),
            me: who.clone(),
            drain: Arc::new(plugin.clone()),
            probes: vec![Arc::new(plugin)],
            probe_settings: ProbeSettings {
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(2),
                counts: Counts { rise: 2, fall: 2 },
            },
            address: Arc::new(SimulatedDoor {
                world: world.clone(),
                who: who.clone(),
                life,
                service: service.clone(),
                turn: Arc::default(),
            }),
            reboot: None,
            mark,
            fence,
            clock: clock.clone(),
            store: records(),
            peers: links(),
            inputs: inputs.clone(),
        })
        .await;
        let plan = Arc::new(Plan {
            me: who.clone(),
            ..plan.clone()
        });
        let machine = Machine::new(plan, records_of(begin.store, &service), begin.boot, durable);
        driver.services.insert(service.clone(), Service::new(machine, effector));
        starting.push((service, Event::Started { still_serving }));
    }
    drop(inputs);
    for (service, event) in starting {
        driver.begin(&service, event).await;
    }
    driver.run(waiting).await;
}

/// Marks of all hosts lie in one folder.
fn mark_name(who: &HostName, service: &ServiceName) -> ServiceName {
    ServiceName::new(&format!("{who}-{service}")).unwrap()
}

/// A daemon that is stopped as SIGSTOP would: it is not polled until it may go on.
async fn stands_still(world: Arc<World>, who: HostName, daemon: impl Future<Output = ()>) {
    let mut daemon = Box::pin(daemon);
    let mut thawing = None;
    poll_fn(|context| {
        loop {
            if let Some(thaw) = &mut thawing {
                let thaw: &mut std::pin::Pin<Box<tokio::sync::futures::OwnedNotified>> = thaw;
                ready!(thaw.as_mut().poll(context));
                thawing = None;
            }
            let thaw = world.aside(|state| {
                let host = &state.hosts[&who];
                host.frozen.then(|| host.thaw.clone().notified_owned())
            });
            match thaw {
                Some(thaw) => thawing = Some(Box::pin(thaw)),
                None => break,
            }
        }
        daemon.as_mut().poll(context)
    })
    .await;
}

impl State {
    /// The daemon dies; its server goes on, and its address where that is not the daemon's own.
    pub(super) fn kill_daemon(&mut self, who: &HostName, addresses_outlive: bool) {
        let Some(daemon) = self.host(who).daemon.take() else {
            return;
        };
        daemon.task.abort();
        self.say(who.as_str(), format_args!("the daemon dies"));
        self.count("deaths of a daemon");
        let host = self.host(who);
        host.life += 1;
        host.frozen = false;
        host.thaw.notify_waiters();
        if !addresses_outlive {
            host.servers.values_mut().for_each(Server::lose_address);
        }
        self.hang_up(who, true);
    }

    /// The machine dies with everything on it but the disk.
    pub(super) fn power_off(&mut self, who: &HostName) {
        if !self.hosts[who].on {
            return;
        }
        self.kill_daemon(who, false);
        self.say(who.as_str(), format_args!("the machine loses its power"));
        self.count("deaths of a machine");
        self.hang_up(who, false);
        let now = self.now_ms;
        let host = self.host(who);
        host.on = false;
        host.off_since_ms = now;
        for server in host.servers.values_mut() {
            server.stop(false);
            server.cut.clear();
            server.lose_address();
        }
    }

    /// The Unix second by a host's clock.
    pub(super) fn wall(&self, who: &HostName) -> u64 {
        u64::try_from(wall_ms(self.now_ms, &self.hosts[who].wall_offset) / 1000).unwrap()
    }

    pub(super) fn power_on(&mut self, who: &HostName) {
        let host = self.host(who);
        if !host.on {
            host.on = true;
            host.machine_boot += 1;
            self.say(who.as_str(), format_args!("the machine boots"));
        }
    }

    pub(super) fn freeze(&mut self, who: &HostName) {
        if self.hosts[who].daemon.is_some() && !self.hosts[who].frozen {
            self.host(who).frozen = true;
            self.say(who.as_str(), format_args!("the daemon stands still"));
            self.count("stalls of a daemon");
        }
    }

    pub(super) fn thaw(&mut self, who: &HostName) {
        if self.hosts[who].frozen {
            self.say(who.as_str(), format_args!("the daemon goes on"));
            let host = self.host(who);
            host.frozen = false;
            host.thaw.notify_waiters();
        }
    }
}
