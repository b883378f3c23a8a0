//! Sample views and records, as a daemon would publish them.

use std::time::Duration;

use understudy_api::wire::{
    AddressMode, AddressView, Cause, HostView, JournalLine, ProofAssembly, ProofBundle, ProofCheck, ProofReport,
    ProofResult, ProofVerdict, Rehearsal, Role, ServiceView, Surroundings, Takeover, TakeoverState, TakeoverView,
};
use understudy_protocol::{self as protocol, HostName, ServiceName, Term};

use crate::support::ROUND;

pub(crate) fn now_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
}

pub(crate) fn host_view(name: &str, me: bool) -> HostView {
    HostView {
        host: name.to_owned(),
        me,
        version: Some("0.1.0".to_owned()),
        started_at_ms: Some(1),
        now_ms: Some(now_ms()),
        seen_at_ms: Some(now_ms() - 5000),
        age_ms: None,
        reachable: true,
        services: vec![service_view(name)],
        alerts: Vec::new(),
    }
}

/// `alpha` is active.
pub(crate) fn service_view(me: &str) -> ServiceView {
    let host = |name: &str| HostName::new(name).unwrap();
    let active = me == "alpha";
    let view = protocol::ServiceView {
        service: ServiceName::new("redis").unwrap(),
        me: host(me),
        candidates: vec![host("alpha"), host("beta")],
        role: if active {
            protocol::RoleName::Active
        } else {
            protocol::RoleName::Standby
        },
        serves: active,
        held: active.then_some(Term(5)),
        known: Term(5),
        active: Some(host("alpha")),
        verdict: protocol::Verdict::Healthy,
        fault: None,
        takeover: None,
        stay_down: None,
        ready: !active,
        begun: None,
        waiting_for: None,
        timers: vec![(protocol::TimerName::StayDown, Duration::from_millis(1500))],
        peers: Vec::new(),
        alerts: Vec::new(),
        pauses: Vec::new(),
        declined: Vec::new(),
        moves: (0, 6),
    };
    let address = AddressView {
        mode: AddressMode::Proxy,
        listen: vec!["127.0.0.1:7001".to_owned()],
        server: Some("127.0.0.1:7101".to_owned()),
        addresses: Vec::new(),
        interface: None,
        state: if active { "open" } else { "closed" }.to_owned(),
        detail: None,
    };
    let probes = Vec::new();
    ServiceView::new(
        &view,
        Surroundings {
            server_type: "redis".to_owned(),
            address,
            probes,
            takeover_started_at_ms: None,
        },
    )
}

pub(crate) fn takeover_view(round: &str) -> TakeoverView {
    TakeoverView {
        round: Some(round.to_owned()),
        first: Some("alpha".to_owned()),
        second: Some("beta".to_owned()),
        cause: Some(Cause::Requested {
            by: "ann".to_owned(),
            reason: "kernel".to_owned(),
        }),
        step: "settle".to_owned(),
        remaining: Some(3),
        blocker: None,
        started_at_ms: Some(now_ms()),
    }
}

pub(crate) fn takeover(id: &str, state: TakeoverState) -> Takeover {
    Takeover {
        id: id.to_owned(),
        service: "redis".to_owned(),
        first: Some("alpha".to_owned()),
        second: Some("beta".to_owned()),
        cause: None,
        state,
        new_term: Some(Term(6).into()),
        started_at_ms: now_ms(),
        ended_at_ms: None,
        outage_ms: None,
        refusal: None,
        steps: vec![line(1)],
    }
}

pub(crate) fn line(seq: u64) -> JournalLine {
    JournalLine {
        seq,
        at_ms: 1_700_000_000_000 + seq,
        host: "alpha".to_owned(),
        service: "redis".to_owned(),
        step: "round-opened".to_owned(),
        reason: "an operator asked for it".to_owned(),
        detail: String::new(),
        from: Role::Active,
        to: Role::Asking,
        term: Term(5).into(),
        round: Some(ROUND.to_owned()),
    }
}

pub(crate) fn proof_bundle() -> ProofBundle {
    ProofBundle {
        form: "understudy proof bundle 1".to_owned(),
        takeover: ROUND.to_owned(),
        service: "redis".to_owned(),
        assembled: ProofAssembly {
            by: "alpha".to_owned(),
            at_ms: 5,
            certificate: String::new(),
        },
        authority: String::new(),
        halves: Vec::new(),
        absent: Vec::new(),
        signature: String::new(),
    }
}

pub(crate) fn proof_report() -> ProofReport {
    ProofReport {
        takeover: ROUND.to_owned(),
        service: "redis".to_owned(),
        verdict: ProofVerdict::HoldsInPart,
        summary: "one host's word only".to_owned(),
        checks: vec![ProofCheck {
            check: "hosts".to_owned(),
            result: ProofResult::Unproven,
            found: "beta is not connected".to_owned(),
        }],
        outage: None,
    }
}

pub(crate) fn rehearsal() -> Rehearsal {
    Rehearsal {
        service: "redis".to_owned(),
        would_move: true,
        summary: "beta would take over from alpha".to_owned(),
        first: Some("alpha".to_owned()),
        second: Some("beta".to_owned()),
        refusal: None,
        under_way: None,
        candidates: Vec::new(),
        requests: None,
        outage: None,
        steps: Vec::new(),
        unknown: Vec::new(),
    }
}
