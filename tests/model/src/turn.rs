//! One turn of one host: a stimulus, what the machine decides, what its daemon does with it.
//!
//! Invariant: the entry is stored before an action runs. A crash between the two needs no case of its own: what was
//! sent may never arrive and what was begun may have had no effect, so it is a turn and then a crash.

use std::panic::{AssertUnwindSafe, catch_unwind};

use std::time::Duration;

use understudy_protocol::{
    Action, CompilationSeal, Digest, Durable, Event, Fault, FaultKind, Finish, HostName, Message, Order, Output,
    PauseScope, PluginRefusal, RoleName, ServerState, Severity, Stored, TimerName, Verdict, Work,
};

use crate::host::{Effects, Host, LATER, NOW, Parcel};
use crate::rules::{self, Rule};

/// When the first order is given: 2027-01-15T08:00:00Z.
const FIRST_SECOND: u64 = 1_800_000_000;

/// How long an operator pauses what a service does by itself.
const WHILE: Duration = Duration::from_secs(60);

/// What may happen to one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stimulus {
    /// The parcel with this number arrives.
    Arrives(u32),
    /// It never will, and those behind it may.
    Vanishes(u32),
    Starts,
    Connected(u8),
    Lost(u8),
    Ends(u8, Ending),
    Fires(TimerName),
    /// The server is looked at: the timer's end and the look are one.
    Looks,
    Probes(Opinion),
    Orders(Wish),
    Crashes,
    PowersOff,
    LosesDisk,
    /// Somebody starts the server by hand.
    ByHand,
}

/// How a piece of work ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Ending {
    Done,
    /// It failed and had no effect.
    Failed,
    /// It had its effect, and nobody is told yet: it may still fail, be abandoned or die with the daemon.
    HalfDone,
    /// An assessment that says no.
    Refused,
    /// A drain that says what remains.
    Progress,
}

/// What the probes may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Opinion {
    Healthy,
    Failing,
    /// Failing, and the server must be down within some time.
    FailingSoon,
    Impaired,
    Unknown,
}

/// What an operator may order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Wish {
    TakeOver(Option<u8>),
    Giveback,
    Cancel,
    Cure,
    /// The hosts of this set are stopped: the operator tells the truth. And when, in seconds.
    Force(u8, u8),
    /// And when, in seconds.
    Bootstrap(u8),
    Pause,
    Unpause,
}

/// What a stimulus makes of a host.
pub(crate) fn turn(host: &Host, stimulus: Stimulus, arrived: Option<&Parcel>) -> (Host, Effects) {
    let mut turn = Turn {
        names: host.plan.1.candidates.clone(),
        host: host.clone(),
        effects: Effects::default(),
    };
    let tried = catch_unwind(AssertUnwindSafe(|| {
        turn.take(stimulus, arrived);
        rules::check_host(&turn.host, &mut turn.effects);
    }));
    if let Err(why) = tried {
        let text = why.downcast_ref::<String>().cloned();
        let text = text.or_else(|| why.downcast_ref::<&str>().map(ToString::to_string));
        turn.effects.breaks(Rule::NoPanic, text.unwrap_or_default());
    }
    (turn.host, turn.effects)
}

struct Turn {
    names: Vec<HostName>,
    host: Host,
    effects: Effects,
}

