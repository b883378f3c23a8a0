//! Faults, work, plugins, the audit log and repeated requests, on a real file.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{host, open, service};
use understudy_protocol::{Fault, FaultKind, Severity, Verdict};
use understudy_store::{AuditFilter, Deed, FaultFilter, KnownPlugin, Repetition, StoredResponse};

fn fault(code: &str) -> Fault {
    Fault {
        code: code.into(),
        kind: FaultKind::Storage,
        severity: Severity::ShutdownRequired,
        message: "the disk reports pending sectors".into(),
        shutdown_within: Some(Duration::from_millis(90_500)),
        evidence: vec![("disk".into(), "sda".into()), ("disk".into(), "sdb".into())],
    }
}

#[tokio::test]
async fn a_fault_that_goes_on_is_one_fault() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let (web, a) = (service("web"), host("a"));
    let first = store
        .record_fault(&web, &a, &fault("disk-failing"), Verdict::Impaired, 10)
        .await
        .unwrap();
    let worse = Fault {
        shutdown_within: None,
        evidence: vec![],
        ..fault("disk-failing")
    };
    assert_eq!(
        store
            .record_fault(&web, &a, &worse, Verdict::Failing, 20)
            .await
            .unwrap(),
        first
    );
    let elsewhere = store
        .record_fault(&web, &host("b"), &fault("disk-failing"), Verdict::Failing, 21)
        .await
        .unwrap();
    assert_ne!(elsewhere, first);

    assert_eq!(store.end_fault(&web, &a, Some("disk-failing"), 30).await.unwrap(), 1);
    assert_eq!(store.end_fault(&web, &a, Some("disk-failing"), 31).await.unwrap(), 0);
    let again = store
        .record_fault(&web, &a, &fault("disk-failing"), Verdict::Failing, 40)
        .await
        .unwrap();
    assert!(again > first);
    drop(store);

    let store = open(&folder).await;
    let on_a = FaultFilter {
        host: Some(a.clone()),
        ..FaultFilter::default()
    };
    let lines = store.faults(&on_a, 10).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.id).collect::<Vec<_>>(), [again, first]);
    assert_eq!(lines[0].fault, fault("disk-failing"));
    assert_eq!(
        (
            lines[1].first_seen_at_ms,
            lines[1].last_seen_at_ms,
            lines[1].ended_at_ms
        ),
        (10, 20, Some(30))
    );
    assert_eq!((&lines[1].fault, lines[1].verdict), (&worse, Verdict::Failing));
    let open_now = FaultFilter {
        open: true,
        before_id: Some(again),
        ..FaultFilter::default()
    };
    assert_eq!(store.faults(&open_now, 10).await.unwrap()[0].id, elsewhere);
    assert_eq!(store.end_fault(&web, &a, None, 50).await.unwrap(), 1);
}

