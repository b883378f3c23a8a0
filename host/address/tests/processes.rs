//! Two daemons on one machine, each a process of its own that may be killed. Not the usual harness: this program is
//! the test and, started with `actor`, also a daemon with its server.
#![allow(clippy::unwrap_used)]

mod bed;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bed::{Lines, Server, address, config, free};
use understudy_address::ProxyConfig;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["actor", name, listen, server] => {
            runtime.block_on(act(name, listen.parse().unwrap(), server.parse().unwrap()));
        }
        _ => {
            run(
                &runtime,
                "two_thousand_clients_cross_a_switch",
                two_thousand_clients_cross_a_switch(),
            );
            run(&runtime, "a_killed_holder_is_replaced", a_killed_holder_is_replaced());
            run(
                &runtime,
                "clients_wait_when_files_run_out",
                clients_wait_when_files_run_out(),
            );
            run(&runtime, "a_killed_offerer_is_replaced", a_killed_offerer_is_replaced());
            run(
                &runtime,
                "a_killed_successor_may_be_followed_by_another",
                a_killed_successor_may_be_followed_by_another(),
            );
        }
    }
}

fn run(runtime: &tokio::runtime::Runtime, name: &str, test: impl Future<Output = ()>) {
    println!("test {name} ...");
    runtime.block_on(test);
    println!("test {name} ... ok");
}

/// 2,000 clients at 500 a second, while the address goes to another process and is held for a second on the way.
async fn two_thousand_clients_cross_a_switch() {
    let listen = free();
    let mut first = Actor::start("first", listen);
    let mut second = Actor::start("second", listen);
    first.tell("serve");
    first.tell("take");
    let load = tokio::spawn(load(listen, 2000, Duration::from_millis(2)));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    first.tell("hold");
    assert_eq!(first.tell("quiesce"), "0 busy");
    first.tell("stop");
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.tell("drop");
    second.tell("serve");
    second.tell("take");
    let (by_first, by_second) = load.await.unwrap();
    println!("  {by_first} answers by the first, {by_second} by the second");
    assert_eq!(by_first + by_second, 2000);
    assert!(
        by_first > 200 && by_second > 200,
        "the switch was not in the middle of the load"
    );
}

async fn a_killed_holder_is_replaced() {
    let listen = free();
    let mut first = Actor::start("first", listen);
    let mut second = Actor::start("second", listen);
    first.tell("serve");
    first.tell("take");
    assert_eq!(Lines::connect(listen).await.ask("x").await.unwrap().unwrap(), "first x");
    second.tell("serve");
    assert!(second.tell("take").starts_with("error"), "two have one address");
    first.kill();
    second.tell("take");
    assert_eq!(
        Lines::connect(listen).await.ask("x").await.unwrap().unwrap(),
        "second x"
    );
    // It comes back holding nothing, and may have the address later.
    let mut first = Actor::start("first", listen);
    first.tell("clear");
    second.tell("drop");
    first.tell("serve");
    first.tell("take");
    assert_eq!(Lines::connect(listen).await.ask("x").await.unwrap().unwrap(), "first x");
}

async fn a_killed_offerer_is_replaced() {
    let listen = free();
    let mut first = Actor::start("first", listen);
    let mut second = Actor::start("second", listen);
    first.tell("take");
    first.tell("drop");
    first.kill();
    second.tell("serve");
    second.tell("take");
    assert_eq!(
        Lines::connect(listen).await.ask("x").await.unwrap().unwrap(),
        "second x"
    );
}

/// The one that has just taken the address dies: the socket dies with it, and the first binds afresh.
async fn a_killed_successor_may_be_followed_by_another() {
    let listen = free();
    let mut first = Actor::start("first", listen);
    let mut second = Actor::start("second", listen);
    first.tell("serve");
    first.tell("take");
    first.tell("drop");
    second.tell("take");
    second.kill();
    first.tell("take");
    assert_eq!(Lines::connect(listen).await.ask("x").await.unwrap().unwrap(), "first x");
}

/// With too few descriptors clients wait until others are done; none is refused and the daemon goes on.
async fn clients_wait_when_files_run_out() {
    let listen = free();
    let mut only = Actor::start("first", listen);
    only.tell("serve");
    only.tell("take");
    only.tell("limit 60");
    let mut running = tokio::task::JoinSet::new();
    for number in 0..100 {
        running.spawn(async move {
            let mut client = Lines::connect(listen).await;
            assert_eq!(
                client.ask("slow 100").await.unwrap().as_deref(),
                Some("first slow 100"),
                "client {number}"
            );
        });
    }
    while let Some(client) = running.join_next().await {
        client.unwrap();
    }
}

/// Opens connections at a steady rate; each asks once. Gives the number of answers by the first and by the second.
async fn load(listen: SocketAddr, clients: usize, pause: Duration) -> (usize, usize) {
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let mut running = tokio::task::JoinSet::new();
    let began = Instant::now();
    for number in 0..clients {
        tokio::time::sleep_until((began + pause * u32::try_from(number).unwrap()).into()).await;
        let counts = counts.clone();
        running.spawn(async move {
            let stream = tokio::net::TcpStream::connect(listen).await;
            let mut client = Lines::new(stream.unwrap_or_else(|error| panic!("client {number}: {error}")));
            let answer = client
                .ask("x")
                .await
                .unwrap_or_else(|error| panic!("client {number}: {error}"));
            match answer.as_deref() {
                Some("first x") => counts[0].fetch_add(1, Ordering::SeqCst),
                Some("second x") => counts[1].fetch_add(1, Ordering::SeqCst),
                other => panic!("client {number} got {other:?}"),
            };
        });
    }
    while let Some(client) = running.join_next().await {
        client.unwrap();
    }
    (counts[0].load(Ordering::SeqCst), counts[1].load(Ordering::SeqCst))
}

/// A daemon with its server, in a process of its own.
struct Actor {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Actor {
    fn start(name: &str, listen: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["actor", name, &listen.to_string(), &free().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Actor { child, input, output }
    }

    fn tell(&mut self, command: &str) -> String {
        writeln!(self.input, "{command}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the actor died of {command:?}");
        answer.trim_end().to_owned()
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn act(name: &str, listen: SocketAddr, at: SocketAddr) {
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let config = ProxyConfig {
        take_patience: Duration::from_millis(300),
        ..config(listen, at)
    };
    let address = address(config, name).await;
    let mut server = None;
    let (lines, mut commands) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin()
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| lines.send(line))
    });
    while let Some(command) = commands.recv().await {
        let done = match command.as_str() {
            "take" => address.take().await,
            "hold" => address.hold().await,
            "drop" => address.drop_address().await,
            "clear" => address.clear().await,
            "serve" => {
                server = Some(Server::start(at, name).await);
                Ok(())
            }
            "stop" => {
                if let Some(server) = server.take() {
                    server.stop().await;
                }
                Ok(())
            }
            "quiesce" => {
                println!("{} busy", address.quiesce(Duration::from_secs(5)).await.busy.len());
                continue;
            }
            "limit 60" => {
                let limit = rustix::process::Rlimit {
                    current: Some(60),
                    maximum: Some(60),
                };
                rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
                Ok(())
            }
            other => panic!("{other}?"),
        };
        match done {
            Ok(()) => println!("done"),
            Err(error) => println!("error {error}"),
        }
    }
}
