//! What was said in a takeover, and what the address did, on a real file.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{entry, host, open, service};
use understudy_store::{AddressLine, ClockOffset, Direction, JournalFilter, Keep, Retention, Said, Store};

fn said(name: &'static str, body: &str) -> Said {
    Said {
        takeover: "r-1".into(),
        direction: Direction::Sent,
        peer: host("beta"),
        name,
        body: body.into(),
        clock: Some(ClockOffset {
            offset_us: -1500,
            uncertainty_us: 200,
        }),
    }
}

#[tokio::test]
async fn a_message_is_kept_with_the_line_of_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let heard = Said {
        direction: Direction::Received,
        clock: None,
        ..said("ShutdownCommanded", r#"{"says":"shutdown-commanded"}"#)
    };
    let spoken = said("FaultIndicated", r#"{"says":"fault-indicated"}"#);
    let line = store
        .append_with(&entry("web", None), &[heard.clone(), spoken], 10)
        .await
        .unwrap();
    let quiet = said("DrainProgressed", r#"{"says":"drain-progressed"}"#);
    store.keep_messages(&service("web"), &[quiet], 12).await.unwrap();
    store.close().await;

    let store = open(&folder).await;
    let kept = store.messages("r-1", 10).await.unwrap();
    let names: Vec<_> = kept.iter().map(|m| (m.name.as_str(), m.line, m.has_line)).collect();
    assert_eq!(
        names,
        [
            ("ShutdownCommanded", line.seq, true),
            ("FaultIndicated", line.seq, true),
            ("DrainProgressed", line.seq, false)
        ]
    );
    assert_eq!((kept[0].direction, kept[0].clock), (Direction::Received, None));
    assert_eq!(
        (kept[0].body.as_str(), &kept[0].peer),
        (heard.body.as_str(), &host("beta"))
    );
    assert_eq!((kept[1].at_ms, kept[1].clock), (10, said("", "").clock));
    assert!(store.messages("r-2", 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repeated_message_is_one_row_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let (web, release) = (service("web"), said("Released", r#"{"says":"released"}"#));
    for at_ms in 1..=50 {
        store
            .keep_messages(&web, std::slice::from_ref(&release), at_ms)
            .await
            .unwrap();
    }
    let to_another = Said {
        peer: host("gamma"),
        ..release
    };
    store.keep_messages(&web, &[to_another], 60).await.unwrap();
    let kept = store.messages("r-1", 10).await.unwrap();
    let counted: Vec<_> = kept.iter().map(|m| (m.times, m.at_ms, m.last_at_ms)).collect();
    assert_eq!(counted, [(50, 1, 50), (1, 60, 60)]);
}

#[tokio::test]
async fn old_messages_and_address_events_go() {
    let folder = tempfile::tempdir().unwrap();
    let day = Duration::from_secs(86_400);
    let kept_for_a_day = Retention {
        journal: Keep { age: day, at_most: 2 },
        ..Retention::default()
    };
    let store = Store::open(&folder.path().join("store.db"), kept_for_a_day)
        .await
        .unwrap();
    let (web, now) = (service("web"), 10 * 86_400_000);
    for (at_ms, body) in [(1, "{}"), (now, "[]"), (now, "1"), (now, "2")] {
        store
            .keep_messages(&web, &[said("Released", body)], at_ms)
            .await
            .unwrap();
        let line = AddressLine {
            at_ms,
            event: "address-held".into(),
            detail: body.into(),
        };
        store.keep_address_event(&web, &line).await.unwrap();
    }
    assert_eq!(store.address_events(&web, 1, now - 1, 10).await.unwrap().len(), 1);
    let pruned = store.prune(now).await.unwrap();
    assert_eq!((pruned.messages, pruned.address_events), (2, 2));
    let left: Vec<_> = store
        .messages("r-1", 10)
        .await
        .unwrap()
        .into_iter()
        .map(|m| m.body)
        .collect();
    assert_eq!(left, ["1", "2"]);
    let left = store.address_events(&web, 0, i64::MAX, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|line| line.detail.as_str()).collect::<Vec<_>>(),
        ["1", "2"]
    );
    assert!(store.journal(&JournalFilter::default(), 5).await.unwrap().is_empty());
}
