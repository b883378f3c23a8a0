//! The machine: `handle(now, event)` looks its row up in the table and takes one turn.
//!
//! ```text
//!   event ──► preamble (who said it, is it stale, what did it teach) ──► row of the table ──► Turn
//!                                                                                        │
//!   next machine ◄── Output { entry, actions, next deadline } ◄──────────────────────────┘
//! ```
//!
//! Invariants: `handle` does not change the machine; the driver adopts `Output`'s machine once the entry is stored,
//! and only then gets the actions. A turn that could not be stored never happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::role::Role;
use crate::row::Row;
use crate::table;
use crate::time::Timers;
use crate::turn::Turn;
use crate::{
    Action, Alert, Boot, Decline, Durable, Entry, Envelope, Event, Fault, HostName, Message, Plan, RoleName, RoundId,
    Standing, StoreId, Term, Time, TimerName, Verdict,
};

/// One host's side of the protocol, for one service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    pub(crate) plan: Arc<Plan>,
    pub(crate) store: StoreId,
    pub(crate) boot: Boot,
    pub(crate) durable: Durable,
    pub(crate) role: Role,
    pub(crate) verdict: Verdict,
    pub(crate) fault: Option<Fault>,
    pub(crate) peers: BTreeMap<HostName, Peer>,
    pub(crate) timers: Timers,
    /// Whether the local server came back as a standby.
    pub(crate) ready: bool,
    /// Standing alerts, one of a kind.
    pub(crate) alerts: BTreeMap<&'static str, Alert>,
    /// Why each candidate declined when they were last asked.
    pub(crate) declined: BTreeMap<HostName, (RoundId, Decline)>,
}

/// What is known of another candidate, in this boot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Peer {
    pub(crate) connected: bool,
    /// It echoed this boot.
    pub(crate) heard: bool,
    /// Its latest boot.
    pub(crate) session: Option<(StoreId, Boot)>,
    pub(crate) standing: Option<Standing>,
}

/// What a turn came to. The actions can't be had without saying that the entry is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Output {
    machine: Machine,
    entry: Option<Entry>,
    actions: Vec<Action>,
    /// Why the event had no effect, where it had none.
    ignored: Option<&'static str>,
    /// The place of the row that was taken.
    row: Option<usize>,
}

/// The driver's word that an output's entry is on disk.
#[derive(Debug)]
pub struct Stored(());

impl Stored {
    /// To be said only after the store has confirmed the entry, or where the output has none.
    pub fn confirmed() -> Stored {
        Stored(())
    }
}

impl Output {
    /// What must be stored first; none when nothing changed that is worth a line.
    pub fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    /// What will be said, so that it can be written down with the entry; saying it comes with [`Output::accept`].
    pub fn sends(&self) -> impl Iterator<Item = (&HostName, &Message)> {
        self.actions.iter().filter_map(|action| match action {
            Action::Send { to, message } => Some((to, message)),
            Action::Do(_) | Action::Abandon | Action::Fence(_) | Action::Alert(_) | Action::Answer { .. } => None,
        })
    }

    /// Why the event had no effect, where it had none.
    pub fn ignored(&self) -> Option<&'static str> {
        self.ignored
    }

    pub(crate) fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// The machine as it would be; for rehearsals, which let no action out.
    pub(crate) fn imagined(&self) -> &Machine {
        &self.machine
    }

    /// The place of the taken row in the table (see [`crate::row_names`]); none where the event had no effect.
    pub fn row(&self) -> Option<usize> {
        self.row
    }

    /// The machine after the turn, and what it wants done.
    pub fn accept(self, _: Stored) -> (Machine, Vec<Action>) {
        (self.machine, self.actions)
    }
}

impl Machine {
    /// A machine that has not started: the first event must be [`Event::Started`]. `durable` is what the store has;
    /// none for a service it has never seen.
    pub fn new(plan: Arc<Plan>, store: StoreId, boot: Boot, durable: Option<Durable>) -> Machine {
        let peers = plan.others().map(|host| (host.clone(), Peer::default())).collect();
        Machine {
            plan,
            store,
            boot,
            durable: durable.unwrap_or_default(),
            role: Role::Unsynced,
            verdict: Verdict::Unknown,
            fault: None,
            peers,
            timers: Timers::default(),
            ready: false,
            alerts: BTreeMap::new(),
            declined: BTreeMap::new(),
        }
    }

    /// One turn. `now` must not go backwards.
    pub fn handle(&self, now: Time, event: &Event) -> Output {
        let mut turn = Turn::new(self.clone(), now, event);
        if let Err(why) = turn.preamble() {
            return turn.without_effect(why);
        }
        let Some(name) = turn.event_name() else {
            return turn.without_effect("no timer has ended");
        };
        let from = self.role.name();
        match table::rows()
            .enumerate()
            .find(|(_, row)| row.applies(from, name, &turn))
        {
            Some((place, row)) => Output {
                row: Some(place),
                ..turn.take(row, from)
            },
            None => turn.without_effect("no row of the table is about it"),
        }
    }

