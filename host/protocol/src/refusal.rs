//! Every way to say no, as data. A refusal says why and, where something would change it, what.
//!
//! Invariant: closed enums; the prose is made from the data, in one place ([`std::fmt::Display`]), never the other
//! way round.

use std::fmt;
use std::time::Duration;

use crate::{HostName, PauseScope, RoundId, Term};

/// A plugin's own reason, in its words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PluginRefusal {
    /// Stable, kebab-case.
    pub code: String,
    /// One line for people.
    pub message: String,
    /// What would change the answer.
    pub would_accept_if: Option<String>,
    /// Whether no operator may pass over it.
    pub hard: bool,
}

/// Why a candidate declines to take over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decline {
    /// Its own probe says that its server is not well.
    ServerFailing {
        /// The fault's code.
        fault: String,
        /// The fault's message.
        message: String,
    },
    /// Its probe does not know how its server is.
    ServerUnknown,
    /// The drain plugin's assessment.
    Plugin(PluginRefusal),
    /// The assessment did not end in time.
    AssessmentTimedOut {
        /// The time it had.
        after: Duration,
    },
    /// The assessment itself failed: says nothing about the server.
    AssessmentFailed {
        /// What happened.
        error: String,
    },
    /// Its server can't be run beside the first's.
    NotWarm {
        /// What happened.
        error: String,
    },
    /// It is ordered to stay down itself.
    StayingDown {
        /// The fault that is not cured yet.
        fault: String,
    },
    /// It has not heard every other candidate since it started.
    NotSynced {
        /// Who is missing.
        missing: Vec<HostName>,
    },
    /// Its store is empty and was never adopted.
    Fresh,
    /// It was handed the service too often within a time: a flap guard.
    TooManyAttempts {
        /// How often.
        attempts: u32,
    },
    /// It is busy with another round of the same service.
    Busy,
    /// Its store can't be written.
    StoreFailing,
    /// Nothing moves by itself now, or somebody works on that host.
    Paused {
        /// What is paused.
        scope: PauseScope,
        /// Who paused it.
        by: String,
        /// Why.
        reason: String,
    },
    /// More than one reason, each for itself enough.
    Several(Vec<Decline>),
    /// A reason that this version does not know.
    Unfamiliar,
}

/// Why a holder ends a round.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cancel {
    /// The candidate did not answer.
    NoAnswer {
        /// The time it had.
        after: Duration,
    },
    /// The offered term is not above what this holder knows.
    StaleTerm {
        /// What was offered.
        offered: Term,
        /// What it has to exceed.
        floor: Term,
    },
    /// The drain did not end before its deadline, and the policy says to resume.
    DrainDeadline,
    /// The compilation was not stored by the candidate in time.
    CompilationNotStored,
    /// A step of the drain failed.
    StepFailed {
        /// Which.
        step: String,
        /// What happened.
        error: String,
    },
    /// An operator cancelled it.
    Operator,
    /// The fault is gone.
    FaultGone,
    /// Somebody holds a higher term.
    Superseded {
        /// The higher term.
        term: Term,
    },
}

