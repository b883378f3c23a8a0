//! Redis: two real servers, one a replica of the other, and everything that the two sides of a takeover do to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use understudy_protocol::{
    Fault, FaultKind, HostName, Outcome, RequestState, ServerState, ServiceName, Severity, Verdict,
};
use understudy_runtime::{CommandSpec, Endpoint, Expectation, Manner, Pattern, Secret, Status, Target};

use crate::bed::{Bed, end_process_of, free_port, program, run, until};
use crate::side::{Side, codes, value};

/// One host's Redis: its port, its folder, its configuration.
pub(crate) struct Redis {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    extra: String,
}

impl Redis {
    /// Not started yet; `extra` is added to its configuration.
    pub(crate) fn new(bed: &Bed, name: &str, extra: &str) -> Self {
        let redis = Self {
            port: free_port(),
            folder: bed.path(name),
            extra: extra.to_owned(),
        };
        std::fs::create_dir_all(redis.data()).unwrap();
        redis.write();
        redis
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn write(&self) {
        let Self { port, folder, extra } = self;
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndaemonize yes\ndir {}\npidfile {}/pid\nlogfile {}/log\nsave 3600 1\nrepl-diskless-sync-delay 0\n{extra}\n",
            self.data().display(),
            folder.display(),
            folder.display()
        );
        std::fs::write(folder.join("redis.conf"), text).unwrap();
    }

    fn argv(&self) -> Vec<String> {
        vec![
            program("redis-server", "redis-server"),
            self.folder.join("redis.conf").display().to_string(),
        ]
    }

    pub(crate) fn start(&self, arguments: &[&str]) {
        let argv = self.argv();
        let output = Command::new(&argv[0])
            .args(&argv[1..])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        until("Redis answers", || {
            self.cli(&["PING"]).contains("PONG") || self.cli(&["PING"]).contains("NOAUTH")
        });
    }

    /// What `redis-cli` says.
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        let (cli, port) = (program("redis-cli", "redis-tools"), self.port.to_string());
        let mut argv = vec![cli.as_str(), "-p", port.as_str()];
        argv.extend(words);
        String::from_utf8_lossy(&run(&argv).stdout).into_owned()
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.cli(&["INFO", "replication"]).contains("master_link_status:up")
    }

    pub(crate) fn kill(&self) {
        end_process_of(&self.folder.join("pid"));
        until("Redis is gone", || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err()
        });
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end_process_of(&self.folder.join("pid"));
    }
}

