//! Where the protocol's words become JSON. No arm is `_`: a new word of the protocol is a compile error
//! here, not a gap in the API.

use std::time::Duration;

use understudy_protocol as protocol;

use super::{
    Attribute, Cause, DeclineView, Disposition, DownPhase, Fault, FaultKind, MovesView, Outcome, PauseView, PeerView,
    Progress, RequestLine, RequestState, Role, ServiceView, Severity, StayDown, Surroundings, TakeoverView, Term,
    TimerView, Verdict,
};

/// Whole milliseconds, as far as 64 bits go.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn attributes(pairs: &[(String, String)]) -> Vec<Attribute> {
    pairs
        .iter()
        .map(|(key, value)| Attribute {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

pub(super) fn texts(hosts: &[protocol::HostName]) -> Vec<String> {
    hosts.iter().map(ToString::to_string).collect()
}

impl From<protocol::Term> for Term {
    fn from(term: protocol::Term) -> Self {
        Term {
            value: term.0,
            text: term.to_string(),
        }
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
            R::Yielded => Role::Yielded,
            R::Forcing => Role::Forcing,
            R::StandingDown => Role::StandingDown,
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
            protocol::Cause::Requested { by, reason, .. } => Cause::Requested {
                by: by.clone(),
                reason: reason.clone(),
            },
            protocol::Cause::Giveback { by, .. } => Cause::Giveback { by: by.clone() },
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
        StayDown {
            released_term: order.released.into(),
            fault: order.fault.clone(),
            phase: order.phase.into(),
        }
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
            takeover: view
                .takeover
                .as_ref()
                .map(|takeover| TakeoverView::new(takeover, around.takeover_started_at_ms)),
            stay_down: view.stay_down.as_ref().map(StayDown::from),
            ready: view.ready,
            waiting_for: view.waiting_for.clone(),
            timers: view
                .timers
                .iter()
                .map(|(name, left)| TimerView {
                    name: name.as_str().to_owned(),
                    remaining_ms: millis(*left),
                })
                .collect(),
            peers: view.peers.iter().map(PeerView::from).collect(),
            address: around.address,
            probes: around.probes,
            alerts: view.alerts.clone(),
            pauses: view.pauses.iter().map(PauseView::from).collect(),
            declined: view.declined.iter().map(DeclineView::from).collect(),
            moves: MovesView {
                counted: view.moves.0,
                bound: view.moves.1,
            },
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
            progress: request.progress.as_ref().map(|p| Progress {
                done: p.done,
                total: p.total,
                unit: p.unit.clone(),
            }),
            idempotency_key: request.idempotency_key.clone(),
            resumable: request.resume.is_some(),
            attributes: attributes(&request.attributes),
            disposition: disposition.map(|d| Disposition {
                outcome: d.outcome.into(),
                message: d.message.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_one_word_everywhere() {
        for role in protocol::RoleName::ALL {
            assert_eq!(serde_json::to_value(Role::from(role)).unwrap(), role.as_str());
        }
    }

    #[test]
    fn causes_have_one_word_everywhere() {
        let by = || "ann".to_owned();
        for cause in [
            protocol::Cause::Requested {
                by: by(),
                reason: "x".to_owned(),
                override_vetoes: false,
            },
            protocol::Cause::Giveback {
                by: by(),
                reason: by(),
                override_vetoes: false,
            },
        ] {
            assert_eq!(serde_json::to_value(Cause::from(&cause)).unwrap()["kind"], cause.word());
        }
    }
}
