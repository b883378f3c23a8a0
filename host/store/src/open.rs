//! The store's file: its lock, its schema, its connections.
//!
//! Invariant: nothing is read or written before the lock file is held, and it is held until the last connection is
//! closed. One connection writes, so that writers queue here and not in SQLite's busy handler; a few read.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::{Retention, StoreError};

/// One host's store. Cheap to clone; all clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    retention: Retention,
    // Last, so that it is let go after the pools.
    _lock: File,
}

impl Store {
    /// Opens the store at `path`, or makes it. Brings its schema up to date.
    ///
    /// The folder must exist. Two further files (`-wal`, `-shm`) and a lock file (`.lock`) appear next to it; a backup
    /// must be taken with SQLite's own means, not by copying the file.
    ///
    /// # Errors
    /// Any [`StoreError`]; no partial store is left behind that a later call could not open.
    pub async fn open(path: &Path, retention: Retention) -> Result<Store, StoreError> {
        let lock = lock(path).await?;
        create_private(path)?;
        let writer = writer(path).await?;
        migrate(path, &writer).await?;
        let readers = readers(path).await?;
        let store = Store {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                writer,
                readers,
                retention,
                _lock: lock,
            }),
        };
        store.check_protocol_tables().await?;
        store.establish_identity().await?;
        Ok(store)
    }

    /// Closes all connections and merges the write-ahead log into the file. Without it nothing is lost either.
    pub async fn close(self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    pub(crate) fn retention(&self) -> &Retention {
        &self.inner.retention
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.inner.writer
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    /// Names the place of a driver's error.
    pub(crate) fn broken(&self, error: sqlx::Error) -> StoreError {
        StoreError::from_sql(self.path(), error)
    }

    /// A damaged record of who holds what must be found at the start, not in the middle of a takeover. The large
    /// tables are not read: that could take minutes, and a hole in them stops nothing.
    async fn check_protocol_tables(&self) -> Result<(), StoreError> {
        for table in [
            "PRAGMA quick_check('store_identity')",
            "PRAGMA quick_check('service_state')",
        ] {
            let found: Vec<String> = sqlx::query_scalar(table)
                .fetch_all(self.readers())
                .await
                .map_err(|e| self.broken(e))?;
            if found != ["ok"] {
                return Err(StoreError::Corrupted {
                    path: self.path().to_owned(),
                    detail: found.join("; "),
                });
            }
        }
        Ok(())
    }
}

/// The newest schema this version knows.
fn known_schema(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

async fn lock(path: &Path) -> Result<File, StoreError> {
    let lock_path = with_suffix(path, ".lock");
    let failed = |error: std::io::Error| StoreError::from_io(&lock_path, &error);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(PRIVATE)
        .open(&lock_path)
        .map_err(failed)?;
    let mut tries_left = LOCK_TRIES;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if tries_left > 0 => tries_left -= 1,
            Err(TryLockError::WouldBlock) => return Err(locked(path, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    // The content is for people and for the message below; a full disk must not keep a store from being read.
    let _ = file
        .rewind()
        .and_then(|()| file.set_len(0))
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

fn locked(path: &Path, file: &mut File) -> StoreError {
    let mut holder = String::new();
    // Who it is only helps the message.
    let _ = file.read_to_string(&mut holder);
    StoreError::Locked {
        path: path.to_owned(),
        holder: holder.trim().parse().ok(),
    }
}

/// The store names clients and holds what plugins need to go on: it is nobody else's to read. SQLite gives its
/// further files the mode of the first.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::from_io(path, &error);
    let existed = path.exists();
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE)
        .open(path)
        .map_err(failed)?;
    if !existed {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
    }
    Ok(())
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", LOG_KEPT)
        .pragma("wal_autocheckpoint", LOG_PAGES)
}

async fn writer(path: &Path) -> Result<SqlitePool, StoreError> {
    pool(1)
        .connect_with(
            options(path)
                .pragma("cache_size", WRITER_CACHE)
                .auto_vacuum(SqliteAutoVacuum::Incremental),
        )
        .await
        .map_err(|e| StoreError::from_sql(path, e))
}

async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
    pool(READERS)
        .connect_with(options(path).pragma("query_only", "ON"))
        .await
        .map_err(|e| StoreError::from_sql(path, e))
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

async fn migrate(path: &Path, writer: &SqlitePool) -> Result<(), StoreError> {
    MIGRATIONS
        .run(writer)
        .await
        .map_err(|e| StoreError::from_migration(path, e, known_schema(&MIGRATIONS)))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Read and written by the daemon's user only.
const PRIVATE: u32 = 0o600;
/// A daemon that has just ended may have been starting a server: for a moment that child still has the lock file open,
/// until the kernel closes it. Half a second is long for that, and short for a person who started two daemons.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// A person with sqlite3 open may hold a lock for a moment; for longer it is an error that names the cause.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the longest write here (a page of requests on a slow disk), shorter than anybody's patience.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(20);
/// The UI, a digest and a resend at once; more would only fight for the same disk.
const READERS: u32 = 4;
/// Pages (32 MiB) that the write-ahead log collects before they go to the file: unsorted requests change the same pages of
/// the index again and again, and each then goes once.
const LOG_PAGES: &str = "8192";
/// 64 MiB, in bytes: after a long compilation the write-ahead log is cut back to this.
const LOG_KEPT: &str = "67108864";
/// 32 MiB (SQLite counts negative sizes in KiB): pages of unsorted requests touch many leaves of the tree.
const WRITER_CACHE: &str = "-32768";

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything the store promises rests on these, and nothing would fail if one were lost.
    #[tokio::test]
    async fn connections_are_as_durability_needs_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db"), Retention::default())
            .await
            .unwrap();
        let pragma = async |pool: &SqlitePool, name: &'static str| -> String {
            let value: i64 = match name {
                "journal_mode" => return sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap(),
                "synchronous" => sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await.unwrap(),
                "foreign_keys" => sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(pool).await.unwrap(),
                "auto_vacuum" => sqlx::query_scalar("PRAGMA auto_vacuum").fetch_one(pool).await.unwrap(),
                other => panic!("{other}"),
            };
            value.to_string()
        };
        for (name, wanted) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("auto_vacuum", "2"),
        ] {
            assert_eq!(pragma(store.writer(), name).await, wanted, "{name}");
        }
        let refused = sqlx::query("DELETE FROM store_identity").execute(store.readers()).await;
        assert!(refused.unwrap_err().to_string().contains("readonly"));
    }

    #[tokio::test]
    async fn nobody_else_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let _store = Store::open(&folder.path().join("store.db"), Retention::default())
            .await
            .unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", file.file_name());
        }
    }
}
