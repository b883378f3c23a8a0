//! One random walk, decided by its seed alone.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, missing_docs)]

mod calm;

use std::time::Duration;

use understudy_protocol::{
    DrainPolicy, Envelope, Event, Fault, FaultKind, Giveback, HostName, Mode, OnUnknown, Order, PauseScope,
    PluginRefusal, ServerState, Severity, Verdict, Work,
};

use crate::world::{World, plan};

const STEPS: u32 = 300;
/// Marsaglia's xorshift with a multiplied output: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..4).for_each(|_| dice.0 = dice.roll() | 1);
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

struct Walk {
    dice: Dice,
    /// Decides what operators want beside their usual orders, so that a seed's other decisions stay what they were.
    policy: Dice,
    world: World,
    names: Vec<HostName>,
    /// Messages of one pair stay in order.
    ordered: bool,
    /// A token lost with its disk needs the operator: these walks need not end with somebody who serves.
    may_lose_disks: bool,
    /// Messages that were delivered before, and may be again.
    old: Vec<(HostName, Envelope)>,
}

pub fn walk(seed: u64, silent: bool) -> World {
    let mut dice = Dice::new(seed);
    let mut plan = plan(if dice.one_in(2) {
        &["alpha", "beta"]
    } else {
        &["alpha", "beta", "gamma"]
    });
    let policies = [DrainPolicy::Force, DrainPolicy::Abort, DrainPolicy::Extend];
    plan.on_deadline_fault = dice.pick(&policies);
    plan.on_deadline_request = dice.pick(&policies);
    plan.mode = dice.pick(&[Mode::Exclusive, Mode::Exclusive, Mode::Overlap]);
    plan.reboot = dice.one_in(2);
    plan.on_unknown = dice.pick(&[OnUnknown::Alert, OnUnknown::Alert, OnUnknown::TakeOver]);
    let auto = Giveback::Auto {
        delay: Duration::from_secs(20),
        attempts: 2,
    };
    plan.giveback = dice.pick(&[Giveback::Manual, auto]);
    let names = plan.candidates.clone();
    let mut world = World::new(plan);
    (world.silent, world.chatty) = (silent, !silent);
    world.vary_seals = true;
    world.late_messages = dice.one_in(2);
    if dice.one_in(4) {
        for name in &names {
            let wrong = i64::try_from(dice.below(2000)).unwrap() - 1000;
            world.skew.insert(name.clone(), wrong);
        }
    }
    let ordered = dice.one_in(2);
    let may_lose_disks = dice.one_in(5);
    let mut policy = Dice::new(!seed);
    world.plan.flap.takeovers = policy.pick(&[0, 2, 6]);
    let mut walk = Walk {
        dice,
        policy,
        world,
        names,
        ordered,
        may_lose_disks,
        old: Vec::new(),
    };
    walk.begin();
    for _ in 0..STEPS {
        walk.step();
    }
    walk.mend();
    walk.settle();
    walk.world
}

fn fault(within: Option<Duration>, severity: Severity) -> Fault {
    Fault {
        code: "broken".to_owned(),
        kind: FaultKind::Storage,
        severity,
        message: "the walk says so".to_owned(),
        shutdown_within: within,
        evidence: Vec::new(),
    }
}

impl Walk {
    fn say(&mut self, text: impl FnOnce() -> String) {
        if !self.world.silent {
            let line = format!("> {}", text());
            self.world.log.push(line);
        }
    }

    /// Most walks begin with a service that runs; the others from nothing.
    fn begin(&mut self) {
        if self.dice.one_in(6) {
            return;
        }
        for name in self.names.clone() {
            self.world.start(&name);
        }
        self.world.run_for(Duration::from_secs(1));
        let first = self.any_host();
        let (by, reason, at) = ("walk".to_owned(), "a walk".to_owned(), self.world.wall(&first));
        self.order(&first, Order::Bootstrap { by, reason, at });
        self.world.run_for(Duration::from_secs(4));
        for name in self.names.clone() {
            self.world.handle(
                &name,
                &Event::Health {
                    verdict: Verdict::Healthy,
                    fault: None,
                },
            );
        }
    }

    fn any_host(&mut self) -> HostName {
        self.dice.pick(&self.names)
    }

    fn order(&mut self, who: &HostName, order: Order) {
        self.say(|| format!("{who}: {order:?}"));
        self.world.handle(who, &Event::Ordered(order));
    }

    fn step(&mut self) {
        if self.policy.one_in(40) {
            self.pause_or_not();
        }
        match self.dice.below(100) {
            0..38 => self.deliver(),
            38..58 => self.finish(false),
            58..60 => self.finish(true),
            60..72 => self.fire(),
            72..74 => self.wait(),
            74..76 => self.lose(),
            76..79 => self.repeat(),
            79..84 => self.verdict(),
            84..90 => self.any_order(),
            90..96 => self.trouble(),
            _ => self.relief(),
        }
    }

