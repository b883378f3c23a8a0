//! What hosts say to each other about one service (PROTOCOL, "Messages"). The wire form is the daemon's.
//!
//! Invariant: a message carries everything that decides whether it is stale: sender, store, boot, term, round.

use std::time::Duration;

use crate::{
    Boot, Cancel, CompilationSeal, Decline, Fault, FenceRefusal, Grant, HostName, Pauses, Refusal, RoundId, StoreId,
    Term,
};

/// One message with its sender.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Envelope {
    /// Who says it. The daemon has checked it against the connection's certificate.
    pub from: HostName,
    /// The sender's store.
    pub store: StoreId,
    /// The sender's boot; a message of an older boot than the sender's last hello is dropped.
    pub boot: Boot,
    /// The highest term the sender knows to be held.
    pub known: Term,
    /// What is said.
    pub message: Message,
}

/// What a host says of itself in a hello.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Its store was never adopted: it knows nothing.
    pub fresh: bool,
    /// The highest term it has seen held by anybody.
    pub known: Term,
    /// The highest term it has fenced for somebody else.
    pub promised: Term,
    /// The term it holds.
    pub held: Option<Term>,
    /// Its outstanding release.
    pub grant: Option<Grant>,
    /// Whether its server is ready to take over (a standby that has come back).
    pub ready: bool,
    /// The fault it is staying down for.
    pub down_for: Option<String>,
}

/// Why a round was opened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A fault that requires a shutdown.
    Fault(Fault),
    /// An operator asked for it.
    Requested {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Whether soft vetoes are to be passed over.
        override_vetoes: bool,
    },
    /// The service goes home.
    Giveback {
        /// Who asked, or `policy`.
        by: String,
        /// Why.
        reason: String,
        /// Whether soft vetoes are to be passed over.
        override_vetoes: bool,
    },
}

