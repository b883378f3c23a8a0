//! A small world around real machines: hosts with durable records, servers, a network and one clock. Everything that
//! the daemon does for a machine is done here at once and in the open, so that scenarios and random walks can drive
//! it.
//!
//! Invariants are checked after every step: see `rules.rs`.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::panic)]

mod plans;
mod rest;
mod rules;

// For the model checker, which is another crate.
#[allow(unused_imports)]
pub use rules::timers_of;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use understudy_protocol::{
    Action, Boot, CompilationSeal, Digest, Durable, Envelope, Event, Finish, HostName, Machine, Plan, PluginRefusal,
    RoundId, ServerState, StoreId, Stored, Time, Work,
};

pub use plans::plan;

pub struct Host {
    pub name: HostName,
    pub machine: Option<Machine>,
    pub disk: Option<Durable>,
    pub boots: u64,
    pub server: ServerState,
    pub address: bool,
    /// The daemon's mark that this server serves by right, or completes what it had.
    pub mark: bool,
    /// The address is here, hidden: only flows that are sent on get through.
    pub armed: bool,
    /// Where new flows are sent on to.
    pub redirects: Option<HostName>,
    /// Somebody else than the daemon started the server.
    pub by_hand: bool,
    /// Compilations on this host's disk.
    pub compilations: BTreeMap<RoundId, CompilationSeal>,
    /// Those of them that were stored as sealed; the others are lost with the daemon.
    pub stored: BTreeMap<RoundId, CompilationSeal>,
    /// Work begun and not ended.
    pub working: VecDeque<Work>,
    /// Work by name that is held back until told.
    pub held_back: BTreeSet<String>,
    /// Work by name that fails until it is mended.
    pub broken: BTreeSet<String>,
    /// How often the disk was lost.
    pub lost_disks: u64,
    /// What the next work of that name comes to.
    pub fails: BTreeMap<String, String>,
    pub refuses: Option<PluginRefusal>,
    pub store_broken: bool,
    /// After a failed write the host tries again then, with what it could not write.
    pub stalled_until: Time,
    /// Events that the daemon keeps until the store can be written again.
    pub unstored: Vec<Event>,
}

pub struct World {
    pub now: Time,
    pub hosts: BTreeMap<HostName, Host>,
    pub plan: Plan,
    pub network: VecDeque<(HostName, Envelope)>,
    /// The last message of each name from each host, for scenarios that send it once more.
    pub last: BTreeMap<(HostName, &'static str), (HostName, Envelope)>,
    pub cut: BTreeSet<(HostName, HostName)>,
    /// Messages of this name from this host get lost.
    pub lost: BTreeSet<(HostName, String)>,
    pub log: Vec<String>,
    pub chatty: bool,
    /// Write no log: for walks that are expected to be right.
    pub silent: bool,
    /// Messages under way outlive the sender's and the receiver's daemon.
    pub late_messages: bool,
    /// The pages of a compilation get lost on the way.
    pub lose_pages: bool,
    /// Every sealing comes to a seal of its own.
    pub vary_seals: bool,
    seals: u8,
    /// The rows of the table that were taken.
    pub taken: BTreeSet<usize>,
    /// The rounds whose grant was used.
    used: BTreeSet<RoundId>,
    pub turns: u64,
    /// By how many seconds a host's clock is wrong; none: all clocks agree.
    pub skew: BTreeMap<HostName, i64>,
}

/// Far more than any stretch of time needs: beyond it, somebody talks or works without end.
const MOST_TURNS: u32 = 50_000;

/// 2027-01-15T08:00:00Z
const CLOCKS_AT_START: u64 = 1_800_000_000;

pub fn name(text: &str) -> HostName {
    HostName::new(text).unwrap()
}

impl World {
    pub fn new(plan: Plan) -> World {
        let host = |name: &HostName| Host {
            name: name.clone(),
            machine: None,
            disk: None,
            boots: 0,
            server: ServerState::Stopped,
            address: false,
            mark: false,
            armed: false,
            redirects: None,
            by_hand: false,
            unstored: Vec::new(),
            stored: BTreeMap::new(),
            compilations: BTreeMap::new(),
            working: VecDeque::new(),
            held_back: BTreeSet::new(),
            fails: BTreeMap::new(),
            broken: BTreeSet::new(),
            lost_disks: 0,
            refuses: None,
            store_broken: false,
            stalled_until: Time(0),
        };
        let hosts = plan.candidates.iter().map(|name| (name.clone(), host(name))).collect();
        World {
            now: Time(0),
            hosts,
            plan,
            network: VecDeque::new(),
            last: BTreeMap::new(),
            cut: BTreeSet::new(),
            lost: BTreeSet::new(),
            log: Vec::new(),
            chatty: false,
            silent: false,
            late_messages: false,
            lose_pages: false,
            vary_seals: false,
            seals: 0,
            taken: BTreeSet::new(),
            used: BTreeSet::new(),
            turns: 0,
            skew: BTreeMap::new(),
        }
    }

