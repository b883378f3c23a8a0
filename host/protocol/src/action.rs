//! What the machine wants done. Effects are data: the driver runs them once the turn's entry is stored.
//!
//! Invariant: every piece of [`Work`] is idempotent and answered by exactly one [`crate::Event::Finished`] with the
//! same `Work`, unless [`Action::Abandon`] ended it; answers to work that is no longer wanted change nothing.

use std::time::Duration;

use crate::{Cause, CompilationSeal, Fault, HostName, Message, Order, PauseScope, Refusal, RoundId, Term};

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Say something to a peer; may be lost.
    Send {
        /// To whom.
        to: HostName,
        /// What.
        message: Message,
    },
    /// Begin a piece of work.
    Do(Work),
    /// Whatever work is under way for this service is no longer wanted.
    Abandon,
    /// Fence the local plugins: calls with a lower term are refused from now on.
    Fence(Term),
    /// Tell the operator. Repeated alerts of one kind are one.
    Alert(Alert),
    /// Answer an operator's order.
    Answer {
        /// The order.
        order: Order,
        /// Accepted (it may still fail later, as the view shows), or why not.
        answer: Result<(), Refusal>,
    },
}

/// A piece of work for the effector. Each carries what makes its answer recognisable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Work {
    /// Find out more about a fault (evidence of all probes).
    Diagnose {
        /// For this round.
        round: RoundId,
        /// What is known.
        fault: Fault,
    },
    /// Find out whether this host could serve.
    Assess {
        /// For this round.
        round: RoundId,
        /// The other's trouble.
        cause: Cause,
    },
    /// Hold new connections, stop admitting, and begin to stream the compilation to `to`.
    StopAdmitting {
        /// For this round.
        round: RoundId,
        /// The second; none when nobody could be found.
        to: Option<HostName>,
    },
    /// Overlap, first, before anything is yielded: find out whether new flows could be sent to `to`, and begin to stream
    /// the compilation. Clients notice nothing, and nothing is to be undone.
    PrepareYield {
        /// For this round.
        round: RoundId,
        /// The second.
        to: HostName,
    },
    /// Overlap, first, once the yield is durable: from the answer on nobody new is admitted here. New flows go to `to`,
    /// those under way stay, and the address is hidden. Begun again after every restart.
    Redirect {
        /// For this round.
        round: RoundId,
        /// The second.
        to: HostName,
    },
    /// Overlap, first: what the kernel has accepted reaches the server, then the server is told to admit nobody, then
    /// every flow comes to its end. Progress and changes of the compilation are streamed. With no server left, done.
    EndFlows {
        /// For this round.
        round: RoundId,
        /// How long it may take.
        deadline: Duration,
    },
    /// Overlap, second, before it offers: have the address, hidden from everybody; flows that this host does not know
    /// go back to `from`. Clients notice nothing.
    Arm {
        /// For this round.
        round: RoundId,
        /// The first.
        from: HostName,
    },
    /// Overlap, second, before it offers: make the server run beside the first's, able to serve.
    WarmUp {
        /// For this round.
        round: RoundId,
    },
    /// Undo [`Work::Arm`].
    Disarm {
        /// For this round.
        round: RoundId,
    },
    /// Overlap, second, with the term: answer for the address and announce it; flows that this host does not know go
    /// back to `from`. Arms first where it is not armed. [`Work::TakeAddress`] ends it.
    Appear {
        /// The held term.
        term: Term,
        /// Who completes the other flows.
        from: HostName,
    },
    /// Wait for what must finish, streaming progress and changes of the compilation.
    Settle {
        /// For this round.
        round: RoundId,
        /// How long it may take.
        deadline: Duration,
    },
    /// List the requests a last time, mark what must be cut, send the rest of the pages to `to`, keep an own copy.
    /// Answered by [`crate::Finish::Sealed`].
    SealCompilation {
        /// For this round.
        round: RoundId,
        /// The second; none when nobody could be found.
        to: Option<HostName>,
        /// The server is stopped already: take the requests from this earlier round's compilation.
        kept: Option<RoundId>,
    },
    /// Send all pages of the sealed compilation again.
    ResendCompilation {
        /// For this round.
        round: RoundId,
        /// The second.
        to: HostName,
    },
    /// Make the received compilation durable, if it is the one that this seal describes.
    StoreCompilation {
        /// For this round.
        round: RoundId,
        /// What it must be.
        seal: CompilationSeal,
        /// Whose it is.
        from: HostName,
    },
    /// Stop the server. Done means: its processes are gone.
    StopServer {
        /// Why.
        purpose: StopPurpose,
        /// Without waiting for anybody.
        forced: bool,
    },
    /// Give up the address (keeping what waits for the successor).
    DropAddress {
        /// The term given up.
        term: Term,
    },
    /// Undo an unfinished drain: admit again.
    Resume {
        /// The held term.
        term: Term,
    },
    /// Make the server serve: start, promote.
    Serve {
        /// The held term.
        term: Term,
        /// The round whose compilation it takes over.
        round: Option<RoundId>,
    },
    /// Take the address and announce it.
    TakeAddress {
        /// The held term.
        term: Term,
        /// Who had it, where known.
        from: Option<HostName>,
    },
    /// Give every request of the compilation its disposition.
    ResolveRequests {
        /// The held term.
        term: Term,
        /// The compilation's round.
        round: RoundId,
    },
    /// Be ready as a standby of the active host.
    StandBy {
        /// Who is active.
        active: HostName,
    },
    /// Look whether the server runs.
    Observe,
    /// Run the configured reboot command, of the server or of the machine.
    Reboot {
        /// The fault it shall cure.
        fault: String,
    },
}

