//! Connections that outlive a switch: which are kept, which are ended, and that no request gets lost or doubled.
#![allow(clippy::unwrap_used)]

mod bed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bed::{Lines, Server, address, config, drain, free};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use understudy_address::{Address, AddressEvent, ProxyConfig};

const SOON: Duration = Duration::from_secs(5);

fn carrying(listen: SocketAddr, server: SocketAddr) -> ProxyConfig {
    ProxyConfig {
        carry_idle: true,
        ..config(listen, server)
    }
}

async fn silence(client: &mut Lines) {
    let said = tokio::time::timeout(Duration::from_millis(150), client.try_next()).await;
    assert!(said.is_err(), "the client should hear nothing, but got {said:?}");
}

/// The first's part of a switch, as the daemon does it.
async fn leave(first: &Address, server: Server) {
    first.hold().await.unwrap();
    assert_eq!(first.quiesce(SOON).await.busy, []);
    server.stop().await;
    first.drop_address().await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_goes_on_with_the_next_server() {
    let (listen, server) = (free(), Server::start(free(), "first").await);
    let first = address(carrying(listen, server.at), "alpha").await;
    first.take().await.unwrap();
    let mut client = Lines::connect(listen).await;
    assert_eq!(client.ask("a").await.unwrap().unwrap(), "first a");
    let mut silent = Lines::connect(listen).await;
    silent.ask("a").await.unwrap();

    first.hold().await.unwrap();
    let quiet = first.quiesce(SOON).await;
    assert_eq!((quiet.quiesced, quiet.busy), (2, vec![]));
    client.say("b").await.unwrap();
    silence(&mut client).await;
    let seen = server.lines.clone();
    server.stop().await;
    silence(&mut client).await;
    first.drop_address().await.unwrap();
    silence(&mut client).await;
    assert_eq!(
        seen.load(Ordering::SeqCst),
        2,
        "a request reached the server that was about to stop"
    );

    let next = Server::start(free(), "second").await;
    let second = address(carrying(listen, next.at), "beta").await;
    let mut events = second.events();
    second.take().await.unwrap();
    assert!(drain(&mut events).contains(&AddressEvent::Received { listen, connections: 2 }));
    assert_eq!(client.next().await.unwrap(), "second b");
    assert_eq!(client.ask("c").await.unwrap().unwrap(), "second c");
    assert_eq!(silent.ask("d").await.unwrap().unwrap(), "second d");
    let me = client.stream.local_addr().unwrap();
    let flow = second.flows().into_iter().find(|flow| flow.client == me).unwrap();
    assert_eq!(flow.from_client, 6, "the account goes along");
}

#[tokio::test]
async fn without_carrying_an_idle_client_is_ended_in_order_and_told_of_what_was_not_forwarded() {
    let (listen, server) = (free(), Server::start(free(), "first").await);
    let first = address(config(listen, server.at), "alpha").await;
    first.take().await.unwrap();
    let mut events = first.events();
    let mut idle = Lines::connect(listen).await;
    idle.ask("a").await.unwrap();
    let mut late = Lines::connect(listen).await;
    late.ask("a").await.unwrap();
    first.hold().await.unwrap();
    assert_eq!(first.quiesce(SOON).await.quiesced, 2);
    late.say("never seen").await.unwrap();
    let seen = server.lines.clone();
    server.stop().await;
    assert_eq!(idle.try_next().await.unwrap(), None);
    assert_eq!(late.try_next().await.unwrap(), None, "an orderly end, not a reset");
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    let client = late.stream.local_addr().unwrap();
    drop((idle, late));
    let unforwarded = AddressEvent::Unforwarded { client, bytes: 11 };
    let told = async { while events.recv().await.unwrap() != unforwarded {} };
    tokio::time::timeout(SOON, told).await.unwrap();
}

#[tokio::test]
async fn a_connection_on_which_nothing_was_said_always_goes_on() {
    let (listen, server) = (free(), Server::start(free(), "first").await);
    let first = address(config(listen, server.at), "alpha").await;
    first.take().await.unwrap();
    let mut client = Lines::connect(listen).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(first.flows().len(), 1);
    leave(&first, server).await;
    let next = Server::start(free(), "second").await;
    let second = address(config(listen, next.at), "beta").await;
    second.take().await.unwrap();
    assert_eq!(client.ask("a").await.unwrap().unwrap(), "second a");
}

#[tokio::test]
async fn a_request_in_progress_is_cut_visibly_and_never_given_to_another_server() {
    let (listen, server) = (free(), Server::start(free(), "first").await);
    let first = address(carrying(listen, server.at), "alpha").await;
    first.take().await.unwrap();
    let mut client = Lines::connect(listen).await;
    client.say("slow 60000").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    first.hold().await.unwrap();
    let quiet = first.quiesce(Duration::from_millis(200)).await;
    assert_eq!(quiet.busy.len(), 1);
    assert!(quiet.busy[0].awaiting_answer);
    client.say("more").await.unwrap();
    server.stop().await;
    first.drop_address().await.unwrap();
    assert!(!matches!(client.try_next().await, Ok(Some(_))));
    let next = Server::start(free(), "second").await;
    let second = address(carrying(listen, next.at), "beta").await;
    second.take().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(second.flows(), []);
    assert_eq!(next.lines.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_that_pauses_and_ends_with_the_connection_is_ended() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = free();
    let first = address(carrying(listen, upstream.local_addr().unwrap()), "alpha").await;
    first.take().await.unwrap();
    let mut client = Lines::connect(listen).await;
    client.say("go").await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    server.write_all(b"one\n").await.unwrap();
    assert_eq!(client.next().await.unwrap(), "one");
    first.hold().await.unwrap();
    // It pauses, and so looks idle.
    assert_eq!(first.quiesce(SOON).await.quiesced, 1);
    server.write_all(b"two\n").await.unwrap();
    drop(server);
    assert_eq!(client.next().await.unwrap(), "two");
    assert_eq!(
        client.try_next().await.unwrap(),
        None,
        "the end of the answer must arrive"
    );
}

#[tokio::test]
async fn a_switch_that_is_undone_leaves_every_connection_usable() {
    let (listen, server) = (free(), Server::start(free(), "first").await);
    let at = server.at;
    let first = address(carrying(listen, at), "alpha").await;
    first.take().await.unwrap();
    let mut client = Lines::connect(listen).await;
    client.ask("a").await.unwrap();
    first.hold().await.unwrap();
    first.quiesce(SOON).await;
    client.say("b").await.unwrap();
    silence(&mut client).await;
    first.admit().await.unwrap();
    assert_eq!(client.next().await.unwrap(), "first b");

    // The server was stopped already, and is started again.
    first.hold().await.unwrap();
    first.quiesce(SOON).await;
    server.stop().await;
    client.say("c").await.unwrap();
    silence(&mut client).await;
    let _server = Server::start(at, "again").await;
    first.admit().await.unwrap();
    assert_eq!(client.next().await.unwrap(), "again c");

    // Even the address was dropped already.
    let mut other = Lines::connect(listen).await;
    other.ask("a").await.unwrap();
    first.quiesce(SOON).await;
    first.drop_address().await.unwrap();
    first.take().await.unwrap();
    assert_eq!(other.ask("d").await.unwrap().unwrap(), "again d");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_connections_survive_ten_switches() {
    let listen = free();
    let mut server = Server::start(free(), "s").await;
    let mut now = address(carrying(listen, server.at), "host-0").await;
    now.take().await.unwrap();
    let going = Arc::new(AtomicBool::new(true));
    let clients: Vec<_> = (0..20)
        .map(|number| tokio::spawn(keep_asking(listen, number, going.clone())))
        .collect();
    let mut answered_by_servers = 0;
    for round in 1..=10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let lines = server.lines.clone();
        leave(&now, server).await;
        answered_by_servers += lines.load(Ordering::SeqCst);
        server = Server::start(free(), "s").await;
        let next = address(carrying(listen, server.at), &format!("host-{round}")).await;
        next.take().await.unwrap();
        now = next;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    going.store(false, Ordering::SeqCst);
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    answered_by_servers += server.lines.load(Ordering::SeqCst);
    assert_eq!(
        answered, answered_by_servers,
        "every request was seen by exactly one server"
    );
    assert!(answered > 1000, "only {answered} requests: this proves little");
}

/// Asks on one connection, again as soon as the answer is there or a little later.
async fn keep_asking(listen: SocketAddr, number: u64, going: Arc<AtomicBool>) -> usize {
    let mut client = Lines::connect(listen).await;
    let mut asked = 0;
    while going.load(Ordering::SeqCst) {
        let question = format!("{number}-{asked}");
        let answer = client.ask(&question).await;
        assert_eq!(
            answer.unwrap(),
            Some(format!("s {question}")),
            "client {number}, request {asked}"
        );
        asked += 1;
        tokio::time::sleep(Duration::from_millis(number)).await;
    }
    asked
}

#[tokio::test]
async fn a_session_that_only_its_server_knows_is_ended() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = free();
    let first = address(carrying(listen, upstream.local_addr().unwrap()), "alpha").await;
    first.take().await.unwrap();
    let mut tls = Lines::connect(listen).await;
    tls.stream.write_all(&[0x16, 3, 1]).await.unwrap();
    let (mut tls_server, _) = upstream.accept().await.unwrap();
    tls_server.write_all(b"hello\n").await.unwrap();
    tls.next().await.unwrap();
    let mut socket = Lines::connect(listen).await;
    socket.say("GET / HTTP/1.1").await.unwrap();
    let (mut socket_server, _) = upstream.accept().await.unwrap();
    socket_server
        .write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        .await
        .unwrap();
    socket.next().await.unwrap();
    socket.next().await.unwrap();
    first.hold().await.unwrap();
    assert_eq!(first.quiesce(SOON).await.quiesced, 2);
    drop((tls_server, socket_server, upstream));
    assert_eq!(tls.try_next().await.unwrap(), None);
    assert_eq!(socket.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_the_whole_answer_of_a_stopped_server() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = free();
    let first = address(config(listen, upstream.local_addr().unwrap()), "alpha").await;
    first.take().await.unwrap();
    let mut client = tokio::net::TcpStream::connect(listen).await.unwrap();
    client.write_all(b"give me much").await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    server.read_exact(&mut [0; 12]).await.unwrap();
    // As much as the kernel takes without the client reading anything.
    let mut sent = 0;
    while let Ok(Ok(bytes)) = tokio::time::timeout(Duration::from_millis(300), server.write(&[7; 65_536])).await {
        sent += bytes;
    }
    drop((server, upstream));
    first.hold().await.unwrap();
    first.drop_address().await.unwrap();
    assert_eq!(first.flows(), []);
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.unwrap();
    assert_eq!(got.len(), sent);
}