    pub fn host(&mut self, name: &HostName) -> &mut Host {
        self.hosts.get_mut(name).unwrap_or_else(|| panic!("no host {name}"))
    }

    /// The Unix second by a host's clock.
    pub fn wall(&self, who: &HostName) -> u64 {
        let skew = self.skew.get(who).copied().unwrap_or_default();
        (CLOCKS_AT_START + self.now.0 / 1000).saturating_add_signed(skew)
    }

    pub fn start(&mut self, who: &HostName) {
        let plan = Arc::new(Plan {
            me: who.clone(),
            ..self.plan.clone()
        });
        let ordinal = u128::from(plan.ordinal()) + 1;
        let host = self.host(who);
        host.boots += 1;
        let still_serving = host.server == ServerState::Serving && host.mark && !host.by_hand;
        host.working.clear();
        host.machine = Some(Machine::new(
            plan,
            StoreId((ordinal << 96) + u128::from(host.lost_disks)),
            Boot(host.boots),
            host.disk.clone(),
        ));
        self.handle(who, &Event::Started { still_serving });
        let others: Vec<_> = self.plan.candidates.iter().filter(|o| *o != who).cloned().collect();
        for other in others {
            if self.host(&other).machine.is_some() && !self.is_cut(who, &other) {
                self.handle(who, &Event::PeerConnected(other.clone()));
                self.handle(&other, &Event::PeerConnected(who.clone()));
            }
        }
    }

    /// The daemon dies; its server does not.
    pub fn crash(&mut self, who: &HostName) {
        let host = self.host(who);
        host.machine = None;
        host.working.clear();
        host.unstored.clear();
        host.compilations.clone_from(&host.stored);
        if !self.late_messages {
            self.network.retain(|(to, envelope)| to != who && envelope.from != *who);
        }
        let others: Vec<_> = self.plan.candidates.iter().filter(|o| *o != who).cloned().collect();
        others
            .iter()
            .for_each(|other| self.handle(other, &Event::PeerLost(who.clone())));
    }

    /// The machine dies with everything on it but the disk.
    pub fn power_off(&mut self, who: &HostName) {
        self.crash(who);
        let host = self.host(who);
        host.server = ServerState::Stopped;
        (host.address, host.mark, host.armed) = (false, false, false);
        host.redirects = None;
        host.by_hand = false;
    }

    /// The machine dies, and comes back with an empty disk.
    pub fn lose_disk(&mut self, who: &HostName) {
        self.power_off(who);
        let host = self.host(who);
        host.disk = None;
        host.stored.clear();
        host.compilations.clear();
        host.lost_disks += 1;
        host.boots = 0;
    }

    pub fn partition(&mut self, a: &HostName, b: &HostName) {
        self.cut.insert((a.clone(), b.clone()));
        self.cut.insert((b.clone(), a.clone()));
        self.handle(a, &Event::PeerLost(b.clone()));
        self.handle(b, &Event::PeerLost(a.clone()));
    }

    pub fn heal(&mut self, a: &HostName, b: &HostName) {
        self.cut.remove(&(a.clone(), b.clone()));
        self.cut.remove(&(b.clone(), a.clone()));
        if self.host(a).machine.is_some() && self.host(b).machine.is_some() {
            self.handle(a, &Event::PeerConnected(b.clone()));
            self.handle(b, &Event::PeerConnected(a.clone()));
        }
    }

    fn is_cut(&self, from: &HostName, to: &HostName) -> bool {
        self.cut.contains(&(from.clone(), to.clone()))
    }

