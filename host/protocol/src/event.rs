//! Everything that can happen to the machine, as one closed enum.

use std::time::Duration;

use crate::{CompilationSeal, Envelope, Fault, HostName, PauseScope, PluginRefusal, Verdict, Work};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The daemon has started. Always the first.
    Started {
        /// The server was found serving, and the machine has not been rebooted since it was started under the held term.
        still_serving: bool,
    },
    /// A peer said something.
    Received(Envelope),
    /// A connection to a peer was made.
    PeerConnected(HostName),
    /// The connection to a peer broke.
    PeerLost(HostName),
    /// The probes' standing opinion changed, rise and fall counts applied.
    Health {
        /// The verdict.
        verdict: Verdict,
        /// The worst fault, with `Failing` and `Impaired`.
        fault: Option<Fault>,
    },
    /// An operator's order.
    Ordered(Order),
    /// A piece of work ended.
    Finished {
        /// Which.
        work: Work,
        /// How.
        result: Finish,
    },
    /// A drain step reports what remains.
    Progressed {
        /// Which.
        work: Work,
        /// Requests left, where known.
        remaining: Option<u64>,
        /// Who or what is waited for.
        blocker: Option<String>,
    },
    /// The earliest deadline has passed.
    TimeReached,
}

/// How a piece of work ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Finish {
    /// As wanted.
    Done,
    /// It could not be done.
    Failed {
        /// What happened.
        error: String,
    },
    /// The answer to [`Work::Diagnose`].
    Diagnosed(Fault),
    /// The answer to [`Work::Assess`]: none means that the server can.
    Assessed(Option<PluginRefusal>),
    /// The answer to [`Work::SealCompilation`].
    Sealed(CompilationSeal),
    /// The answer to [`Work::Observe`].
    Observed(ServerState),
}

/// What the drain plugin sees of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerState {
    /// No process of it runs.
    Stopped,
    /// It runs and could not serve a client's change.
    StandingBy,
    /// It runs and serves.
    Serving,
}

/// What an operator orders, at any host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Order {
    /// Move the service.
    TakeOver {
        /// To whom; none: the first candidate that can.
        to: Option<HostName>,
        /// Who orders.
        by: String,
        /// Why.
        reason: String,
        /// Whether soft vetoes are to be passed over.
        override_vetoes: bool,
    },
    /// Move it home.
    Giveback {
        /// Who orders.
        by: String,
        /// Why.
        reason: String,
        /// Whether soft vetoes are to be passed over.
        override_vetoes: bool,
    },
    /// End the round under way, before the release.
    Cancel {
        /// Who orders.
        by: String,
        /// Why.
        reason: String,
    },
    /// The fault is cured: come back.
    Cure {
        /// Who orders.
        by: String,
        /// Why it is believed.
        reason: String,
    },
    /// Serve here although others can't be heard: the operator vouches that they are stopped.
    Force {
        /// Who is stopped for certain.
        stopped: Vec<HostName>,
        /// Who orders.
        by: String,
        /// Why.
        reason: String,
        /// When: Unix seconds, by the clock of the host that is asked. Of two forced takeovers the later wins.
        at: u64,
        /// Whether it shall serve although it is ordered to stay down for a fault.
        override_stay_down: bool,
    },
    /// Start the service for the first time, here.
    Bootstrap {
        /// Who orders.
        by: String,
        /// When: Unix seconds, by the clock of the host that is asked.
        at: u64,
        /// Why here.
        reason: String,
    },
    /// Begin nothing by itself any more.
    Pause {
        /// What is paused.
        scope: PauseScope,
        /// Who orders.
        by: String,
        /// Why.
        reason: String,
        /// For how long; none: until it is ended.
        lasts: Option<Duration>,
    },
    /// End a pause.
    Unpause {
        /// Which.
        scope: PauseScope,
        /// Who orders.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Event {
    /// The event's name in the table: the kind, and where there are several of a kind, which.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Started { .. } => "started",
            Event::Received(envelope) => envelope.message.name(),
            Event::PeerConnected(_) => "peer connected",
            Event::PeerLost(_) => "peer lost",
            Event::Health { verdict, .. } => match verdict {
                Verdict::Healthy => "verdict healthy",
                Verdict::Impaired => "verdict impaired",
                Verdict::Failing => "verdict failing",
                Verdict::Unknown => "verdict unknown",
            },
            Event::Ordered(order) => match order {
                Order::TakeOver { .. } => "order takeover",
                Order::Giveback { .. } => "order giveback",
                Order::Cancel { .. } => "order cancel",
                Order::Cure { .. } => "order cure",
                Order::Force { .. } => "order force",
                Order::Bootstrap { .. } => "order bootstrap",
                Order::Pause { .. } => "order pause",
                Order::Unpause { .. } => "order unpause",
            },
            Event::Finished {
                work,
                result: Finish::Failed { .. },
            } => match work {
                Work::Diagnose { .. } => "diagnose failed",
                Work::Assess { .. } => "assess failed",
                Work::StopAdmitting { .. } => "stop-admitting failed",
                Work::PrepareYield { .. } => "prepare-yield failed",
                Work::Redirect { .. } => "redirect failed",
                Work::EndFlows { .. } => "end-flows failed",
                Work::Arm { .. } => "arm failed",
                Work::WarmUp { .. } => "warm-up failed",
                Work::Disarm { .. } => "disarm failed",
                Work::Appear { .. } => "appear failed",
                Work::Settle { .. } => "settle failed",
                Work::SealCompilation { .. } => "seal-compilation failed",
                Work::ResendCompilation { .. } => "resend-compilation failed",
                Work::StoreCompilation { .. } => "store-compilation failed",
                Work::StopServer { .. } => "stop-server failed",
                Work::DropAddress { .. } => "drop-address failed",
                Work::Resume { .. } => "resume failed",
                Work::Serve { .. } => "serve failed",
                Work::TakeAddress { .. } => "take-address failed",
                Work::ResolveRequests { .. } => "resolve-requests failed",
                Work::StandBy { .. } => "stand-by failed",
                Work::Observe => "observe failed",
                Work::Reboot { .. } => "reboot failed",
            },
            Event::Finished { work, .. } => match work {
                Work::Diagnose { .. } => "diagnose done",
                Work::Assess { .. } => "assess done",
                Work::StopAdmitting { .. } => "stop-admitting done",
                Work::PrepareYield { .. } => "prepare-yield done",
                Work::Redirect { .. } => "redirect done",
                Work::EndFlows { .. } => "end-flows done",
                Work::Arm { .. } => "arm done",
                Work::WarmUp { .. } => "warm-up done",
                Work::Disarm { .. } => "disarm done",
                Work::Appear { .. } => "appear done",
                Work::Settle { .. } => "settle done",
                Work::SealCompilation { .. } => "seal-compilation done",
                Work::ResendCompilation { .. } => "resend-compilation done",
                Work::StoreCompilation { .. } => "store-compilation done",
                Work::StopServer { .. } => "stop-server done",
                Work::DropAddress { .. } => "drop-address done",
                Work::Resume { .. } => "resume done",
                Work::Serve { .. } => "serve done",
                Work::TakeAddress { .. } => "take-address done",
                Work::ResolveRequests { .. } => "resolve-requests done",
                Work::StandBy { .. } => "stand-by done",
                Work::Observe => "observe done",
                Work::Reboot { .. } => "reboot done",
            },
            Event::Progressed { .. } => "drain progress",
            Event::TimeReached => "time reached",
        }
    }
}
