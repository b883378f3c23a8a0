//! The one place where the protocol's words become JSON. No arm is `_`: a new word of the protocol is a compile error
//! here, not a gap in the API.

use std::time::Duration;

use understudy_protocol as protocol;

use super::{Attribute, Cause, Disposition, DownPhase, Fault, FaultKind, Outcome, PeerView, Progress, Refusal, RequestLine, RequestState, Role, ServiceView, Severity, StayDown, Surroundings, TakeoverView, Term, TimerView, Verdict};

/// Whole milliseconds, as far as 64 bits go.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn attributes(pairs: &[(String, String)]) -> Vec<Attribute> {
    pairs.iter().map(|(key, value)| Attribute { key: key.clone(), value: value.clone() }).collect()
}

fn texts(hosts: &[protocol::HostName]) -> Vec<String> {
    hosts.iter().map(ToString::to_string).collect()
}

impl From<protocol::Term> for Term {
    fn from(term: protocol::Term) -> Self {
        Term { value: term.0, text: term.to_string() }
    }
}

impl From<protocol::RoleName> for Role {
    fn from(role: protocol::RoleName) -> Self {
        use protocol::RoleName as R;
        match role {
            R::Fresh => Role::Fresh,
            R::Unsynced => Role::Unsynced,
            R::Standby => Role::Standby,
            R::Preparing => Role::Preparing,
            R::Activating => Role::Activating,
            R::Active => Role::Active,
            R::Asking => Role::Asking,
            R::Draining => Role::Draining,
            R::Stopped => Role::Stopped,
            R::Parked => Role::Parked,
            R::Released => Role::Released,
            R::Forcing => Role::Forcing,
        }
    }
}

impl From<protocol::Verdict> for Verdict {
    fn from(verdict: protocol::Verdict) -> Self {
        match verdict {
            protocol::Verdict::Healthy => Verdict::Healthy,
            protocol::Verdict::Impaired => Verdict::Impaired,
            protocol::Verdict::Failing => Verdict::Failing,
            protocol::Verdict::Unknown => Verdict::Unknown,
        }
    }
}

impl From<protocol::FaultKind> for FaultKind {
    fn from(kind: protocol::FaultKind) -> Self {
        use protocol::FaultKind as K;
        match kind {
            K::Hardware => FaultKind::Hardware,
            K::Storage => FaultKind::Storage,
            K::Memory => FaultKind::Memory,
            K::Network => FaultKind::Network,
            K::Power => FaultKind::Power,
            K::Software => FaultKind::Software,
            K::Dependency => FaultKind::Dependency,
            K::Capacity => FaultKind::Capacity,
            K::Operator => FaultKind::Operator,
            K::Other => FaultKind::Other,
        }
    }
}

impl From<protocol::Severity> for Severity {
    fn from(severity: protocol::Severity) -> Self {
        match severity {
            protocol::Severity::Impaired => Severity::Impaired,
            protocol::Severity::ShutdownRequired => Severity::ShutdownRequired,
        }
    }
}

impl From<&protocol::Fault> for Fault {
    fn from(fault: &protocol::Fault) -> Self {
        Fault {
            code: fault.code.clone(),
            kind: fault.kind.into(),
            severity: fault.severity.into(),
            message: fault.message.clone(),
            shutdown_within_ms: fault.shutdown_within.map(millis),
            evidence: attributes(&fault.evidence),
        }
    }
}

impl From<&protocol::Cause> for Cause {
    fn from(cause: &protocol::Cause) -> Self {
        match cause {
            protocol::Cause::Fault(fault) => Cause::Fault { fault: fault.into() },
            protocol::Cause::Requested { by, reason } => Cause::Requested { by: by.clone(), reason: reason.clone() },
            protocol::Cause::Giveback { by } => Cause::Giveback { by: by.clone() },
        }
    }
}

impl From<protocol::DownPhase> for DownPhase {
    fn from(phase: protocol::DownPhase) -> Self {
        match phase {
            protocol::DownPhase::Faulty => DownPhase::Faulty,
            protocol::DownPhase::Cured => DownPhase::Cured,
            protocol::DownPhase::Rebooting => DownPhase::Rebooting,
        }
    }
}

impl From<&protocol::StayDown> for StayDown {
    fn from(order: &protocol::StayDown) -> Self {
        StayDown { released_term: order.released.into(), fault: order.fault.clone(), phase: order.phase.into() }
    }
}

impl From<&protocol::PeerView> for PeerView {
    fn from(peer: &protocol::PeerView) -> Self {
        PeerView {
            host: peer.host.to_string(),
            connected: peer.connected,
            heard: peer.heard,
            held_term: peer.held.map(Term::from),
            ready: peer.ready,
            down_for: peer.down_for.clone(),
        }
    }
}

