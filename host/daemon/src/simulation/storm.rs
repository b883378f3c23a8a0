//! What goes wrong: one thing after the other, at any time, on any host.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use understudy_protocol::{HostName, ServerState, ServiceName, Verdict};

use super::disk::Fate;
use super::server::{Health, Trouble};
use super::world::{State, World};
use super::{hosts, orders};

/// The calls of a drain plugin and the moves of an address that may go wrong.
const CALLS: [&str; 21] = [
    "assess",
    "observe",
    "list-requests",
    "stop-admitting",
    "settle",
    "shut-down",
    "resume",
    "take-over",
    "stand-by",
    "resolve-requests",
    "check",
    "take",
    "hold",
    "drop",
    "can-overlap",
    "arm",
    "disarm",
    "yield",
    "appear",
    "shut-down",
    "settle",
];

/// The writes after which the most would be wrong if they were taken for what they are not.
const STEPS: [&str; 15] = [
    "released",
    "released",
    "grant-accepted",
    "serving",
    "took-over",
    "grant-settled",
    "promised",
    "fence-acknowledged",
    "fault-indicated",
    "arming",
    "warming-up",
    "admission-yielded",
    "drain-aborted",
    "compilation-sealed",
    "seal-compilation",
];

/// Until as much has gone wrong as the seed says, or a rule is broken.
pub(super) async fn rage(world: &Arc<World>) {
    for _ in 0..world.settings.steps {
        let pause = world.throw(|dice| dice.mostly((10, 1_500), (2_000, 15_000), 6));
        world.time.sleep(pause).await;
        if world.step(|state| state.wrong.is_some()) {
            return;
        }
        one(world);
    }
}

fn one(world: &Arc<World>) {
    let all = &world.settings.hosts;
    let (number, who, other, service) = world.throw(|dice| {
        let plan = dice.pick(&world.settings.plans);
        (dice.below(100), dice.pick(all), dice.pick(all), plan.service)
    });
    match number {
        0..5 => world.step(|state| state.kill_daemon(&who, world.settings.addresses_outlive)),
        5..7 => world.step(|state| state.power_off(&who)),
        7..22 => all.iter().for_each(|who| revive(world, who)),
        22..28 if who != other => world.step(|state| state.network(&who, &other)),
        28..37 => world.step(|state| state.heal()),
        37..40 => world.step(|state| state.freeze(&who)),
        40..45 => all.iter().for_each(|who| world.step(|state| state.thaw(who))),
        45..47 if world.settings.clocks_jump => world.step(|state| state.jump_clock(&who)),
        47..53 => world.step(|state| state.disk(&who)),
        53..57 => all.iter().for_each(|who| world.step(|state| state.mend_disk(who))),
        57..63 => world.step(|state| state.plugin(&who, &service)),
        63..68 => world.step(|state| state.mend_plugins(&who)),
        68..74 => world.step(|state| state.sicken(&who, &service)),
        74..80 => all.iter().for_each(|who| world.step(|state| state.heal_server(who))),
        80..82 => world.step(|state| state.server_dies_or_is_started(&who, &service)),
        _ => orders::any(world),
    }
}

/// The machine is switched on, where it is off, and its daemon is started.
pub(super) fn revive(world: &Arc<World>, who: &HostName) {
    world.step(|state| state.power_on(who));
    hosts::start(world, who);
}

/// Everything works again.
pub(super) fn calm_down(world: &Arc<World>) {
    world.step(|state| {
        state.say("world", format_args!("the storm is over"));
        state.heal();
    });
    for who in &world.settings.hosts {
        world.step(|state| {
            state.thaw(who);
            state.mend_disk(who);
            state.mend_plugins(who);
            state.heal_server(who);
        });
        revive(world, who);
    }
}