    /// The same machine under other settings. What is under way is not disturbed: a timer that runs keeps its end.
    ///
    /// # Errors
    /// When the plan is for another service, host, list of candidates or kind of cure: these are no settings.
    pub fn with_plan(&self, plan: Arc<Plan>) -> Result<Machine, &'static str> {
        let same = |a: &Plan, b: &Plan| {
            (&a.service, &a.me, &a.candidates, a.reboot) == (&b.service, &b.me, &b.candidates, b.reboot)
        };
        if !same(&self.plan, &plan) {
            return Err("the service, its hosts and its cure can't change while the machine runs");
        }
        Ok(Machine { plan, ..self.clone() })
    }

    /// When [`Event::TimeReached`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next().map(|(_, at)| at)
    }

    /// The same machine with each running timer's deadline set anew: for the proof, where any of them may end next.
    #[doc(hidden)]
    pub fn with_deadlines(&self, at: impl Fn(TimerName) -> Time) -> Machine {
        let mut machine = self.clone();
        for (timer, _) in self.timers.iter() {
            machine.timers.set(timer, at(timer));
        }
        machine
    }

    /// The role, by name.
    pub fn role(&self) -> RoleName {
        self.role.name()
    }

    /// What must not be forgotten.
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// The settings.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A message of this host, as its envelope goes out.
    pub fn envelope(&self, message: Message) -> Envelope {
        Envelope {
            from: self.plan.me.clone(),
            store: self.store,
            boot: self.boot,
            known: self.durable.known,
            message,
        }
    }

    /// Whether this host admits clients.
    pub fn serves(&self) -> bool {
        matches!(self.role, Role::Active | Role::Asking(_))
            && !matches!(&self.role, Role::Asking(a) if a.parked.is_some())
    }

    /// Who holds the service, as far as this host knows: the peer (or this host) with the highest held term.
    pub fn active(&self) -> Option<(&HostName, Term)> {
        let peers = self
            .peers
            .iter()
            .filter_map(|(host, peer)| Some((host, peer.standing.as_ref()?.held?)));
        let me = self.durable.held.map(|term| (&self.plan.me, term));
        peers
            .chain(me)
            .filter(|(_, term)| *term >= self.durable.known)
            .max_by_key(|(_, term)| *term)
    }

    pub(crate) fn session_of(&self, host: &HostName) -> Option<(StoreId, Boot)> {
        self.peers.get(host)?.session
    }

    pub(crate) fn unheard(&self) -> Vec<HostName> {
        self.peers
            .iter()
            .filter(|(_, peer)| !peer.heard)
            .map(|(host, _)| host.clone())
            .collect()
    }

    /// The round this host is busy with.
    pub(crate) fn round(&self) -> Option<RoundId> {
        let tenure = || {
            self.durable
                .tenure
                .as_ref()
                .filter(|tenure| !(tenure.served && tenure.resolved))
        };
        let grant = || self.durable.grant.as_ref().map(|grant| grant.round);
        self.role.round().or_else(grant).or_else(|| tenure()?.round)
    }

    pub(crate) fn synced(&self) -> bool {
        self.peers.values().all(|peer| peer.heard)
    }

    pub(crate) fn standing(&self) -> Standing {
        Standing {
            fresh: !self.durable.adopted,
            known: self.durable.known,
            promised: self.durable.promised,
            held: self.durable.held,
            grant: self.durable.grant.clone(),
            ready: self.ready,
            down_for: self.durable.stay_down.as_ref().map(|order| order.fault.clone()),
        }
    }

    pub(crate) fn due(&self, now: Time) -> Option<TimerName> {
        self.timers.next().filter(|(_, at)| *at <= now).map(|(name, _)| name)
    }
}

impl Turn<'_> {
    fn without_effect(self, why: &'static str) -> Output {
        // What the preamble learnt of a peer is kept: it is volatile and true whatever the role makes of it.
        Output {
            machine: self.m,
            entry: None,
            actions: self.actions,
            ignored: Some(why),
            row: None,
        }
    }

    fn take(mut self, row: &'static Row, from: RoleName) -> Output {
        let before = self.m.durable.clone();
        let round_before = self.m.round();
        (row.apply)(&mut self);
        self.pay_reply();
        let to = self.m.role.name();
        debug_assert!(
            row.leads_to(from, to),
            "{}: {from} -> {to} is not in the table",
            row.step
        );
        let durable = (self.m.durable != before).then(|| self.m.durable.clone());
        let entry = (row.journal || durable.is_some() || to != from).then(|| Entry {
            service: self.m.plan.service.clone(),
            step: row.step,
            reason: row.reason,
            detail: std::mem::take(&mut self.detail),
            from,
            to,
            term: self.m.durable.held.unwrap_or(self.m.durable.known),
            round: self.round.or(round_before).or(self.m.round()),
            durable,
        });
        Output {
            machine: self.m,
            entry,
            actions: self.actions,
            ignored: None,
            row: None,
        }
    }
}