    /// The place of a message that may come next.
    fn message(&mut self) -> Option<usize> {
        if self.world.network.is_empty() {
            return None;
        }
        let place = self.dice.below(self.world.network.len());
        if !self.ordered {
            return Some(place);
        }
        let (to, envelope) = &self.world.network[place];
        self.world
            .network
            .iter()
            .position(|(other, e)| other == to && e.from == envelope.from)
    }

    fn deliver(&mut self) {
        if let Some(place) = self.message() {
            if !self.ordered && self.dice.one_in(4) {
                self.old.push(self.world.network[place].clone());
            }
            self.world.deliver_at(place);
        }
    }

    fn lose(&mut self) {
        if let Some(place) = self.message() {
            let lost = self.world.network.remove(place).unwrap();
            self.say(|| format!("lost: {} to {}", lost.1.message.name(), lost.0));
        }
    }

    fn repeat(&mut self) {
        if !self.old.is_empty() && self.dice.one_in(2) {
            let message = self.dice.pick(&self.old);
            self.say(|| format!("again, and late: {} to {}", message.1.message.name(), message.0));
            self.world.network.push_back(message);
            return;
        }
        if let Some(place) = self.message() {
            let message = self.world.network[place].clone();
            self.say(|| format!("doubled: {} to {}", message.1.message.name(), message.0));
            self.world.network.push_back(message);
        }
    }

    /// Ends the oldest work of a host, or any look at its server: looks run beside the rest.
    fn finish(&mut self, fails: bool) {
        let who = self.any_host();
        let host = self.world.host(&who);
        let places: Vec<usize> = (0..host.working.len())
            .filter(|at| *at == 0 || host.working[*at] == Work::Observe)
            .collect();
        if places.is_empty() {
            return;
        }
        let place = self.dice.pick(&places);
        let work = self.world.host(&who).working[place].clone();
        if fails {
            self.world
                .host(&who)
                .fails
                .insert(work.name().to_owned(), "the walk says so".to_owned());
        }
        self.say(|| format!("{who} ends {} {}", work.name(), if fails { "failed" } else { "done" }));
        self.world.finish_at(&who, place);
        self.world.host(&who).fails.clear();
    }

    fn fire(&mut self) {
        let next = self
            .world
            .hosts
            .iter()
            .filter_map(|(name, host)| Some((host.due()?, name.clone())))
            .min();
        if let Some((at, who)) = next {
            self.world.now = self.world.now.max(at);
            self.world.handle(&who, &Event::TimeReached);
        }
    }

    /// Time passes, with nothing in the way or with one kind of work that does not end.
    fn wait(&mut self) {
        let who = self.any_host();
        let slow = [
            "assess",
            "diagnose",
            "settle",
            "stop-server",
            "drop-address",
            "serve",
            "take-address",
            "resume",
            "arm",
            "warm-up",
            "disarm",
            "redirect",
            "end-flows",
            "appear",
            "reboot",
            "resolve-requests",
        ];
        let slow = self.dice.pick(&slow);
        if self.dice.one_in(2) {
            self.world.host(&who).held_back.insert(slow.to_owned());
        }
        if self.dice.one_in(3) {
            self.world.host(&who).broken.insert(slow.to_owned());
        }
        let bound = if self.dice.one_in(4) { 200 } else { 40 };
        let seconds = u64::try_from(self.dice.below(bound)).unwrap();
        self.say(|| format!("{seconds} s pass, and {slow} may take long or fail at {who}"));
        self.world.run_for(Duration::from_secs(seconds));
        self.world.host(&who).held_back.clear();
        self.world.host(&who).broken.clear();
    }

    fn verdict(&mut self) {
        let who = self.any_host();
        let soon = Some(Duration::from_secs(20));
        let required = Severity::ShutdownRequired;
        let (verdict, fault) = match self.dice.below(8) {
            0..3 => (Verdict::Healthy, None),
            3 | 4 => (Verdict::Failing, Some(fault(None, required))),
            5 => (Verdict::Failing, Some(fault(soon, required))),
            6 => (Verdict::Unknown, None),
            _ => (
                self.dice.pick(&[Verdict::Impaired, Verdict::Failing]),
                Some(fault(None, Severity::Impaired)),
            ),
        };
        self.say(|| format!("{who} is {verdict:?} {:?}", fault.as_ref().map(|f| f.shutdown_within)));
        self.world.handle(&who, &Event::Health { verdict, fault });
    }

