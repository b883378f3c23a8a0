//! Streams to real servers, by name: TCP, a unix socket, TLS; and what happens when they do not answer.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use understudy_runtime::{CallFailure, ClientCertificate, Endpoint, Secret, Target};

use crate::servers::{Nginx, Redis, authority, free_port, saying, silent};
use crate::support::{check, context_of, probe, target};

fn tcp(port: u16) -> Endpoint {
    Endpoint::Tcp {
        address: format!("127.0.0.1:{port}"),
    }
}

fn to(endpoint: &str, place: Endpoint, mut config: serde_json::Value) -> Target {
    config["do"] = "connect".into();
    config["endpoint"] = endpoint.into();
    let mut target = target("endpoints", config);
    target.endpoints.insert(endpoint.into(), place);
    target
}

#[tokio::test]
async fn redis_answers_over_tcp_and_over_a_unix_socket() {
    let redis = Redis::start().await;
    let ping = json!({"send": "PING\r\n"});
    assert_eq!(
        probe(to("tcp", tcp(redis.port), ping.clone())).await["read"],
        "+PONG\r\n"
    );
    assert_eq!(
        probe(to("unix", Endpoint::Unix { path: redis.socket() }, ping)).await["read"],
        "+PONG\r\n"
    );
}

#[tokio::test]
async fn a_closed_connection_reads_empty() {
    let seen = probe(to("tcp", tcp(saying(b"")), json!({"send": "x"}))).await;
    assert_eq!(seen["read"], "");
}

#[tokio::test]
async fn what_is_not_there_is_unreachable_and_nameless() {
    let port = free_port();
    let nowhere = PathBuf::from("/does/not/exist.sock");
    for place in [tcp(port), Endpoint::Unix { path: nowhere }] {
        let seen = probe(to("nowhere", place, json!({}))).await;
        assert_eq!(seen["error"], "unreachable");
        for hidden in [&port.to_string(), "127.0.0.1", "exist.sock"] {
            assert!(
                !seen["message"].contains(hidden),
                "the guest learns {hidden}: {}",
                seen["message"]
            );
        }
    }
}

#[tokio::test]
async fn silence_ends_at_the_guests_own_time() {
    let seen = probe(to("silent", tcp(silent()), json!({"send": "hello", "timeout-ms": 100}))).await;
    assert_eq!(seen["error"], "timed-out");
}

#[tokio::test]
async fn silence_ends_at_the_calls_time() {
    let patient = to("silent", tcp(silent()), json!({"timeout-ms": u32::MAX}));
    let failure = check(patient, context_of(Duration::from_millis(300)))
        .await
        .unwrap_err();
    let CallFailure::TimedOut {
        waiting_for: Some(what),
        ..
    } = &failure
    else {
        panic!("{failure:?}")
    };
    assert_eq!(what, "endpoints.connection.read(silent)");
    assert!(failure.evidence().contains(&("waiting-for".into(), what.clone())));
}

#[tokio::test]
async fn connections_and_writes_are_bounded() {
    let mut many = target("many", json!({"do": "many-connections", "endpoint": "silent"}));
    many.endpoints.insert("silent".into(), tcp(silent()));
    let seen = probe(many).await;
    assert_eq!((seen["opened"].as_str(), seen["refused"].as_str()), ("16", "too-many"));
    assert_eq!(seen["again"], "true", "a closed one makes room");

    let large = to(
        "silent",
        tcp(silent()),
        json!({"send-bytes": (256 << 10) + 1, "read": false}),
    );
    assert_eq!(probe(large).await["error"], "too-large");
    let fits = to("silent", tcp(silent()), json!({"send-bytes": 256 << 10, "read": false}));
    assert_eq!(probe(fits).await["connected"], "true");
}

#[tokio::test]
async fn tls_is_checked_both_ways() {
    let nginx = Nginx::start().await;
    let tls = |port: u16, name: &str, authority: &str, client: Option<ClientCertificate>| {
        let place = Endpoint::Tls {
            address: format!("127.0.0.1:{port}"),
            server_name: name.into(),
            authorities: Some(authority.as_bytes().to_vec()),
            client,
        };
        to("tls", place, json!({"send": "GET /status HTTP/1.0\r\n\r\n"}))
    };
    let (chain, key) = &nginx.client;
    let known = ClientCertificate {
        chain: chain.clone().into_bytes(),
        key: Secret::new(key.as_bytes()),
    };

    let seen = probe(tls(nginx.https, "web.test", &nginx.authority, None)).await;
    assert!(seen["read"].starts_with("HTTP/1.1 200"), "{seen:?}");
    let seen = probe(tls(nginx.https_for_known, "web.test", &nginx.authority, Some(known))).await;
    assert!(seen["read"].starts_with("HTTP/1.1 200"), "{seen:?}");
    let seen = probe(tls(nginx.https_for_known, "web.test", &nginx.authority, None)).await;
    assert!(seen["read"].starts_with("HTTP/1.1 400"), "{seen:?}");

    let stranger = authority().pem();
    for (name, authority, why) in [
        ("web.test", stranger.as_str(), "signed by nobody"),
        ("other.test", &nginx.authority, "another name"),
    ] {
        let seen = probe(tls(nginx.https, name, authority, None)).await;
        assert_eq!(seen["error"], "unreachable", "{name}: {seen:?}");
        assert!(seen["message"].contains(why), "{}", seen["message"]);
        assert!(
            !seen["message"].contains(".test"),
            "the guest learns a name: {}",
            seen["message"]
        );
    }
    let seen = probe(tls(nginx.https, "web.test", "no pem", None)).await;
    assert!(seen["message"].contains("no certificate"), "{}", seen["message"]);
}