impl Cause {
    /// One word: `fault`, `requested` or `giveback`.
    pub fn word(&self) -> &'static str {
        match self {
            Cause::Fault(_) => "fault",
            Cause::Requested { .. } => "requested",
            Cause::Giveback { .. } => "giveback",
        }
    }
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// I am here; who are you?
    Hello(Standing),
    /// The answer; counts only if it echoes the asker's current boot.
    HelloReply {
        /// The boot of the hello that is answered.
        echo: Boot,
        /// The answerer.
        standing: Standing,
    },
    /// First indication: my server will have to shut down; I don't know more yet.
    FaultIndicated {
        /// The holder's round.
        round: RoundId,
    },
    /// Second indication: this is why.
    FaultReported {
        /// The holder's round.
        round: RoundId,
        /// Why.
        cause: Cause,
    },
    /// A standby, or an operator there, asks the holder to open a round.
    TakeoverAsked {
        /// To whom the service shall go.
        to: HostName,
        /// Why: `Requested` or `Giveback`.
        cause: Cause,
    },
    /// The holder will not.
    AskRefused {
        /// Why not.
        refusal: Refusal,
    },
    /// The second can back the service up: shut down.
    ShutdownCommanded {
        /// The holder's round.
        round: RoundId,
        /// The term the second would serve under.
        new_term: Term,
        /// How long the drain may take, from the message's arrival.
        drain_deadline: Duration,
        /// The second's server runs already: admission may move first.
        warm: bool,
    },
    /// The second can't.
    Declined {
        /// The holder's round.
        round: RoundId,
        /// Why not.
        reason: Decline,
    },
    /// The holder ends the round; never takes back a grant.
    Cancelled {
        /// The holder's round.
        round: RoundId,
        /// Why.
        reason: Cancel,
    },
    /// What remains of the drain.
    DrainProgressed {
        /// The holder's round.
        round: RoundId,
        /// Requests left, where known.
        remaining: Option<u64>,
        /// Who or what is waited for.
        blocker: Option<String>,
    },
    /// The drain needs longer than it was given.
    ExtensionAsked {
        /// The holder's round.
        round: RoundId,
        /// Who or what is waited for.
        because: String,
    },
    /// The second's answer to that.
    ExtensionAnswered {
        /// The holder's round.
        round: RoundId,
        /// How much longer it may take, from the message's arrival; none: no longer.
        more: Option<Duration>,
    },
    /// The compilation is complete; its requests were sent before, in pages.
    Compilation {
        /// The holder's round.
        round: RoundId,
        /// What the second must be able to show.
        seal: CompilationSeal,
    },
    /// The second has the whole compilation durably.
    CompilationStored {
        /// The holder's round.
        round: RoundId,
        /// What it holds.
        seal: CompilationSeal,
    },
    /// The token, where both servers may run: admit new requests; those under way are completed here. Resent until the
    /// second's term is seen.
    AdmissionYielded(Grant),
    /// The token; or, after admission was yielded, the word that the first's server is stopped. Resent until it is
    /// settled.
    Released(Grant),
    /// This grant can't be used; final for its term.
    Refused {
        /// The grant's term.
        new_term: Term,
        /// What a new one must exceed.
        promised: Term,
    },
    /// I serve under this term.
    TookOver {
        /// The term.
        held: Term,
    },
    /// I hold this term: stay down.
    StayDown {
        /// The term.
        held: Term,
    },
    /// I do.
    StayingDown {
        /// The order's term.
        held: Term,
        /// Whether my server is ready to take over.
        ready: bool,
        /// What I am staying down for.
        down_for: Option<String>,
    },
    /// My fault is cured: may I come back?
    Cured {
        /// The fault's code.
        fault: String,
    },
    /// You may reboot and come back as a standby.
    ComeBackPermitted {
        /// The holder's term.
        held: Term,
    },
    /// What keeps the service from moving by itself; the higher stamp holds.
    PausesTold {
        /// The last words, without those about the sender alone.
        pauses: Pauses,
    },
    /// A forced takeover: promise me this term.
    Fence {
        /// The forced term.
        term: Term,
        /// The hosts an operator says are stopped.
        stopped: Vec<HostName>,
        /// Whether this is the service's first start: a fresh host may answer.
        bootstrap: bool,
    },
    /// Promised.
    FenceAck {
        /// The forced term.
        term: Term,
    },
    /// Not promised.
    FenceRefused {
        /// The forced term.
        term: Term,
        /// Why.
        reason: FenceRefusal,
    },
}

impl Message {
    /// The message's name, as in the protocol's documents.
    pub fn name(&self) -> &'static str {
        match self {
            Message::Hello(_) => "Hello",
            Message::HelloReply { .. } => "HelloReply",
            Message::FaultIndicated { .. } => "FaultIndicated",
            Message::FaultReported { .. } => "FaultReported",
            Message::TakeoverAsked { .. } => "TakeoverAsked",
            Message::AskRefused { .. } => "AskRefused",
            Message::ShutdownCommanded { .. } => "ShutdownCommanded",
            Message::Declined { .. } => "Declined",
            Message::Cancelled { .. } => "Cancelled",
            Message::DrainProgressed { .. } => "DrainProgressed",
            Message::ExtensionAsked { .. } => "ExtensionAsked",
            Message::ExtensionAnswered { .. } => "ExtensionAnswered",
            Message::Compilation { .. } => "Compilation",
            Message::CompilationStored { .. } => "CompilationStored",
            Message::AdmissionYielded(_) => "AdmissionYielded",
            Message::Released(_) => "Released",
            Message::Refused { .. } => "Refused",
            Message::TookOver { .. } => "TookOver",
            Message::StayDown { .. } => "StayDown",
            Message::StayingDown { .. } => "StayingDown",
            Message::Cured { .. } => "Cured",
            Message::ComeBackPermitted { .. } => "ComeBackPermitted",
            Message::PausesTold { .. } => "PausesTold",
            Message::Fence { .. } => "Fence",
            Message::FenceAck { .. } => "FenceAck",
            Message::FenceRefused { .. } => "FenceRefused",
        }
    }
}
