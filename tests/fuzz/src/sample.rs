//! A store with something in every table that a daemon reads.

use std::time::Duration;

use understudy_protocol::{
    Begun, Disposition, DownPhase, Durable, Entry, Fault, FaultKind, Outcome, Pause, PauseScope, PauseWord, Pauses,
    Progress, RequestState, RequestStatus, RoleName, RoundId, Severity, StayDown, Step, Tenure, Term, Time, Verdict,
};
use understudy_store::{AddressLine, ClockOffset, Deed, Direction, Said, Store, StoredResponse};

use crate::store::{ROUND, done, host, service};

pub(crate) async fn fill(store: &Store) {
    let web = service();
    done(store.append_with(&entry(Some(durable())), &[said()], 1).await);
    done(
        store
            .begin_compilation(&web, ROUND, &host("a"), Some(&host("b")), 2)
            .await,
    );
    done(store.put_requests(ROUND, &[request("1"), request("2")]).await);
    done(store.seal_compilation(ROUND, 3).await);
    let disposition = Disposition {
        id: "1".into(),
        outcome: Outcome::Resumed,
        message: "went on".into(),
    };
    done(store.record_dispositions(ROUND, &[disposition], 4).await);
    done(store.close_compilation(ROUND, "took over", 5).await);
    done(
        store
            .record_fault(&web, &host("a"), &fault(), Verdict::Failing, 6)
            .await,
    );
    let line = AddressLine {
        at_ms: 7,
        event: "address-held".into(),
        detail: "10.0.0.1".into(),
    };
    done(store.keep_address_event(&web, &line).await);
    let deed = Deed {
        at_ms: 8,
        who: "ann".into(),
        what: "takeover".into(),
        service: Some(web.clone()),
        reason: "maintenance".into(),
        result: "accepted".into(),
    };
    done(store.audit(&deed).await);
    done(store.put_plugin_state(&web, "redis", b"state").await);
    done(store.take_idempotency_key("key", "digest", 9).await);
    let response = StoredResponse {
        status: 202,
        headers: vec![("location".into(), "/api/v1/takeovers/1".into())],
        body: b"{}".to_vec(),
    };
    done(store.keep_response("key", &response).await);
}

pub(crate) fn entry(durable: Option<Durable>) -> Entry {
    Entry {
        service: service(),
        step: "fault-indicated",
        reason: "the probe says so",
        detail: "disk-failing".into(),
        from: RoleName::Active,
        to: RoleName::Asking,
        term: Term(5),
        round: Some(ROUND),
        durable,
    }
}

fn durable() -> Durable {
    let word = PauseWord {
        stamp: 3,
        from: host("b"),
        at: Time(10),
        pause: Some(Pause {
            by: "ann".into(),
            reason: "a new disk".into(),
            since: Time(10),
            until: Some(Time(20)),
        }),
    };
    Durable {
        adopted: true,
        known: Term(5),
        promised: Term(6),
        held: Some(Term(5)),
        tenure: Some(Tenure {
            from: Some(host("b")),
            round: Some(ROUND),
            served: true,
            resolved: false,
            overlaps: true,
        }),
        begun: Some(Begun {
            round: ROUND,
            step: Step::WarmUp,
        }),
        round_counter: 4,
        stay_down: Some(StayDown {
            released: Term(4),
            fault: "disk-failing".into(),
            phase: DownPhase::Cured,
        }),
        givebacks: 1,
        pauses: Pauses {
            words: [(PauseScope::Service, word)].into(),
            moves: [(ROUND, Time(11))].into(),
        },
        ..Durable::default()
    }
}

fn said() -> Said {
    Said {
        takeover: TAKEOVER.into(),
        direction: Direction::Received,
        peer: host("b"),
        name: "Declined",
        body: "{}".into(),
        clock: Some(ClockOffset {
            offset_us: 1,
            uncertainty_us: 2,
        }),
    }
}

fn request(id: &str) -> RequestStatus {
    RequestStatus {
        id: id.into(),
        client: "10.0.0.7:40112".into(),
        operation: "PUT /reports/2026".into(),
        state: RequestState::Running,
        started_at_ms: 1_795_000_000_000,
        progress: Some(Progress {
            done: 10,
            total: Some(20),
            unit: "bytes".into(),
        }),
        idempotency_key: Some("key".into()),
        resume: Some(vec![0, 255, 7]),
        attributes: vec![("user".into(), "ann".into())],
    }
}

fn fault() -> Fault {
    Fault {
        code: "disk-failing".into(),
        kind: FaultKind::Storage,
        severity: Severity::ShutdownRequired,
        message: "pending sectors".into(),
        shutdown_within: Some(Duration::from_millis(90_500)),
        evidence: vec![("disk".into(), "sda".into())],
    }
}

/// The takeover whose messages are kept.
pub(crate) const TAKEOVER: &str = "one";
/// A round into which requests are written again.
pub(crate) const OTHER_ROUND: RoundId = RoundId {
    store: ROUND.store,
    counter: 5,
};