impl TakeoverView {
    /// The protocol's view of a takeover under way, with the time at which the daemon first saw it.
    pub fn new(takeover: &protocol::TakeoverView, started_at_ms: Option<u64>) -> Self {
        TakeoverView {
            round: takeover.round.map(|round| round.to_string()),
            first: takeover.first.as_ref().map(ToString::to_string),
            second: takeover.second.as_ref().map(ToString::to_string),
            cause: takeover.cause.as_ref().map(Cause::from),
            step: takeover.step.clone(),
            remaining: takeover.remaining,
            blocker: takeover.blocker.clone(),
            started_at_ms,
        }
    }
}

impl ServiceView {
    /// The protocol's view of a service, with what only the daemon knows about it.
    pub fn new(view: &protocol::ServiceView, around: Surroundings) -> Self {
        ServiceView {
            service: view.service.to_string(),
            server_type: around.server_type,
            candidates: texts(&view.candidates),
            home: view.candidates.first().unwrap_or(&view.me).to_string(),
            role: view.role.into(),
            serves: view.serves,
            held_term: view.held.map(Term::from),
            known_term: view.known.into(),
            active: view.active.as_ref().map(ToString::to_string),
            verdict: view.verdict.into(),
            fault: view.fault.as_ref().map(Fault::from),
            takeover: view.takeover.as_ref().map(|takeover| TakeoverView::new(takeover, around.takeover_started_at_ms)),
            stay_down: view.stay_down.as_ref().map(StayDown::from),
            ready: view.ready,
            waiting_for: view.waiting_for.clone(),
            timers: view.timers.iter().map(|(name, left)| TimerView { name: name.as_str().to_owned(), remaining_ms: millis(*left) }).collect(),
            peers: view.peers.iter().map(PeerView::from).collect(),
            address: around.address,
            probes: around.probes,
            alerts: view.alerts.clone(),
        }
    }
}

impl From<protocol::RequestState> for RequestState {
    fn from(state: protocol::RequestState) -> Self {
        use protocol::RequestState as S;
        match state {
            S::Queued => RequestState::Queued,
            S::Running => RequestState::Running,
            S::Completed => RequestState::Completed,
            S::Failed => RequestState::Failed,
            S::Cut => RequestState::Cut,
            S::Refused => RequestState::Refused,
        }
    }
}

impl From<RequestState> for protocol::RequestState {
    fn from(state: RequestState) -> Self {
        use protocol::RequestState as S;
        match state {
            RequestState::Queued => S::Queued,
            RequestState::Running => S::Running,
            RequestState::Completed => S::Completed,
            RequestState::Failed => S::Failed,
            RequestState::Cut => S::Cut,
            RequestState::Refused => S::Refused,
        }
    }
}

impl From<protocol::Outcome> for Outcome {
    fn from(outcome: protocol::Outcome) -> Self {
        use protocol::Outcome as O;
        match outcome {
            O::Completed => Outcome::Completed,
            O::Resumed => Outcome::Resumed,
            O::Replayed => Outcome::Replayed,
            O::ClientRetries => Outcome::ClientRetries,
            O::Refused => Outcome::Refused,
            O::Lost => Outcome::Lost,
        }
    }
}

impl From<Outcome> for protocol::Outcome {
    fn from(outcome: Outcome) -> Self {
        use protocol::Outcome as O;
        match outcome {
            Outcome::Completed => O::Completed,
            Outcome::Resumed => O::Resumed,
            Outcome::Replayed => O::Replayed,
            Outcome::ClientRetries => O::ClientRetries,
            Outcome::Refused => O::Refused,
            Outcome::Lost => O::Lost,
        }
    }
}

impl RequestLine {
    /// A request of a compilation, with what became of it where that is settled.
    pub fn new(request: &protocol::RequestStatus, disposition: Option<&protocol::Disposition>) -> Self {
        RequestLine {
            id: request.id.clone(),
            client: request.client.clone(),
            operation: request.operation.clone(),
            state: request.state.into(),
            started_at_ms: (request.started_at_ms > 0).then_some(request.started_at_ms),
            progress: request.progress.as_ref().map(|p| Progress { done: p.done, total: p.total, unit: p.unit.clone() }),
            idempotency_key: request.idempotency_key.clone(),
            resumable: request.resume.is_some(),
            attributes: attributes(&request.attributes),
            disposition: disposition.map(|d| Disposition { outcome: d.outcome.into(), message: d.message.clone() }),
        }
    }
}

