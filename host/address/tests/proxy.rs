//! One proxy by itself, and the move from one proxy to another, with real sockets on loopback.
#![allow(clippy::unwrap_used)]

mod bed;

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::time::{Duration, Instant};

use bed::{Lines, Server, address, config, drain, free};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use understudy_address::{Address, AddressConfig, AddressError, AddressEvent, Holding, ProxyConfig};
use understudy_protocol::{HostName, ServiceName};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn it_forwards_and_keeps_account() {
    let server = Server::start(free(), "one").await;
    let listen = free();
    let address = address(config(listen, server.at), "alpha").await;
    address.take().await.unwrap();
    assert_eq!(address.holding(), Holding::Admitting);

    let mut client = Lines::connect(listen).await;
    assert_eq!(client.ask("hello").await.unwrap().unwrap(), "one hello");
    let flow = address.flows().pop().unwrap();
    assert_eq!(flow.client, client.stream.local_addr().unwrap());
    assert_eq!((flow.from_client, flow.from_server), (6, 10));
    assert!(!flow.awaiting_answer);
    assert!(flow.server_side_local.is_some());
    client.say("slow 300").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(address.flows()[0].awaiting_answer);
    assert_eq!(address.wait_flows_idle(Duration::from_millis(50)).await.len(), 1);
    assert_eq!(address.wait_flows_idle(SOON).await, []);
    drop(client);
    assert_eq!(address.wait_flows_closed(SOON).await, []);
}

#[tokio::test]
async fn a_half_close_passes_in_both_directions() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = free();
    let address = address(config(listen, upstream.local_addr().unwrap()), "alpha").await;
    address.take().await.unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = upstream.accept().await.unwrap();
        let mut request = Vec::new();
        stream.read_to_end(&mut request).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(&request).await.unwrap();
    });
    let mut client = TcpStream::connect(listen).await.unwrap();
    let sent: Vec<u8> = (0..20_000_000u32).map(|i| (i % 251) as u8).collect();
    let (mut read, mut write) = client.split();
    let writing = async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let (_, read) = tokio::join!(writing, read.read_to_end(&mut got));
    read.unwrap();
    assert!(got == sent, "{} of {} bytes came back", got.len(), sent.len());
    server.await.unwrap();
    drop(client);
    assert_eq!(address.wait_flows_closed(SOON).await, []);
}

#[tokio::test]
async fn held_clients_wait_and_existing_flows_go_on() {
    let server = Server::start(free(), "one").await;
    let listen = free();
    let address = address(config(listen, server.at), "alpha").await;
    address.take().await.unwrap();
    let mut old = Lines::connect(listen).await;
    old.ask("a").await.unwrap();
    address.hold().await.unwrap();
    address.hold().await.unwrap();
    assert_eq!(address.holding(), Holding::Held);
    let mut new = Lines::connect(listen).await;
    new.say("b").await.unwrap();
    assert_eq!(old.ask("c").await.unwrap().unwrap(), "one c");
    assert!(
        tokio::time::timeout(Duration::from_millis(200), new.next())
            .await
            .is_err(),
        "a held client was answered"
    );
    address.admit().await.unwrap();
    assert_eq!(new.next().await.unwrap(), "one b");
}

#[tokio::test]
async fn clients_wait_for_a_server_that_is_starting() {
    let (listen, server) = (free(), free());
    let address = address(config(listen, server), "alpha").await;
    address.take().await.unwrap();
    let mut client = Lines::connect(listen).await;
    client.say("early").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _server = Server::start(server, "late").await;
    assert_eq!(client.next().await.unwrap(), "late early");
}