    pub fn handle(&mut self, who: &HostName, event: &Event) {
        let now = self.now;
        let chatty = self.chatty;
        let silent = self.silent;
        self.turns += 1;
        let mut line = None;
        let host = self.host(who);
        let Some(machine) = &host.machine else { return };
        let output = machine.handle(now, event);
        let mut stepped = None;
        if let Some(entry) = output.entry() {
            if host.store_broken {
                let step = entry.step;
                host.stalled_until = now + Duration::from_secs(5);
                match event {
                    Event::Finished { work, .. } => host.working.push_back(work.clone()),
                    Event::Health { .. } => host.unstored.push(event.clone()),
                    _ => {}
                }
                self.note(|now| format!("{now:>8} {who}: the store failed, {step} did not happen"));
                return;
            }
            stepped = Some((entry.step, entry.round));
            if let Some(durable) = &entry.durable {
                if let Some(before) = &host.disk {
                    assert!(before.known <= durable.known, "{who} forgets a held term");
                    assert!(before.promised <= durable.promised, "{who} forgets a promise");
                }
                host.disk = Some(durable.clone());
            }
            line = (!silent).then(|| rules::journal_line(now, who, entry));
        } else if chatty && let Some(why) = output.ignored() {
            line = Some(format!("{:>8} {who}: ignored {}: {why}", now.0, event.name()));
        }
        let row = output.row();
        let (machine, actions) = output.accept(Stored::confirmed());
        host.machine = Some(machine);
        self.taken.extend(row);
        self.log.extend(line);
        if let Some((step, round)) = stepped {
            self.check_step(who, step, round);
        }
        for action in actions {
            self.act(who, action);
        }
        self.check(who, row.is_some());
    }

    fn act(&mut self, who: &HostName, action: Action) {
        match action {
            Action::Send { to, message } => {
                let lost = self.lost.contains(&(who.clone(), message.name().to_owned()));
                let connected = !lost && !self.is_cut(who, &to) && self.host(&to).machine.is_some();
                let Some(machine) = &self.host(who).machine else { return };
                if connected {
                    let envelope = machine.envelope(message);
                    if !self.silent {
                        let key = (who.clone(), envelope.message.name());
                        self.last.insert(key, (to.clone(), envelope.clone()));
                    }
                    self.network.push_back((to, envelope));
                }
            }
            Action::Do(work) => {
                let host = self.host(who);
                rules::may_begin(host, &work);
                rules::must_be_noted(host, &work);
                if !host.working.contains(&work) {
                    host.working.push_back(work);
                }
            }
            Action::Abandon => self.host(who).working.clear(),
            Action::Fence(_) => {}
            Action::Alert(_) | Action::Answer { .. } if self.silent => {}
            Action::Alert(alert) => self.log.push(format!("{:>8} {who}: ALERT {alert}", self.now.0)),
            Action::Answer { answer: Ok(()), .. } => {}
            Action::Answer {
                answer: Err(refusal), ..
            } => {
                self.log.push(format!("{:>8} {who}: REFUSED {refusal}", self.now.0));
            }
        }
    }

    fn note(&mut self, text: impl FnOnce(u64) -> String) {
        if !self.silent {
            let line = text(self.now.0);
            self.log.push(line);
        }
    }

    /// The store can be written again: what the daemon kept goes on.
    pub fn mend_store(&mut self, who: &HostName) {
        let host = self.host(who);
        host.store_broken = false;
        let kept = std::mem::take(&mut host.unstored);
        kept.iter().for_each(|event| self.handle(who, event));
    }

    /// Delivers the oldest message; false when there is none.
    pub fn deliver(&mut self) -> bool {
        self.deliver_at(0)
    }

    /// Delivers the message at this place of the network; false when there is none.
    pub fn deliver_at(&mut self, place: usize) -> bool {
        let Some((to, envelope)) = self.network.remove(place) else {
            return false;
        };
        if self.chatty {
            self.log.push(format!(
                "{:>8} {} -> {to}: {:?}",
                self.now.0, envelope.from, envelope.message
            ));
        }
        self.handle(&to, &Event::Received(envelope));
        true
    }

    /// Ends the host's oldest work that is not held back; false when there is none.
    pub fn finish(&mut self, who: &HostName) -> bool {
        let now = self.now;
        let host = self.host(who);
        if now < host.stalled_until {
            return false;
        }
        let Some(place) = host
            .working
            .iter()
            .position(|work| !host.held_back.contains(work.name()))
        else {
            return false;
        };
        self.finish_at(who, place)
    }

