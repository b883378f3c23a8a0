//! The embedded page, whichever was built in: the real one, or the line that says how to build it.

use hyper::{Method, StatusCode};

use crate::support::served;

#[tokio::test]
async fn the_page_answers_for_its_own_routes() {
    let served = served().await;
    for path in ["/", "/services/redis", "/takeovers/9f3a01c4-12"] {
        let reply = served.get(path).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (StatusCode::OK, "text/html; charset=utf-8"),
            "{path}"
        );
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert!(reply.text().contains("<html"), "{path}");
        assert_eq!(served.ask(Method::HEAD, path).send().await.body.len(), 0);
    }
}

#[tokio::test]
async fn a_service_with_a_dot_in_its_name_has_a_page() {
    let served = served().await;
    let accept = async |path: &str, accept: &str| {
        served
            .ask(Method::GET, path)
            .header("accept", accept)
            .send()
            .await
            .status
            .as_u16()
    };
    assert_eq!(
        accept("/services/redis.main", "text/html,application/xhtml+xml,*/*;q=0.8").await,
        200
    );
    assert_eq!(accept("/services/none.js", "*/*").await, 404);
    assert_eq!(accept("/assets/none.js", "text/html").await, 404);
}

#[tokio::test]
async fn nothing_outside_the_page_is_served() {
    let served = served().await;
    for path in [
        "/.gitkeep",
        "/.gitignore",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/assets/none.js",
    ] {
        assert_eq!(served.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn answers_are_compressed_where_that_is_wanted() {
    let served = served().await;
    let plain = served.get("/openapi.json").await;
    let packed = served
        .ask(Method::GET, "/openapi.json")
        .header("accept-encoding", "gzip")
        .send()
        .await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() < plain.body.len() / 2);
    let stream = served
        .ask(Method::GET, "/api/v1/events")
        .header("accept-encoding", "gzip")
        .open()
        .await;
    assert!(
        !stream.headers().contains_key("content-encoding"),
        "events must not wait in a compressor"
    );
    let error = served
        .ask(Method::GET, "/api/v1/none")
        .header("accept-encoding", "gzip")
        .send()
        .await;
    assert_eq!(error.problem().0, 404, "errors come plain");
}
