//! Two hosts on loopback, with real TLS and real certificates, and between them a relay that can be cut or frozen.

mod bed;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use bed::{Bed, Stranger, event, host, issue, pace, quiet};
use understudy_wire::{Greeting, Heartbeat, Packet};

fn view(text: &str) -> Frame {
    Frame::HostView(serde_json::json!(text))
}

fn protocol(from: &str) -> Frame {
    use understudy_protocol::{Boot, Envelope, Message, ServiceName, StoreId, Term};
    let message = Message::StayDown { held: Term(3) };
    let envelope = Envelope {
        from: host(from),
        store: StoreId(1),
        boot: Boot(1),
        known: Term(3),
        message,
    };
    Frame::Protocol {
        service: ServiceName::new("redis").unwrap(),
        envelope,
    }
}

#[tokio::test]
async fn two_hosts_find_each_other_and_talk_both_ways() {
    let mut bed = Bed::start().await;
    bed.both_connected().await;
    assert!(bed.alpha.peers.send(&host("beta"), protocol("alpha")));
    assert!(bed.beta.peers.send(&host("alpha"), view("hello")));
    assert_eq!(
        event(&mut bed.beta.events).await,
        PeerEvent::Frame(host("alpha"), protocol("alpha"))
    );
    assert_eq!(
        event(&mut bed.alpha.events).await,
        PeerEvent::Frame(host("beta"), view("hello"))
    );
    assert_eq!(bed.alpha.peers.connected(), BTreeSet::from([host("beta")]));
    assert!(bed.alpha.peers.troubles().is_empty());
    assert!(
        !bed.alpha.peers.send(&host("gamma"), view("nobody")),
        "an unknown host has no queue"
    );
    bed.shutdown().await;
}

#[tokio::test]
async fn frames_keep_their_order_and_pages_wait_for_room() {
    let mut bed = Bed::start().await;
    bed.both_connected().await;
    let sender = bed.alpha.peers.clone();
    let sending = tokio::spawn(async move {
        for number in 0..200u32 {
            let big = serde_json::json!({ "number": number, "ballast": "x".repeat(200_000) });
            assert!(
                sender.send_waiting(&host("beta"), Frame::HostView(big)).await,
                "page {number}"
            );
        }
    });
    for number in 0..200u32 {
        match event(&mut bed.beta.events).await {
            PeerEvent::Frame(_, Frame::HostView(value)) => assert_eq!(value["number"], number),
            other => panic!("{other:?}"),
        }
    }
    sending.await.unwrap();
    bed.shutdown().await;
}

#[tokio::test]
async fn a_killed_connection_is_lost_and_comes_back() {
    let mut bed = Bed::start().await;
    bed.both_connected().await;
    for _ in 0..3 {
        bed.to_beta.cut();
        assert_eq!(event(&mut bed.alpha.events).await, PeerEvent::Lost(host("beta")));
        assert_eq!(event(&mut bed.beta.events).await, PeerEvent::Lost(host("alpha")));
        bed.both_connected().await;
    }
    bed.shutdown().await;
}

#[tokio::test]
async fn a_host_that_restarts_is_lost_and_found() {
    let mut bed = Bed::start().await;
    bed.both_connected().await;
    bed.beta.peers.shutdown().await;
    assert_eq!(event(&mut bed.alpha.events).await, PeerEvent::Lost(host("beta")));
    assert!(!bed.alpha.peers.troubles().is_empty());
    assert!(!bed.alpha.peers.send(&host("beta"), view("into the void")));
    bed.restart_beta().await;
    bed.both_connected().await;
    bed.shutdown().await;
}

#[tokio::test]
async fn silence_in_one_direction_is_a_loss_on_both_sides() {
    let mut bed = Bed::start().await;
    bed.both_connected().await;
    bed.to_beta.freeze(true);
    // Beta hears nothing any more; alpha is told so on the direction that still works.
    assert_eq!(event(&mut bed.beta.events).await, PeerEvent::Lost(host("alpha")));
    assert_eq!(event(&mut bed.alpha.events).await, PeerEvent::Lost(host("beta")));
    assert!(bed.alpha.peers.connected().is_empty());
    // Frames of the direction that works still come.
    assert!(bed.beta.peers.send(&host("alpha"), view("I can't hear you")));
    assert_eq!(
        event(&mut bed.alpha.events).await,
        PeerEvent::Frame(host("beta"), view("I can't hear you"))
    );
    bed.to_beta.freeze(false);
    bed.both_connected().await;
    bed.shutdown().await;
}

