//! One host of the model: the production machine, its disk, its server, and the work under way.
//!
//! Invariants: the machine decides, this file only does what a daemon does; everything here is a function of the host
//! and one stimulus, so that a turn is computed once however many states of the whole share it; deadlines are not
//! kept, only which timers run (see `docs/proof.md`, "Time").

use std::collections::BTreeMap;
use std::sync::Arc;

use understudy_protocol::{
    Boot, CompilationSeal, Durable, Envelope, HostName, Machine, Plan, RoleName, RoundId, ServerState, StoreId, Term,
    Time, TimerName, Work,
};

use crate::rules::Rule;

/// The only time there is. A timer that runs ends later, until it is the one that ends.
pub(crate) const NOW: Time = Time(0);
pub(crate) const LATER: Time = Time(1);

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Host {
    pub(crate) plan: Place,
    pub(crate) machine: Option<Machine>,
    pub(crate) disk: Option<Durable>,
    pub(crate) boots: u64,
    pub(crate) lost_disks: u64,
    pub(crate) server: ServerState,
    pub(crate) address: bool,
    /// The daemon's mark that this server serves by right, or completes what it had.
    pub(crate) mark: bool,
    /// The address is here, hidden: only flows that are sent on get through.
    pub(crate) armed: bool,
    /// Where new flows are sent on to.
    pub(crate) redirects: Option<HostName>,
    /// Somebody else than the daemon started the server.
    pub(crate) by_hand: bool,
    /// The daemon found its server serving when it started, and went on.
    pub(crate) went_on: bool,
    /// Compilations of which every page is here.
    pub(crate) pages: BTreeMap<RoundId, CompilationSeal>,
    /// Those of them that are durable.
    pub(crate) stored: BTreeMap<RoundId, CompilationSeal>,
    /// Work begun and not ended, in the order in which it was begun.
    pub(crate) work: Vec<Work>,
}

/// The host's settings, compared by its place in the list of candidates.
#[derive(Debug, Clone)]
pub(crate) struct Place(pub(crate) usize, pub(crate) Arc<Plan>);

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Place {}

impl std::hash::Hash for Place {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// What travels between hosts: the protocol's messages, and the pages of a compilation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Parcel {
    Message(Envelope),
    Pages { round: RoundId, seal: CompilationSeal },
}

/// What a turn did beside changing its host.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) sent: Vec<(usize, Parcel)>,
    /// The row of the table that was taken.
    pub(crate) row: Option<usize>,
    /// The step that was journaled.
    pub(crate) step: Option<&'static str>,
    /// The round whose grant became this host's term.
    pub(crate) accepted: Option<RoundId>,
    /// Whether the token was released in this turn.
    pub(crate) released: bool,
    pub(crate) broken: Option<(Rule, String)>,
}

impl Effects {
    pub(crate) fn breaks(&mut self, rule: Rule, how: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some((rule, how.into()));
        }
    }
}

impl Host {
    pub(crate) fn new(place: usize, plan: Arc<Plan>) -> Host {
        Host {
            plan: Place(place, plan),
            machine: None,
            disk: None,
            boots: 0,
            lost_disks: 0,
            server: ServerState::Stopped,
            address: false,
            mark: false,
            armed: false,
            redirects: None,
            by_hand: false,
            went_on: false,
            pages: BTreeMap::new(),
            stored: BTreeMap::new(),
            work: Vec::new(),
        }
    }

    pub(crate) fn held(&self) -> Option<Term> {
        self.disk.as_ref()?.held
    }

    /// Whether its server runs by the daemon's doing.
    pub(crate) fn runs(&self) -> bool {
        self.server == ServerState::Serving && !self.by_hand
    }

    /// Whether clients that come to this host reach its server.
    pub(crate) fn admits(&self) -> bool {
        self.runs() && self.address
    }

    /// Whether clients that another host sends on reach its server, and only they.
    pub(crate) fn admits_sent_on(&self) -> bool {
        self.runs() && !self.address && self.armed && self.redirects.is_none()
    }

    /// Switched off for certain: what an operator may vouch for.
    pub(crate) fn is_off(&self) -> bool {
        self.machine.is_none() && self.server == ServerState::Stopped
    }

    pub(crate) fn role(&self) -> Option<RoleName> {
        self.machine.as_ref().map(Machine::role)
    }

    pub(crate) fn timers(&self) -> Vec<TimerName> {
        let view = self.machine.as_ref().map(|machine| machine.view(NOW));
        view.map_or_else(Vec::new, |view| view.timers.into_iter().map(|(name, _)| name).collect())
    }

    pub(crate) fn new_machine(&self) -> Machine {
        let store = ((self.plan.0 as u128 + 1) << 96) + u128::from(self.lost_disks);
        Machine::new(self.plan.1.clone(), StoreId(store), Boot(self.boots), self.disk.clone())
    }

    /// The places of the work that may end next: what changes the server goes one after the other, the rest beside it.
    pub(crate) fn may_end(&self) -> Vec<usize> {
        let first = self.work.iter().position(changes_server);
        (0..self.work.len())
            .filter(|at| Some(*at) == first || !changes_server(&self.work[*at]))
            .collect()
    }

    /// Queues work as the daemon's effector does.
    pub(crate) fn begin(&mut self, work: Work) {
        if self.work.contains(&work) {
            return;
        }
        if changes_server(&work) && !matches!(work, Work::StandBy { .. }) {
            self.work.retain(|other| !matches!(other, Work::StandBy { .. }));
        }
        self.work.push(work);
    }

    /// What was handed over must still be resolved, and looks change nothing.
    pub(crate) fn abandon(&mut self) {
        self.work.retain(|work| {
            matches!(
                work,
                Work::ResolveRequests { .. } | Work::StoreCompilation { .. } | Work::Observe
            )
        });
    }

    /// The daemon dies; its server does not. Pages that were not made durable are gone.
    pub(crate) fn crash(&mut self) {
        self.machine = None;
        self.work.clear();
        self.went_on = false;
        self.pages.clone_from(&self.stored);
    }

    pub(crate) fn power_off(&mut self) {
        self.crash();
        self.server = ServerState::Stopped;
        (self.address, self.mark, self.armed, self.by_hand) = (false, false, false, false);
        self.redirects = None;
    }

    pub(crate) fn lose_disk(&mut self) {
        self.power_off();
        self.disk = None;
        self.stored.clear();
        self.pages.clear();
        self.boots = 0;
        self.lost_disks += 1;
    }
}

/// As `effects/lanes.rs` of the daemon has it.
fn changes_server(work: &Work) -> bool {
    !matches!(
        work,
        Work::Diagnose { .. }
            | Work::Assess { .. }
            | Work::ResendCompilation { .. }
            | Work::StoreCompilation { .. }
            | Work::ResolveRequests { .. }
            | Work::Observe
    )
}
