//! HTTP/1.1 to a real server, and to some that are none.

use serde_json::{Value, json};
use understudy_runtime::{Endpoint, Target};

use crate::servers::{Nginx, saying, silent};
use crate::support::{probe, target};

fn to(port: u16, mut config: Value) -> Target {
    config["do"] = "http".into();
    config["endpoint"] = "web".into();
    let mut target = target("http", config);
    target.endpoints.insert(
        "web".into(),
        Endpoint::Tcp {
            address: format!("127.0.0.1:{port}"),
        },
    );
    target
}

#[tokio::test]
async fn nginx_answers() {
    let nginx = Nginx::start().await;
    let seen = probe(to(nginx.http, json!({"path": "/status"}))).await;
    assert_eq!(seen["status"], "200");
    assert_eq!(
        seen["body"],
        format!("Active connections: 1 of 127.0.0.1:{}\n", nginx.http)
    );
    assert!(seen.contains_key("header-server"), "{seen:?}");

    let post = json!({"method": "POST", "path": "/echo", "body": "12345", "headers": [["X-From", "a probe"]]});
    assert_eq!(probe(to(nginx.http, post)).await["body"], "POST a probe 5");
    assert_eq!(
        probe(to(nginx.http, json!({"path": "/missing"}))).await["status"],
        "404"
    );

    let named = json!({"path": "/status", "headers": [["Host", "shop.test"]]});
    assert_eq!(
        probe(to(nginx.http, named)).await["body"],
        "Active connections: 1 of shop.test\n"
    );
}

#[tokio::test]
async fn a_body_is_cut_where_the_guest_says() {
    let nginx = Nginx::start().await;
    let seen = probe(to(nginx.http, json!({"path": "/large", "max-body": 1_000}))).await;
    assert_eq!((seen["length"].as_str(), seen["truncated"].as_str()), ("1000", "true"));
    let seen = probe(to(nginx.http, json!({"path": "/large", "max-body": 100_000}))).await;
    assert_eq!(
        (seen["length"].as_str(), seen["truncated"].as_str()),
        ("100000", "false")
    );
}

#[tokio::test]
async fn over_tls_too() {
    let nginx = Nginx::start().await;
    let mut target = to(0, json!({"path": "/status"}));
    let place = Endpoint::Tls {
        address: format!("127.0.0.1:{}", nginx.https),
        server_name: "web.test".into(),
        authorities: Some(nginx.authority.clone().into_bytes()),
        client: None,
    };
    target.endpoints.insert("web".into(), place);
    assert_eq!(probe(target).await["body"], "Active connections: 1 of web.test\n");
}

#[tokio::test]
async fn what_is_no_server_is_an_error() {
    for (port, code) in [
        (saying(b"220 mail.test ESMTP\r\n"), "failed"),
        (saying(b""), "failed"),
        (silent(), "timed-out"),
    ] {
        let seen = probe(to(port, json!({"path": "/", "timeout-ms": 500}))).await;
        assert_eq!(seen["error"], code, "{seen:?}");
    }
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let port = crate::servers::listener(|mut stream| {
        use std::io::Write;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X-Endless: yes\r\n").is_ok() {}
    });
    assert_eq!(probe(to(port, json!({"path": "/"}))).await["error"], "failed");
}

#[tokio::test]
async fn a_guest_can_not_frame_the_message_itself() {
    for headers in [
        json!([["Content-Length", "99"]]),
        json!([["Transfer-Encoding", "chunked"]]),
        json!([["a\r\nb", "c"]]),
    ] {
        let seen = probe(to(1, json!({"path": "/", "headers": headers}))).await;
        assert_eq!(seen["error"], "invalid", "{seen:?}");
    }
}