    /// Ends the host's work at this place of the queue.
    pub fn finish_at(&mut self, who: &HostName, place: usize) -> bool {
        let Some(work) = self.host(who).working.remove(place) else {
            return false;
        };
        let result = self.run(who, &work);
        self.handle(who, &Event::Finished { work, result });
        true
    }

    fn run(&mut self, who: &HostName, work: &Work) -> Finish {
        let host = self.host(who);
        if host.broken.contains(work.name()) {
            return Finish::Failed {
                error: "it is broken".to_owned(),
            };
        }
        if let Some(error) = host.fails.remove(work.name()) {
            return Finish::Failed { error };
        }
        match work {
            Work::Diagnose { fault, .. } => return Finish::Diagnosed(fault.clone()),
            Work::Assess { .. } => return Finish::Assessed(host.refuses.clone()),
            Work::SealCompilation { round, to, .. } => {
                let (round, to) = (*round, to.clone());
                self.seals = self.seals.wrapping_add(u8::from(self.vary_seals));
                let digest = Digest([self.seals.wrapping_add(7); 32]);
                let seal = CompilationSeal { count: 2, digest };
                self.host(who).compilations.insert(round, seal);
                if let Some(to) = to {
                    self.send_pages(who, &to, round);
                }
                return Finish::Sealed(seal);
            }
            Work::ResendCompilation { round, to } => self.send_pages(who, to, *round),
            Work::StoreCompilation { round, seal, .. } => {
                if host.compilations.get(round) != Some(seal) {
                    return Finish::Failed {
                        error: "the pages do not make this seal".to_owned(),
                    };
                }
                host.stored.insert(*round, *seal);
            }
            Work::StopServer { .. } => (host.server, host.by_hand) = (ServerState::Stopped, false),
            Work::DropAddress { .. } => (host.address, host.mark, host.redirects) = (false, false, None),
            Work::Serve { .. } | Work::WarmUp { .. } => (host.server, host.by_hand) = (ServerState::Serving, false),
            Work::Resume { .. } => host.address = true,
            Work::TakeAddress { .. } => {
                (host.address, host.mark, host.armed) = (true, true, false);
                host.redirects = None;
            }
            Work::Arm { .. } => host.armed = true,
            Work::Disarm { .. } => host.armed = false,
            Work::Appear { .. } => (host.address, host.mark, host.armed) = (true, true, true),
            Work::Redirect { to, .. } => (host.address, host.redirects) = (false, Some(to.clone())),
            Work::StandBy { .. } => (host.server, host.by_hand) = (ServerState::StandingBy, false),
            Work::Observe => return Finish::Observed(host.server),
            Work::PrepareYield { .. }
            | Work::EndFlows { .. }
            | Work::StopAdmitting { .. }
            | Work::Settle { .. }
            | Work::ResolveRequests { .. }
            | Work::Reboot { .. } => {}
        }
        Finish::Done
    }

    fn send_pages(&mut self, from: &HostName, to: &HostName, round: RoundId) {
        let seal = self.host(from).compilations.get(&round).copied();
        if let Some(seal) = seal
            && !self.lose_pages
            && !self.is_cut(from, to)
            && self.host(to).machine.is_some()
        {
            self.host(to).compilations.insert(round, seal);
        }
    }

    /// Runs everything that is due until `duration` has passed.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..MOST_TURNS {
            let names: Vec<_> = self.hosts.keys().cloned().collect();
            if self.deliver() || names.iter().any(|name| self.finish(name)) {
                continue;
            }
            let next = self.hosts.values().filter_map(Host::due).min();
            match next.filter(|at| *at <= end) {
                Some(at) => {
                    self.now = self.now.max(at);
                    for name in &names {
                        if self.host(name).due().is_some_and(|due| due <= self.now) {
                            self.handle(name, &Event::TimeReached);
                            let now = self.now;
                            let host = self.host(name);
                            let stuck = host.working.iter().all(|work| host.held_back.contains(work.name()));
                            if host.store_broken && stuck && host.stalled_until <= now {
                                host.stalled_until = now + Duration::from_secs(5);
                            }
                        }
                    }
                }
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        let tail = &self.log[self.log.len().saturating_sub(200)..];
        panic!("the world does not come to rest\n{}", tail.join("\n"));
    }
}