#[tokio::test]
async fn an_orderly_shutdown_sends_what_is_queued() {
    let mut bed = Bed::start().await;
    bed.both_connected().await;
    for number in 0..100 {
        assert!(bed.alpha.peers.send(&host("beta"), view(&number.to_string())));
    }
    bed.alpha.peers.shutdown().await;
    // The loss may be noticed on the other connection, before the last frames have been read on this one.
    let mut came: Vec<PeerEvent> = Vec::new();
    for _ in 0..101 {
        came.push(event(&mut bed.beta.events).await);
    }
    assert!(came.contains(&PeerEvent::Lost(host("alpha"))));
    came.retain(|event| !matches!(event, PeerEvent::Lost(_)));
    let sent: Vec<PeerEvent> = (0..100)
        .map(|number| PeerEvent::Frame(host("alpha"), view(&number.to_string())))
        .collect();
    assert_eq!(came, sent);
    bed.shutdown().await;
}

#[tokio::test]
async fn a_daemon_that_takes_no_events_can_still_be_stopped() {
    let mut bed = Bed::start().await;
    bed.both_connected().await;
    for number in 0..bed::EVENTS * 3 {
        bed.alpha
            .peers
            .send_waiting(&host("beta"), view(&number.to_string()))
            .await;
    }
    tokio::time::timeout(Duration::from_secs(10), bed.shutdown())
        .await
        .unwrap();
}

#[tokio::test]
async fn another_clusters_certificate_is_refused_and_the_reason_shown() {
    let bed = Bed::start_with(|_, other| other).await;
    let trouble = bed.alpha.trouble_of("beta").await;
    assert!(trouble.contains("certificate") || trouble.contains("TLS"), "{trouble}");
    assert!(bed.alpha.peers.connected().is_empty() && bed.beta.peers.connected().is_empty());
    bed.shutdown().await;
}

#[tokio::test]
async fn a_name_that_is_not_the_expected_one_is_refused() {
    // The machine at beta's address has gamma's certificate, of the right cluster.
    let bed = Bed::start_as("gamma").await;
    let trouble = bed.alpha.trouble_of("beta").await;
    assert!(
        trouble.contains("not valid for name") && trouble.contains("gamma"),
        "{trouble}"
    );
    bed.shutdown().await;
}

#[tokio::test]
async fn the_right_cluster_is_not_enough_without_being_configured() {
    let mut bed = Bed::start().await;
    bed.both_connected().await;
    let mut gamma = Stranger::connect(&bed, "gamma").await.unwrap();
    gamma.greet("gamma", [1, 1]).await;
    let answer = gamma.read().await.unwrap();
    assert!(
        answer.contains("turned-away") && answer.contains("no [[cluster.peer]] of alpha names it"),
        "{answer}"
    );
    assert!(quiet(&mut bed.alpha.events).await);
    bed.shutdown().await;
}

#[tokio::test]
async fn a_certificate_can_not_speak_in_anothers_name() {
    let bed = Bed::start_alone().await;
    let mut beta = Stranger::connect(&bed, "beta").await.unwrap();
    beta.greet("gamma", [1, 1]).await;
    let answer = beta.read().await.unwrap();
    assert!(
        answer.contains("it greets as gamma, and its certificate says beta"),
        "{answer}"
    );

    let mut beta = Stranger::connect(&bed, "beta").await.unwrap();
    beta.greet("beta", [1, 1]).await;
    assert!(beta.read().await.unwrap().contains("greeting"));
    beta.say(&Packet::Frame(protocol("gamma"))).await;
    assert!(beta.closed().await);
    let trouble = bed.alpha.trouble_with("beta", "in the name of gamma").await;
    assert!(trouble.contains("it sent a message in the name of gamma"), "{trouble}");
    bed.shutdown().await;
}

#[tokio::test]
async fn versions_that_do_not_meet_are_refused_naming_both() {
    let bed = Bed::start_alone().await;
    let mut beta = Stranger::connect(&bed, "beta").await.unwrap();
    beta.greet("beta", [7, 9]).await;
    let answer = beta.read().await.unwrap();
    assert!(
        answer.contains("versions do not meet") && answer.contains("speaks 7 to 9"),
        "{answer}"
    );
    assert!(
        bed.alpha
            .trouble_with("beta", "versions")
            .await
            .contains("upgrade alpha")
    );
    bed.shutdown().await;
}

#[tokio::test]
async fn a_host_of_the_version_before_is_let_in_and_understood() {
    let mut bed = Bed::start_alone().await;
    let mut beta = Stranger::connect(&bed, "beta").await.unwrap();
    beta.greet("beta", [1, 1]).await;
    assert!(beta.read().await.unwrap().contains("\"greeting\""));
    let mut recorded = include_str!("../../../wire/src/tests/version-1.jsonl").lines();
    let stay_down = recorded
        .find(|line| line.contains("\"stay-down\"") && line.contains("\"from\":\"beta\""))
        .expect("it is among what was recorded");
    beta.raw(&u32::try_from(stay_down.len()).unwrap().to_be_bytes()).await;
    beta.raw(stay_down.as_bytes()).await;
    match event(&mut bed.alpha.events).await {
        PeerEvent::Frame(from, Frame::Protocol { envelope, .. }) => {
            assert_eq!((from, envelope.message.name()), (host("beta"), "StayDown"));
        }
        other => panic!("{other:?}"),
    }
    bed.shutdown().await;
}

