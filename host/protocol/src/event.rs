//! Everything that can happen to the machine, as one closed enum.

use crate::{Envelope, Fault, HostName, PluginRefusal, Verdict, Work};

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
    },
    /// Move it home.
    Giveback {
        /// Who orders.
        by: String,
    },
    /// End the round under way, before the release.
    Cancel,
    /// The fault is cured: come back.
    Cure {
        /// Who orders.
        by: String,
    },
    /// Serve here although others can't be heard: the operator vouches that they are stopped.
    Force {
        /// Who is stopped for certain.
        stopped: Vec<HostName>,
        /// Who orders.
        by: String,
        /// Why.
        reason: String,
    },
    /// Start the service for the first time, here.
    Bootstrap {
        /// Who orders.
        by: String,
    },
}
