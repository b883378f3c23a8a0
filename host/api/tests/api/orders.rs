//! Everything that is ordered: accepted or refused, once for each key, with an operation to follow.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::{Method, StatusCode};
use understudy_api::OrderError;
use understudy_api::wire::TakeoverState;
use understudy_protocol::{Cancel, Decline, HostName, Order, Refusal};

use crate::support::{ROUND, Reply, raw, served, takeover, takeover_view};

const TAKEOVER: &str = "/api/v1/services/redis/takeover";
const CURE: &str = "/api/v1/services/redis/cure";

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

#[tokio::test]
async fn a_takeover_is_accepted_and_can_be_followed() {
    let served = served().await;
    let view = served.host.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        view.change_view(|view| view[0].services[0].takeover = Some(takeover_view(ROUND)));
    });
    let reply = served
        .post(TAKEOVER, r#"{"to":"beta","reason":"kernel update","by":"ann"}"#)
        .await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text());
    assert_eq!(reply.header("location"), format!("/api/v1/takeovers/{ROUND}"));
    let body = reply.json();
    assert_eq!(
        (body["order"].as_str(), body["takeover"].as_str()),
        (Some("takeover"), Some(ROUND))
    );

    let wanted = Order::TakeOver {
        to: Some(host("beta")),
        by: "ann".to_owned(),
        reason: "kernel update".to_owned(),
        override_vetoes: false,
    };
    assert_eq!(served.host.orders(), [wanted]);
    let caller = served.host.orders.lock().unwrap()[0].2.clone();
    assert_eq!(caller.request_id, reply.header("x-request-id"));
    assert!(caller.address.unwrap().ip().is_loopback());
}

#[tokio::test]
async fn the_round_before_is_not_taken_for_the_new_one() {
    let served = served().await;
    served
        .host
        .change_view(|view| view[1].services[0].takeover = Some(takeover_view("9f3a01c4-11")));
    let view = served.host.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        view.change_view(|view| view[0].services[0].takeover = Some(takeover_view(ROUND)));
    });
    let reply = served.post("/api/v1/services/redis/giveback", "{}").await;
    assert_eq!(reply.json()["takeover"], ROUND);
}