/// Why an operator's order is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// This host does not know who is active.
    NoHolder,
    /// This host is active already.
    AlreadyActive,
    /// The named host is not a candidate of the service.
    NotACandidate {
        /// The name.
        host: HostName,
    },
    /// There is no other candidate.
    NobodyElse,
    /// Another operation is under way: one at a time.
    UnderWay {
        /// In which role.
        role: &'static str,
    },
    /// Nothing is under way.
    NothingUnderWay,
    /// It is past the point of no return.
    AlreadyReleased {
        /// Who has the grant.
        to: HostName,
    },
    /// The service is at home.
    AtHome {
        /// The home host.
        home: HostName,
    },
    /// The home host has not come back as a standby.
    HomeNotReady {
        /// The home host.
        home: HostName,
        /// What is known of it.
        because: String,
    },
    /// There is no fault to cure.
    NothingToCure,
    /// A host has not been heard; it may be serving.
    NotHeard {
        /// Who.
        hosts: Vec<HostName>,
    },
    /// A host that was said to be stopped is alive.
    Alive {
        /// Who.
        host: HostName,
    },
    /// A host refused to be fenced.
    FenceRefused {
        /// Who.
        host: HostName,
        /// Why.
        because: FenceRefusal,
    },
    /// The service was started for the first time already.
    AlreadyBootstrapped {
        /// The highest term seen.
        known: Term,
    },
    /// The candidate declined.
    Declined {
        /// Who.
        host: HostName,
        /// Why.
        because: Decline,
    },
    /// The round was ended.
    Cancelled {
        /// Why.
        because: Cancel,
    },
    /// The active host could not be reached with the order.
    HolderSilent {
        /// Who.
        host: HostName,
    },
    /// The order could not be stored.
    StoreFailing {
        /// What the store said.
        error: String,
    },
    /// Requests of the last takeover have no disposition yet: a soft veto.
    CompilationUnresolved {
        /// Which takeover's.
        round: RoundId,
    },
    /// This host is ordered to stay down, and the order did not say that this is to be overridden.
    StayingDown {
        /// The fault that is not cured yet.
        fault: String,
    },
    /// No such pause is in force.
    NotPaused {
        /// Those that are.
        in_force: Vec<PauseScope>,
    },
    /// A reason that this version does not know.
    Unfamiliar,
}

/// Why a host refuses a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FenceRefusal {
    /// It holds the service.
    Holds(Term),
    /// It promised a higher term.
    Promised(Term),
    /// It released the service to somebody who is neither stopped nor fenced.
    Granted(Term),
    /// Its server runs in a move: it completes requests after a yield, or is ready for one.
    StillServing,
    /// It has not heard everybody itself.
    NotSynced,
    /// Its store is empty and this is no bootstrap.
    Fresh,
}

fn join(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Decline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decline::ServerFailing { fault, message } => write!(
                f,
                "its own server is failing ({fault}: {message}); would accept once that is cured"
            ),
            Decline::ServerUnknown => {
                f.write_str("its probe does not know how its server is; would accept after a healthy verdict")
            }
            Decline::Plugin(r) => {
                write!(f, "{} ({})", r.message, r.code)?;
                r.would_accept_if
                    .iter()
                    .try_for_each(|c| write!(f, "; would accept if {c}"))
            }
            Decline::AssessmentTimedOut { after } => write!(
                f,
                "its assessment did not end within {after:?}; would accept after one that does"
            ),
            Decline::AssessmentFailed { error } => {
                write!(
                    f,
                    "its assessment failed: {error}; would accept after one that does not"
                )
            }
            Decline::NotWarm { error } => write!(
                f,
                "its server can't be run beside the active one: {error}; would accept once that is mended, or with mode = \"exclusive\""
            ),
            Decline::StayingDown { fault } => write!(
                f,
                "it is ordered to stay down itself ({fault}); would accept once that is cured"
            ),
            Decline::NotSynced { missing } => write!(
                f,
                "it has not heard {} since it started; would accept once it has",
                join(missing)
            ),
            Decline::Fresh => f.write_str("its store is empty; would accept once it has heard the active host"),
            Decline::TooManyAttempts { attempts } => {
                write!(
                    f,
                    "the service moved {attempts} times by itself in a short time; would accept an operator's order"
                )
            }
            Decline::Busy => f.write_str("it is busy with another round of this service; would accept after it"),
            Decline::StoreFailing => f.write_str("its store can't be written; would accept once its disk is mended"),
            Decline::Paused { scope, by, reason } => {
                let what = match scope {
                    PauseScope::Host => "this host is",
                    PauseScope::Service | PauseScope::Cluster | PauseScope::Flapping => "automatic moves are",
                };
                write!(
                    f,
                    "{what} paused by {by} ({reason}); would accept after `understudy unpause`"
                )
            }
            Decline::Several(reasons) => {
                let texts: Vec<_> = reasons.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("; and "))
            }
            Decline::Unfamiliar => f.write_str("it gives a reason that this version does not know; upgrade this host"),
        }
    }
}

