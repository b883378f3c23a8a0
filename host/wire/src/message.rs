//! The protocol's messages on the wire: a mirror of `protocol::Message`, converted both ways variant by variant, so
//! that a new message is a compile error here and never a silent loss.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use understudy_protocol as protocol;
use understudy_protocol::{Boot, Term};

use super::BadWire;
use super::fault::Cause;
use super::number::{Grant, Round, Seal, host, host_texts, hosts, milliseconds, store_id, store_text};
use super::pause::Pauses;
use super::refusal::{Cancel, Decline, FenceRefusal, Refusal};

/// One message with its sender.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Envelope {
    from: String,
    store: String,
    boot: u64,
    known: u64,
    message: Message,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Standing {
    fresh: bool,
    known: u64,
    promised: u64,
    held: Option<u64>,
    grant: Option<Grant>,
    ready: bool,
    down_for: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "says")]
pub(super) enum Message {
    Hello {
        standing: Standing,
    },
    HelloReply {
        echo: u64,
        standing: Standing,
    },
    FaultIndicated {
        round: Round,
    },
    FaultReported {
        round: Round,
        cause: Cause,
    },
    TakeoverAsked {
        to: String,
        cause: Cause,
    },
    AskRefused {
        refusal: Refusal,
    },
    ShutdownCommanded {
        round: Round,
        new_term: u64,
        drain_deadline_ms: u64,
        /// A host that does not say so has no running server.
        #[serde(default)]
        warm: bool,
    },
    Declined {
        round: Round,
        reason: Decline,
    },
    Cancelled {
        round: Round,
        reason: Cancel,
    },
    DrainProgressed {
        round: Round,
        remaining: Option<u64>,
        blocker: Option<String>,
    },
    ExtensionAsked {
        round: Round,
        because: String,
    },
    ExtensionAnswered {
        round: Round,
        more_ms: Option<u64>,
    },
    Compilation {
        round: Round,
        seal: Seal,
    },
    CompilationStored {
        round: Round,
        seal: Seal,
    },
    AdmissionYielded {
        grant: Grant,
    },
    Released {
        grant: Grant,
    },
    Refused {
        new_term: u64,
        promised: u64,
    },
    TookOver {
        held: u64,
    },
    StayDown {
        held: u64,
    },
    StayingDown {
        held: u64,
        ready: bool,
        down_for: Option<String>,
    },
    Cured {
        fault: String,
    },
    ComeBackPermitted {
        held: u64,
    },
    PausesTold {
        pauses: Pauses,
    },
    Fence {
        term: u64,
        stopped: Vec<String>,
        bootstrap: bool,
    },
    FenceAck {
        term: u64,
    },
    FenceRefused {
        term: u64,
        reason: FenceRefusal,
    },
}

impl From<&protocol::Envelope> for Envelope {
    fn from(envelope: &protocol::Envelope) -> Self {
        let protocol::Envelope {
            from,
            store,
            boot,
            known,
            message,
        } = envelope;
        Envelope {
            from: from.to_string(),
            store: store_text(*store),
            boot: boot.0,
            known: known.0,
            message: message.into(),
        }
    }
}

impl TryFrom<Envelope> for protocol::Envelope {
    type Error = BadWire;
    fn try_from(envelope: Envelope) -> Result<Self, BadWire> {
        Ok(protocol::Envelope {
            from: host(&envelope.from)?,
            store: store_id(&envelope.store)?,
            boot: Boot(envelope.boot),
            known: Term(envelope.known),
            message: envelope.message.try_into()?,
        })
    }
}

impl From<&protocol::Standing> for Standing {
    fn from(standing: &protocol::Standing) -> Self {
        let protocol::Standing {
            fresh,
            known,
            promised,
            held,
            grant,
            ready,
            down_for,
        } = standing;
        Standing {
            fresh: *fresh,
            known: known.0,
            promised: promised.0,
            held: held.map(|term| term.0),
            grant: grant.as_ref().map(Into::into),
            ready: *ready,
            down_for: down_for.clone(),
        }
    }
}

impl TryFrom<Standing> for protocol::Standing {
    type Error = BadWire;
    fn try_from(standing: Standing) -> Result<Self, BadWire> {
        Ok(protocol::Standing {
            fresh: standing.fresh,
            known: Term(standing.known),
            promised: Term(standing.promised),
            held: standing.held.map(Term),
            grant: standing.grant.map(TryInto::try_into).transpose()?,
            ready: standing.ready,
            down_for: standing.down_for,
        })
    }
}

