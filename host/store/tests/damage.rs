//! Disks that are full, read-only or damaged, and schemas of other versions: each is said by name, with the place, and
//! nothing panics. The file systems are real ones, mounted for one process in a mount namespace of its own.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use support::{entry, host, in_other_process, open, other_process, request, round, service};
use understudy_protocol::{Durable, Entry};
use understudy_store::{JournalFilter, Retention, Store, StoreError};

async fn try_open(path: &Path) -> Result<Store, StoreError> {
    Store::open(path, Retention::default()).await
}

/// Opens the file as a person with sqlite3 would.
async fn by_hand(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .unwrap()
}

fn bulky(number: u64) -> Entry {
    let durable = Durable {
        adopted: true,
        round_counter: number,
        ..Durable::default()
    };
    Entry {
        detail: format!("{number} {}", "x".repeat(20_000)),
        ..entry("web", Some(durable))
    }
}

/// The record and the journal's last line agree on the number; answers it.
async fn last_number(store: &Store) -> u64 {
    let recorded = store
        .durable(&service("web"))
        .await
        .unwrap()
        .map_or(0, |durable| durable.round_counter);
    let line = store.journal(&JournalFilter::default(), 1).await.unwrap().pop();
    let written = line.map_or(0, |line| line.detail.split(' ').next().unwrap().parse().unwrap());
    assert_eq!(written, recorded);
    recorded
}

/// Runs `test` in another process with a folder on a small file system that only it can see.
fn on_a_small_disk(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let other = in_other_process(test, folder.path());
    let mut command = Command::new("unshare");
    // Mounting needs root: the real one, or one of a user namespace.
    command.args(if rustix::process::geteuid().is_root() {
        &["--mount"][..]
    } else {
        &["--mount", "--map-root-user"]
    });
    command.args([
        "sh",
        "-c",
        "mount -t tmpfs -o size=6m understudy-test \"$0\" && exec \"$@\"",
    ]);
    command
        .arg(folder.path())
        .arg(other.get_program())
        .args(other.get_args());
    command.envs(other.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = command
        .output()
        .expect("unshare, of Debian's package util-linux, can be run");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "this needs to mount a tmpfs in a namespace of its own (as root, or where users may have namespaces):\n{said}"
    );
}

#[tokio::test]
async fn a_full_disk_is_said_and_got_over() {
    match other_process() {
        Some(folder) => fill_the_disk(&folder).await,
        None => on_a_small_disk("a_full_disk_is_said_and_got_over"),
    }
}

async fn fill_the_disk(folder: &Path) {
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0; 3 << 20]).unwrap();
    let store = try_open(&folder.join("store.db")).await.unwrap();
    store
        .begin_compilation(&service("web"), round(1), &host("a"), None, 0)
        .await
        .unwrap();
    let (mut written, mut number) = (0, 0);
    let refused = loop {
        number += 1;
        match store.append(&bulky(number), 0).await {
            Ok(_) => written = number,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused:?}");
    assert!(refused.to_string().contains("store.db"), "{refused}");
    assert!(written > 0);

    // It goes on being readable, and being said, by every way to write.
    for _ in 0..3 {
        assert_eq!(last_number(&store).await, written);
        let refused = store.append(&bulky(number), 0).await.unwrap_err();
        assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused:?}");
    }
    let page: Vec<_> = (0..5000).map(|n| request(&n.to_string())).collect();
    let refused = store.put_requests(round(1), &page).await.unwrap_err();
    assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused:?}");
    assert!(
        store
            .requests(round(1), &Default::default(), None, 1)
            .await
            .unwrap()
            .is_empty()
    );

    // Room again: no restart is needed, and nothing is missing.
    std::fs::remove_file(&ballast).unwrap();
    store.prove_writable(1).await.unwrap();
    store.append(&bulky(written + 1), 0).await.unwrap();
    assert_eq!(last_number(&store).await, written + 1);
    drop(store);
    let store = try_open(&folder.join("store.db")).await.unwrap();
    assert_eq!(last_number(&store).await, written + 1);
}

#[tokio::test]
async fn a_store_can_be_opened_on_a_full_disk_or_says_why_not() {
    match other_process() {
        Some(folder) => open_on_a_full_disk(&folder).await,
        None => on_a_small_disk("a_store_can_be_opened_on_a_full_disk_or_says_why_not"),
    }
}

async fn open_on_a_full_disk(folder: &Path) {
    let fill = |name: &str| {
        let full = std::fs::write(folder.join(name), vec![0; 7 << 20]).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    };
    fill("ballast");
    let refused = try_open(&folder.join("new.db")).await.unwrap_err();
    assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused:?}");

    std::fs::remove_file(folder.join("ballast")).unwrap();
    let store = try_open(&folder.join("new.db")).await.unwrap();
    store.append(&bulky(1), 0).await.unwrap();
    store.close().await;
    fill("ballast");
    let refused = try_open(&folder.join("new.db")).await.unwrap_err();
    assert!(matches!(refused, StoreError::DiskFull { .. }), "{refused:?}");

    std::fs::remove_file(folder.join("ballast")).unwrap();
    assert_eq!(last_number(&try_open(&folder.join("new.db")).await.unwrap()).await, 1);
}

#[tokio::test]
async fn a_read_only_file_system_is_said() {
    match other_process() {
        Some(folder) => open_read_only(&folder).await,
        None => on_a_small_disk("a_read_only_file_system_is_said"),
    }
}

