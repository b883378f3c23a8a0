//! nginx: real ones, with slow requests in flight while the service moves.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use understudy_protocol::{FaultKind, HostName, Outcome, RequestState, ServerState, ServiceName, Severity, Verdict};
use understudy_runtime::{Endpoint, Expectation, Manner, Status, Target};
use understudy_tests::servers::for_each_process;

use crate::bed::{Bed, end_process_of, free_port, program, run, until};
use crate::redis::{command, fault};
use crate::side::{Side, codes, value};

/// One host's nginx: it serves a file, and hands `/slow` to a server that takes its time.
struct Nginx {
    port: u16,
    status_port: u16,
    folder: PathBuf,
    backend: u16,
}

impl Nginx {
    fn new(bed: &Bed, name: &str, port: u16, backend: u16) -> Self {
        let nginx = Self {
            port,
            status_port: free_port(),
            folder: bed.path(name),
            backend,
        };
        std::fs::create_dir_all(nginx.folder.join("logs")).unwrap();
        std::fs::write(nginx.folder.join("index.html"), "hello\n").unwrap();
        nginx.write("");
        nginx
    }

    /// Its configuration, with `more` in the service's part.
    fn write(&self, more: &str) {
        let Self {
            port,
            status_port,
            folder,
            backend,
        } = self;
        let folder = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
            .collect();
        let text = format!(
            "pid {folder}/pid;\nerror_log {folder}/logs/error.log;\nworker_processes 1;\nevents {{ worker_connections 256; }}\n\
             http {{\naccess_log off;\n{temporary}\
             server {{ listen 127.0.0.1:{port}; root {folder}; {more}\n\
             location /slow {{ proxy_pass http://127.0.0.1:{backend}; }} }}\n\
             server {{ listen 127.0.0.1:{status_port}; location /nginx_status {{ stub_status; }} }}\n}}\n"
        );
        std::fs::write(folder_file(&self.folder, "nginx.conf"), text).unwrap();
    }

    fn argv(&self, more: &[&str]) -> Vec<String> {
        let error_log = folder_file(&self.folder, "logs/start.log");
        let mut argv = vec![
            program("nginx", "nginx-light"),
            "-e".to_owned(),
            error_log,
            "-c".to_owned(),
        ];
        argv.push(folder_file(&self.folder, "nginx.conf"));
        argv.extend(more.iter().map(|word| (*word).to_owned()));
        argv
    }

