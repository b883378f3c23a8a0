//! A small world around real machines: hosts with durable records, servers, a network and one clock. Everything that
//! the daemon does for a machine is done here at once and in the open, so that scenarios and random walks can drive
//! it.
//!
//! Invariant checked after every step: at most one host's server admits clients.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use understudy_protocol::{
    Action, Boot, CompilationSeal, Digest, Durable, Envelope, Event, Finish, HostName, Machine, Message, Plan,
    PluginRefusal, RoundId, ServerState, ServiceName, StoreId, Stored, Time, Work,
};

pub struct Host {
    pub name: HostName,
    pub machine: Option<Machine>,
    pub disk: Option<Durable>,
    pub boots: u64,
    pub server: ServerState,
    pub address: bool,
    /// Compilations on this host's disk.
    pub compilations: BTreeMap<RoundId, CompilationSeal>,
    /// Work begun and not ended.
    pub working: VecDeque<Work>,
    /// Work by name that is held back until told.
    pub held_back: BTreeSet<String>,
    /// What the next work of that name comes to.
    pub fails: BTreeMap<String, String>,
    pub refuses: Option<PluginRefusal>,
    pub store_broken: bool,
    /// After a failed write the host tries again then, with what it could not write.
    pub stalled_until: Time,
}

pub struct World {
    pub now: Time,
    pub hosts: BTreeMap<HostName, Host>,
    pub plan: Plan,
    pub network: VecDeque<(HostName, Envelope)>,
    pub cut: BTreeSet<(HostName, HostName)>,
    pub log: Vec<String>,
    pub chatty: bool,
}

pub fn name(text: &str) -> HostName {
    HostName::new(text).unwrap()
}