impl State {
    fn network(&mut self, a: &HostName, b: &HostName) {
        let to = (a.clone(), b.clone());
        let back = (b.clone(), a.clone());
        let what = match self.dice.below(6) {
            0 | 1 => {
                self.ways.get_mut(&to).unwrap().cut = true;
                self.ways.get_mut(&back).unwrap().cut = true;
                "partitions"
            }
            2 | 3 => {
                self.ways.get_mut(&to).unwrap().cut = true;
                "partitions one way"
            }
            4 => {
                self.reset(a, b);
                "connections broken"
            }
            _ => {
                self.ways.get_mut(&to).unwrap().slow = true;
                "connections slowed"
            }
        };
        self.count(what);
        self.say("net", format_args!("{what}: {a} {b}"));
    }

    fn heal(&mut self) {
        self.ways
            .values_mut()
            .for_each(|way| (way.cut, way.slow) = (false, false));
        self.say("net", format_args!("everything comes through again"));
    }

    fn jump_clock(&mut self, who: &HostName) {
        const DAY_MS: u64 = 86_400_000;
        let by = i64::try_from(self.dice.below(2 * DAY_MS)).unwrap() - i64::try_from(DAY_MS).unwrap();
        self.host(who).wall_offset.fetch_add(by, Ordering::SeqCst);
        self.clocks_agree = false;
        self.count("jumps of a wall clock");
        self.say(who.as_str(), format_args!("the wall clock jumps by {by} ms"));
    }

    fn disk(&mut self, who: &HostName) {
        let number = self.dice.below(7);
        let fates = [Fate::FailsBefore, Fate::FailsAfter, Fate::DiesBefore, Fate::DiesAfter];
        let fate = self.dice.pick(&fates);
        let step = self.dice.one_in(2).then(|| self.dice.pick(&STEPS));
        let trouble = &mut self.host(who).disk_trouble;
        let what = match number {
            0 => {
                trouble.full = true;
                "disks full"
            }
            1 => {
                trouble.read_only = true;
                "disks read-only"
            }
            2 => {
                trouble.slow = true;
                "disks slow"
            }
            _ => {
                trouble.next = Some((fate, step));
                "writes with a fate"
            }
        };
        self.count(what);
        self.say(who.as_str(), format_args!("disk: {what} {fate:?} {step:?}"));
    }

    fn mend_disk(&mut self, who: &HostName) {
        self.host(who).disk_trouble = super::disk::DiskTrouble::default();
    }

    fn plugin(&mut self, who: &HostName, service: &ServiceName) {
        let (call, trouble) = (self.dice.pick(&CALLS), self.dice.pick(&Trouble::ALL));
        self.server(who, service).trouble.insert(call, trouble);
        self.count("plugins in trouble");
        self.say(
            who.as_str(),
            format_args!("{service} plugin: {call} will go wrong: {trouble:?}"),
        );
    }

    fn mend_plugins(&mut self, who: &HostName) {
        self.host(who)
            .servers
            .values_mut()
            .for_each(|server| server.trouble.clear());
        self.say(who.as_str(), format_args!("plugins are well again"));
    }

    fn sicken(&mut self, who: &HostName, service: &ServiceName) {
        let verdicts = [Verdict::Failing, Verdict::Failing, Verdict::Impaired, Verdict::Unknown];
        let health = Health {
            verdict: self.dice.pick(&verdicts),
            shutdown_within_ms: self.dice.one_in(2).then_some(3_000),
            shutdown_required: !self.dice.one_in(4),
        };
        self.count("faults of a server");
        self.say(who.as_str(), format_args!("{service} server: {health:?}"));
        self.server(who, service).health = health;
    }

    fn heal_server(&mut self, who: &HostName) {
        self.host(who)
            .servers
            .values_mut()
            .for_each(|server| server.health = Health::GOOD);
        self.say(who.as_str(), format_args!("servers are well"));
    }

    fn server_dies_or_is_started(&mut self, who: &HostName, service: &ServiceName) {
        if !self.hosts[who].on {
            return;
        }
        let holds = self.hosts[who].held(service).is_some();
        let server = self.server(who, service);
        let what = if server.state == ServerState::Stopped {
            // On the holder it may as well have been the system that restarted it.
            server.serve();
            server.by_hand = !holds;
            "servers started by hand"
        } else {
            server.stop(false);
            "deaths of a server"
        };
        self.count(what);
        self.say(who.as_str(), format_args!("{service} {what}"));
    }
}