    fn start(&self) {
        let argv = self.argv(&[]);
        let output = run(&argv.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        until("nginx listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// What the operator would write for it; `json` is the plugin's configuration.
    fn target(&self, host: &str, json: &str) -> Target {
        let mut target = Target::new(ServiceName::new("web").unwrap(), "nginx", HostName::new(host).unwrap());
        target.config = json.to_owned();
        let rights = [
            "endpoint:server",
            "endpoint:status",
            "command:test",
            "command:start",
            "command:quit",
            "command:stop",
        ];
        let rights = rights.into_iter().chain(["command:status", "system", "sockets"]);
        target.granted = rights.map(|right| right.parse().unwrap()).collect();
        let tcp = |port: u16| Endpoint::Tcp {
            address: format!("127.0.0.1:{port}"),
        };
        target.endpoints.insert("server".to_owned(), tcp(self.port));
        target.endpoints.insert("status".to_owned(), tcp(self.status_port));
        for (name, words, changes) in [
            ("start", &[][..], true),
            ("test", &["-t", "-q"][..], false),
            ("quit", &["-s", "quit"][..], true),
            ("stop", &["-s", "stop"][..], true),
        ] {
            target
                .commands
                .insert(name.to_owned(), command(self.argv(words), changes));
        }
        let is_alive = "grep -q '^State:.[^ZX]' \"/proc/$(cat \"$0\")/status\"";
        let status = ["/bin/sh", "-c", is_alive, &folder_file(&self.folder, "pid")]
            .map(str::to_owned)
            .to_vec();
        target.commands.insert("status".to_owned(), command(status, false));
        target.disks = vec![self.folder.clone()];
        target.ports = vec![self.port];
        target
    }

    async fn side(&self, bed: &Bed, host: &str, json: &str) -> Side {
        Side::new(bed.plugin("nginx").await, self.target(host, json))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end_process_of(&self.folder.join("pid"));
        // Its workers, too, whose first process may be dead.
        let all = for_each_process(&self.folder, "kill -KILL $p", "exit 0");
        run(&all.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

fn folder_file(folder: &std::path::Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// A server that answers each request after `delay`, for ever.
fn backend(delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_late(stream, delay));
        }
    });
    port
}

fn answer_late(mut stream: TcpStream, delay: Duration) {
    let mut buffer = [0; 4096];
    let _ = stream.read(&mut buffer);
    std::thread::sleep(delay);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlate\n");
}

/// One request on a connection of its own; the status line, or nothing where the connection broke.
fn get(port: u16, path: &'static str) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.lines().next().unwrap_or_default().to_owned()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_whose_first_process_is_dead_are_ended_too() {
    let bed = Bed::new();
    let port = free_port();
    let nginx = Nginx::new(&bed, "a", port, port);
    nginx.start();
    // The first process listens before it has a worker.
    assert_eq!(get(port, "/").join().unwrap(), "HTTP/1.1 200 OK");
    end_process_of(&nginx.folder.join("pid"));
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(listens(), "a worker goes on without it");

    let mut without = nginx.side(&bed, "a", "{}").await;
    let mut said = String::new();
    for _ in 0..2 {
        // Nobody may have waited for the dead process yet: then the command seems to work.
        said = format!("{:?}", without.shut_down_once(Manner::Forced).await);
    }
    assert!(said.contains("`kill`") && listens(), "the mend is named: {said}");

    let mut target = nginx.target("a", "{}");
    target.granted.insert("command:kill".parse().unwrap());
    let kill = for_each_process(&nginx.folder, "kill -KILL $p", "exit 0");
    target.commands.insert("kill".to_owned(), command(kill, true));
    let mut with = Side::new(bed.plugin("nginx").await, target);
    with.shut_down(Manner::Forced).await;
    assert!(!listens());
    assert_eq!(with.observe().await, ServerState::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_requests_end_before_it_is_gone_and_the_second_serves() {
    let bed = Bed::new();
    let port = free_port();
    let a = Nginx::new(&bed, "a", port, backend(Duration::from_millis(1200)));
    let b = Nginx::new(&bed, "b", port, a.backend);
    let (mut first, mut second) = (a.side(&bed, "a", "{}").await, b.side(&bed, "b", "{}").await);
    a.start();
    let mut idle = TcpStream::connect(("127.0.0.1", port)).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);
    // For a second an answer might still go on.
    std::thread::sleep(Duration::from_millis(1100));
    let slow: Vec<_> = (0..5).map(|_| get(port, "/slow")).collect();
    std::thread::sleep(Duration::from_millis(300));

    assert_eq!(second.refusal(&fault("x")).await, None);
    first.stop_admitting().await;
    let requests = first.list_requests().await;
    let count = |state| requests.iter().filter(|request| request.state == state).count();
    assert_eq!(
        (count(RequestState::Running), count(RequestState::Completed)),
        (5, 1),
        "{requests:?}"
    );
    let idle_address = idle.local_addr().unwrap().to_string();
    let kept = requests.iter().find(|request| request.client == idle_address).unwrap();
    assert_eq!(kept.state, RequestState::Completed);

    let Status::Working { remaining, blocker, .. } = first.settle_once().await else {
        panic!("requests are under way")
    };
    assert_eq!(remaining, Some(5));
    assert!(blocker.unwrap().contains("127.0.0.1:"), "the blocker is a client");
    assert_eq!(first.observe().await, ServerState::Serving);
    let status = first.shut_down_once(Manner::Graceful).await.unwrap();
    for request in slow {
        assert_eq!(request.join().unwrap(), "HTTP/1.1 200 OK", "no request is cut");
    }
    if status != Status::Done {
        first.shut_down(Manner::Graceful).await;
    }
    assert_eq!(first.observe().await, ServerState::Stopped);
    assert!(!a.folder.join("pid").exists(), "its processes are gone");

    second.take_over().await;
    assert_eq!(second.observe().await, ServerState::Serving);
    assert_eq!(get(port, "/").join().unwrap(), "HTTP/1.1 200 OK");
    let resolved = second.resolve(requests.clone()).await;
    assert_eq!(resolved.len(), requests.len());
    let outcomes = |outcome| resolved.iter().filter(|it| it.outcome == outcome).count();
    assert_eq!((outcomes(Outcome::ClientRetries), outcomes(Outcome::Completed)), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn settling_ends_though_new_requests_come_on_kept_connections() {
    let bed = Bed::new();
    let a = Nginx::new(&bed, "a", free_port(), backend(Duration::from_millis(150)));
    let mut side = a.side(&bed, "a", "{}").await;
    a.start();
    let port = a.port;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    let sent = stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n");
                    if sent.is_err() || stream.read(&mut [0; 1024]).unwrap_or(0) == 0 {
                        return;
                    }
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    side.settle().await;
    side.shut_down(Manner::Graceful).await;
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(side.observe().await, ServerState::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_it_ends_at_once_and_can_come_back() {
    let bed = Bed::new();
    let a = Nginx::new(&bed, "a", free_port(), backend(Duration::from_secs(30)));
    let mut side = a.side(&bed, "a", "{}").await;
    side.take_over().await;
    let slow = get(a.port, "/slow");
    std::thread::sleep(Duration::from_millis(200));
    let status = side.shut_down_once(Manner::Graceful).await.unwrap();
    let Status::Working { blocker, remaining, .. } = status else {
        panic!("a request is under way")
    };
    assert!(blocker.unwrap().contains("127.0.0.1:"), "the blocker is a client");
    assert_eq!(remaining, Some(1));
    assert_eq!(
        side.observe().await,
        ServerState::StandingBy,
        "it runs, and takes no connections"
    );
    side.shut_down(Manner::Forced).await;
    assert_eq!(slow.join().unwrap(), "", "it was cut");
    assert_eq!(side.observe().await, ServerState::Stopped);
    side.resume().await;
    assert_eq!(side.observe().await, ServerState::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_tells_health_from_errors_and_from_absence() {
    let bed = Bed::new();
    let a = Nginx::new(&bed, "a", free_port(), backend(Duration::ZERO));
    let json = r#"{"window": 3, "max-failures": 2, "min-disk-free-bytes": 1, "config-test-every-s": 0}"#;
    let mut side = a.side(&bed, "a", json).await;
    a.start();
    let report = side.check(Expectation::Serving).await;
    assert_eq!(report.verdict, Verdict::Healthy, "{report:?}");
    assert!(
        report
            .readings
            .iter()
            .any(|reading| reading.key == "nginx.connections" && reading.value >= 1.0)
    );
    assert_eq!(
        codes(&side.check(Expectation::StandingBy).await),
        ["nginx-role-wrong"],
        "only one host's may run"
    );

    // In exclusive mode a standby is stopped.
    side.stand_by().await;
    assert_eq!(side.observe().await, ServerState::Stopped);
    a.write("return 503;");
    a.start();
    assert_eq!(
        side.check(Expectation::Serving).await.verdict,
        Verdict::Impaired,
        "once is not yet a failure"
    );
    let report = side.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["nginx-unhealthy"])
    );
    assert_eq!(value(&report.faults[0].evidence, "http-status"), Some("503"));

    side.shut_down(Manner::Graceful).await;
    let report = side.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["nginx-unreachable"])
    );
    assert_eq!(side.check(Expectation::StandingBy).await.verdict, Verdict::Healthy);
    assert_eq!(side.check(Expectation::Down).await.verdict, Verdict::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_or_a_full_disk_can_not_take_over() {
    let bed = Bed::new();
    let b = Nginx::new(&bed, "b", free_port(), free_port());
    let mut side = b.side(&bed, "b", "{}").await;
    b.write("nonsense on;");
    let report = side.check(Expectation::StandingBy).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["nginx-config-broken"])
    );
    assert!(value(&report.faults[0].evidence, "test").unwrap().contains("nonsense"));
    assert_eq!(side.refusal(&fault("x")).await.as_deref(), Some("config-broken"));
    b.write("");
    assert_eq!(side.refusal(&fault("x")).await, None);

    // A bound that no disk meets stands for a full one.
    let mut full = b
        .side(&bed, "b", r#"{"min-disk-free-bytes": 1000000000000000000}"#)
        .await;
    assert_eq!(full.refusal(&fault("x")).await.as_deref(), Some("disk-full"));
    let report = full.check(Expectation::Down).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["nginx-disk-full"])
    );
    assert_eq!(
        (report.faults[0].kind, report.faults[0].severity),
        (FaultKind::Storage, Severity::ShutdownRequired)
    );
}