impl Host {
    fn due(&self) -> Option<Time> {
        let deadline = self.machine.as_ref()?.next_deadline();
        let stalled = (!self.working.is_empty())
            .then_some(self.stalled_until)
            .filter(|at| *at > Time(0));
        let earliest = if self.store_broken { self.stalled_until } else { Time(0) };
        match (deadline, stalled.filter(|_| self.store_broken)) {
            (Some(a), Some(b)) => Some(a.min(b).max(earliest)),
            (Some(a), None) => Some(a.max(earliest)),
            (None, b) => b,
        }
    }
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
            compilations: BTreeMap::new(),
            working: VecDeque::new(),
            held_back: BTreeSet::new(),
            fails: BTreeMap::new(),
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
            cut: BTreeSet::new(),
            log: Vec::new(),
            chatty: false,
        }
    }

    pub fn host(&mut self, name: &HostName) -> &mut Host {
        self.hosts.get_mut(name).unwrap_or_else(|| panic!("no host {name}"))
    }

    pub fn start(&mut self, who: &HostName) {
        let plan = Arc::new(Plan {
            me: who.clone(),
            ..self.plan.clone()
        });
        let ordinal = u128::from(plan.ordinal()) + 1;
        let host = self.host(who);
        host.boots += 1;
        let still_serving = host.server == ServerState::Serving && host.address;
        host.working.clear();
        host.machine = Some(Machine::new(
            plan,
            StoreId(ordinal << 96),
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
        self.network.retain(|(to, envelope)| to != who && envelope.from != *who);
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
        host.address = false;
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
        let mut line = None;
        let host = self.host(who);
        let Some(machine) = &host.machine else { return };
        let output = machine.handle(now, event);
        if let Some(entry) = output.entry() {
            if host.store_broken {
                let step = entry.step;
                host.stalled_until = now + Duration::from_secs(5);
                if let Event::Finished { work, .. } = event {
                    host.working.push_back(work.clone());
                }
                self.log
                    .push(format!("{:>8} {who}: the store failed, {step} did not happen", now.0));
                return;
            }
            if let Some(durable) = &entry.durable {
                host.disk = Some(durable.clone());
            }
            let detail = if entry.detail.is_empty() {
                String::new()
            } else {
                format!(" ({})", entry.detail)
            };
            line = Some(format!(
                "{:>8} {who}: {}: {} -> {}, term {}{detail}",
                now.0, entry.step, entry.from, entry.to, entry.term
            ));
        } else if chatty && let Some(why) = output.ignored() {
            line = Some(format!("{:>8} {who}: ignored {}: {why}", now.0, event.name()));
        }
        let (machine, actions) = output.accept(Stored::confirmed());
        host.machine = Some(machine);
        self.log.extend(line);
        for action in actions {
            self.act(who, action);
        }
        self.check();
    }

    fn act(&mut self, who: &HostName, action: Action) {
        match action {
            Action::Send { to, message } => {
                let connected = !self.is_cut(who, &to) && self.host(&to).machine.is_some();
                let Some(machine) = &self.host(who).machine else { return };
                if connected {
                    let envelope = machine.envelope(message);
                    self.network.push_back((to, envelope));
                }
            }
            Action::Do(work) => {
                let host = self.host(who);
                if !host.working.contains(&work) {
                    host.working.push_back(work);
                }
            }
            Action::Abandon => self.host(who).working.clear(),
            Action::Fence(_) => {}
            Action::Alert(alert) => self.log.push(format!("{:>8} {who}: ALERT {alert}", self.now.0)),
            Action::Answer { answer: Ok(()), .. } => {}
            Action::Answer {
                answer: Err(refusal), ..
            } => {
                self.log.push(format!("{:>8} {who}: REFUSED {refusal}", self.now.0));
            }
        }
    }

    /// Delivers the oldest message; false when there is none.
    pub fn deliver(&mut self) -> bool {
        let Some((to, envelope)) = self.network.pop_front() else {
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
        let Some(work) = host.working.remove(place) else {
            return false;
        };
        let result = self.run(who, &work);
        self.handle(who, &Event::Finished { work, result });
        true
    }

    fn run(&mut self, who: &HostName, work: &Work) -> Finish {
        let host = self.host(who);
        if let Some(error) = host.fails.remove(work.name()) {
            return Finish::Failed { error };
        }
        match work {
            Work::Diagnose { fault, .. } => return Finish::Diagnosed(fault.clone()),
            Work::Assess { .. } => return Finish::Assessed(host.refuses.clone()),
            Work::SealCompilation { round, to, .. } => {
                let seal = CompilationSeal {
                    count: 2,
                    digest: Digest([7; 32]),
                };
                host.compilations.insert(*round, seal);
                if let Some(to) = to.clone()
                    && !self.is_cut(who, &to)
                    && self.host(&to).machine.is_some()
                {
                    self.host(&to).compilations.insert(*round, seal);
                }
                return Finish::Sealed(seal);
            }
            Work::ResendCompilation { round, to } => {
                let seal = host.compilations.get(round).copied();
                if let Some(seal) = seal
                    && !self.is_cut(who, to)
                    && self.host(to).machine.is_some()
                {
                    self.host(to).compilations.insert(*round, seal);
                }
            }
            Work::StoreCompilation { round, seal, .. } => {
                if host.compilations.get(round) != Some(seal) {
                    return Finish::Failed {
                        error: "the pages do not make this seal".to_owned(),
                    };
                }
            }
            Work::StopServer { .. } => host.server = ServerState::Stopped,
            Work::DropAddress { .. } => host.address = false,
            Work::Serve { .. } => host.server = ServerState::Serving,
            Work::Resume { .. } | Work::TakeAddress { .. } => host.address = true,
            Work::StandBy { .. } => host.server = ServerState::StandingBy,
            Work::Observe => return Finish::Observed(host.server),
            Work::StopAdmitting { .. } | Work::Settle { .. } | Work::ResolveRequests { .. } | Work::Reboot { .. } => {}
        }
        Finish::Done
    }

    /// Runs everything that is due until `duration` has passed.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..1_000_000 {
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
                        }
                    }
                }
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("the world does not come to rest");
    }

    pub fn admitting(&self) -> Vec<&HostName> {
        self.hosts
            .values()
            .filter(|h| h.server == ServerState::Serving && h.address)
            .map(|h| &h.name)
            .collect()
    }

    fn check(&self) {
        let admitting = self.admitting();
        assert!(
            admitting.len() <= 1,
            "two hosts admit clients: {admitting:?}\n{}",
            self.log.join("\n")
        );
        let holders: Vec<_> = self
            .hosts
            .values()
            .filter(|h| h.disk.as_ref().is_some_and(|d| d.held.is_some()))
            .collect();
        for host in holders {
            let disk = host.disk.as_ref().unwrap();
            assert!(
                disk.grant.is_none(),
                "{} holds and has released\n{}",
                host.name,
                self.log.join("\n")
            );
        }
    }
}

pub fn plan(candidates: &[&str]) -> Plan {
    Plan {
        service: ServiceName::new("web").unwrap(),
        me: name(candidates[0]),
        candidates: candidates.iter().map(|c| name(c)).collect(),
        on_deadline_fault: understudy_protocol::DrainPolicy::Force,
        on_deadline_request: understudy_protocol::DrainPolicy::Abort,
        giveback: understudy_protocol::Giveback::Manual,
        reboot: true,
        on_unknown: understudy_protocol::OnUnknown::Alert,
        timing: understudy_protocol::Timing::default(),
    }
}

pub fn is_message(envelope: &Envelope, text: &str) -> bool {
    matches!(&envelope.message, message if Message::name(message) == text)
}