/// Why a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopPurpose {
    /// The service is being released.
    Release,
    /// The server can't go on and nobody takes over.
    Park,
    /// It must not run: somebody else holds the service.
    StayDown,
    /// It was run beside the first's for a round that came to nothing.
    Undo,
}

impl Work {
    /// The work's name in the journal and the UI, kebab-case.
    pub fn name(&self) -> &'static str {
        match self {
            Work::Diagnose { .. } => "diagnose",
            Work::Assess { .. } => "assess",
            Work::StopAdmitting { .. } => "stop-admitting",
            Work::PrepareYield { .. } => "prepare-yield",
            Work::Redirect { .. } => "redirect",
            Work::EndFlows { .. } => "end-flows",
            Work::Arm { .. } => "arm",
            Work::WarmUp { .. } => "warm-up",
            Work::Disarm { .. } => "disarm",
            Work::Appear { .. } => "appear",
            Work::Settle { .. } => "settle",
            Work::SealCompilation { .. } => "seal-compilation",
            Work::ResendCompilation { .. } => "resend-compilation",
            Work::StoreCompilation { .. } => "store-compilation",
            Work::StopServer { .. } => "stop-server",
            Work::DropAddress { .. } => "drop-address",
            Work::Resume { .. } => "resume",
            Work::Serve { .. } => "serve",
            Work::TakeAddress { .. } => "take-address",
            Work::ResolveRequests { .. } => "resolve-requests",
            Work::StandBy { .. } => "stand-by",
            Work::Observe => "observe",
            Work::Reboot { .. } => "reboot",
        }
    }
}

/// What an operator is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Alert {
    /// A fault requires a shutdown and nobody takes over.
    NobodyTakesOver,
    /// The probes do not know how the active server is.
    Unknown,
    /// The server is impaired.
    Impaired(Fault),
    /// The active host is silent; without a witness nobody takes over by itself.
    HolderSilent {
        /// Who.
        host: HostName,
    },
    /// Everybody was heard, nobody holds the service, nothing is under way.
    Orphaned,
    /// The second does not answer a release.
    ReleaseUnanswered {
        /// Who.
        to: HostName,
        /// How often it was sent.
        sent: u32,
    },
    /// The server was started although it must stay down; it is being stopped again.
    StartedByHand,
    /// The server does not stop.
    StopFails {
        /// What happened.
        error: String,
    },
    /// Taking over fails.
    ServeFails {
        /// What happened.
        error: String,
    },
    /// Admission is yielded, and new requests can't be sent to the second.
    RedirectFails {
        /// What happened.
        error: String,
    },
    /// Admission is yielded, and the second does not confirm the compilation.
    CompilationUnconfirmed {
        /// Who.
        to: HostName,
    },
    /// What was done for a round that came to nothing can't be undone.
    UndoFails {
        /// What happened.
        error: String,
    },
    /// The first yielded admission and does not come to its end.
    OverlapLasts {
        /// Who.
        host: HostName,
    },
    /// Coming back as a standby fails.
    StandByFails {
        /// What happened.
        error: String,
    },
    /// Automatic giveback was tried too often; only an operator can order it now.
    GivebacksExhausted {
        /// How often.
        attempts: u32,
    },
    /// A move is called for, and automatic moves are paused.
    MovesWithheld {
        /// What is paused.
        scope: PauseScope,
        /// Who paused it.
        by: String,
        /// Why.
        reason: String,
    },
    /// Somebody serves under a higher term; this host stood down.
    Superseded {
        /// Who.
        host: HostName,
        /// Its term.
        term: Term,
    },
}

