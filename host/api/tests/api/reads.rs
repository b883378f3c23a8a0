//! Everything that is read.

use hyper::{Method, StatusCode};
use understudy_api::wire::{Compilation, HostView, Page, RequestLine, Role, ServiceOverview, Takeover, TakeoverState};
use understudy_api::{FaultFilter, RequestFilter};
use understudy_protocol::{self as protocol, ServiceName};

use crate::support::{ROUND, line, now_ms, served, takeover, takeover_view};

#[tokio::test]
async fn hosts_come_with_their_age() {
    let served = served().await;
    let reply = served.get("/api/v1/hosts").await;
    assert_eq!(
        (reply.status, reply.header("cache-control")),
        (StatusCode::OK, "no-store")
    );
    let hosts: Vec<HostView> = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        hosts.iter().map(|host| host.host.as_str()).collect::<Vec<_>>(),
        ["alpha", "beta"]
    );
    assert!(hosts.iter().all(|host| host.age_ms.is_some_and(|age| age >= 5000)));
    assert_eq!(
        served.get("/api/v1/hosts/beta").await.json()["services"][0]["role"],
        "standby"
    );
    assert_eq!(
        served.get("/api/v1/hosts/gamma").await.problem(),
        (404, "not-found".to_owned())
    );
}

#[tokio::test]
async fn the_json_is_in_the_agreed_words() {
    let served = served().await;
    let service = &served.get("/api/v1/hosts").await.json()[0]["services"][0];
    assert_eq!(service["held_term"], serde_json::json!({ "value": 5, "text": "5" }));
    assert_eq!(
        service["timers"][0],
        serde_json::json!({ "name": "stay-down", "remaining_ms": 1500 })
    );
    assert_eq!(service["address"]["mode"], "proxy");
    assert!(service["takeover"].is_null(), "what is not there is null, not missing");
}

#[tokio::test]
async fn services_are_shown_over_all_hosts() {
    let served = served().await;
    let services: Vec<ServiceOverview> = serde_json::from_slice(&served.get("/api/v1/services").await.body).unwrap();
    assert_eq!(services.len(), 1);
    assert_eq!(
        (services[0].active.as_deref(), &services[0].disagreement),
        (Some("alpha"), &None)
    );
    assert_eq!(services[0].hosts.len(), 2);
    assert_eq!(served.get("/api/v1/services/redis").await.json()["home"], "alpha");
    for unknown in ["nginx", "No%20Name", "%ff"] {
        let reply = served.get(&format!("/api/v1/services/{unknown}")).await;
        assert!(matches!(reply.problem().0, 404 | 400), "{unknown}");
    }
}

#[tokio::test]
async fn disagreement_is_shown_and_takeovers_are_the_givers_word() {
    let served = served().await;
    served.host.change_view(|view| {
        view[1].services[0].serves = true;
        view[1].services[0].role = Role::Active;
        view[1].services[0].held_term = Some(protocol::Term(6).into());
        view[0].services[0].takeover = Some(takeover_view("a-1"));
        view[1].services[0].takeover = Some(takeover_view("b-1"));
    });
    let service = served.get("/api/v1/services/redis").await.json();
    assert_eq!(service["active"], "beta", "the higher term counts");
    assert_eq!(service["term"]["value"], 6);
    assert!(service["disagreement"].as_str().unwrap().contains("alpha and beta"));
    assert_eq!(service["takeover"]["round"], "a-1");

    served.host.change_view(|view| view[1].reachable = false);
    let service = served.get("/api/v1/services/redis").await.json();
    assert!(service["disagreement"].is_null(), "an old word is no disagreement");
    assert_eq!(service["hosts"][1]["reachable"], false);
}

