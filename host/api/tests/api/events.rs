//! The stream of events, over a real connection: replay, live lines, views, slow readers, the end.

use std::time::Duration;

use crate::support::{Served, line, served};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use serde_json::Value;
use understudy_api::wire::JournalLine;

/// An event as a browser sees it.
#[derive(Debug, Default, Clone, PartialEq)]
struct Seen {
    event: String,
    id: Option<u64>,
    data: Value,
}

struct Stream {
    body: Incoming,
    text: String,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Stream {
    async fn open(served: &Served, path: &str, last_event_id: Option<u64>) -> Stream {
        let mut ask = served.ask(Method::GET, path);
        if let Some(id) = last_event_id {
            ask = ask.header("last-event-id", &id.to_string());
        }
        let response = ask.open().await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event; none at the end of the stream.
    async fn next(&mut self) -> Option<Seen> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let seen = parse(event);
                self.text = rest.to_owned();
                match seen {
                    Some(seen) => return Some(seen),
                    None => continue,
                }
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .expect("an event in time")?;
            let bytes = frame.ok()?.into_data().unwrap_or_default();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn next_of(&mut self, name: &str) -> Seen {
        loop {
            let seen = self.next().await.expect("the stream goes on");
            if seen.event == name {
                return seen;
            }
        }
    }
}

fn parse(text: &str) -> Option<Seen> {
    let mut seen = Seen::default();
    for line in text.lines() {
        match line.split_once(": ").or_else(|| line.split_once(':')) {
            Some(("event", name)) => seen.event = name.to_owned(),
            Some(("id", id)) => seen.id = Some(id.parse().unwrap()),
            Some(("data", data)) => seen.data = serde_json::from_str(data).unwrap(),
            _ => {}
        }
    }
    (!seen.event.is_empty()).then_some(seen)
}

#[tokio::test]
async fn the_view_comes_at_once_and_on_change() {
    let served = served().await;
    let mut stream = Stream::open(&served, "/api/v1/events", None).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.event.as_str(), first.id), ("view", None));
    assert_eq!(first.data[0]["host"], "alpha");
    assert!(first.data[0]["age_ms"].as_u64().unwrap() >= 5000);

    served
        .host
        .change_view(|view| view[0].alerts.push("the disk is full".to_owned()));
    assert_eq!(stream.next_of("view").await.data[0]["alerts"][0], "the disk is full");
}