#[tokio::test]
async fn an_order_under_way_is_answered_at_the_end() {
    let mut served = served().await;
    *served.host.order_delay.lock().unwrap() = Duration::from_millis(300);
    let host = served.host.clone();
    let address = served.address;
    let order = tokio::spawn(raw(address, format!("POST {CURE} HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    tokio::time::sleep(Duration::from_millis(100)).await;
    served.stop();
    assert!(order.await.unwrap().starts_with("HTTP/1.1 202"));
    assert_eq!(host.orders().len(), 1);
}

#[tokio::test]
async fn a_takeover_without_a_round_points_to_the_service() {
    let served = served().await;
    let reply = served
        .post(TAKEOVER, r#"{"reason":"beta burnt down","confirm_stopped":["beta"]}"#)
        .await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(reply.header("location"), TAKEOVER);
    let by = "api@127.0.0.1".to_owned();
    let wanted = Order::Force {
        stopped: vec![host("beta")],
        by,
        reason: "beta burnt down".to_owned(),
        at: 0,
        override_stay_down: false,
    };
    let given: Vec<Order> = served.host.orders().into_iter().map(timeless).collect();
    assert_eq!(given, [wanted]);
}

/// The order without its time, which must be this machine's.
fn timeless(order: Order) -> Order {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let checked = |at: u64| {
        assert!(at <= now && now - at < 3600, "{at} is not now, {now}");
        0
    };
    match order {
        Order::Force {
            stopped,
            by,
            reason,
            override_stay_down,
            at,
        } => Order::Force {
            stopped,
            by,
            reason,
            override_stay_down,
            at: checked(at),
        },
        Order::Bootstrap { by, reason, at } => Order::Bootstrap {
            by,
            reason,
            at: checked(at),
        },
        other => other,
    }
}

fn by() -> String {
    "ann".to_owned()
}

fn none() -> String {
    "no reason given".to_owned()
}

#[tokio::test]
async fn what_an_operator_overrides_is_said_and_not_mixed() {
    let served = served().await;
    for body in [
        r#"{"reason":"nobody holds it","force":true}"#,
        r#"{"reason":"it must serve","override_stay_down":true}"#,
        r#"{"reason":"the lag is fine","override_vetoes":true}"#,
    ] {
        let reply = served.post(TAKEOVER, body).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{body}: {}", reply.text());
    }
    let orders = served.host.orders();
    assert!(matches!(&orders[0], Order::Force { stopped, override_stay_down: false, .. } if stopped.is_empty()));
    assert!(matches!(
        &orders[1],
        Order::Force {
            override_stay_down: true,
            ..
        }
    ));
    assert!(matches!(
        &orders[2],
        Order::TakeOver {
            override_vetoes: true,
            ..
        }
    ));
    let mixed = served
        .post(TAKEOVER, r#"{"reason":"x","force":true,"override_vetoes":true}"#)
        .await;
    assert_eq!(mixed.json()["field"], "override_vetoes");
    let given = served
        .post(
            "/api/v1/services/redis/giveback",
            r#"{"reason":"all is well","by":"ann"}"#,
        )
        .await;
    assert_eq!(given.status, StatusCode::ACCEPTED);
    let wanted = Order::Giveback {
        by: by(),
        reason: "all is well".to_owned(),
        override_vetoes: false,
    };
    assert_eq!(served.host.orders().last(), Some(&wanted));
}

#[tokio::test]
async fn the_other_orders_reach_the_machine() {
    let served = served().await;
    for (path, order) in [
        (
            "giveback",
            Order::Giveback {
                by: by(),
                reason: none(),
                override_vetoes: false,
            },
        ),
        (
            "cure",
            Order::Cure {
                by: by(),
                reason: none(),
            },
        ),
        (
            "cancel",
            Order::Cancel {
                by: by(),
                reason: none(),
            },
        ),
        (
            "bootstrap",
            Order::Bootstrap {
                by: by(),
                reason: none(),
                at: 0,
            },
        ),
    ] {
        let reply = served
            .post(&format!("/api/v1/services/redis/{path}"), r#"{"by":"ann"}"#)
            .await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{path}: {}", reply.text());
        assert_eq!(reply.json()["order"], path);
        assert!(reply.header("location").starts_with("/api/v1/services/redis"));
        assert_eq!(served.host.orders().pop().map(timeless), Some(order));
    }
    let empty = served.ask(Method::POST, "/api/v1/services/redis/cure").send().await;
    assert_eq!(
        empty.status,
        StatusCode::ACCEPTED,
        "a body of nothing but defaults may be left out"
    );
}

#[tokio::test]
async fn a_refusal_is_data() {
    let served = served().await;
    let plugin = understudy_protocol::PluginRefusal {
        code: "replica-lag".to_owned(),
        message: "the replica is 90 MB behind".to_owned(),
        would_accept_if: Some("it is less than 10 MB behind".to_owned()),
        hard: false,
    };
    served.host.refuse(Refusal::Declined {
        host: host("beta"),
        because: Decline::Plugin(plugin),
    });
    let reply = served.post(TAKEOVER, r#"{"reason":"x"}"#).await;
    assert_eq!(reply.problem(), (409, "refused".to_owned()));
    let body = reply.json();
    assert_eq!(
        (body["refusal"].as_str(), body["because"]["host"].as_str()),
        (Some("declined"), Some("beta"))
    );
    assert_eq!(body["because"]["because"]["code"], "replica-lag");
    assert_eq!(body["would_change"], "it is less than 10 MB behind");

    served.host.refuse(Refusal::Cancelled {
        because: Cancel::DrainDeadline,
    });
    assert_eq!(
        served.post(TAKEOVER, r#"{"reason":"x"}"#).await.json()["refusal"],
        "cancelled"
    );
}

#[tokio::test]
async fn other_failures_of_an_order() {
    let served = served().await;
    let unknown = served
        .post("/api/v1/services/nginx/takeover", r#"{"reason":"x"}"#)
        .await;
    assert_eq!(unknown.problem(), (404, "not-found".to_owned()));
    for (error, status) in [
        (OrderError::Unanswered, 504),
        (
            OrderError::Unavailable {
                because: "it is ending".to_owned(),
            },
            503,
        ),
        (OrderError::UnknownService, 404),
    ] {
        *served.host.answer.lock().unwrap() = Err(error);
        assert_eq!(served.post(TAKEOVER, r#"{"reason":"x"}"#).await.problem().0, status);
    }
}

#[tokio::test]
async fn a_key_is_carried_out_once() {
    let served = served().await;
    let order = async |key: &str, body: &str| -> Reply {
        served
            .ask(Method::POST, TAKEOVER)
            .header("idempotency-key", key)
            .json(body)
            .send()
            .await
    };
    let first = order("k-1", r#"{"reason":"x"}"#).await;
    let again = order("\"k-1\"", r#"{"reason":"x"}"#).await;
    assert_eq!(
        (first.status, again.status),
        (StatusCode::ACCEPTED, StatusCode::ACCEPTED)
    );
    assert_eq!(
        (again.body, again.headers["location"].clone()),
        (first.body, first.headers["location"].clone())
    );
    assert_eq!(
        (
            again.headers.get("idempotent-replayed").is_some(),
            served.host.orders().len()
        ),
        (true, 1)
    );

    let other = order("k-1", r#"{"reason":"y"}"#).await;
    assert_eq!(
        (other.problem().1.as_str(), other.json()["field"].as_str()),
        ("invalid", Some("idempotency-key"))
    );
    order("k-2", r#"{"reason":"x"}"#).await;
    assert_eq!(served.host.orders().len(), 2);
    assert_eq!(order("", "{}").await.problem().0, 422);
}

#[tokio::test]
async fn a_refusal_is_kept_and_a_failure_is_not() {
    let served = served().await;
    let order = async |key: &str| {
        served
            .ask(Method::POST, TAKEOVER)
            .header("idempotency-key", key)
            .json(r#"{"reason":"x"}"#)
            .send()
            .await
    };
    served.host.refuse(Refusal::AlreadyActive);
    assert_eq!(order("k").await.problem().0, 409);
    *served.host.answer.lock().unwrap() = Ok(());
    let again = order("k").await;
    assert_eq!(
        again.problem(),
        (409, "refused".to_owned()),
        "the same key, the same answer"
    );
    assert_eq!(again.json()["refusal"], "already-active");

    *served.host.answer.lock().unwrap() = Err(OrderError::Unanswered);
    assert_eq!(order("l").await.problem().0, 504);
    *served.host.answer.lock().unwrap() = Ok(());
    assert_eq!(
        order("l").await.status,
        StatusCode::ACCEPTED,
        "what was uncertain may be asked again"
    );
}

#[tokio::test]
async fn a_key_in_use_waits_its_turn() {
    let served = served().await;
    *served.host.order_delay.lock().unwrap() = Duration::from_millis(300);
    let order = || {
        served
            .ask(Method::POST, TAKEOVER)
            .header("idempotency-key", "k")
            .json(r#"{"reason":"x"}"#)
            .send()
    };
    let (first, second) = tokio::join!(order(), order());
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    assert_eq!(served.host.orders().len(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_undo_its_order() {
    let served = served().await;
    *served.host.order_delay.lock().unwrap() = Duration::from_millis(300);
    let order = || {
        served
            .ask(Method::POST, TAKEOVER)
            .header("idempotency-key", "k")
            .json(r#"{"reason":"x"}"#)
            .send()
    };
    let gave_up = tokio::time::timeout(Duration::from_millis(100), order()).await;
    assert!(gave_up.is_err());
    let kept = async {
        while served.host.kept.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), kept)
        .await
        .expect("the answer is kept");
    assert_eq!(order().await.header("idempotent-replayed"), "true");
    assert_eq!(served.host.orders().len(), 1);
}

#[tokio::test]
async fn a_takeover_is_cancelled_by_its_id() {
    let served = served().await;
    let delete = async |id: &str| {
        served
            .ask(Method::DELETE, &format!("/api/v1/takeovers/{id}"))
            .send()
            .await
    };
    *served.host.takeovers.lock().unwrap() = vec![
        takeover(ROUND, TakeoverState::Draining),
        takeover("old", TakeoverState::Done),
    ];
    served
        .host
        .change_view(|view| view[0].services[0].takeover = Some(takeover_view(ROUND)));
    let reply = delete(ROUND).await;
    assert_eq!(
        (reply.status, reply.json()["order"].as_str()),
        (StatusCode::ACCEPTED, Some("cancel"))
    );
    assert!(matches!(&served.host.orders()[..], [Order::Cancel { .. }]));

    assert_eq!(delete("old").await.problem(), (409, "over".to_owned()));
    assert_eq!(delete("none").await.problem().0, 404);
    served
        .host
        .change_view(|view| view[0].services[0].takeover = Some(takeover_view("another")));
    assert_eq!(delete(ROUND).await.problem(), (409, "over".to_owned()));
    assert_eq!(
        served.host.orders().len(),
        1,
        "another round is never cancelled by mistake"
    );

    served
        .host
        .change_view(|view| view[0].services[0].takeover = Some(takeover_view(ROUND)));
    served.host.refuse(Refusal::AlreadyReleased { to: host("beta") });
    assert_eq!(delete(ROUND).await.json()["refusal"], "already-released");
}

#[tokio::test]
async fn a_dry_run_is_a_rehearsal_and_no_order() {
    let served = served().await;
    let path = "/api/v1/services/redis";
    let takeover = served
        .post(
            &format!("{path}/takeover"),
            r#"{"to": "beta", "reason": "kernel", "by": "anna", "dry_run": true}"#,
        )
        .await;
    assert_eq!(
        (takeover.status, &takeover.json()["second"]),
        (StatusCode::OK, &"beta".into())
    );
    let giveback = served.post(&format!("{path}/giveback"), r#"{"dry_run": true}"#).await;
    assert_eq!(giveback.status, StatusCode::OK);
    let wishes = served.host.wishes.lock().unwrap().clone();
    assert_eq!(
        (wishes[0].to.as_ref().unwrap().as_str(), wishes[0].by.as_str()),
        ("beta", "anna")
    );
    assert!(!wishes[0].giveback && wishes[1].giveback);
    assert!(served.host.orders().is_empty(), "nothing was ordered");
    let by_force = r#"{"reason": "x", "confirm_stopped": ["beta"], "dry_run": true}"#;
    let reply = served.post(&format!("{path}/takeover"), by_force).await;
    assert_eq!(reply.problem(), (422, "invalid".to_owned()));
    let unknown = served
        .post("/api/v1/services/nginx/takeover", r#"{"reason": "x", "dry_run": true}"#)
        .await;
    assert_eq!(unknown.problem().0, 404);
}