/// What the operator would write for this host; `more` is added to the JSON.
pub(crate) fn target(redis: &Redis, host: &str, addresses: &[(&str, u16)], more: &str) -> Target {
    let mut target = Target::new(
        ServiceName::new("cache").unwrap(),
        "redis",
        HostName::new(host).unwrap(),
    );
    let pairs: Vec<_> = addresses
        .iter()
        .map(|(host, port)| format!("{host:?}: \"127.0.0.1:{port}\""))
        .collect();
    target.config = format!(r#"{{"addresses": {{{}}} {more}}}"#, pairs.join(", "));
    let rights = [
        "endpoint:server",
        "endpoint:peer",
        "command:start",
        "command:start-replica",
        "command:status",
        "secret:password",
        "system",
        "sockets",
    ];
    target.granted = rights.iter().map(|right| right.parse().unwrap()).collect();
    let tcp = |port: u16| Endpoint::Tcp {
        address: format!("127.0.0.1:{port}"),
    };
    target.endpoints.insert("server".to_owned(), tcp(redis.port));
    if let [(_, port)] = addresses.iter().filter(|(name, _)| *name != host).collect::<Vec<_>>()[..] {
        target.endpoints.insert("peer".to_owned(), tcp(*port));
    }
    target.commands.insert("start".to_owned(), command(redis.argv(), true));
    let replica = ["--replicaof", "{host}", "{port}"].map(str::to_owned);
    let mut start_replica = command(redis.argv().into_iter().chain(replica).collect(), true);
    start_replica.parameters =
        BTreeMap::from([("host".to_owned(), Pattern::Word), ("port".to_owned(), Pattern::Number)]);
    target.commands.insert("start-replica".to_owned(), start_replica);
    let pid = redis.folder.join("pid").display().to_string();
    // A process that has ended and that nobody has waited for (`Z`) is gone.
    let is_alive = "grep -q '^State:.[^ZX]' \"/proc/$(cat \"$0\")/status\"";
    let status = ["/bin/sh", "-c", is_alive, &pid].map(str::to_owned).to_vec();
    target.commands.insert("status".to_owned(), command(status, false));
    target.disks = vec![redis.data()];
    target.ports = vec![redis.port];
    target
}

pub(crate) fn command(argv: Vec<String>, changes: bool) -> CommandSpec {
    let timeout = Duration::from_secs(10);
    CommandSpec {
        argv,
        parameters: BTreeMap::new(),
        timeout,
        env: BTreeMap::new(),
        cwd: None,
        changes,
    }
}

/// A master `a` with a replica `b`, both running and linked, and the two hosts' sides.
pub(crate) struct Pair {
    pub(crate) a: Redis,
    pub(crate) b: Redis,
    pub(crate) first: Side,
    pub(crate) second: Side,
    // Last: the folder must outlive the servers.
    _bed: Bed,
}

impl Pair {
    pub(crate) async fn new(extra: &str, more: &str) -> Self {
        let bed = Bed::new();
        let (a, b) = (Redis::new(&bed, "a", extra), Redis::new(&bed, "b", extra));
        a.start(&[]);
        b.start(&["--replicaof", "127.0.0.1", &a.port.to_string()]);
        until("the replica is linked", || {
            b.is_linked() && a.cli(&["INFO", "replication"]).contains("state=online")
        });
        let addresses = [("a", a.port), ("b", b.port)];
        let plugin = bed.plugin("redis").await;
        let first = Side::new(plugin.clone(), target(&a, "a", &addresses, more));
        let mut second = Side::new(plugin, target(&b, "b", &addresses, more));
        second.knows("active-host", "a");
        Self {
            a,
            b,
            first,
            second,
            _bed: bed,
        }
    }
}

pub(crate) fn fault(code: &str) -> Fault {
    Fault {
        code: code.to_owned(),
        kind: FaultKind::Storage,
        severity: Severity::ShutdownRequired,
        message: "for the test".to_owned(),
        shutdown_within: None,
        evidence: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_see_what_is_there() {
    let mut pair = Pair::new("", "").await;
    let report = pair.first.check(Expectation::Serving).await;
    assert_eq!(report.verdict, Verdict::Healthy, "{report:?}");
    assert!(
        report
            .readings
            .iter()
            .any(|reading| reading.key == "redis.memory.used" && reading.value > 0.0)
    );
    let report = pair.second.check(Expectation::StandingBy).await;
    assert_eq!(report.verdict, Verdict::Healthy, "{report:?}");
    assert_eq!(pair.first.observe().await, ServerState::Serving);
    assert_eq!(pair.second.observe().await, ServerState::StandingBy);
    assert_eq!(pair.second.refusal(&fault("x")).await, None);
    assert_eq!(pair.first.refusal(&fault("x")).await.as_deref(), Some("not-a-replica"));

    let report = pair.first.check(Expectation::StandingBy).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-role-wrong"])
    );
    pair.a.kill();
    assert_eq!(pair.first.observe().await, ServerState::Stopped);
    let report = pair.first.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-unreachable"])
    );
    let report = pair.first.check(Expectation::Down).await;
    assert_eq!(
        report.verdict,
        Verdict::Healthy,
        "a stopped server is right: {report:?}"
    );
    until("the link is down", || !pair.b.is_linked());
    assert_eq!(
        pair.second.refusal(&fault("redis-unreachable")).await,
        None,
        "the link broke because the first is gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_not_a_stopped_one() {
    let mut pair = Pair::new("", r#", "timeout-ms": 300"#).await;
    let pid = std::fs::read_to_string(pair.a.folder.join("pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let report = pair.first.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-unreachable"])
    );
    let context =
        understudy_runtime::CallContext::new(understudy_protocol::Term(1), Expectation::Down, Duration::from_secs(5));
    let seen = pair.first.plugin.observe(&pair.first.target, context).await;
    assert!(matches!(seen, Err(understudy_runtime::CallFailure::Plugin(error)) if error.code == "redis-silent"));
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert_eq!(pair.first.observe().await, ServerState::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_listed_as_they_are_and_a_drain_can_be_given_up() {
    use std::io::{Read, Write};
    let mut pair = Pair::new("", "").await;
    let connect = || {
        let stream = std::net::TcpStream::connect(("127.0.0.1", pair.a.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream
    };
    let (mut idle, mut writer, mut waiter) = (connect(), connect(), connect());
    let mut buffer = [0; 64];
    idle.write_all(b"GET x\r\n").unwrap();
    assert_eq!(idle.read(&mut buffer).unwrap(), 5);
    waiter.write_all(b"BLPOP list 0\r\n").unwrap();
    pair.first.stop_admitting().await;
    pair.first.stop_admitting().await;
    writer.write_all(b"SET x 1\r\n").unwrap();
    assert!(writer.read(&mut buffer).is_err(), "the write is held");

    let requests = pair.first.list_requests().await;
    let find = |stream: &std::net::TcpStream| {
        let address = stream.local_addr().unwrap().to_string();
        requests.iter().find(|request| request.client == address).unwrap()
    };
    assert_eq!(
        requests.len(),
        3,
        "neither the replica nor the plugin itself: {requests:?}"
    );
    assert_eq!(
        (find(&idle).state, find(&idle).operation.as_str()),
        (RequestState::Completed, "get")
    );
    assert_eq!(
        (find(&writer).state, find(&writer).operation.as_str()),
        (RequestState::Queued, "set")
    );
    assert_eq!(
        (find(&waiter).state, find(&waiter).operation.as_str()),
        (RequestState::Running, "blpop")
    );
    assert_eq!(value(&find(&writer).attributes, "kind"), Some("held"));
    let again = pair.first.list_requests().await;
    let ids = |list: &[understudy_protocol::RequestStatus]| list.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&requests), "the same ids in each listing");

    idle.write_all(b"GET x\r\n").unwrap();
    assert_eq!(idle.read(&mut buffer).unwrap(), 5, "reads go on");
    pair.first.settle().await;
    pair.first.resume().await;
    let length = writer.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"+OK\r\n", "the held write goes on");

    let resolved = pair.second.resolve(requests.clone()).await;
    assert_eq!(resolved.len(), requests.len(), "none is left unsaid");
    let outcome = |id: &str| resolved.iter().find(|it| it.id == id).unwrap().outcome;
    assert_eq!(outcome(&find(&idle).id), Outcome::Completed);
    assert_eq!(outcome(&find(&writer).id), Outcome::ClientRetries);
    assert_eq!(outcome(&find(&waiter).id), Outcome::ClientRetries);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_copy_it_waits_and_forced_it_saves_first() {
    let mut pair = Pair::new("repl-timeout 2", "").await;
    pair.a.cli(&["SET", "only-here", "1"]);
    pair.b.kill();
    until("the replica is gone", || {
        pair.a.cli(&["INFO", "replication"]).contains("connected_slaves:0")
    });
    pair.first.stop_admitting().await;
    for status in [
        pair.first.settle_once().await,
        pair.first.shut_down_once(Manner::Graceful).await.unwrap(),
    ] {
        let Status::Working { blocker, .. } = status else {
            panic!("it must wait for the copy")
        };
        let blocker = blocker.unwrap();
        assert!(blocker.contains("b (127.0.0.1:"), "the blocker is named: {blocker}");
    }
    assert_eq!(pair.first.observe().await, ServerState::Serving);
    pair.first.shut_down(Manner::Forced).await;
    assert_eq!(pair.first.observe().await, ServerState::Stopped);
    pair.first.resume().await;
    assert_eq!(
        pair.a.cli(&["GET", "only-here"]).trim(),
        "1",
        "it was saved before it stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_copy_is_not_promoted() {
    let mut pair = Pair::new("", "").await;
    pair.a.cli(&["SET", "k", "new"]);
    pair.b.kill();
    // It comes back from its disk, and never hears of its master again.
    pair.b.start(&["--replicaof", "127.0.0.1", &free_port().to_string()]);
    assert_eq!(
        pair.second.refusal(&fault("x")).await.as_deref(),
        Some("replica-of-another")
    );
    pair.b.cli(&["REPLICAOF", "127.0.0.1", &pair.a.port.to_string()]);
    until("the replica is linked", || pair.b.is_linked());
    assert_eq!(pair.second.refusal(&fault("x")).await, None);
    pair.b.kill();
    pair.a.kill();
    pair.b.start(&["--replicaof", "127.0.0.1", &pair.a.port.to_string()]);
    assert_eq!(
        pair.second.refusal(&fault("redis-unreachable")).await.as_deref(),
        Some("never-synced")
    );
    let error = pair.second.take_over_once().await.unwrap_err();
    assert_eq!(error.code, "copy-incomplete");
    assert_eq!(
        pair.second.observe().await,
        ServerState::StandingBy,
        "it stays a replica"
    );
    // The operator's own word overrides.
    pair.b.cli(&["REPLICAOF", "NO", "ONE"]);
    pair.second.take_over().await;
    assert_eq!(pair.second.observe().await, ServerState::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stopped_is_not_started_as_the_master() {
    let mut pair = Pair::new("", "").await;
    pair.second.stand_by().await;
    pair.b.kill();
    let error = pair.second.take_over_once().await.unwrap_err();
    assert_eq!(error.code, "copy-on-disk-is-old");
    assert_eq!(pair.second.observe().await, ServerState::Stopped);
    // As a standby it comes back at once, and its copy with it.
    pair.second.stand_by().await;
    assert!(pair.b.is_linked());
    assert_eq!(pair.second.take_over_once().await.unwrap(), Status::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_restarts_serves_its_own_data() {
    let bed = Bed::new();
    let a = Redis::new(&bed, "a", "appendonly yes");
    let mut side = Side::new(bed.plugin("redis").await, target(&a, "a", &[("a", a.port)], ""));
    side.take_over().await;
    a.cli(&["SET", "k", "kept"]);
    a.kill();
    side.take_over().await;
    assert_eq!(a.cli(&["GET", "k"]).trim(), "kept");
    assert_eq!(side.observe().await, ServerState::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_used_and_a_wrong_one_is_no_fault() {
    let bed = Bed::new();
    let a = Redis::new(&bed, "a", "requirepass hunter2");
    a.start(&[]);
    let with = |password: &str| {
        let mut target = target(&a, "a", &[], "");
        target.secrets.insert("password".to_owned(), Secret::new(password));
        target
    };
    let plugin = bed.plugin("redis").await;
    let mut right = Side::new(plugin.clone(), with("hunter2"));
    assert_eq!(right.check(Expectation::Serving).await.verdict, Verdict::Healthy);
    assert_eq!(right.observe().await, ServerState::Serving);
    let wrong = Side::new(plugin, with("wrong"));
    let context = understudy_runtime::CallContext::new(
        understudy_protocol::Term(1),
        Expectation::Serving,
        Duration::from_secs(5),
    );
    let answer = wrong.plugin.check(&wrong.target, context).await;
    assert!(
        matches!(&answer, Err(understudy_runtime::CallFailure::Plugin(error)) if error.code == "redis-refused"),
        "{answer:?}"
    );
}
