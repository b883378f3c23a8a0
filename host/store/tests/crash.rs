//! A daemon that is killed in the middle of a write: what it was told to be durable is there, and the journal and the
//! record it carries agree.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use support::{entry, host, in_other_process, other_process, request, round, service};
use understudy_protocol::{Durable, Entry};
use understudy_store::{JournalFilter, Retention, Store, seal_of};

fn numbered(number: u64) -> Entry {
    let durable = Durable {
        adopted: true,
        round_counter: number,
        ..Durable::default()
    };
    Entry {
        detail: number.to_string(),
        ..entry("web", Some(durable))
    }
}

async fn open_at(path: &Path) -> Store {
    Store::open(path, Retention::default()).await.unwrap()
}

/// The number that the record says, which must be what the journal's last line says.
async fn last_number(store: &Store) -> u64 {
    let recorded = store
        .durable(&service("web"))
        .await
        .unwrap()
        .map_or(0, |durable| durable.round_counter);
    let line = store.journal(&JournalFilter::default(), 1).await.unwrap().pop();
    assert_eq!(line.map_or(0, |line| line.detail.parse().unwrap()), recorded);
    recorded
}

fn number_said(line: &str) -> Option<u64> {
    line.strip_prefix("durable ")?.strip_suffix('.')?.parse().ok()
}

/// Runs `test` in another process, lets it say `lines` lines, kills it, and answers the last whole number it said.
fn kill_after(test: &str, store: &Path, lines: usize) -> u64 {
    let mut child = in_other_process(test, store).stdout(Stdio::piped()).spawn().unwrap();
    let mut said: Vec<u64> = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // The test harness says things too; and the last line may be cut.
        said.extend(number_said(&line.unwrap()));
        if said.len() == lines {
            // SIGKILL: nothing of it runs any more. What it said until then is still read.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said.len() >= lines, "the other process ended by itself after {said:?}");
    *said.last().unwrap()
}

#[tokio::test]
async fn a_killed_daemon_loses_nothing_it_was_told_is_durable() {
    if let Some(path) = other_process() {
        return append_for_ever(&path).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    for lines in [1, 7, 20, 33, 50] {
        let acknowledged = kill_after("a_killed_daemon_loses_nothing_it_was_told_is_durable", &path, lines);
        let store = open_at(&path).await;
        let found = last_number(&store).await;
        // One more may have been written, but not said.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&found),
            "said {acknowledged}, found {found}"
        );
        let all = store.journal(&JournalFilter::default(), u32::MAX).await.unwrap();
        assert_eq!(all.len() as u64, found, "no line is missing or doubled");
    }
}

#[tokio::test]
async fn a_seal_survives_with_all_its_requests() {
    if let Some(path) = other_process() {
        return seal_for_ever(&path).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let sealed = kill_after("a_seal_survives_with_all_its_requests", &path, 5);
    let store = open_at(&path).await;
    for number in 1..=sealed {
        let seal = store
            .sealed(round(number))
            .await
            .unwrap()
            .expect("it was said to be sealed");
        let mut requests = store.all_requests(round(number)).await.unwrap();
        assert_eq!(seal, seal_of(&requests.next_page().await.unwrap().unwrap()));
        assert_eq!(seal.count, 300);
    }
}

#[tokio::test]
async fn dropped_without_closing_it_opens_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    for number in 1..=20 {
        let store = open_at(&path).await;
        assert_eq!(last_number(&store).await, number - 1);
        store.append(&numbered(number), 0).await.unwrap();
        drop(store);
    }
}

#[tokio::test]
async fn an_append_that_is_dropped_half_way_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_at(&folder.path().join("store.db")).await;
    for number in 1..=200_u64 {
        let entry = numbered(number);
        let append = store.append(&entry, 0);
        // From "not even begun" to "long done".
        let patience = std::time::Duration::from_micros(number * 10);
        let _ = tokio::time::timeout(patience, append).await;
        // A dropped append may still be under way; the next write waits for it.
        store.prove_writable(0).await.unwrap();
        last_number(&store).await;
    }
    store.append(&numbered(1000), 0).await.unwrap();
    assert_eq!(last_number(&store).await, 1000);
}

fn say(number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "durable {number}.")
        .and_then(|()| out.flush())
        .expect("somebody listens");
}

async fn append_for_ever(path: &Path) {
    let store = open_at(path).await;
    let first = last_number(&store).await + 1;
    for number in first.. {
        store.append(&numbered(number), 0).await.unwrap();
        say(number);
    }
}

async fn seal_for_ever(path: &Path) {
    let store = open_at(path).await;
    for number in 1.. {
        store
            .begin_compilation(&service("web"), round(number), &host("a"), None, 1)
            .await
            .unwrap();
        let requests: Vec<_> = (0..300).map(|n| request(&format!("{number}-{n}"))).collect();
        store.put_requests(round(number), &requests).await.unwrap();
        store.seal_compilation(round(number), 2).await.unwrap();
        say(number);
    }
}

#[tokio::test]
async fn a_second_process_is_kept_out_and_told_by_whom() {
    if let Some(path) = other_process() {
        return append_for_ever(&path).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut child = in_other_process("a_second_process_is_kept_out_and_told_by_whom", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines
        .next()
        .expect("it says that it has begun")
        .unwrap()
        .starts_with("durable ")
    {}
    let refused = Store::open(&path, Retention::default()).await.unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains(&format!("process {}", child.id())) && said.contains("store.db"),
        "{said}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A server that the daemon starts outlives it: it must not keep the lock.
#[test]
fn a_child_of_the_daemon_does_not_inherit_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(open_at(&path));
    let mut server = Command::new("sleep").arg("60").spawn().unwrap();
    drop(store);
    let again = runtime.block_on(Store::open(&path, Retention::default()));
    server.kill().unwrap();
    server.wait().unwrap();
    again.unwrap();
}
