//! Long lists cross in pages, whole, and bounded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use understudy_protocol::{Disposition, Fault, FaultKind, Outcome, RequestState, RequestStatus, ServerState, Severity};
use understudy_runtime::{Assessment, CallFailure, Limits, Manner, RequestPages, Status, Target};

use crate::support::{context, context_of, hostile, seen_in_step, target};

/// Lists, receiving as the pages come.
async fn list(target: Target) -> (Result<(), CallFailure>, Vec<Vec<RequestStatus>>) {
    let plugin = hostile().await;
    let (sink, mut pages) = mpsc::channel(2);
    let receive = async move {
        let mut received = Vec::new();
        while let Some(page) = pages.recv().await {
            received.push(page);
        }
        received
    };
    let target = Arc::new(target);
    tokio::join!(plugin.list_requests(&target, context(), sink), receive)
}

#[tokio::test]
async fn a_compilation_comes_in_pages() {
    let (ended, pages) = list(target("list", json!({"requests": 10_000}))).await;
    ended.unwrap();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4096, 4096, 1808]);
    let ids: BTreeSet<_> = pages.iter().flatten().map(|request| request.id.clone()).collect();
    assert_eq!(ids.len(), 10_000);
    let first = &pages[0][0];
    assert_eq!((first.id.as_str(), first.state), ("request-0", RequestState::Running));
    assert_eq!(first.attributes, [("worker".to_owned(), "0".to_owned())]);
}

#[tokio::test]
async fn a_page_and_a_listing_are_bounded() {
    let (ended, pages) = list(target("list-page", json!({"requests": 5_000, "page": 5_000}))).await;
    assert!(matches!(ended, Err(CallFailure::Plugin(error)) if error.code == "too-large"));
    assert!(pages.is_empty());

    let mut few = target("list-few", json!({"requests": 10, "page": 4}));
    few.limits = Some(Limits {
        requests: 9,
        ..Limits::default()
    });
    let (ended, pages) = list(few).await;
    assert!(matches!(ended, Err(CallFailure::Plugin(error)) if error.code == "too-large"));
    assert_eq!(pages.len(), 2);

    let blob = |bytes: usize, page: usize| json!({"requests": page, "page": page, "resume": bytes});
    let (ended, _) = list(target("list-blob", blob(65_537, 1))).await;
    assert!(matches!(ended, Err(CallFailure::Plugin(error)) if error.code == "invalid"));
    let (ended, _) = list(target("list-blobs", blob(65_536, 1_000))).await;
    assert!(matches!(ended, Err(CallFailure::AnswerTooLarge { .. })), "{ended:?}");
}

#[tokio::test]
async fn a_listing_that_nobody_takes_ends() {
    let plugin = hostile().await;
    let target = Arc::new(target("list-nobody", json!({"requests": 100, "page": 10})));
    let (sink, pages) = mpsc::channel(1);
    drop(pages);
    let ended = plugin.list_requests(&target, context(), sink).await;
    assert!(matches!(ended, Err(CallFailure::Plugin(error)) if error.code == "closed"));

    let (sink, _pages) = mpsc::channel(1);
    let ended = plugin
        .list_requests(&target, context_of(Duration::from_millis(300)), sink)
        .await;
    assert!(
        matches!(&ended, Err(CallFailure::TimedOut { waiting_for: Some(what), .. }) if what == "ledger.request-sink.push"),
        "{ended:?}"
    );
}

fn request(id: u64) -> RequestStatus {
    use RequestState::{Completed, Cut, Failed, Queued, Refused, Running};
    let states = [Queued, Running, Completed, Failed, Cut, Refused];
    RequestStatus {
        id: format!("r{id}"),
        client: "192.0.2.1:1".into(),
        operation: "GET /".into(),
        state: states[usize::try_from(id).unwrap() % states.len()],
        started_at_ms: id,
        progress: None,
        idempotency_key: None,
        resume: None,
        attributes: Vec::new(),
    }
}

async fn resolve(config: Value, count: u64) -> (Status, Vec<Disposition>) {
    let plugin = hostile().await;
    let (sink, mut pages) = mpsc::channel(1);
    let receive = async move {
        let mut received = Vec::new();
        while let Some(page) = pages.recv().await {
            received.extend(page);
        }
        received
    };
    let target = Arc::new(target("resolve", config));
    let requests = RequestPages::of((0..count).map(request).collect());
    let (step, dispositions) = tokio::join!(plugin.resolve_requests(&target, context(), requests, sink), receive);
    (step.unwrap().status, dispositions)
}

#[tokio::test]
async fn every_request_gets_its_disposition() {
    let (status, dispositions) = resolve(json!({}), 5_000).await;
    assert_eq!(status, Status::Done);
    let ids: BTreeSet<_> = dispositions.iter().map(|disposition| disposition.id.clone()).collect();
    assert_eq!((dispositions.len(), ids.len()), (5_000, 5_000));
    use Outcome::{ClientRetries, Completed, Lost, Refused, Replayed};
    let outcomes: Vec<_> = dispositions[..6]
        .iter()
        .map(|disposition| disposition.outcome)
        .collect();
    assert_eq!(outcomes, [Replayed, ClientRetries, Completed, Refused, Lost, Refused]);
}

#[tokio::test]
async fn what_is_left_is_said() {
    let (status, dispositions) = resolve(json!({"most": 1_000}), 2_500).await;
    assert_eq!(dispositions.len(), 1_000);
    assert_eq!(
        status,
        Status::Working {
            remaining: Some(1_500),
            blocker: None,
            retry_in: Duration::from_millis(10)
        }
    );
    assert_eq!(resolve(json!({}), 0).await, (Status::Done, Vec::new()));
}

#[tokio::test]
async fn every_drain_call_reaches_its_function() {
    let plugin = hostile().await;
    let target = Arc::new(target("steps", json!({"do": "context"})));
    let steps = [
        ("stop-admitting", plugin.stop_admitting(&target, context()).await),
        ("settle", plugin.settle(&target, context()).await),
        (
            "shut-down graceful",
            plugin.shut_down(&target, context(), Manner::Graceful).await,
        ),
        (
            "shut-down forced",
            plugin.shut_down(&target, context(), Manner::Forced).await,
        ),
        ("resume", plugin.resume(&target, context()).await),
        ("take-over", plugin.take_over(&target, context()).await),
        ("stand-by", plugin.stand_by(&target, context()).await),
    ];
    for (function, step) in steps {
        assert_eq!(seen_in_step(&step.unwrap())["function"], function);
    }
    assert_eq!(
        plugin.observe(&target, context()).await.unwrap(),
        ServerState::StandingBy
    );
}

#[tokio::test]
async fn an_assessment_sees_the_fault() {
    let plugin = hostile().await;
    let target = Arc::new(target("assess", json!({})));
    let mut fault = Fault {
        code: "disk-dying".into(),
        kind: FaultKind::Hardware,
        severity: Severity::ShutdownRequired,
        message: "sectors".into(),
        shutdown_within: Some(Duration::from_secs(60)),
        evidence: vec![("disk".into(), "sda".into())],
    };
    assert_eq!(
        plugin.assess(&target, context(), &fault).await.unwrap(),
        Assessment::Can
    );
    fault.kind = FaultKind::Software;
    let Assessment::Cannot { refusal, attributes } = plugin.assess(&target, context(), &fault).await.unwrap() else {
        panic!("it can")
    };
    assert_eq!(
        (refusal.code.as_str(), refusal.message.as_str()),
        ("not-that-fault", "disk-dying: sectors")
    );
    assert_eq!(attributes, fault.evidence);
}
