//! The plugin for any HTTP server: one that speaks JSON of itself, and one that is started and stopped by commands.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use understudy_protocol::{HostName, Outcome, RequestState, ServerState, ServiceName, Verdict};
use understudy_runtime::{Endpoint, Expectation, Secret, Status, Target};

use crate::bed::{Bed, free_port};
use crate::redis::fault;
use crate::side::{Side, codes};

/// What a server was asked, and what it answers.
#[derive(Default)]
struct Application {
    in_flight: u64,
    asked: Vec<String>,
    bodies: Vec<String>,
}

const JSON: &str = r#"{
    "health-path": "/healthz", "health-statuses": [200],
    "in-flight": {"path": "/status", "pointer": "/requests/now", "counts-itself": true},
    "requests-path": "/requests",
    "stop-admitting": {"path": "/drain"}, "resume": {"method": "DELETE", "path": "/drain"},
    "resolve": {"path": "/adopt"}
}"#;

/// A small server on a thread of its own.
fn serve(application: Arc<Mutex<Application>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &application);
        }
    });
    port
}

fn answer(stream: TcpStream, application: &Mutex<Application>) {
    let mut reader = BufReader::new(stream);
    let (mut request, mut length, mut authorized) = (String::new(), 0, false);
    if reader.read_line(&mut request).unwrap_or(0) == 0 {
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        let line = line.to_ascii_lowercase();
        length = line
            .strip_prefix("content-length:")
            .map_or(length, |value| value.trim().parse().unwrap());
        authorized |= line.trim() == "authorization: bearer sesame";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut application = application.lock().unwrap();
    let asked = request.rsplit_once(' ').unwrap().0.to_owned();
    let (status, text) = match asked.as_str() {
        "GET /healthz" => ("200 OK", "fine".to_owned()),
        _ if !authorized => ("401 Unauthorized", String::new()),
        "GET /status" => (
            "200 OK",
            format!(r#"{{"requests": {{"now": {}}}}}"#, application.in_flight + 1),
        ),
        "GET /requests" => (
            "200 OK",
            r#"[{"id": "r1", "client": "ann", "operation": "PUT /a", "resume": {"part": 2}}]"#.to_owned(),
        ),
        "POST /drain" | "DELETE /drain" => ("204 No Content", String::new()),
        "POST /adopt" => (
            "200 OK",
            r#"[{"id": "r1", "outcome": "resumed", "message": "from part 2"}]"#.to_owned(),
        ),
        _ => ("404 Not Found", String::new()),
    };
    application.asked.push(asked);
    application.bodies.push(String::from_utf8(body).unwrap());
    let mut stream = reader.into_inner();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
}

fn target(port: u16) -> Target {
    let mut target = Target::new(ServiceName::new("shop").unwrap(), "http", HostName::new("a").unwrap());
    target.config = JSON.to_owned();
    let rights = [
        "endpoint:server",
        "endpoint:admin",
        "secret:token",
        "sockets",
        "system",
        "command:start",
    ];
    target.granted = rights.into_iter().map(|right| right.parse().unwrap()).collect();
    for name in ["server", "admin"] {
        target.endpoints.insert(
            name.to_owned(),
            Endpoint::Tcp {
                address: format!("127.0.0.1:{port}"),
            },
        );
    }
    target.secrets.insert("token".to_owned(), Secret::new("sesame"));
    target.ports = vec![port];
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_tells_of_its_requests_is_drained_and_adopts() {
    let bed = Bed::new();
    let application = Arc::new(Mutex::new(Application {
        in_flight: 2,
        ..Application::default()
    }));
    let mut side = Side::new(bed.plugin("http").await, target(serve(application.clone())));
    let report = side.check(Expectation::Serving).await;
    assert_eq!(report.verdict, Verdict::Healthy, "{report:?}");
    assert!(
        report
            .readings
            .iter()
            .any(|reading| reading.key == "http.requests-in-flight" && reading.value == 2.0)
    );

    side.stop_admitting().await;
    let requests = side.list_requests().await;
    assert_eq!(
        (requests[0].id.as_str(), requests[0].state),
        ("r1", RequestState::Running)
    );
    let Status::Working { remaining, .. } = side.settle_once().await else {
        panic!("two requests are under way")
    };
    assert_eq!(remaining, Some(2));
    application.lock().unwrap().in_flight = 0;
    side.settle().await;
    side.resume().await;

    let resolved = side.resolve(requests).await;
    assert_eq!(
        (resolved[0].outcome, resolved[0].message.as_str()),
        (Outcome::Resumed, "from part 2")
    );
    let application = application.lock().unwrap();
    let asked = |what: &str| application.asked.iter().filter(|asked| *asked == what).count();
    assert_eq!(
        (asked("POST /drain"), asked("DELETE /drain"), asked("POST /adopt")),
        (1, 1, 1),
        "{:?}",
        application.asked
    );
    assert!(
        application
            .bodies
            .iter()
            .any(|body| body.contains(r#""resume":{"part":2}"#)),
        "{:?}",
        application.bodies
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_gone_is_seen_as_such() {
    let bed = Bed::new();
    let mut side = Side::new(bed.plugin("http").await, target(free_port()));
    let report = side.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["http-unreachable"])
    );
    assert_eq!(side.observe().await, ServerState::Stopped);
    side.settle().await;
    assert_eq!(side.refusal(&fault("x")).await, None);
    let error = side.take_over_once().await.unwrap_err();
    assert_eq!(error.code, "no-command", "{error:?}");
}