impl Turn {
    fn take(&mut self, stimulus: Stimulus, arrived: Option<&Parcel>) {
        match stimulus {
            Stimulus::Arrives(_) => match arrived {
                Some(Parcel::Message(envelope)) => self.handle(&Event::Received(envelope.clone())),
                Some(Parcel::Pages { round, seal }) => drop(self.host.pages.insert(*round, *seal)),
                None => {}
            },
            Stimulus::Vanishes(_) => {}
            Stimulus::Starts => self.start(),
            Stimulus::Connected(other) => self.handle(&Event::PeerConnected(self.name(other))),
            Stimulus::Lost(other) => self.handle(&Event::PeerLost(self.name(other))),
            Stimulus::Ends(at, ending) => self.end(usize::from(at), ending),
            Stimulus::Fires(timer) => self.fire(timer),
            Stimulus::Looks => {
                self.fire(TimerName::Observe);
                if let Some(at) = self.host.work.iter().position(|work| *work == Work::Observe) {
                    self.end(at, Ending::Done);
                }
            }
            Stimulus::Probes(opinion) => self.handle(&opinion.event()),
            Stimulus::Orders(wish) => {
                let order = self.order(wish);
                self.handle(&Event::Ordered(order));
            }
            Stimulus::Crashes => self.host.crash(),
            Stimulus::PowersOff => self.host.power_off(),
            Stimulus::LosesDisk => self.host.lose_disk(),
            Stimulus::ByHand => (self.host.server, self.host.by_hand) = (ServerState::Serving, true),
        }
    }

    fn name(&self, place: u8) -> HostName {
        self.names[usize::from(place)].clone()
    }

    fn start(&mut self) {
        let host = &mut self.host;
        host.boots += 1;
        host.machine = Some(host.new_machine());
        let still_serving = host.runs() && host.mark;
        host.went_on = still_serving && host.held().is_some();
        self.handle(&Event::Started { still_serving });
    }

    /// The timer ends before all others: whichever runs may be the next.
    fn fire(&mut self, timer: TimerName) {
        let machine = self.host.machine.as_ref();
        self.host.machine = machine.map(|m| m.with_deadlines(|name| if name == timer { NOW } else { LATER }));
        self.handle(&Event::TimeReached);
    }

    fn handle(&mut self, event: &Event) {
        let Some(machine) = &self.host.machine else { return };
        let before = self.host.clone();
        let output = machine.handle(NOW, event);
        self.effects.row = output.row().or(self.effects.row);
        let actions = self.store(output, event);
        rules::check_turn(&before, &self.host, event, &actions, &mut self.effects);
        actions.into_iter().for_each(|action| self.act(action));
    }

