//! The example in C: proof that the interface is no matter of one language.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use understudy_protocol::{HostName, ServiceName, Verdict};
use understudy_runtime::{Endpoint, Expectation, Target};

use crate::bed::{Bed, free_port};
use crate::side::{Side, codes, value};

/// A server that says `greeting`, then answers every line with `answer`.
fn server(greeting: &'static [u8], answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(greeting);
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            if stream.read(&mut [0; 64]).unwrap_or(0) > 0 {
                // In two parts, as a network may deliver it.
                let (one, two) = answer.split_at(answer.len() / 2);
                let _ = stream.write_all(one);
                std::thread::sleep(Duration::from_millis(20));
                let _ = stream.write_all(two);
            }
        }
    });
    port
}

async fn side(bed: &Bed, port: u16, json: &str) -> Side {
    let mut target = Target::new(ServiceName::new("echo").unwrap(), "tcp", HostName::new("a").unwrap());
    target.config = json.to_owned();
    target.granted = ["endpoint:server".parse().unwrap()].into();
    target.endpoints.insert(
        "server".to_owned(),
        Endpoint::Tcp {
            address: format!("127.0.0.1:{port}"),
        },
    );
    Side::new(bed.plugin("c-tcp").await, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_asked_for_and_looked_at() {
    let bed = Bed::new();
    let port = server(b"220 hello\r\n", b"+PONG\r\n");
    for json in [
        "{}",
        r#"{"expect": "220 "}"#,
        r#"{ "send" : "PING\r\n", "expect": "+PONG\u000d", "timeout-ms": 1500 }"#,
    ] {
        let report = side(&bed, port, json).await.check(Expectation::Serving).await;
        assert_eq!(report.verdict, Verdict::Healthy, "{json}: {report:?}");
    }
    let mut wrong = side(&bed, port, r#"{"send": "PING\r\n", "expect": "OK", "timeout-ms": 300}"#).await;
    let report = wrong.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["tcp-wrong-answer"])
    );
    assert_eq!(value(&report.faults[0].evidence, "answer"), Some("220 hello..+PONG.."));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_gone_or_silent_fails_unless_it_should_be_down() {
    let bed = Bed::new();
    let mut gone = side(&bed, free_port(), "{}").await;
    let report = gone.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["tcp-unreachable"])
    );
    assert_eq!(gone.check(Expectation::Down).await.verdict, Verdict::Healthy);
    let mut silent = side(&bed, server(b"", b"x"), r#"{"expect": "hello", "timeout-ms": 200}"#).await;
    let report = silent.check(Expectation::Serving).await;
    assert_eq!((report.verdict, codes(&report)), (Verdict::Failing, vec!["tcp-silent"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_names_its_place() {
    let bed = Bed::new();
    let plugin = bed.plugin("c-tcp").await;
    assert!(plugin.is_probe() && !plugin.is_drain());
    for (json, path) in [
        (r#"{"timeout-ms": 0}"#, "/timeout-ms"),
        (r#"{"send": 7}"#, "/send"),
        (r#"{"expect": "\u20ac"}"#, "/expect"),
        (r#"{"surprise": 1}"#, ""),
        (r#"{"send": "x""#, ""),
        ("[]", ""),
    ] {
        let found = plugin.check_config(json).await.unwrap();
        assert_eq!(
            found.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(),
            [path],
            "{json}"
        );
    }
    assert_eq!(plugin.check_config("{}").await.unwrap(), []);
}
