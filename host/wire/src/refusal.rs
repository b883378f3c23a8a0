//! Every way to say no, on the wire.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use understudy_protocol as protocol;
use understudy_protocol::Term;

use super::BadWire;
use super::number::{Round, host, host_texts, hosts, milliseconds};
use super::pause::Scope;

/// Why a candidate declines.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(super) enum Decline {
    ServerFailing {
        fault: String,
        message: String,
    },
    ServerUnknown,
    Plugin {
        code: String,
        message: String,
        would_accept_if: Option<String>,
        #[serde(default)]
        hard: bool,
    },
    AssessmentTimedOut {
        after_ms: u64,
    },
    AssessmentFailed {
        error: String,
    },
    NotWarm {
        error: String,
    },
    StayingDown {
        fault: String,
    },
    NotSynced {
        missing: Vec<String>,
    },
    Fresh,
    TooManyAttempts {
        attempts: u32,
    },
    Busy,
    StoreFailing,
    Paused {
        scope: Scope,
        by: String,
        reason: String,
    },
    Several {
        reasons: Vec<Decline>,
    },
    /// Anything that a newer version may say: it is still a no.
    #[serde(other)]
    Unfamiliar,
}

impl From<&protocol::Decline> for Decline {
    fn from(decline: &protocol::Decline) -> Self {
        use protocol::Decline as From;
        match decline.clone() {
            From::ServerFailing { fault, message } => Decline::ServerFailing { fault, message },
            From::ServerUnknown => Decline::ServerUnknown,
            From::Plugin(protocol::PluginRefusal {
                code,
                message,
                would_accept_if,
                hard,
            }) => Decline::Plugin {
                code,
                message,
                would_accept_if,
                hard,
            },
            From::AssessmentTimedOut { after } => Decline::AssessmentTimedOut {
                after_ms: milliseconds(after),
            },
            From::AssessmentFailed { error } => Decline::AssessmentFailed { error },
            From::NotWarm { error } => Decline::NotWarm { error },
            From::StayingDown { fault } => Decline::StayingDown { fault },
            From::NotSynced { missing } => Decline::NotSynced {
                missing: host_texts(&missing),
            },
            From::Fresh => Decline::Fresh,
            From::TooManyAttempts { attempts } => Decline::TooManyAttempts { attempts },
            From::Busy => Decline::Busy,
            From::StoreFailing => Decline::StoreFailing,
            From::Paused { scope, by, reason } => Decline::Paused {
                scope: scope.into(),
                by,
                reason,
            },
            From::Several(reasons) => Decline::Several {
                reasons: reasons.iter().map(Into::into).collect(),
            },
            From::Unfamiliar => Decline::Unfamiliar,
        }
    }
}

impl TryFrom<Decline> for protocol::Decline {
    type Error = BadWire;
    fn try_from(decline: Decline) -> Result<Self, BadWire> {
        use protocol::Decline as To;
        Ok(match decline {
            Decline::ServerFailing { fault, message } => To::ServerFailing { fault, message },
            Decline::ServerUnknown => To::ServerUnknown,
            Decline::Plugin {
                code,
                message,
                would_accept_if,
                hard,
            } => To::Plugin(protocol::PluginRefusal {
                code,
                message,
                would_accept_if,
                hard,
            }),
            Decline::AssessmentTimedOut { after_ms } => To::AssessmentTimedOut {
                after: Duration::from_millis(after_ms),
            },
            Decline::AssessmentFailed { error } => To::AssessmentFailed { error },
            Decline::NotWarm { error } => To::NotWarm { error },
            Decline::StayingDown { fault } => To::StayingDown { fault },
            Decline::NotSynced { missing } => To::NotSynced {
                missing: hosts(&missing)?,
            },
            Decline::Fresh => To::Fresh,
            Decline::TooManyAttempts { attempts } => To::TooManyAttempts { attempts },
            Decline::Busy => To::Busy,
            Decline::StoreFailing => To::StoreFailing,
            Decline::Paused { scope, by, reason } => To::Paused {
                scope: scope.into(),
                by,
                reason,
            },
            Decline::Several { reasons } => {
                To::Several(reasons.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
            }
            Decline::Unfamiliar => To::Unfamiliar,
        })
    }
}

/// Why a holder ends a round.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(super) enum Cancel {
    NoAnswer { after_ms: u64 },
    StaleTerm { offered: u64, floor: u64 },
    DrainDeadline,
    CompilationNotStored,
    StepFailed { step: String, error: String },
    Operator,
    FaultGone,
    Superseded { term: u64 },
}