    fn store(&mut self, output: Output, event: &Event) -> Vec<Action> {
        let held = self.host.held();
        if let Some(entry) = output.entry() {
            self.effects.step = Some(entry.step);
            if let Some(durable) = &entry.durable {
                let seal = |durable: &Durable| durable.grant.as_ref().and_then(|grant| grant.seal);
                self.effects.released = seal(durable).is_some() && self.host.disk.as_ref().and_then(seal).is_none();
                self.host.disk = Some(durable.clone());
            }
        }
        let (machine, actions) = output.accept(Stored::confirmed());
        self.host.machine = Some(machine.with_deadlines(|_| LATER));
        if let Event::Received(envelope) = event
            && let Message::Released(grant) | Message::AdmissionYielded(grant) = &envelope.message
            && held.is_none()
            && self.host.held().is_some()
        {
            self.effects.accepted = Some(grant.round);
            self.host.went_on = false;
        }
        actions
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Send { to, message } => {
                if let (Some(machine), Some(to)) = (&self.host.machine, self.place(&to)) {
                    self.effects.sent.push((to, Parcel::Message(machine.envelope(message))));
                }
            }
            Action::Do(work) => self.host.begin(work),
            Action::Abandon => self.host.abandon(),
            Action::Fence(_) | Action::Alert(_) | Action::Answer { .. } => {}
        }
    }

    fn place(&self, name: &HostName) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    fn end(&mut self, at: usize, ending: Ending) {
        let work = self.host.work[at].clone();
        let result = match ending {
            Ending::HalfDone => {
                drop(self.perform(&work));
                return;
            }
            Ending::Progress => {
                let (remaining, blocker) = (Some(1), None);
                return self.handle(&Event::Progressed {
                    work,
                    remaining,
                    blocker,
                });
            }
            Ending::Done => self.perform(&work),
            Ending::Failed => Finish::Failed {
                error: "it fails".to_owned(),
            },
            Ending::Refused => Finish::Assessed(Some(PluginRefusal {
                code: "lag".to_owned(),
                message: "far behind".to_owned(),
                would_accept_if: None,
                hard: false,
            })),
        };
        self.host.work.remove(at);
        self.handle(&Event::Finished { work, result });
    }

    /// What the work does to the server, the address and the disk.
    fn perform(&mut self, work: &Work) -> Finish {
        let host = &mut self.host;
        match work {
            Work::Diagnose { fault, .. } => return Finish::Diagnosed(fault.clone()),
            Work::Assess { .. } => return Finish::Assessed(None),
            Work::SealCompilation { round, to, .. } => {
                let again = host.pages.get(round).map_or(0, |seal| seal.digest.0[0]);
                let seal = CompilationSeal {
                    count: round.counter,
                    digest: Digest([again.saturating_add(1); 32]),
                };
                host.pages.insert(*round, seal);
                self.send_pages(to.as_ref(), work);
                return Finish::Sealed(seal);
            }
            Work::ResendCompilation { to, .. } => self.send_pages(Some(&to.clone()), work),
            Work::StoreCompilation { round, seal, .. } => {
                if host.pages.get(round) != Some(seal) {
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

    fn send_pages(&mut self, to: Option<&HostName>, work: &Work) {
        let (Work::SealCompilation { round, .. } | Work::ResendCompilation { round, .. }) = work else {
            return;
        };
        if let (Some(to), Some(seal)) = (to.and_then(|to| self.place(to)), self.host.pages.get(round)) {
            let (round, seal) = (*round, *seal);
            self.effects.sent.push((to, Parcel::Pages { round, seal }));
        }
    }

    fn order(&self, wish: Wish) -> Order {
        let (by, reason) = ("anna".to_owned(), "maintenance".to_owned());
        let override_vetoes = false;
        match wish {
            Wish::TakeOver(to) => {
                let to = to.map(|to| self.name(to));
                Order::TakeOver {
                    to,
                    by,
                    reason,
                    override_vetoes,
                }
            }
            Wish::Giveback => Order::Giveback {
                by,
                reason,
                override_vetoes,
            },
            Wish::Cancel => Order::Cancel { by, reason },
            Wish::Cure => Order::Cure { by, reason },
            Wish::Force(set, at) => {
                let listed = self.names.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
                let stopped = listed.map(|(_, name)| name.clone()).collect();
                let (at, override_stay_down) = (FIRST_SECOND + u64::from(at), true);
                Order::Force {
                    stopped,
                    by,
                    reason,
                    override_stay_down,
                    at,
                }
            }
            Wish::Bootstrap(at) => Order::Bootstrap {
                by,
                reason,
                at: FIRST_SECOND + u64::from(at),
            },
            Wish::Pause => Order::Pause {
                scope: PauseScope::Service,
                by,
                reason,
                lasts: Some(WHILE),
            },
            Wish::Unpause => Order::Unpause {
                scope: PauseScope::Service,
                by,
                reason,
            },
        }
    }
}

impl Opinion {
    fn event(self) -> Event {
        let fault = |severity, shutdown_within| {
            Some(Fault {
                code: "broken".to_owned(),
                kind: FaultKind::Storage,
                severity,
                message: "the model says so".to_owned(),
                shutdown_within,
                evidence: Vec::new(),
            })
        };
        let soon = Some(std::time::Duration::from_secs(20));
        let (verdict, fault) = match self {
            Opinion::Healthy => (Verdict::Healthy, None),
            Opinion::Failing => (Verdict::Failing, fault(Severity::ShutdownRequired, None)),
            Opinion::FailingSoon => (Verdict::Failing, fault(Severity::ShutdownRequired, soon)),
            Opinion::Impaired => (Verdict::Impaired, fault(Severity::Impaired, None)),
            Opinion::Unknown => (Verdict::Unknown, None),
        };
        Event::Health { verdict, fault }
    }
}

/// Whether a host in this role may have a server that runs without the term.
pub(crate) fn is_forcing(role: Option<RoleName>) -> bool {
    role == Some(RoleName::Forcing)
}