#[tokio::test]
async fn whoever_listens_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let address = address(config(listen, free()), "alpha").await;
    let error = address.take().await.unwrap_err();
    assert!(matches!(error, AddressError::InUse { .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    drop(taken);
    address.take().await.unwrap();
}

#[tokio::test]
async fn the_listening_socket_moves_with_everybody_who_waits_in_it() {
    let first_server = Server::start(free(), "first").await;
    let listen = free();
    let first = address(config(listen, first_server.at), "alpha").await;
    first.take().await.unwrap();
    let mut events = first.events();
    let mut before = Lines::connect(listen).await;
    assert_eq!(before.ask("x").await.unwrap().unwrap(), "first x");

    first.hold().await.unwrap();
    let mut waiting = Lines::connect(listen).await;
    waiting.say("y").await.unwrap();
    first_server.stop().await;
    first.drop_address().await.unwrap();
    first.drop_address().await.unwrap();
    assert_eq!(first.holding(), Holding::Dropped);
    assert_eq!(
        before.try_next().await.unwrap(),
        None,
        "an idle client sees an orderly end"
    );
    let mut later = Lines::connect(listen).await;
    later.say("z").await.unwrap();

    let second_server = Server::start(free(), "second").await;
    let second = address(config(listen, second_server.at), "beta").await;
    second.take().await.unwrap();
    assert_eq!(waiting.next().await.unwrap(), "second y");
    assert_eq!(later.next().await.unwrap(), "second z");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let seen = drain(&mut events);
    let passed = AddressEvent::Passed {
        listen,
        to: "beta".to_owned(),
        connections: 0,
    };
    assert_eq!(seen, [AddressEvent::Held, AddressEvent::Dropped, passed]);

    // And home again.
    second.drop_address().await.unwrap();
    let home_server = Server::start(free(), "home").await;
    let home = address(config(listen, home_server.at), "alpha").await;
    home.take().await.unwrap();
    assert_eq!(Lines::connect(listen).await.ask("w").await.unwrap().unwrap(), "home w");
}

#[tokio::test]
async fn a_drop_that_nobody_follows_can_be_taken_back() {
    let server = Server::start(free(), "one").await;
    let listen = free();
    let address = address(config(listen, server.at), "alpha").await;
    address.take().await.unwrap();
    address.drop_address().await.unwrap();
    let mut waiting = Lines::connect(listen).await;
    waiting.say("a").await.unwrap();
    address.take().await.unwrap();
    assert_eq!(waiting.next().await.unwrap(), "one a");
}

#[tokio::test]
async fn waiting_clients_are_not_kept_for_ever() {
    let listen = free();
    let mut config = config(listen, free());
    config.release_linger = Duration::from_millis(200);
    let address = address(config, "alpha").await;
    address.take().await.unwrap();
    let mut events = address.events();
    address.drop_address().await.unwrap();
    let mut waiting = Lines::connect(listen).await;
    assert!(
        waiting.try_next().await.is_err(),
        "it is cut off, and must not take that for an orderly end"
    );
    assert!(TcpStream::connect(listen).await.is_err());
    assert!(drain(&mut events).contains(&AddressEvent::Unclaimed {
        listen,
        waiting: Some(1)
    }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_outlives_askers_that_are_not_the_successor() {
    let (listen, server) = (free(), Server::start(free(), "one").await);
    let first = address(config(listen, server.at), "alpha").await;
    first.take().await.unwrap();
    first.drop_address().await.unwrap();
    let mut waiting = Lines::connect(listen).await;
    waiting.say("a").await.unwrap();
    let offer = format!("understudy/handover/{}/{listen}", rustix::process::geteuid().as_raw());
    // One that says nothing, one that says nonsense, and one that dies before it says that it has the socket.
    for words in ["", "hello", "ask 1 web beta"] {
        let mut stream = asker(&offer);
        stream
            .write_all(&u32::try_from(words.len()).unwrap().to_le_bytes())
            .unwrap();
        stream.write_all(words.as_bytes()).unwrap();
        if words.starts_with("ask") {
            stream.read_exact(&mut [0; 4]).unwrap();
        }
    }
    // One of another service.
    let other = ServiceName::new("other").unwrap();
    let mut wrong = config(listen, server.at);
    wrong.take_patience = Duration::from_millis(100);
    let wrong = Address::new(AddressConfig::Proxy(wrong), other, HostName::new("beta").unwrap())
        .await
        .unwrap();
    let error = wrong.take().await.unwrap_err();
    assert!(
        matches!(error, AddressError::Handover { .. }) && error.to_string().contains("of web, not of other"),
        "{error}"
    );

    let second = address(config(listen, server.at), "beta").await;
    second.take().await.unwrap();
    assert_eq!(waiting.next().await.unwrap(), "one a");
}

fn asker(offer: &str) -> UnixStream {
    let deadline = Instant::now() + SOON;
    loop {
        match UnixStream::connect_addr(&UnixAddr::from_abstract_name(offer).unwrap()) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_command_goes_to_its_end_although_the_caller_stops_waiting() {
    let (listen, server) = (free(), Server::start(free(), "one").await);
    let first = address(config(listen, server.at), "alpha").await;
    first.take().await.unwrap();
    // A flow whose server does not end keeps the drop busy for a while.
    let mut client = Lines::connect(listen).await;
    client.say("slow 60000").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(50), first.drop_address())
            .await
            .is_err()
    );
    let second = address(config(listen, server.at), "beta").await;
    second.take().await.unwrap();
    assert_eq!(first.holding(), Holding::Dropped);
    assert_eq!(Lines::connect(listen).await.ask("a").await.unwrap().unwrap(), "one a");
}

#[tokio::test]
async fn several_addresses_move_together_in_both_families() {
    let server = Server::start(free(), "one").await;
    let six = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, free().port()));
    let listen = vec![free(), six];
    let both = |listen: &[std::net::SocketAddr]| ProxyConfig {
        listen: listen.to_vec(),
        ..config(listen[0], server.at)
    };
    let first = address(both(&listen), "alpha").await;
    let second = address(both(&listen), "beta").await;
    first.take().await.unwrap();
    first.drop_address().await.unwrap();
    let mut waiting = Vec::new();
    for at in &listen {
        waiting.push(Lines::connect(*at).await);
    }
    second.take().await.unwrap();
    for mut client in waiting {
        assert_eq!(client.ask("a").await.unwrap().unwrap(), "one a");
    }
    second.shutdown().await;
    for at in listen {
        assert!(TcpStream::connect(at).await.is_err());
    }
}

#[tokio::test]
async fn a_contradiction_in_the_configuration_is_refused() {
    let at = free();
    let zero = "127.0.0.1:0".parse().unwrap();
    for (listen, part) in [
        (vec![], "empty"),
        (vec![zero], "no port"),
        (vec![at], "both"),
        (vec![free(), zero], "no port"),
    ] {
        let config = AddressConfig::Proxy(ProxyConfig::new(listen, at));
        let (service, host) = (ServiceName::new("web").unwrap(), HostName::new("a").unwrap());
        let error = Address::new(config, service, host).await.err().unwrap().to_string();
        assert!(error.contains(part) && error.contains("of web"), "{error}");
    }
}