async fn open_read_only(folder: &Path) {
    let store = try_open(&folder.join("store.db")).await.unwrap();
    store.append(&bulky(1), 0).await.unwrap();
    store.close().await;
    let remounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(folder)
        .status()
        .unwrap();
    assert!(remounted.success());
    let refused = try_open(&folder.join("store.db")).await.unwrap_err();
    let said = refused.to_string();
    assert!(
        matches!(refused, StoreError::ReadOnly { .. }) && said.contains("store.db"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_missing_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let refused = try_open(&folder.path().join("none/store.db")).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoFolder { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_is_no_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let letter = "Dear Ann, this is not a database. ".repeat(500);
    std::fs::write(&path, &letter).unwrap();
    let refused = try_open(&path).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupted { .. }), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
}

#[tokio::test]
async fn a_damaged_record_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store
        .append(&entry("service-with-a-damaged-record", Some(Durable::default())), 0)
        .await
        .unwrap();
    let path = store.path().to_owned();
    store.close().await;

    let mut bytes = std::fs::read(&path).unwrap();
    let needle = b"service-with-a-damaged-record";
    let pages: Vec<_> = (0..bytes.len() - needle.len())
        .filter(|at| bytes[*at..].starts_with(needle))
        .map(|at| at / 4096 * 4096)
        .collect();
    assert!(!pages.is_empty());
    for page in pages {
        bytes[page..page + 64].fill(0xa5);
    }
    std::fs::write(&path, bytes).unwrap();
    let refused = try_open(&path).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupted { .. }), "{refused:?}");
}

#[tokio::test]
async fn half_a_file_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    for number in 1..100 {
        store.append(&bulky(number), 0).await.unwrap();
    }
    let path = store.path().to_owned();
    store.close().await;
    let half = std::fs::metadata(&path).unwrap().len() / 2;
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(half)
        .unwrap();
    let refused = try_open(&path).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupted { .. }), "{refused:?}");
}

#[tokio::test]
async fn what_was_edited_by_hand_is_refused_by_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store.append(&entry("web", Some(Durable::default())), 0).await.unwrap();
    let mut hand = by_hand(store.path()).await;
    let edit = "UPDATE service_state SET stay_down_released_term = 3, stay_down_fault = 'x', stay_down_phase = 'maybe'";
    sqlx::query(edit).execute(&mut hand).await.unwrap();
    let refused = store.durable(&service("web")).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unreadable { .. }) && refused.to_string().contains("maybe"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_operator_finds_held_stay_down_orders() {
    use understudy_protocol::{DownPhase, StayDown, Term};
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let stay_down = StayDown {
        released: Term(6),
        fault: "disk-failing".into(),
        phase: DownPhase::Faulty,
    };
    let durable = Durable {
        stay_down: Some(stay_down.clone()),
        ..Durable::default()
    };
    store
        .append(&entry("web", Some(durable.clone())), 1_795_000_000_000)
        .await
        .unwrap();
    let cured = Durable {
        stay_down: Some(StayDown {
            phase: DownPhase::Cured,
            ..stay_down
        }),
        ..durable
    };
    store
        .append(&entry("web", Some(cured)), 1_795_000_900_000)
        .await
        .unwrap();
    store
        .append(&entry("db", Some(Durable::default())), 1_795_000_000_000)
        .await
        .unwrap();
    let mut hand = by_hand(store.path()).await;
    let orders: Vec<(String, String, String, i64, String)> =
        sqlx::query_as("SELECT service, phase, fault, released_term, since_utc FROM held_stay_down_orders")
            .fetch_all(&mut hand)
            .await
            .unwrap();
    let order = (
        "web".into(),
        "cured".into(),
        "disk-failing".into(),
        6,
        "2026-11-18 11:06:40".into(),
    );
    assert_eq!(orders, [order]);
}

#[tokio::test]
async fn the_schema_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let path = store.path().to_owned();
    store.close().await;
    let mut hand = by_hand(&path).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'from the future', TRUE, x'00', 0)";
    sqlx::query(newer).execute(&mut hand).await.unwrap();
    let refused = try_open(&path).await.unwrap_err();
    let StoreError::NewerSchema { found: 9999, known, .. } = refused else {
        panic!("{refused:?}")
    };
    assert!(known < 9999);
    sqlx::query("UPDATE _sqlx_migrations SET version = 1, checksum = x'00' WHERE version IN (1, 9999)")
        .execute(&mut hand)
        .await
        .unwrap_err();
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 9999")
        .execute(&mut hand)
        .await
        .unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1")
        .execute(&mut hand)
        .await
        .unwrap();
    let refused = try_open(&path).await.unwrap_err();
    assert!(matches!(refused, StoreError::SchemaDiffers { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_lock_held_by_hand_is_said_and_got_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let mut hand = by_hand(store.path()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut hand).await.unwrap();
    let refused = store.append(&entry("web", None), 0).await.unwrap_err();
    assert!(matches!(refused, StoreError::Busy { .. }), "{refused:?}");
    // A lock for a moment is waited for.
    let release = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sqlx::query("COMMIT").execute(&mut hand).await.unwrap();
    });
    store.append(&entry("web", None), 0).await.unwrap();
    release.await.unwrap();
}

#[tokio::test]
async fn two_tokens_in_one_record_are_refused() {
    use understudy_protocol::{Grant, Term};
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let seal = understudy_store::seal_of([]);
    let grant = Grant {
        new_term: Term(4),
        to: host("b"),
        round: round(1),
        seal: Some(seal),
    };
    let both = Durable {
        held: Some(Term(3)),
        grant: Some(grant),
        ..Durable::default()
    };
    let refused = store.append(&entry("web", Some(both)), 0).await.unwrap_err();
    assert!(matches!(refused, StoreError::Rejected { .. }), "{refused:?}");
    assert!(
        store.journal(&JournalFilter::default(), 1).await.unwrap().is_empty(),
        "the line went with the record"
    );
}