impl From<&protocol::Message> for Message {
    fn from(message: &protocol::Message) -> Self {
        use protocol::Message as From;
        match message {
            From::Hello(standing) => Message::Hello {
                standing: standing.into(),
            },
            From::HelloReply { echo, standing } => Message::HelloReply {
                echo: echo.0,
                standing: standing.into(),
            },
            From::FaultIndicated { round } => Message::FaultIndicated { round: (*round).into() },
            From::FaultReported { round, cause } => Message::FaultReported {
                round: (*round).into(),
                cause: cause.into(),
            },
            From::TakeoverAsked { to, cause } => Message::TakeoverAsked {
                to: to.to_string(),
                cause: cause.into(),
            },
            From::AskRefused { refusal } => Message::AskRefused {
                refusal: refusal.into(),
            },
            From::ShutdownCommanded {
                round,
                new_term,
                drain_deadline,
                warm,
            } => Message::ShutdownCommanded {
                round: (*round).into(),
                new_term: new_term.0,
                drain_deadline_ms: milliseconds(*drain_deadline),
                warm: *warm,
            },
            From::Declined { round, reason } => Message::Declined {
                round: (*round).into(),
                reason: reason.into(),
            },
            From::Cancelled { round, reason } => Message::Cancelled {
                round: (*round).into(),
                reason: reason.into(),
            },
            From::DrainProgressed {
                round,
                remaining,
                blocker,
            } => Message::DrainProgressed {
                round: (*round).into(),
                remaining: *remaining,
                blocker: blocker.clone(),
            },
            From::ExtensionAsked { round, because } => Message::ExtensionAsked {
                round: (*round).into(),
                because: because.clone(),
            },
            From::ExtensionAnswered { round, more } => Message::ExtensionAnswered {
                round: (*round).into(),
                more_ms: more.map(milliseconds),
            },
            From::Compilation { round, seal } => Message::Compilation {
                round: (*round).into(),
                seal: (*seal).into(),
            },
            From::CompilationStored { round, seal } => Message::CompilationStored {
                round: (*round).into(),
                seal: (*seal).into(),
            },
            From::AdmissionYielded(grant) => Message::AdmissionYielded { grant: grant.into() },
            From::Released(grant) => Message::Released { grant: grant.into() },
            From::Refused { new_term, promised } => Message::Refused {
                new_term: new_term.0,
                promised: promised.0,
            },
            From::TookOver { held } => Message::TookOver { held: held.0 },
            From::StayDown { held } => Message::StayDown { held: held.0 },
            From::StayingDown { held, ready, down_for } => Message::StayingDown {
                held: held.0,
                ready: *ready,
                down_for: down_for.clone(),
            },
            From::Cured { fault } => Message::Cured { fault: fault.clone() },
            From::ComeBackPermitted { held } => Message::ComeBackPermitted { held: held.0 },
            From::PausesTold { pauses } => Message::PausesTold { pauses: pauses.into() },
            From::Fence {
                term,
                stopped,
                bootstrap,
            } => Message::Fence {
                term: term.0,
                stopped: host_texts(stopped),
                bootstrap: *bootstrap,
            },
            From::FenceAck { term } => Message::FenceAck { term: term.0 },
            From::FenceRefused { term, reason } => Message::FenceRefused {
                term: term.0,
                reason: (*reason).into(),
            },
        }
    }
}

impl TryFrom<Message> for protocol::Message {
    type Error = BadWire;
    fn try_from(message: Message) -> Result<Self, BadWire> {
        use protocol::Message as To;
        Ok(match message {
            Message::Hello { standing } => To::Hello(standing.try_into()?),
            Message::HelloReply { echo, standing } => To::HelloReply {
                echo: Boot(echo),
                standing: standing.try_into()?,
            },
            Message::FaultIndicated { round } => To::FaultIndicated {
                round: round.try_into()?,
            },
            Message::FaultReported { round, cause } => To::FaultReported {
                round: round.try_into()?,
                cause: cause.into(),
            },
            Message::TakeoverAsked { to, cause } => To::TakeoverAsked {
                to: host(&to)?,
                cause: cause.into(),
            },
            Message::AskRefused { refusal } => To::AskRefused {
                refusal: refusal.try_into()?,
            },
            Message::ShutdownCommanded {
                round,
                new_term,
                drain_deadline_ms,
                warm,
            } => To::ShutdownCommanded {
                round: round.try_into()?,
                new_term: Term(new_term),
                drain_deadline: Duration::from_millis(drain_deadline_ms),
                warm,
            },
            Message::Declined { round, reason } => To::Declined {
                round: round.try_into()?,
                reason: reason.try_into()?,
            },
            Message::Cancelled { round, reason } => To::Cancelled {
                round: round.try_into()?,
                reason: reason.into(),
            },
            Message::DrainProgressed {
                round,
                remaining,
                blocker,
            } => To::DrainProgressed {
                round: round.try_into()?,
                remaining,
                blocker,
            },
            Message::ExtensionAsked { round, because } => To::ExtensionAsked {
                round: round.try_into()?,
                because,
            },
            Message::ExtensionAnswered { round, more_ms } => To::ExtensionAnswered {
                round: round.try_into()?,
                more: more_ms.map(Duration::from_millis),
            },
            Message::Compilation { round, seal } => To::Compilation {
                round: round.try_into()?,
                seal: seal.try_into()?,
            },
            Message::CompilationStored { round, seal } => To::CompilationStored {
                round: round.try_into()?,
                seal: seal.try_into()?,
            },
            Message::AdmissionYielded { grant } => To::AdmissionYielded(grant.try_into()?),
            Message::Released { grant } => To::Released(grant.try_into()?),
            Message::Refused { new_term, promised } => To::Refused {
                new_term: Term(new_term),
                promised: Term(promised),
            },
            Message::TookOver { held } => To::TookOver { held: Term(held) },
            Message::StayDown { held } => To::StayDown { held: Term(held) },
            Message::StayingDown { held, ready, down_for } => To::StayingDown {
                held: Term(held),
                ready,
                down_for,
            },
            Message::Cured { fault } => To::Cured { fault },
            Message::ComeBackPermitted { held } => To::ComeBackPermitted { held: Term(held) },
            Message::PausesTold { pauses } => To::PausesTold {
                pauses: pauses.try_into()?,
            },
            Message::Fence {
                term,
                stopped,
                bootstrap,
            } => To::Fence {
                term: Term(term),
                stopped: hosts(&stopped)?,
                bootstrap,
            },
            Message::FenceAck { term } => To::FenceAck { term: Term(term) },
            Message::FenceRefused { term, reason } => To::FenceRefused {
                term: Term(term),
                reason: reason.into(),
            },
        })
    }
}