#[tokio::test]
async fn a_host_two_versions_ahead_is_let_in_only_if_it_still_speaks_ours() {
    let bed = Bed::start_alone().await;
    let mut ahead = Stranger::connect(&bed, "beta").await.unwrap();
    ahead.greet("beta", [2, 4]).await;
    assert!(ahead.read().await.unwrap().contains("\"greeting\""));
    let mut too_far = Stranger::connect(&bed, "beta").await.unwrap();
    too_far.greet("beta", [3, 4]).await;
    let answer = too_far.read().await.unwrap();
    let said = [
        "alpha runs understudy",
        "speaks 1 to 2",
        "beta runs understudy",
        "speaks 3 to 4",
        "upgrade alpha",
    ];
    for part in said {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    bed.shutdown().await;
}

#[tokio::test]
async fn an_oversized_frame_ends_the_connection_before_it_is_read() {
    let mut bed = Bed::start_alone().await;
    let mut beta = Stranger::welcome(&bed, "beta").await;
    beta.raw(&(understudy_wire::FRAME_LIMIT + 1).to_be_bytes()).await;
    assert!(beta.closed().await);
    let trouble = bed.alpha.trouble_with("beta", "limit").await;
    assert!(trouble.contains("a frame of 1048577 bytes came"), "{trouble}");
    assert!(quiet(&mut bed.alpha.events).await);
    bed.shutdown().await;
}

#[tokio::test]
async fn garbage_ends_the_connection_and_nothing_else() {
    let bed = Bed::start_alone().await;
    let mut beta = Stranger::welcome(&bed, "beta").await;
    let garbage = b"\xff\xfe not json";
    beta.raw(&(garbage.len() as u32).to_be_bytes()).await;
    beta.raw(garbage).await;
    assert!(beta.closed().await);
    assert!(
        bed.alpha
            .trouble_with("beta", "not a frame")
            .await
            .contains("not a frame of understudy")
    );
    // Plain bytes where TLS is due; then a good peer is served as ever.
    let mut plain = tokio::net::TcpStream::connect(bed.alpha.peers.listening())
        .await
        .unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = plain.read_to_end(&mut Vec::new()).await;
    Stranger::welcome(&bed, "beta").await;
    bed.shutdown().await;
}

#[tokio::test]
async fn unknown_kinds_are_skipped_and_the_next_frame_is_read() {
    let mut bed = Bed::start_alone().await;
    let mut beta = Stranger::welcome(&bed, "beta").await;
    let unknown = br#"{"kind":"horoscope","body":{}}"#;
    beta.raw(&(unknown.len() as u32).to_be_bytes()).await;
    beta.raw(unknown).await;
    beta.say(&Packet::Frame(view("still here"))).await;
    assert_eq!(
        event(&mut bed.alpha.events).await,
        PeerEvent::Frame(host("beta"), view("still here"))
    );
    bed.shutdown().await;
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_shown_out() {
    let bed = Bed::start_alone().await;
    let mut mute = tokio::net::TcpStream::connect(bed.alpha.peers.listening())
        .await
        .unwrap();
    let mut slow = Stranger::connect(&bed, "beta").await.unwrap();
    // One byte now and then is no greeting either: the time counts from the first.
    slow.raw(&1000u32.to_be_bytes()).await;
    let dripping = async {
        for _ in 0..200 {
            if slow.try_raw(b" ").await.is_err() {
                return true;
            }
            tokio::time::sleep(pace().greeting / 10).await;
        }
        false
    };
    assert!(dripping.await, "a slow greeting must be ended");
    assert_eq!(
        mute.read(&mut [0; 16]).await.unwrap_or(0),
        0,
        "a mute connection must be ended"
    );
    bed.shutdown().await;
}

#[tokio::test]
async fn a_peer_that_goes_silent_after_its_greeting_is_lost() {
    let bed = Bed::start_alone().await;
    let mut beta = Stranger::welcome(&bed, "beta").await;
    beta.say(&Packet::Heartbeat(Heartbeat { hears_you: true })).await;
    assert!(beta.closed().await, "silence must end the connection");
    let trouble = bed.alpha.trouble_with("beta", "silent").await;
    assert!(trouble.contains("from it: silent for"), "{trouble}");
    bed.shutdown().await;
}

#[tokio::test]
async fn only_ones_own_identity_will_do() {
    let (events, _keep) = tokio::sync::mpsc::channel(1);
    let identity = issue(&tempfile::tempdir().unwrap(), "beta");
    let config = PeersConfig {
        me: host("alpha"),
        listen: "127.0.0.1:0".parse().unwrap(),
        peers: Vec::new(),
        identity,
        pace: pace(),
    };
    let error = Peers::start(config, events).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the identity names beta, and this host is alpha"),
        "{error}"
    );
}
