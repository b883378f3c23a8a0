//! What a host must not forget about one service (PROTOCOL, "Durable records"), and the journal entry that carries
//! it to the store.
//!
//! Invariant: an entry is stored, with the durable record it carries, before any action of its turn runs. An offered
//! term is never part of it.

use crate::{CompilationSeal, HostName, Pauses, RoleName, RoundId, ServiceName, Term};

/// The release: the only thing that moves the token. Where both servers may run, it comes in two parts: admission is
/// yielded first, and the seal is added when the server is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The term it grants.
    pub new_term: Term,
    /// The only host that may use it.
    pub to: HostName,
    /// The round that led to it.
    pub round: RoundId,
    /// The compilation that goes with it; none: admission only is yielded, requests under way are still completed here.
    pub seal: Option<CompilationSeal>,
}

/// How a held term came about, and how far taking over got: so that a restart goes on where it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenure {
    /// Who released the service to this host; none for a forced term.
    pub from: Option<HostName>,
    /// The round whose compilation is to be worked through.
    pub round: Option<RoundId>,
    /// Whether the server served under this term once.
    pub served: bool,
    /// Whether every request of the compilation has its disposition.
    pub resolved: bool,
    /// Whether the first still completes the requests that it had when it yielded admission.
    pub overlaps: bool,
}

/// What this host has begun to do for a round, and must undo, in reverse order, should the round come to nothing. Each
/// implies those before it on the same side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The first: to stop admitting. Undone by admitting again.
    Admission,
    /// The first: to stop the server. Undone by making it serve.
    Server,
    /// The first: to drop the address. Undone by taking it.
    Address,
    /// The second, before it offers: to get the address ready, hidden from everybody. Undone by disarming it.
    Arm,
    /// The second, before it offers: to run its server beside the first's. Undone by stopping it.
    WarmUp,
}

/// The open round's furthest step, written down before the step is begun: so that a restart knows what to undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Begun {
    /// The round it was begun for.
    pub round: RoundId,
    /// The furthest step.
    pub step: Step,
}

/// How far a released host got on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DownPhase {
    /// The fault is not cured.
    Faulty,
    /// Cured; waiting for the active host's permission.
    Cured,
    /// Permitted; the reboot is under way.
    Rebooting,
}

/// A held stay-down order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StayDown {
    /// The term this host gave up.
    pub released: Term,
    /// The fault's code.
    pub fault: String,
    /// How far it got.
    pub phase: DownPhase,
}

/// Everything durable about one service, as one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Durable {
    /// Whether this store belongs to the service at all; a fresh one knows nothing.
    pub adopted: bool,
    /// The highest term seen *held* by anybody.
    pub known: Term,
    /// The highest term fenced for somebody else.
    pub promised: Term,
    /// The term this host holds.
    pub held: Option<Term>,
    /// How `held` came about.
    pub tenure: Option<Tenure>,
    /// The outstanding release.
    pub grant: Option<Grant>,
    /// What must be undone should the open round come to nothing.
    pub begun: Option<Begun>,
    /// The last round this host opened.
    pub round_counter: u64,
    /// The order to stay down.
    pub stay_down: Option<StayDown>,
    /// Automatic givebacks tried since the service last left home for a fault.
    pub givebacks: u32,
    /// What keeps it from moving by itself, and the moves that count towards that.
    pub pauses: Pauses,
}

impl Durable {
    /// Whether admission was yielded and the first's own requests are not at their end.
    pub fn completes(&self) -> bool {
        self.grant.as_ref().is_some_and(|grant| grant.seal.is_none())
    }

    /// Whether a move is under way that the machine goes on with, or undoes, after a restart.
    pub fn is_moving(&self) -> bool {
        self.completes() || self.begun.is_some()
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Whose.
    pub service: ServiceName,
    /// The transition's name, for example `fault-indicated`.
    pub step: &'static str,
    /// Why, in the table's words.
    pub reason: &'static str,
    /// What it was about: the data in words.
    pub detail: String,
    /// The role before.
    pub from: RoleName,
    /// The role after.
    pub to: RoleName,
    /// The term in force after it (held, or known).
    pub term: Term,
    /// The round it belongs to.
    pub round: Option<RoundId>,
    /// The durable record after it, where it changed.
    pub durable: Option<Durable>,
}