#[tokio::test]
async fn a_load_balancer_sees_where_the_service_is() {
    let served = served().await;
    let path = "/api/v1/services/redis/active";
    let reply = served.get(path).await;
    assert_eq!(
        (reply.status, reply.json()["active"].as_str()),
        (StatusCode::OK, Some("alpha"))
    );
    let head = served.ask(Method::HEAD, path).send().await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));

    served.host.change_view(|view| {
        view[0].services[0].serves = false;
        view[0].services[0].active = Some("beta".to_owned());
    });
    let reply = served.get(path).await;
    assert_eq!(reply.problem(), (503, "unavailable".to_owned()));
    assert!(reply.json()["detail"].as_str().unwrap().contains("beta is"));
    assert_eq!(
        served.ask(Method::HEAD, path).send().await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(served.get("/api/v1/services/nginx/active").await.problem().0, 404);
}

#[tokio::test]
async fn supervisors_are_answered() {
    let served = served().await;
    assert_eq!(served.get("/livez").await.text(), "alive\n");
    assert_eq!(served.get("/readyz").await.text(), "ready\n");
    assert!(
        served
            .get("/metrics")
            .await
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    *served.host.ready.lock().unwrap() = Err("the store can't be written".to_owned());
    let reply = served.get("/readyz").await;
    assert_eq!(reply.problem().0, 503);
    assert_eq!(reply.json()["detail"], "the store can't be written");
    assert_eq!(
        served.get("/livez").await.status,
        StatusCode::OK,
        "not ready is not dead"
    );
}

#[tokio::test]
async fn takeovers_are_operations_to_look_up() {
    let served = served().await;
    assert_eq!(served.get("/api/v1/services/redis/takeover").await.problem().0, 404);
    *served.host.takeovers.lock().unwrap() = vec![
        takeover(ROUND, TakeoverState::Draining),
        takeover("9f3a01c4-11", TakeoverState::Done),
    ];
    let list: Page<Takeover> = serde_json::from_slice(&served.get("/api/v1/takeovers?limit=1").await.body).unwrap();
    assert_eq!((list.items.len(), list.items[0].steps.len()), (1, 0));
    let one: Takeover = serde_json::from_slice(&served.get(&format!("/api/v1/takeovers/{ROUND}")).await.body).unwrap();
    assert_eq!((one.state, one.steps), (TakeoverState::Draining, vec![line(1)]));
    assert_eq!(served.get("/api/v1/services/redis/takeover").await.json()["id"], ROUND);
    assert_eq!(served.get("/api/v1/takeovers/none").await.problem().0, 404);
    let reply = served.get("/api/v1/takeovers?cursor=x").await;
    assert_eq!(
        (reply.problem().1.as_str(), reply.json()["field"].as_str()),
        ("invalid", Some("cursor"))
    );
}

#[tokio::test]
async fn compilations_are_filtered_and_paged() {
    let served = served().await;
    let compilation = Compilation {
        round: ROUND.to_owned(),
        service: "redis".to_owned(),
        first: "alpha".to_owned(),
        second: Some("beta".to_owned()),
        sealed: true,
        count: 3,
        digest: Some("00".repeat(32)),
        started_at_ms: now_ms(),
        sealed_at_ms: Some(now_ms()),
        states: Default::default(),
        outcomes: Default::default(),
    };
    *served.host.compilation.lock().unwrap() = Some(compilation.clone());
    let request = |id: &str| protocol::RequestStatus {
        id: id.to_owned(),
        client: "192.0.2.7".to_owned(),
        operation: "BLPOP".to_owned(),
        state: protocol::RequestState::Cut,
        started_at_ms: 0,
        progress: None,
        idempotency_key: None,
        resume: Some(vec![1]),
        attributes: Vec::new(),
    };
    let done = protocol::Disposition {
        id: "b".to_owned(),
        outcome: protocol::Outcome::ClientRetries,
        message: "idle".to_owned(),
    };
    *served.host.requests.lock().unwrap() = vec![
        RequestLine::new(&request("a"), None),
        RequestLine::new(&request("b"), Some(&done)),
    ];

    assert_eq!(
        served.get("/api/v1/compilations").await.json()["items"][0]["round"],
        ROUND
    );
    let one = served.get(&format!("/api/v1/compilations/{ROUND}")).await.json();
    assert_eq!(serde_json::from_value::<Compilation>(one.clone()).unwrap(), compilation);
    assert_eq!(one["outcomes"]["client-retries"], 0);

    let path = format!("/api/v1/compilations/{ROUND}/requests");
    let page = served.get(&format!("{path}?limit=1")).await.json();
    assert_eq!(
        (page["items"][0]["id"].as_str(), page["next"].as_str()),
        (Some("a"), Some("1"))
    );
    assert!(page["items"][0]["started_at_ms"].is_null() && page["items"][0]["disposition"].is_null());
    let page = served.get(&format!("{path}?limit=1&cursor=1")).await.json();
    assert_eq!(page["items"][0]["disposition"]["outcome"], "client-retries");
    assert!(page["next"].is_null());

    served
        .get(&format!("{path}?state=cut&outcome=client-retries&client=192.0&limit=7"))
        .await;
    let asked = served.host.asked_requests.lock().unwrap().take().unwrap();
    let wanted = RequestFilter {
        state: Some(protocol::RequestState::Cut),
        outcome: Some(protocol::Outcome::ClientRetries),
        client: Some("192.0".to_owned()),
        limit: 7,
        ..RequestFilter::default()
    };
    assert_eq!(asked, wanted);
    served.get(&format!("{path}?outcome=unsettled")).await;
    assert!(served.host.asked_requests.lock().unwrap().take().unwrap().unsettled);
    assert_eq!(served.get("/api/v1/compilations/none").await.problem().0, 404);
    assert_eq!(served.get("/api/v1/compilations/none/requests").await.problem().0, 404);
}

#[tokio::test]
async fn faults_are_filtered() {
    let served = served().await;
    served.get("/api/v1/faults?service=redis&standing=true").await;
    let asked = served.host.asked_faults.lock().unwrap().take().unwrap();
    let service = ServiceName::new("redis").ok();
    assert_eq!(
        asked,
        FaultFilter {
            service,
            standing: true,
            cursor: None,
            limit: 100
        }
    );
}

#[tokio::test]
async fn the_journal_is_read_forwards_and_backwards() {
    let served = served().await;
    (1..=6).for_each(|seq| served.host.journal_line(seq));
    let numbers = async |query: &str| -> Vec<u64> {
        let lines = served.get(&format!("/api/v1/journal{query}")).await.json();
        lines
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers("?limit=2").await, [5, 6]);
    assert_eq!(numbers("?after=1&limit=3").await, [2, 3, 4]);
    assert_eq!(numbers("?before=5&limit=2").await, [3, 4]);
    assert_eq!(numbers("?host=alpha&limit=1").await, [6]);
    assert_eq!(numbers("?host=beta").await, [] as [u64; 0]);
    assert_eq!(numbers("?service=nginx").await, [] as [u64; 0]);
    assert_eq!(numbers(&format!("?round={ROUND}")).await.len(), 6);
}

#[tokio::test]
async fn the_document_is_served() {
    let served = served().await;
    let document = served.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert!(document["paths"]["/api/v1/services/{service}/takeover"]["post"].is_object());
}

#[tokio::test]
async fn a_takeovers_proof_is_a_file_to_keep_and_a_report_to_read() {
    let served = served().await;
    let path = format!("/api/v1/takeovers/{ROUND}");
    let bundle = served.get(&format!("{path}/bundle")).await;
    assert_eq!(bundle.status, StatusCode::OK);
    assert_eq!(
        bundle.header("content-disposition"),
        format!("attachment; filename=\"takeover-{ROUND}.json\"")
    );
    assert_eq!(bundle.json()["form"], "understudy proof bundle 1");
    let report = served.get(&format!("{path}/proof")).await.json();
    assert_eq!(
        (&report["verdict"], &report["checks"][0]["result"]),
        (&"holds-in-part".into(), &"unproven".into())
    );
    for part in ["bundle", "proof"] {
        let unknown = served.get(&format!("/api/v1/takeovers/nobody-1/{part}")).await;
        assert_eq!(unknown.problem(), (404, "not-found".to_owned()));
    }
}