impl From<&protocol::Refusal> for Refusal {
    fn from(refusal: &protocol::Refusal) -> Self {
        use protocol::Refusal as R;
        let (code, would_change): (&str, Option<String>) = match refusal {
            R::NoHolder => ("no-holder", Some("a host that is active, or an operator's `takeover --confirm-stopped`".to_owned())),
            R::AlreadyActive => ("already-active", None),
            R::NotACandidate { host } => ("not-a-candidate", Some(format!("{host} in the service's `candidates` on every host"))),
            R::NobodyElse => ("nobody-else", Some("a second host in the service's `candidates`".to_owned())),
            R::UnderWay { .. } => ("under-way", Some("the end of the operation under way, or cancelling it".to_owned())),
            R::NothingUnderWay => ("nothing-under-way", None),
            R::AlreadyReleased { to } => ("already-released", Some(format!("a giveback once {to} serves"))),
            R::AtHome { .. } => ("at-home", None),
            R::HomeNotReady { home, .. } => ("home-not-ready", Some(format!("{home} as a ready standby"))),
            R::NothingToCure => ("nothing-to-cure", None),
            R::NotHeard { hosts } => ("not-heard", Some(format!("a word from {}, or `confirm_stopped` for hosts that are stopped for certain", texts(hosts).join(", ")))),
            R::Alive { host } => ("alive", Some(format!("a takeover without naming {host} as stopped"))),
            R::FenceRefused { .. } => ("fence-refused", None),
            R::AlreadyBootstrapped { .. } => ("already-bootstrapped", Some("a takeover instead of a bootstrap".to_owned())),
            R::Declined { .. } => ("declined", None),
            R::Cancelled { .. } => ("cancelled", None),
            R::HolderSilent { host } => ("holder-silent", Some(format!("{host} within reach, or `confirm_stopped` if it is stopped for certain"))),
            R::StoreFailing { .. } => ("store-failing", Some("a store that can be written: look at the disk of the state folder".to_owned())),
        };
        let (host, because): (Option<&protocol::HostName>, Option<Refusal>) = match refusal {
            R::NotACandidate { host } | R::Alive { host } | R::HolderSilent { host } => (Some(host), None),
            R::AlreadyReleased { to } => (Some(to), None),
            R::AtHome { home } | R::HomeNotReady { home, .. } => (Some(home), None),
            R::FenceRefused { host, because } => (Some(host), Some(because.into())),
            R::Declined { host, because } => (Some(host), Some(because.into())),
            R::Cancelled { because } => (None, Some(because.into())),
            R::NoHolder | R::AlreadyActive | R::NobodyElse | R::UnderWay { .. } | R::NothingUnderWay | R::NothingToCure => (None, None),
            R::NotHeard { .. } | R::AlreadyBootstrapped { .. } | R::StoreFailing { .. } => (None, None),
        };
        let would_change = would_change.or_else(|| because.as_ref().and_then(|inner| inner.would_change.clone()));
        Refusal { code: code.to_owned(), message: refusal.to_string(), would_change, host: host.map(ToString::to_string), because: because.map(Box::new) }
    }
}

/// A refusal that names no host and rests on nothing else.
fn plain(code: &str, message: String, would_change: Option<String>) -> Refusal {
    Refusal { code: code.to_owned(), message, would_change, host: None, because: None }
}

impl From<&protocol::Decline> for Refusal {
    fn from(decline: &protocol::Decline) -> Self {
        use protocol::Decline as D;
        let (code, would_change) = match decline {
            D::ServerFailing { fault, .. } => ("server-failing", Some(format!("the fault {fault} cured"))),
            D::ServerUnknown => ("server-unknown", Some("a healthy verdict of its probe".to_owned())),
            D::Plugin(plugin) => (plugin.code.as_str(), plugin.would_accept_if.clone()),
            D::AssessmentTimedOut { .. } => ("assessment-timed-out", None),
            D::AssessmentFailed { .. } => ("assessment-failed", None),
            D::StayingDown { fault } => ("staying-down", Some(format!("the fault {fault} cured"))),
            D::NotSynced { missing } => ("not-synced", Some(format!("a word from {}", texts(missing).join(", ")))),
            D::Fresh => ("fresh", Some("a word from the host that holds the service".to_owned())),
            D::TooManyAttempts { .. } => ("too-many-attempts", Some("some time without takeovers".to_owned())),
            D::Busy => ("busy", Some("the end of its other round".to_owned())),
            D::StoreFailing => ("store-failing", Some("a store that can be written".to_owned())),
        };
        plain(code, decline.to_string(), would_change)
    }
}

impl From<&protocol::Cancel> for Refusal {
    fn from(cancel: &protocol::Cancel) -> Self {
        use protocol::Cancel as C;
        let code = match cancel {
            C::NoAnswer { .. } => "no-answer",
            C::StaleTerm { .. } => "stale-term",
            C::DrainDeadline => "drain-deadline",
            C::CompilationNotStored => "compilation-not-stored",
            C::StepFailed { .. } => "step-failed",
            C::Operator => "operator",
            C::FaultGone => "fault-gone",
            C::Superseded { .. } => "superseded",
        };
        plain(code, cancel.to_string(), None)
    }
}

impl From<&protocol::FenceRefusal> for Refusal {
    fn from(refusal: &protocol::FenceRefusal) -> Self {
        use protocol::FenceRefusal as F;
        let (code, would_change) = match refusal {
            F::Holds(_) => ("holds", Some("an ordinary takeover from it")),
            F::Promised(_) => ("promised", Some("another attempt, which takes a higher term")),
            F::Granted(_) => ("granted", Some("the end of the takeover it released the service for")),
            F::NotSynced => ("not-synced", Some("a word from every other candidate to it")),
            F::Fresh => ("fresh", Some("a word from the host that holds the service to it")),
        };
        plain(code, refusal.to_string(), would_change.map(str::to_owned))
    }
}