    fn any_order(&mut self) {
        let (who, by, reason) = (self.any_host(), "walk".to_owned(), "a walk".to_owned());
        let override_vetoes = self.policy.one_in(3);
        let order = match self.dice.below(12) {
            0..4 => {
                let to = if self.dice.one_in(2) {
                    Some(self.any_host())
                } else {
                    None
                };
                Order::TakeOver {
                    to,
                    by,
                    reason,
                    override_vetoes,
                }
            }
            4 | 5 => Order::Giveback {
                by,
                reason,
                override_vetoes,
            },
            6 => Order::Cancel { by, reason },
            7 | 8 => Order::Cure { by, reason },
            9 | 10 => {
                // The operator tells the truth: who is listed has no power.
                let off = |name: &&HostName| {
                    let host = &self.world.hosts[*name];
                    host.machine.is_none() && host.server == ServerState::Stopped
                };
                let stopped: Vec<HostName> = self.names.iter().filter(off).cloned().collect();
                // Nobody sees within a second that a host is stopped.
                self.world.now = self.world.now + Duration::from_secs(1);
                let at = self.world.wall(&who);
                Order::Force {
                    stopped,
                    by,
                    reason,
                    override_stay_down: self.policy.one_in(2),
                    at,
                }
            }
            _ => {
                let at = self.world.wall(&who);
                Order::Bootstrap { by, reason, at }
            }
        };
        self.order(&who, order);
    }

    /// An operator pauses something, or ends a pause.
    fn pause_or_not(&mut self) {
        let (who, by, reason) = (self.policy.pick(&self.names), "walk".to_owned(), "a walk".to_owned());
        let scope = self
            .policy
            .pick(&[PauseScope::Service, PauseScope::Cluster, PauseScope::Host]);
        let short = Some(Duration::from_secs(10));
        let order = if self.policy.one_in(2) {
            Order::Pause {
                scope,
                by,
                reason,
                lasts: self.policy.pick(&[None, short]),
            }
        } else {
            Order::Unpause { scope, by, reason }
        };
        self.order(&who, order);
    }

    fn trouble(&mut self) {
        let who = self.any_host();
        match self.dice.below(12) {
            0 | 1 if self.runs(&who) => {
                self.say(|| format!("crash {who}"));
                self.world.crash(&who);
            }
            2 if self.may_lose_disks => {
                self.say(|| format!("{who} loses its disk"));
                self.world.lose_disk(&who);
            }
            2 | 3 => {
                self.say(|| format!("power off {who}"));
                self.world.power_off(&who);
            }
            4 | 5 => {
                let other = self.any_host();
                if other != who {
                    self.say(|| format!("cut {who} {other}"));
                    self.world.partition(&who, &other);
                }
            }
            6 => {
                self.say(|| format!("the store of {who} is broken"));
                self.world.host(&who).store_broken = true;
            }
            7 | 8 => {
                let host = self.world.host(&who);
                if host.server != ServerState::Serving {
                    (host.server, host.by_hand) = (ServerState::Serving, true);
                    self.say(|| format!("the server of {who} is started by hand"));
                }
            }
            9 => self.world.lose_pages = true,
            10 => {
                let refusal = PluginRefusal {
                    code: "lag".to_owned(),
                    message: "far behind".to_owned(),
                    would_accept_if: None,
                    hard: self.policy.one_in(2),
                };
                self.world.host(&who).refuses = Some(refusal);
            }
            _ => {
                let work = self.world.host(&who).working.front().cloned();
                if let Some(work) = work {
                    let (remaining, blocker) = (Some(3), None);
                    self.world.handle(
                        &who,
                        &Event::Progressed {
                            work,
                            remaining,
                            blocker,
                        },
                    );
                }
            }
        }
    }

    fn runs(&self, who: &HostName) -> bool {
        self.world.hosts[who].machine.is_some()
    }

    fn relief(&mut self) {
        let who = self.any_host();
        match self.dice.below(8) {
            0..4 => self.restart(&who),
            4 | 5 => {
                let other = self.any_host();
                self.heal(&who, &other);
            }
            6 => self.mend_store(&who),
            _ => {
                self.world.lose_pages = false;
                self.world.host(&who).refuses = None;
            }
        }
    }

    fn restart(&mut self, who: &HostName) {
        if !self.runs(who) && !self.world.hosts[who].store_broken {
            self.say(|| format!("start {who}"));
            self.world.start(who);
        }
    }

    fn heal(&mut self, a: &HostName, b: &HostName) {
        if self.world.cut.contains(&(a.clone(), b.clone())) {
            self.say(|| format!("heal {a} {b}"));
            self.world.heal(a, b);
        }
    }

    fn mend_store(&mut self, who: &HostName) {
        if self.world.hosts[who].store_broken {
            self.say(|| format!("the store of {who} is mended"));
            self.world.mend_store(who);
        }
    }
}
