//! Target of the store: rows in which somebody changed any column by hand, or a disk did, within what a sound SQLite
//! file can hold. Each is read, or refused by name; what is read is written again and reads the same.

use std::sync::{Mutex, OnceLock, PoisonError};

use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use understudy_store::{
    AuditFilter, FaultFilter, JournalFilter, RequestFilter, Retention, Store, StoreError, StoredResponse,
};

use crate::sample::{self, TAKEOVER};
use crate::store::{ROUND, done, folder, host, runtime, service};
use crate::taker::Taker;

/// Any bytes as changes by hand to a store that holds something in every table that is read.
///
/// # Panics
/// When what was changed is neither read nor refused for what it is, or is written again as something else.
pub fn store_rows(bytes: &[u8]) {
    static BED: OnceLock<Mutex<Bed>> = OnceLock::new();
    let bed = BED.get_or_init(|| Mutex::new(Bed::new()));
    let bed = &mut *bed.lock().unwrap_or_else(PoisonError::into_inner);
    let Bed {
        runtime,
        store,
        hand,
        restore,
        columns,
        ..
    } = bed;
    runtime.block_on(async {
        by_hand(hand, restore).await;
        change(hand, columns, &mut Taker(bytes)).await;
        read(store).await;
    });
}

/// Changes columns, as the bytes say; what the tables themselves refuse is not changed.
async fn change(hand: &mut SqliteConnection, columns: &[(String, String)], taker: &mut Taker<'_>) {
    for _ in 0..MOST_CHANGES {
        if taker.is_empty() {
            return;
        }
        let (table, column) = &columns[usize::from(taker.byte()) % columns.len()];
        let (value, bound) = value(taker);
        let sql = format!("UPDATE OR IGNORE {table} SET {column} = {value}");
        let update = sqlx::query(AssertSqlSafe(sql));
        let _ = match bound {
            Bound::Nothing => update,
            Bound::Number(number) => update.bind(number),
            Bound::Bytes(bytes) => update.bind(bytes),
        }
        .execute(&mut *hand)
        .await;
    }
}

enum Bound {
    Nothing,
    Number(i64),
    Bytes(Vec<u8>),
}

/// A value and how it stands in SQL. Text is given as bytes: SQLite does not look whether it is UTF-8.
fn value(taker: &mut Taker) -> (&'static str, Bound) {
    match taker.byte() % 6 {
        0 => ("NULL", Bound::Nothing),
        1 => ("?1", Bound::Number(i64::from(taker.byte().cast_signed()))),
        2 => ("?1", Bound::Number(taker.i64())),
        3 => {
            let length = usize::from(taker.byte());
            ("CAST(?1 AS TEXT)", Bound::Bytes(taker.bytes(length).to_vec()))
        }
        4 => {
            let length = usize::from(taker.byte());
            ("?1", Bound::Bytes(taker.bytes(length).to_vec()))
        }
        _ => {
            let word = WORDS[usize::from(taker.byte()) % WORDS.len()];
            ("CAST(?1 AS TEXT)", Bound::Bytes(word.as_bytes().to_vec()))
        }
    }
}

/// Reads everything that a daemon reads.
async fn read(store: &Store) {
    let (web, at_ms) = (service(), 7);
    read_or_refused(store.store_id().await);
    read_or_refused(store.journal(&JournalFilter::default(), MANY).await);
    read_or_refused(store.messages(TAKEOVER, MANY).await);
    read_or_refused(store.address_events(&web, i64::MIN, i64::MAX, MANY).await);
    read_or_refused(store.audit_log(&AuditFilter::default(), MANY).await);
    read_or_refused(store.compilations(None, MANY).await);
    read_or_refused(store.compilation(ROUND).await);
    read_or_refused(store.sealed(ROUND).await);
    read_or_refused(store.plugin_state(&web, "redis").await);
    read_or_refused(store.requests(ROUND, &RequestFilter::default(), None, MANY).await);
    read_or_refused(store.next_boot("another").await);

    if let Some(Some(durable)) = read_or_refused(store.durable(&web).await) {
        let entry = sample::entry(Some(durable.clone()));
        if read_or_refused(store.append(&entry, at_ms).await).is_some() {
            assert_eq!(done(store.durable(&web).await), Some(durable));
        }
    }
    if let Some(Some((digest, response))) = read_or_refused(store.stored_response("key").await) {
        keeps_response(store, digest, response).await;
    }
    if let Some(lines) = read_or_refused(store.faults(&FaultFilter::default(), MANY).await) {
        for line in lines {
            let elsewhere = host("elsewhere");
            done(
                store
                    .record_fault(&web, &elsewhere, &line.fault, line.verdict, at_ms)
                    .await,
            );
            let filter = FaultFilter {
                host: Some(elsewhere),
                ..FaultFilter::default()
            };
            let again = done(store.faults(&filter, MANY).await);
            assert!(
                again
                    .iter()
                    .any(|l| (&l.fault, l.verdict) == (&line.fault, line.verdict))
            );
        }
    }
    if let Some(mut pages) = read_or_refused(store.all_requests(ROUND).await)
        && let Some(Some(page)) = read_or_refused(pages.next_page().await)
    {
        done(
            store
                .begin_compilation(&web, sample::OTHER_ROUND, &host("a"), None, at_ms)
                .await,
        );
        done(store.put_requests(sample::OTHER_ROUND, &page).await);
        let mut again = done(store.all_requests(sample::OTHER_ROUND).await);
        assert_eq!(done(again.next_page().await), Some(page));
    }
}