impl fmt::Display for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cancel::NoAnswer { after } => write!(f, "no answer within {after:?}"),
            Cancel::StaleTerm { offered, floor } => write!(f, "the offered term {offered} is not above {floor}"),
            Cancel::DrainDeadline => {
                f.write_str("the drain did not end before its deadline, and the policy is to resume")
            }
            Cancel::CompilationNotStored => f.write_str("the compilation was not stored by the candidate in time"),
            Cancel::StepFailed { step, error } => write!(f, "{step} failed: {error}"),
            Cancel::Operator => f.write_str("an operator cancelled it"),
            Cancel::FaultGone => f.write_str("the fault is gone"),
            Cancel::Superseded { term } => write!(f, "somebody holds the higher term {term}"),
        }
    }
}

impl fmt::Display for FenceRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FenceRefusal::Holds(t) => write!(f, "it holds the service with term {t}"),
            FenceRefusal::Promised(t) => write!(f, "it promised the higher term {t}"),
            FenceRefusal::Granted(t) => write!(
                f,
                "it released the service with term {t} to a host that is neither stopped nor fenced"
            ),
            FenceRefusal::StillServing => f.write_str(
                "its server still runs in a move; where that move's other host is listed as stopped, it is being stopped now: order it again when it is down",
            ),
            FenceRefusal::NotSynced => f.write_str("it has not heard every other candidate itself"),
            FenceRefusal::Fresh => {
                f.write_str("its store is empty: stop its daemon, and name it with --confirm-stopped")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoHolder => f.write_str("nobody is known to be active; see `understudy status`"),
            Refusal::AlreadyActive => f.write_str("that host is active already"),
            Refusal::NotACandidate { host } => {
                write!(f, "{host} is not a candidate of this service; add it to `candidates`")
            }
            Refusal::NobodyElse => f.write_str("there is no other candidate"),
            Refusal::UnderWay { role } => write!(
                f,
                "another operation is under way (role: {role}); wait for it or cancel it"
            ),
            Refusal::NothingUnderWay => f.write_str("nothing is under way"),
            Refusal::AlreadyReleased { to } => write!(
                f,
                "the service is already released to {to}: this is past the point of no return; use giveback afterwards"
            ),
            Refusal::AtHome { home } => write!(f, "the service is at home on {home}"),
            Refusal::HomeNotReady { home, because } => {
                write!(f, "{home} is not ready to take the service back: {because}")
            }
            Refusal::NothingToCure => f.write_str("this host is not ordered to stay down: there is nothing to cure"),
            Refusal::NotHeard { hosts } => write!(
                f,
                "not heard since this daemon started: {}; if they are stopped for certain, say `understudy takeover --confirm-stopped HOST`",
                join(hosts)
            ),
            Refusal::Alive { host } => write!(
                f,
                "{host} was said to be stopped, and it is alive: ask it with `understudy takeover` instead"
            ),
            Refusal::FenceRefused { host, because } => write!(f, "{host} refused to be fenced: {because}"),
            Refusal::AlreadyBootstrapped { known } => {
                write!(f, "the service was started before (term {known}): use `takeover`")
            }
            Refusal::Declined { host, because } => write!(f, "{host} declined: {because}"),
            Refusal::Cancelled { because } => write!(f, "the takeover ended: {because}"),
            Refusal::HolderSilent { host } => write!(f, "the active host {host} did not answer the order"),
            Refusal::StoreFailing { error } => write!(f, "the order could not be stored: {error}"),
            Refusal::CompilationUnresolved { round } => write!(
                f,
                "requests of the last takeover ({round}) have no disposition yet; wait for it, or say --override-vetoes"
            ),
            Refusal::StayingDown { fault } => write!(
                f,
                "this host is ordered to stay down for {fault}; cure it (`understudy cure`), or say --override-stay-down"
            ),
            Refusal::NotPaused { in_force } if in_force.is_empty() => f.write_str("nothing is paused"),
            Refusal::NotPaused { in_force } => {
                let names: Vec<_> = in_force.iter().map(|scope| scope.as_str()).collect();
                write!(f, "this is not paused; what is: {}", names.join(", "))
            }
            Refusal::Unfamiliar => {
                f.write_str("the active host gives a reason that this version does not know; upgrade this host")
            }
        }
    }
}
