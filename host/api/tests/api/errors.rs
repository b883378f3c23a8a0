//! Every error is a problem document that names the field and the mend.

use std::sync::atomic::Ordering;

use hyper::{Method, StatusCode};

use crate::support::served;

const TAKEOVER: &str = "/api/v1/services/redis/takeover";

#[tokio::test]
async fn a_body_that_is_wrong_names_its_field() {
    let served = served().await;
    for (body, status, field) in [
        (r#"{"reason":"x","confirm":["beta"]}"#, 422, "confirm"),
        (r#"{}"#, 422, "reason"),
        (r#"{"reason":"  "}"#, 422, "reason"),
        (r#"{"reason":"two\nlines"}"#, 422, "reason"),
        (r#"{"reason":7}"#, 422, "reason"),
        (r#"{"reason":"x","to":"No Name"}"#, 422, "to"),
        (r#"{"reason":"x","by":""}"#, 422, "by"),
        (
            r#"{"reason":"x","confirm_stopped":["beta","B!"]}"#,
            422,
            "confirm_stopped",
        ),
        (r#"{"reason":"x","to":"beta","confirm_stopped":["alpha"]}"#, 422, "to"),
    ] {
        let reply = served.post(TAKEOVER, body).await;
        assert_eq!(reply.problem(), (status, "invalid".to_owned()), "{body}");
        assert_eq!(reply.json()["field"], field, "{body}");
    }
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(501));
    assert_eq!(served.post(TAKEOVER, &long).await.json()["field"], "reason");
    assert!(served.host.orders().is_empty(), "nothing wrong is ever ordered");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_said_so() {
    let served = served().await;
    for body in ["{", "reason=x", "{\"reason\":\"x\"}}"] {
        assert_eq!(
            served.post(TAKEOVER, body).await.problem(),
            (400, "malformed".to_owned()),
            "{body}"
        );
    }
    let form = served
        .ask(Method::POST, TAKEOVER)
        .header("content-type", "text/plain")
        .body(r#"{"reason":"x"}"#);
    assert_eq!(form.send().await.problem(), (415, "media-type".to_owned()));
    let nothing = served.ask(Method::POST, TAKEOVER).body(r#"{"reason":"x"}"#);
    assert_eq!(nothing.send().await.problem(), (415, "media-type".to_owned()));
    assert!(served.host.orders().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let served = served().await;
    let body = format!(r#"{{"reason":"{}"}}"#, "x".repeat(20_000));
    assert_eq!(
        served.post(TAKEOVER, &body).await.problem(),
        (413, "too-large".to_owned())
    );
}

#[tokio::test]
async fn a_query_that_is_wrong_names_its_field() {
    let served = served().await;
    for (path, field) in [
        ("/api/v1/journal?limit=x", "limit"),
        ("/api/v1/journal?limit=0", "limit"),
        ("/api/v1/journal?limit=1001", "limit"),
        ("/api/v1/journal?service=No%20Name", "service"),
        ("/api/v1/journal?host=No%20Name", "host"),
        ("/api/v1/journal?servise=redis", "servise"),
        ("/api/v1/takeovers?state=done", "state"),
        ("/api/v1/faults?standing=maybe", "standing"),
        ("/api/v1/compilations/x/requests?state=dead", "state"),
        ("/api/v1/compilations/x/requests?outcome=dead", "outcome"),
        ("/api/v1/events?last_event_id=x", "last_event_id"),
    ] {
        let reply = served.get(path).await;
        assert_eq!(reply.problem(), (422, "invalid".to_owned()), "{path}");
        assert_eq!(reply.json()["field"], field, "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let served = served().await;
    for path in [
        "/api",
        "/api/v1",
        "/api/v1/none",
        "/api/v2/hosts",
        "/api/v1/hosts/",
        "/missing.js",
    ] {
        assert_eq!(
            served.get(path).await.problem(),
            (404, "not-found".to_owned()),
            "{path}"
        );
    }
    let reply = served.ask(Method::PUT, "/api/v1/hosts").send().await;
    assert_eq!(reply.problem(), (405, "method".to_owned()));
    assert_eq!(reply.header("allow"), "GET,HEAD");
    let reply = served.ask(Method::GET, "/api/v1/services/redis/cure").send().await;
    assert_eq!((reply.problem().0, reply.header("allow")), (405, "POST"));
    assert_eq!(served.ask(Method::POST, "/").send().await.problem().0, 405);
    assert_eq!(served.ask(Method::DELETE, "/livez").send().await.problem().0, 405);
}

#[tokio::test]
async fn a_broken_store_is_said_and_passes() {
    let served = served().await;
    served.host.store_fails.store(true, Ordering::SeqCst);
    let reply = served.get("/api/v1/journal").await;
    assert_eq!(reply.problem(), (503, "unavailable".to_owned()));
    assert!(reply.json()["detail"].as_str().unwrap().contains("disk full"));
    assert_eq!(
        served.get("/api/v1/hosts").await.status,
        StatusCode::OK,
        "the view needs no store"
    );
    served.host.store_fails.store(false, Ordering::SeqCst);
    assert_eq!(served.get("/api/v1/journal").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_panic_is_an_answer_and_not_the_end() {
    let served = served().await;
    served.host.panics.store(true, Ordering::SeqCst);
    let reply = served.get("/api/v1/hosts").await;
    assert_eq!(reply.problem(), (500, "broken".to_owned()));
    assert!(!reply.text().contains("told to panic"), "the reason is for the log");
    served.host.panics.store(false, Ordering::SeqCst);
    assert_eq!(served.get("/api/v1/hosts").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_id_is_kept_where_it_is_sane() {
    let served = served().await;
    let id = async |id: &str| {
        let reply = served
            .ask(Method::GET, "/livez")
            .header("x-request-id", id)
            .send()
            .await;
        reply.header("x-request-id").to_owned()
    };
    assert_eq!(id("trace-7.a_B").await, "trace-7.a_B");
    for bad in ["a b", "<script>", &"x".repeat(65)] {
        let new = id(bad).await;
        assert_eq!((new.len(), new.as_str() == bad), (36, false), "{bad}");
    }
}