#[tokio::test]
async fn many_changes_become_few_views_and_the_last_one_arrives() {
    let served = served().await;
    let mut stream = Stream::open(&served, "/api/v1/events", None).await;
    stream.next_of("view").await;
    for n in 0..200_u64 {
        served.host.change_view(|view| view[0].started_at_ms = Some(n));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut views = 0;
    while stream.next_of("view").await.data[0]["started_at_ms"] != 199 {
        views += 1;
    }
    assert!(views < 100, "{views} views of 200 changes");
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed_and_then_the_live_lines() {
    let served = served().await;
    (1..=5).for_each(|seq| served.host.journal_line(seq));
    for (path, header) in [("/api/v1/events", Some(2)), ("/api/v1/events?last_event_id=2", None)] {
        let mut stream = Stream::open(&served, path, header).await;
        for seq in 3..=5 {
            let line = stream.next_of("journal").await;
            assert_eq!((line.id, line.data["seq"].as_u64()), (Some(seq), Some(seq)));
        }
    }
    let mut stream = Stream::open(&served, "/api/v1/events?last_event_id=1", Some(4)).await;
    assert_eq!(
        stream.next_of("journal").await.id,
        Some(5),
        "the header is the browser's own word"
    );
    served.host.journal_line(6);
    assert_eq!(stream.next_of("journal").await.id, Some(6));
}

#[tokio::test]
async fn who_comes_first_gets_live_lines_only() {
    let served = served().await;
    (1..=3).for_each(|seq| served.host.journal_line(seq));
    let mut stream = Stream::open(&served, "/api/v1/events", None).await;
    stream.next_of("view").await;
    served.host.journal_line(4);
    // The line may be stored before the stream has looked where it stands: then it counts as old. A later one never does.
    tokio::time::sleep(Duration::from_millis(200)).await;
    served.host.journal_line(5);
    let first = stream.next_of("journal").await.id;
    assert!(matches!(first, Some(4 | 5)), "{first:?}");
}

#[tokio::test]
async fn a_slow_reader_misses_nothing() {
    let served = served().await;
    let mut stream = Stream::open(&served, "/api/v1/events?last_event_id=0", None).await;
    stream.next_of("view").await;
    // The feed holds eight lines: a burst overtakes every reader, which then goes on from the store.
    const BURST: u64 = 3000;
    (1..=BURST).for_each(|seq| served.host.journal_line(seq));
    for seq in 1..=BURST {
        assert_eq!(stream.next_of("journal").await.id, Some(seq));
    }
}

#[tokio::test]
async fn lines_of_peers_do_not_count_as_this_hosts_own() {
    let served = served().await;
    served.host.journal_line(1);
    let mut stream = Stream::open(&served, "/api/v1/events?last_event_id=0", None).await;
    assert_eq!(stream.next_of("journal").await.id, Some(1));
    served
        .host
        .peer_feed
        .send(JournalLine {
            host: "beta".to_owned(),
            ..line(900)
        })
        .unwrap();
    let peer = stream.next_of("peer-journal").await;
    assert_eq!(
        (peer.id, peer.data["host"].as_str(), peer.data["seq"].as_u64()),
        (None, Some("beta"), Some(900))
    );
    served.host.journal_line(2);
    assert_eq!(stream.next_of("journal").await.id, Some(2));
}

#[tokio::test]
async fn missed_lines_of_peers_are_said_so() {
    let served = served().await;
    let mut stream = Stream::open(&served, "/api/v1/events?last_event_id=0", None).await;
    stream.next_of("view").await;
    // The feed holds eight lines, and nobody reads between these.
    (1..=20).for_each(|seq| assert!(served.host.peer_feed.send(line(seq)).is_ok()));
    stream.next_of("peer-reset").await;
    assert_eq!(stream.next_of("peer-journal").await.data["seq"], 13);
}

#[tokio::test]
async fn a_journal_that_began_anew_is_said_so() {
    let served = served().await;
    served.host.journal_line(1);
    let mut stream = Stream::open(&served, "/api/v1/events", Some(900)).await;
    assert_eq!(stream.next_of("reset").await.data["newest"], 1);
    served.host.journal_line(2);
    assert_eq!(stream.next_of("journal").await.id, Some(2));
}

#[tokio::test]
async fn a_broken_store_ends_the_stream() {
    let served = served().await;
    served.host.store_fails.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut stream = Stream::open(&served, "/api/v1/events", Some(1)).await;
    assert_eq!(stream.next().await.map(|seen| seen.event), Some("view".to_owned()));
    assert_eq!(
        stream.next().await,
        None,
        "the reader comes back with its Last-Event-ID"
    );
}

#[tokio::test]
async fn the_end_of_the_daemon_ends_streams_and_serving() {
    let mut served = served().await;
    let mut stream = Stream::open(&served, "/api/v1/events", None).await;
    stream.next_of("view").await;
    served.stop();
    assert_eq!(stream.next().await, None);
    let ended = tokio::time::timeout(PATIENCE, &mut served.ended)
        .await
        .expect("serve returns");
    ended.unwrap().unwrap();
}

#[tokio::test]
async fn streams_are_bounded_and_given_back() {
    let served = served().await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        let mut stream = Stream::open(&served, "/api/v1/events", None).await;
        stream.next_of("view").await;
        streams.push(stream);
    }
    assert_eq!(
        served.get("/api/v1/events").await.problem(),
        (503, "unavailable".to_owned())
    );
    drop(streams);
    let back = async {
        while served.ask(Method::GET, "/api/v1/events").open().await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, back)
        .await
        .expect("a place is free again");
}

#[tokio::test]
async fn a_wrong_last_event_id_is_named() {
    let served = served().await;
    let reply = served
        .ask(Method::GET, "/api/v1/events")
        .header("last-event-id", "abc")
        .send()
        .await;
    assert_eq!(reply.problem(), (422, "invalid".to_owned()));
    let reply = served.get("/api/v1/events?last_event_id=-1").await;
    assert_eq!(reply.json()["field"], "last_event_id");
}