impl From<&protocol::Cancel> for Cancel {
    fn from(cancel: &protocol::Cancel) -> Self {
        use protocol::Cancel as From;
        match cancel.clone() {
            From::NoAnswer { after } => Cancel::NoAnswer {
                after_ms: milliseconds(after),
            },
            From::StaleTerm { offered, floor } => Cancel::StaleTerm {
                offered: offered.0,
                floor: floor.0,
            },
            From::DrainDeadline => Cancel::DrainDeadline,
            From::CompilationNotStored => Cancel::CompilationNotStored,
            From::StepFailed { step, error } => Cancel::StepFailed { step, error },
            From::Operator => Cancel::Operator,
            From::FaultGone => Cancel::FaultGone,
            From::Superseded { term } => Cancel::Superseded { term: term.0 },
        }
    }
}

impl From<Cancel> for protocol::Cancel {
    fn from(cancel: Cancel) -> Self {
        use protocol::Cancel as To;
        match cancel {
            Cancel::NoAnswer { after_ms } => To::NoAnswer {
                after: Duration::from_millis(after_ms),
            },
            Cancel::StaleTerm { offered, floor } => To::StaleTerm {
                offered: Term(offered),
                floor: Term(floor),
            },
            Cancel::DrainDeadline => To::DrainDeadline,
            Cancel::CompilationNotStored => To::CompilationNotStored,
            Cancel::StepFailed { step, error } => To::StepFailed { step, error },
            Cancel::Operator => To::Operator,
            Cancel::FaultGone => To::FaultGone,
            Cancel::Superseded { term } => To::Superseded { term: Term(term) },
        }
    }
}

/// Why a host refuses a fence.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(super) enum FenceRefusal {
    Holds { term: u64 },
    Promised { term: u64 },
    Granted { term: u64 },
    StillServing,
    NotSynced,
    Fresh,
}

impl From<protocol::FenceRefusal> for FenceRefusal {
    fn from(refusal: protocol::FenceRefusal) -> Self {
        use protocol::FenceRefusal as From;
        match refusal {
            From::Holds(term) => FenceRefusal::Holds { term: term.0 },
            From::Promised(term) => FenceRefusal::Promised { term: term.0 },
            From::Granted(term) => FenceRefusal::Granted { term: term.0 },
            From::StillServing => FenceRefusal::StillServing,
            From::NotSynced => FenceRefusal::NotSynced,
            From::Fresh => FenceRefusal::Fresh,
        }
    }
}

impl From<FenceRefusal> for protocol::FenceRefusal {
    fn from(refusal: FenceRefusal) -> Self {
        use protocol::FenceRefusal as To;
        match refusal {
            FenceRefusal::Holds { term } => To::Holds(Term(term)),
            FenceRefusal::Promised { term } => To::Promised(Term(term)),
            FenceRefusal::Granted { term } => To::Granted(Term(term)),
            FenceRefusal::StillServing => To::StillServing,
            FenceRefusal::NotSynced => To::NotSynced,
            FenceRefusal::Fresh => To::Fresh,
        }
    }
}

/// Why an operator's order is refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(super) enum Refusal {
    NoHolder,
    AlreadyActive,
    NotACandidate {
        host: String,
    },
    NobodyElse,
    UnderWay {
        role: String,
    },
    NothingUnderWay,
    AlreadyReleased {
        to: String,
    },
    AtHome {
        home: String,
    },
    HomeNotReady {
        home: String,
        because: String,
    },
    NothingToCure,
    NotHeard {
        hosts: Vec<String>,
    },
    Alive {
        host: String,
    },
    FenceRefused {
        host: String,
        because: FenceRefusal,
    },
    AlreadyBootstrapped {
        known: u64,
    },
    Declined {
        host: String,
        because: Decline,
    },
    Cancelled {
        because: Cancel,
    },
    HolderSilent {
        host: String,
    },
    StoreFailing {
        error: String,
    },
    CompilationUnresolved {
        round: Round,
    },
    StayingDown {
        fault: String,
    },
    NotPaused {
        in_force: Vec<Scope>,
    },
    /// Anything that a newer version may say: it is still a no.
    #[serde(other)]
    Unfamiliar,
}