#[tokio::test]
async fn work_cut_short_is_found_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let done = store
        .work_planned(&service("web"), "stop-server", "for the release", 1)
        .await
        .unwrap();
    store.work_started(done, 2).await.unwrap();
    store.work_ended(done, Ok(()), 3).await.unwrap();
    let failed = store.work_planned(&service("web"), "serve", "", 4).await.unwrap();
    store.work_ended(failed, Err("port in use"), 5).await.unwrap();
    let begun = store
        .work_planned(&service("web"), "settle", "term 3", 6)
        .await
        .unwrap();
    store.work_started(begun, 7).await.unwrap();
    let planned = store.work_planned(&service("db"), "take-address", "", 8).await.unwrap();
    drop(store);

    let store = open(&folder).await;
    let cut_short = store.abandon_work(9).await.unwrap();
    assert_eq!(
        cut_short.iter().map(|line| line.id).collect::<Vec<_>>(),
        [begun, planned]
    );
    assert_eq!(
        (cut_short[0].work.as_str(), cut_short[0].started_at_ms),
        ("settle", Some(7))
    );
    assert_eq!(
        (cut_short[1].service.as_str(), cut_short[1].started_at_ms),
        ("db", None)
    );
    assert!(store.abandon_work(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn plugins_get_their_state_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let web = service("web");
    assert_eq!(store.plugin_state(&web, "nginx").await.unwrap(), None);
    for state in [&b"\0one"[..], &b"\0one"[..], &b""[..]] {
        store.put_plugin_state(&web, "nginx", state).await.unwrap();
        assert_eq!(store.plugin_state(&web, "nginx").await.unwrap().as_deref(), Some(state));
    }
    assert_eq!(store.plugin_state(&service("db"), "nginx").await.unwrap(), None);
}

#[tokio::test]
async fn grants_are_for_one_component() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let plugin = |version: &str, digest: &str, loaded_at_ms| KnownPlugin {
        name: "nginx".into(),
        version: version.into(),
        digest: digest.into(),
        path: "/usr/lib/understudy/nginx.wasm".into(),
        loaded_at_ms,
    };
    store.plugin_loaded(&plugin("0.1.0", "sha256:a", 1)).await.unwrap();
    store.plugin_loaded(&plugin("0.2.0", "sha256:b", 2)).await.unwrap();
    store.plugin_loaded(&plugin("0.1.0", "sha256:a", 3)).await.unwrap();
    assert_eq!(
        store.plugins().await.unwrap(),
        [plugin("0.1.0", "sha256:a", 3), plugin("0.2.0", "sha256:b", 2)]
    );

    let asked = ["endpoint:admin".to_owned(), "command:reload".to_owned()];
    store
        .set_plugin_grants("nginx", "sha256:a", &asked, "ann", 5)
        .await
        .unwrap();
    let granted = store.plugin_grants("nginx", "sha256:a").await.unwrap();
    assert_eq!(
        granted
            .iter()
            .map(|grant| grant.permission.as_str())
            .collect::<Vec<_>>(),
        ["command:reload", "endpoint:admin"]
    );
    assert!(store.plugin_grants("nginx", "sha256:b").await.unwrap().is_empty());
    store
        .set_plugin_grants("nginx", "sha256:a", &asked[1..], "ben", 6)
        .await
        .unwrap();
    let granted = store.plugin_grants("nginx", "sha256:a").await.unwrap();
    assert_eq!((granted.len(), granted[0].granted_by.as_str()), (1, "ben"));
}

#[tokio::test]
async fn the_audit_log_is_read_by_service_and_page() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let deed = |at_ms, about: Option<&str>| Deed {
        at_ms,
        who: "ann".into(),
        what: "takeover".into(),
        service: about.map(service),
        reason: "planned maintenance".into(),
        result: "accepted".into(),
    };
    for at_ms in 0..6 {
        store
            .audit(&deed(at_ms, [Some("web"), Some("db"), None][at_ms as usize % 3]))
            .await
            .unwrap();
    }
    let web = AuditFilter {
        service: Some(service("web")),
        before_id: None,
    };
    let lines = store.audit_log(&web, 10).await.unwrap();
    assert_eq!(
        lines.iter().map(|line| &line.deed).collect::<Vec<_>>(),
        [&deed(3, Some("web")), &deed(0, Some("web"))]
    );
    let next = AuditFilter {
        before_id: Some(lines[0].id),
        ..AuditFilter::default()
    };
    let page = store.audit_log(&next, 2).await.unwrap();
    assert_eq!(page.iter().map(|line| line.deed.at_ms).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    assert_eq!(
        store.take_idempotency_key("k", "body", 1).await.unwrap(),
        Repetition::First
    );
    assert_eq!(
        store.take_idempotency_key("k", "body", 2).await.unwrap(),
        Repetition::UnderWay
    );
    assert_eq!(
        store.take_idempotency_key("k", "other", 2).await.unwrap(),
        Repetition::OtherBody
    );
    let answer = StoredResponse {
        status: 202,
        headers: vec![("location".into(), "/api/v1/takeovers/7".into())],
        body: b"{\"id\":7}".to_vec(),
    };
    store.keep_response("k", &answer).await.unwrap();
    // An answer, once given, is not freed.
    store.free_idempotency_key("k").await.unwrap();
    drop(store);

    let store = open(&folder).await;
    assert_eq!(
        store.take_idempotency_key("k", "body", 3).await.unwrap(),
        Repetition::Answered(answer)
    );
    assert_eq!(
        store.take_idempotency_key("k", "other", 3).await.unwrap(),
        Repetition::OtherBody
    );
    assert_eq!(
        store.take_idempotency_key("refused", "body", 4).await.unwrap(),
        Repetition::First
    );
    store.free_idempotency_key("refused").await.unwrap();
    assert_eq!(
        store.take_idempotency_key("refused", "body", 5).await.unwrap(),
        Repetition::First
    );
}

#[tokio::test]
async fn of_many_at_once_one_takes_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let takers: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.take_idempotency_key("k", "body", 1).await.unwrap() })
        })
        .collect();
    let mut first = 0;
    for taker in takers {
        first += usize::from(taker.await.unwrap() == Repetition::First);
    }
    assert_eq!(first, 1);
}