async fn keeps_response(store: &Store, digest: String, response: StoredResponse) {
    done(store.free_idempotency_key("again").await);
    done(store.take_idempotency_key("again", &digest, 0).await);
    done(store.keep_response("again", &response).await);
    assert_eq!(done(store.stored_response("again").await), Some((digest, response)));
}

/// What was read; none where it was refused for what it is. Any other failure is one of this program.
#[track_caller]
fn read_or_refused<T>(result: Result<T, StoreError>) -> Option<T> {
    match result {
        Ok(read) => Some(read),
        Err(
            StoreError::Unreadable { .. }
            | StoreError::Rejected { .. }
            | StoreError::NoCompilation { .. }
            | StoreError::StillChanging { .. },
        ) => None,
        Err(other) => panic!("{other:?}"),
    }
}

struct Bed {
    runtime: Runtime,
    store: Store,
    hand: SqliteConnection,
    /// Makes every table what it was.
    restore: String,
    /// Every table with every column of it.
    columns: Vec<(String, String)>,
    _folder: TempDir,
}

impl Bed {
    fn new() -> Bed {
        let (runtime, folder) = (runtime(), folder());
        let path = folder.path().join("store.db");
        let (store, hand, restore, columns) = runtime.block_on(async {
            let store = done(Store::open(&path, Retention::default()).await);
            sample::fill(&store).await;
            let url = format!("sqlite://{}", path.display());
            let mut hand = SqliteConnection::connect(&url)
                .await
                .unwrap_or_else(|error| panic!("{error}"));
            let columns = columns(&mut hand).await;
            let mut tables: Vec<&str> = columns.iter().map(|(table, _)| table.as_str()).collect();
            tables.dedup();
            // Whoever edits a file can also do without its checks.
            let mut keep = String::from(
                "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF;
                 ATTACH ':memory:' AS kept;",
            );
            let mut restore = String::from("BEGIN IMMEDIATE;");
            for table in &tables {
                keep += &format!("CREATE TABLE kept.{table} AS SELECT * FROM main.{table};");
                restore += &format!("DELETE FROM main.{table};");
            }
            for table in &tables {
                restore += &format!("INSERT OR REPLACE INTO main.{table} SELECT * FROM kept.{table};");
            }
            // Triggers have counted meanwhile.
            restore +=
                "DELETE FROM main.request_counts; INSERT INTO main.request_counts SELECT * FROM kept.request_counts;
                        COMMIT;";
            by_hand(&mut hand, &keep).await;
            (store, hand, restore, columns)
        });
        Bed {
            runtime,
            store,
            hand,
            restore,
            columns,
            _folder: folder,
        }
    }
}

async fn columns(hand: &mut SqliteConnection) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY 1, c.cid",
    )
    .fetch_all(hand)
    .await
    .unwrap_or_else(|error| panic!("{error}"))
}

async fn by_hand(hand: &mut SqliteConnection, sql: &str) {
    let done = hand.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await;
    if let Err(error) = done {
        panic!("{error}");
    }
}

/// One input's changes: a damaged row is found by few of them.
const MOST_CHANGES: usize = 16;
/// More than any table of the sample has.
const MANY: u32 = 100;
/// What the columns hold when they are sound, and what looks like it.
const WORDS: [&str; 20] = [
    "web",
    "a",
    "running",
    "completed",
    "client-retries",
    "cured",
    "flapping",
    "failing",
    "shutdown-required",
    "hardware",
    "active",
    "received",
    "[]",
    "[[\"key\",\"value\"]]",
    "[[\"key\"]]",
    "0123456789abcdef0011223344556677-4",
    "0123456789abcdef0011223344556677-18446744073709551615",
    "+123456789abcdef0011223344556677-+4",
    "973cccfeb31e783b9e513d2bc054475e4efd30bf66a082b9d71ef9860686b377",
    "+7+c+c+e+3+e+8+b+e+1+d+b+0+4+5+4+f+3+b+6+0+2+9+7+e+9+6+6+6+b+7+7",
];