impl Alert {
    /// One word for the kind; alerts of one kind replace each other.
    pub fn kind(&self) -> &'static str {
        match self {
            Alert::NobodyTakesOver => "nobody-takes-over",
            Alert::Unknown => "unknown",
            Alert::Impaired(_) => "impaired",
            Alert::HolderSilent { .. } => "holder-silent",
            Alert::Orphaned => "orphaned",
            Alert::ReleaseUnanswered { .. } => "release-unanswered",
            Alert::StartedByHand => "started-by-hand",
            Alert::StopFails { .. } => "stop-fails",
            Alert::ServeFails { .. } => "serve-fails",
            Alert::RedirectFails { .. } => "redirect-fails",
            Alert::CompilationUnconfirmed { .. } => "compilation-unconfirmed",
            Alert::UndoFails { .. } => "undo-fails",
            Alert::OverlapLasts { .. } => "overlap-lasts",
            Alert::StandByFails { .. } => "stand-by-fails",
            Alert::GivebacksExhausted { .. } => "givebacks-exhausted",
            Alert::MovesWithheld { .. } => "moves-withheld",
            Alert::Superseded { .. } => "superseded",
        }
    }
}

impl std::fmt::Display for Alert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Alert::NobodyTakesOver => f.write_str("a takeover is needed and nobody takes over; see the journal for each candidate's reason"),
            Alert::Unknown => f.write_str("the probes do not know how the server is; see its plugin's error"),
            Alert::Impaired(fault) => write!(f, "{}: {}", fault.code, fault.message),
            Alert::HolderSilent { host } => write!(f, "the active host {host} is silent, which proves nothing; if it is stopped for certain: `understudy takeover SERVICE --confirm-stopped {host}`"),
            Alert::Orphaned => f.write_str("every host was heard and nobody holds the service; start it with `understudy takeover SERVICE --force` on the host with the newest data"),
            Alert::ReleaseUnanswered { to, sent } => write!(f, "{to} has not confirmed the release after {sent} messages; this host stays down until it does"),
            Alert::StartedByHand => f.write_str("the server was started although it must stay down; it is being stopped again"),
            Alert::StopFails { error } => write!(f, "the server does not stop: {error}"),
            Alert::ServeFails { error } => write!(f, "the server can't be made to serve: {error}"),
            Alert::RedirectFails { error } => write!(f, "admission is yielded, and new requests can't be sent to the second yet: {error}"),
            Alert::CompilationUnconfirmed { to } => write!(f, "admission is yielded to {to}, which has not confirmed the compilation; it goes on when {to} is heard. If {to} is stopped for certain: `understudy takeover SERVICE --confirm-stopped {to}`"),
            Alert::UndoFails { error } => write!(f, "what was done for a takeover that came to nothing can't be undone yet: {error}"),
            Alert::OverlapLasts { host } => write!(f, "{host} yielded the service and has not come to its end; if it is stopped for certain: `understudy takeover SERVICE --confirm-stopped {host}` here"),
            Alert::StandByFails { error } => write!(f, "the server can't come back as a standby: {error}"),
            Alert::GivebacksExhausted { attempts } => write!(f, "the service was given home {attempts} times by itself and did not stay; order it with `understudy giveback SERVICE`"),
            Alert::MovesWithheld { scope, by, reason } => {
                let unpause = match scope {
                    PauseScope::Cluster => "understudy unpause --all",
                    PauseScope::Host => "understudy unpause --host",
                    PauseScope::Service | PauseScope::Flapping => "understudy unpause SERVICE",
                };
                write!(f, "a takeover is called for and not begun: automatic moves are paused by {by} ({reason}); order it with `understudy takeover SERVICE`, or end the pause with `{unpause}`")
            }
            Alert::Superseded { host, term } => write!(f, "{host} serves under the higher term {term}; this host stood down"),
        }
    }
}
