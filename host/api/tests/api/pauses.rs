//! Pauses: each scope reaches the machines it is about, and a refusal of all of them is one.

use std::time::Duration;

use hyper::{Method, StatusCode};
use understudy_protocol::{Order, PauseScope, Refusal};

use crate::support::served;

const SERVICE: &str = "/api/v1/services/redis/pause";
const CLUSTER: &str = "/api/v1/pause";

fn pause(scope: PauseScope, lasts: Option<Duration>) -> Order {
    Order::Pause {
        scope,
        by: "ann".to_owned(),
        reason: "new switch".to_owned(),
        lasts,
    }
}

#[tokio::test]
async fn a_service_is_paused_for_a_while_and_let_go() {
    let served = served().await;
    let reply = served
        .post(SERVICE, r#"{"reason":"new switch","for_ms":7200000,"by":"ann"}"#)
        .await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text());
    assert_eq!(reply.json()["order"], "pause");
    let two_hours = Duration::from_secs(7200);
    assert_eq!(served.host.orders(), [pause(PauseScope::Service, Some(two_hours))]);
    let reply = served.ask(Method::DELETE, SERVICE).send().await;
    assert_eq!(reply.json()["order"], "unpause");
    let last = served.host.orders().pop();
    assert!(matches!(
        last,
        Some(Order::Unpause {
            scope: PauseScope::Service,
            ..
        })
    ));
}

#[tokio::test]
async fn a_host_and_a_cluster_are_paused_service_by_service() {
    let served = served().await;
    for (path, scope, word) in [
        ("/api/v1/hosts/alpha/pause", PauseScope::Host, "host"),
        (CLUSTER, PauseScope::Cluster, "cluster"),
    ] {
        let reply = served.post(path, r#"{"reason":"new switch","by":"ann"}"#).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        assert_eq!(reply.json()["scope"], word);
        assert_eq!(reply.json()["services"][0]["service"], "redis");
        assert!(reply.json()["services"][0]["refusal"].is_null());
        assert_eq!(served.host.orders().pop(), Some(pause(scope, None)));
    }
    let other = served.post("/api/v1/hosts/beta/pause", r#"{"reason":"x"}"#).await;
    assert_eq!(other.problem(), (422, "invalid".to_owned()));
    assert!(other.text().contains("ask beta itself"), "{}", other.text());
}

#[tokio::test]
async fn what_can_not_be_paused_says_why() {
    let served = served().await;
    for body in [
        "{}",
        r#"{"reason":""}"#,
        r#"{"reason":"x","for_ms":0}"#,
        r#"{"reason":"x","for":"2h"}"#,
    ] {
        assert_eq!(served.post(SERVICE, body).await.problem().0, 422, "{body}");
    }
    served.host.refuse(Refusal::NotPaused { in_force: Vec::new() });
    let reply = served.ask(Method::DELETE, CLUSTER).send().await;
    assert_eq!(reply.problem(), (409, "refused".to_owned()));
    assert_eq!(reply.json()["refusal"], "not-paused");
}