impl From<&protocol::Refusal> for Refusal {
    fn from(refusal: &protocol::Refusal) -> Self {
        use protocol::Refusal as From;
        match refusal {
            From::NoHolder => Refusal::NoHolder,
            From::AlreadyActive => Refusal::AlreadyActive,
            From::NotACandidate { host } => Refusal::NotACandidate { host: host.to_string() },
            From::NobodyElse => Refusal::NobodyElse,
            From::UnderWay { role } => Refusal::UnderWay {
                role: (*role).to_owned(),
            },
            From::NothingUnderWay => Refusal::NothingUnderWay,
            From::AlreadyReleased { to } => Refusal::AlreadyReleased { to: to.to_string() },
            From::AtHome { home } => Refusal::AtHome { home: home.to_string() },
            From::HomeNotReady { home, because } => Refusal::HomeNotReady {
                home: home.to_string(),
                because: because.clone(),
            },
            From::NothingToCure => Refusal::NothingToCure,
            From::NotHeard { hosts } => Refusal::NotHeard {
                hosts: host_texts(hosts),
            },
            From::Alive { host } => Refusal::Alive { host: host.to_string() },
            From::FenceRefused { host, because } => Refusal::FenceRefused {
                host: host.to_string(),
                because: (*because).into(),
            },
            From::AlreadyBootstrapped { known } => Refusal::AlreadyBootstrapped { known: known.0 },
            From::Declined { host, because } => Refusal::Declined {
                host: host.to_string(),
                because: because.into(),
            },
            From::Cancelled { because } => Refusal::Cancelled {
                because: because.into(),
            },
            From::HolderSilent { host } => Refusal::HolderSilent { host: host.to_string() },
            From::StoreFailing { error } => Refusal::StoreFailing { error: error.clone() },
            From::CompilationUnresolved { round } => Refusal::CompilationUnresolved { round: (*round).into() },
            From::StayingDown { fault } => Refusal::StayingDown { fault: fault.clone() },
            From::NotPaused { in_force } => Refusal::NotPaused {
                in_force: in_force.iter().map(|scope| (*scope).into()).collect(),
            },
            From::Unfamiliar => Refusal::Unfamiliar,
        }
    }
}

impl TryFrom<Refusal> for protocol::Refusal {
    type Error = BadWire;
    fn try_from(refusal: Refusal) -> Result<Self, BadWire> {
        use protocol::Refusal as To;
        Ok(match refusal {
            Refusal::NoHolder => To::NoHolder,
            Refusal::AlreadyActive => To::AlreadyActive,
            Refusal::NotACandidate { host: name } => To::NotACandidate { host: host(&name)? },
            Refusal::NobodyElse => To::NobodyElse,
            Refusal::UnderWay { role } => To::UnderWay { role: role_word(&role) },
            Refusal::NothingUnderWay => To::NothingUnderWay,
            Refusal::AlreadyReleased { to } => To::AlreadyReleased { to: host(&to)? },
            Refusal::AtHome { home } => To::AtHome { home: host(&home)? },
            Refusal::HomeNotReady { home, because } => To::HomeNotReady {
                home: host(&home)?,
                because,
            },
            Refusal::NothingToCure => To::NothingToCure,
            Refusal::NotHeard { hosts: names } => To::NotHeard { hosts: hosts(&names)? },
            Refusal::Alive { host: name } => To::Alive { host: host(&name)? },
            Refusal::FenceRefused { host: name, because } => To::FenceRefused {
                host: host(&name)?,
                because: because.into(),
            },
            Refusal::AlreadyBootstrapped { known } => To::AlreadyBootstrapped { known: Term(known) },
            Refusal::Declined { host: name, because } => To::Declined {
                host: host(&name)?,
                because: because.try_into()?,
            },
            Refusal::Cancelled { because } => To::Cancelled {
                because: because.into(),
            },
            Refusal::HolderSilent { host: name } => To::HolderSilent { host: host(&name)? },
            Refusal::StoreFailing { error } => To::StoreFailing { error },
            Refusal::CompilationUnresolved { round } => To::CompilationUnresolved {
                round: round.try_into()?,
            },
            Refusal::StayingDown { fault } => To::StayingDown { fault },
            Refusal::NotPaused { in_force } => To::NotPaused {
                in_force: in_force.into_iter().map(Into::into).collect(),
            },
            Refusal::Unfamiliar => To::Unfamiliar,
        })
    }
}

/// The role is a static word in the protocol; one that this version does not know keeps the refusal readable.
fn role_word(text: &str) -> &'static str {
    let known = protocol::RoleName::ALL
        .iter()
        .map(|role| role.as_str())
        .find(|word| *word == text);
    known.unwrap_or("unknown to this version")
}
