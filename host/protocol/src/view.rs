//! What people and programs may see of the machine: a plain copy, made after each turn.
//!
//! Invariant: nothing here feeds back into a decision.

use std::time::Duration;

use crate::{Cause, Fault, HostName, RoleName, RoundId, ServiceName, StayDown, Term, TimerName, Verdict};

/// One service as this host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceView {
    /// The service.
    pub service: ServiceName,
    /// This host.
    pub me: HostName,
    /// All candidates, home first.
    pub candidates: Vec<HostName>,
    /// This host's role.
    pub role: RoleName,
    /// Whether this host admits clients now.
    pub serves: bool,
    /// The term it holds.
    pub held: Option<Term>,
    /// The highest term known to be held by anybody.
    pub known: Term,
    /// Who is active, as far as this host knows.
    pub active: Option<HostName>,
    /// What the probes say of the local server.
    pub verdict: Verdict,
    /// The worst fault they found.
    pub fault: Option<Fault>,
    /// The takeover under way, if any.
    pub takeover: Option<TakeoverView>,
    /// The held stay-down order.
    pub stay_down: Option<StayDown>,
    /// Whether the local server is ready to take over.
    pub ready: bool,
    /// Who or what is waited for, one line; none when nothing is.
    pub waiting_for: Option<String>,
    /// The timers that run, with the time left.
    pub timers: Vec<(TimerName, Duration)>,
    /// The other candidates.
    pub peers: Vec<PeerView>,
    /// Standing alerts, in words.
    pub alerts: Vec<String>,
}

/// A takeover under way, from either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeoverView {
    /// The holder's round.
    pub round: Option<RoundId>,
    /// Who gives.
    pub first: Option<HostName>,
    /// Who takes.
    pub second: Option<HostName>,
    /// Why.
    pub cause: Option<Cause>,
    /// The step under way, for example `settle`.
    pub step: String,
    /// Requests left, where known.
    pub remaining: Option<u64>,
    /// Who or what blocks.
    pub blocker: Option<String>,
}

/// Another candidate, as this host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Its name.
    pub host: HostName,
    /// Whether a connection to it stands.
    pub connected: bool,
    /// Whether it answered since this daemon started.
    pub heard: bool,
    /// The term it holds, as it last said.
    pub held: Option<Term>,
    /// Whether it is ready to take over, as it last said.
    pub ready: bool,
    /// What it stays down for, as it last said.
    pub down_for: Option<String>,
}
