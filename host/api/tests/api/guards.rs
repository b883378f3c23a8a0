//! Who may ask: tokens, foreign pages, foreign names.

use hyper::{Method, StatusCode};

use crate::support::{Reply, Served, raw, served, served_with};

const TOKEN: &str = "correct-horse-battery-staple";
const TAKEOVER: &str = "/api/v1/services/redis/takeover";
const ORDER: &str = r#"{"reason":"x"}"#;

async fn with_token() -> Served {
    served_with(|config| config.token = Some(TOKEN.to_owned())).await
}

async fn with(served: &Served, path: &str, name: &str, value: &str) -> Reply {
    served.ask(Method::GET, path).header(name, value).send().await
}

#[tokio::test]
async fn everything_but_checks_and_the_page_needs_the_token() {
    let served = with_token().await;
    for path in [
        "/api/v1/hosts",
        "/api/v1/services",
        "/api/v1/journal",
        "/api/v1/events",
        "/api/v1/takeovers",
        "/metrics",
        "/openapi.json",
    ] {
        let reply = served.get(path).await;
        assert_eq!(reply.problem(), (401, "unauthorized".to_owned()), "{path}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }
    assert_eq!(served.post(TAKEOVER, ORDER).await.problem().0, 401);
    assert!(served.host.orders().is_empty());
    for path in ["/livez", "/readyz", "/api/v1/services/redis/active", "/"] {
        assert_eq!(served.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_token_opens_and_nothing_else_does() {
    let served = with_token().await;
    let path = "/api/v1/hosts";
    let good = format!("Bearer {TOKEN}");
    assert_eq!(with(&served, path, "authorization", &good).await.status, StatusCode::OK);
    for bad in [
        "Bearer wrong",
        "Bearer",
        "Basic Y29ycmVjdA==",
        TOKEN,
        &format!("Bearer {TOKEN}x"),
    ] {
        assert_eq!(
            with(&served, path, "authorization", bad).await.status,
            StatusCode::UNAUTHORIZED,
            "{bad}"
        );
    }
    let query = served.get(&format!("{path}?token={TOKEN}")).await;
    assert_eq!(
        query.status,
        StatusCode::UNAUTHORIZED,
        "tokens in addresses end up in logs"
    );
}

#[tokio::test]
async fn pages_of_others_give_no_orders() {
    let served = served().await;
    let own = format!("http://{}", served.address);
    let from = async |name: &str, value: &str| {
        served
            .ask(Method::POST, TAKEOVER)
            .header(name, value)
            .json(ORDER)
            .send()
            .await
            .status
            .as_u16()
    };
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"] {
        assert_eq!(from("origin", origin).await, 403, "{origin}");
    }
    for site in ["cross-site", "same-site"] {
        assert_eq!(from("sec-fetch-site", site).await, 403, "{site}");
    }
    assert!(served.host.orders().is_empty());
    let form = served.ask(Method::POST, "/api/v1/services/redis/cure");
    let form = form
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await;
    assert_eq!(
        form.status.as_u16(),
        415,
        "what an old browser sends for a form, without an origin"
    );
    assert!(served.host.orders().is_empty());
    assert_eq!(from("origin", &own).await, 202);
    assert_eq!(from("sec-fetch-site", "same-origin").await, 202);
    assert_eq!(from("user-agent", "curl").await, 202);
    let read = with(&served, "/api/v1/hosts", "origin", "https://evil.example").await;
    assert_eq!(
        (read.status, read.header("access-control-allow-origin")),
        (StatusCode::OK, "")
    );
    let delete = served
        .ask(Method::DELETE, "/api/v1/takeovers/x")
        .header("origin", "https://evil.example");
    assert_eq!(delete.send().await.problem(), (403, "foreign-origin".to_owned()));
}

#[tokio::test]
async fn names_that_are_not_ours_are_not_answered_on_loopback() {
    let served = served_with(|config| config.allowed_hosts = vec!["ui.example".to_owned()]).await;
    for name in [
        "evil.example",
        "evil.example:7420",
        "192.0.2.1",
        "127.0.0.1.evil.example",
        "@",
    ] {
        for path in ["/api/v1/hosts", "/api/v1/events", "/metrics", "/", "/api/v1/none"] {
            let reply = with(&served, path, "host", name).await;
            assert_eq!(reply.problem(), (421, "wrong-host".to_owned()), "{name} {path}");
        }
    }
    for name in ["localhost", "localhost:7420", "127.0.0.1:1", "[::1]:7420", "UI.example"] {
        assert_eq!(
            with(&served, "/api/v1/hosts", "host", name).await.status,
            StatusCode::OK,
            "{name}"
        );
    }
    let check = with(&served, "/api/v1/services/redis/active", "host", "redis.example").await;
    assert_eq!(
        check.status,
        StatusCode::OK,
        "load balancers send the service's own name"
    );
}

#[tokio::test]
async fn tools_without_a_host_name_are_answered() {
    let served = served().await;
    let answer = raw(served.address, "GET /api/v1/hosts HTTP/1.0\r\n\r\n".to_owned()).await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

#[tokio::test]
async fn any_name_will_do_where_others_can_reach_it() {
    let served = served_with(|config| {
        config.listen = "0.0.0.0:7420".parse().unwrap();
        config.token = Some(TOKEN.to_owned());
    })
    .await;
    let request = served
        .ask(Method::GET, "/api/v1/hosts")
        .header("host", "alpha.example:7420");
    let reply = request.header("authorization", &format!("Bearer {TOKEN}")).send().await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_has_the_headers_for_browsers() {
    let served = served().await;
    for path in ["/", "/api/v1/hosts", "/api/v1/none", "/livez"] {
        let reply = served.get(path).await;
        assert!(
            reply.header("content-security-policy").contains("default-src 'none'"),
            "{path}"
        );
        assert!(
            reply
                .header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_ne!(reply.header("x-request-id"), "", "{path}");
    }
}
