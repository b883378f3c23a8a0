//! Everything that can be wrong with a store, each with its place and its mend.
//!
//! Invariant: no SQLite or driver type leaves this crate; a caller decides by variant, a person reads the message.

use std::path::{Path, PathBuf};

use understudy_protocol::RoundId;

/// What is wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room left; a host that can't write must not become active.
    #[error("{}: the disk is full: free space on its file system; the daemon goes on by itself", path.display())]
    DiskFull {
        /// The store's file.
        path: PathBuf,
    },
    /// The file, its folder or its file system can't be written.
    #[error(
        "{}: can't be written ({detail}): make the file, its folder and its file system writable for the daemon's user",
        path.display()
    )]
    ReadOnly {
        /// The store's file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The file is not a sound SQLite database.
    #[error(
        "{}: is damaged ({detail}): move it and its -wal and -shm files away and start again; the host then begins \
         with an empty store and learns from its peers",
        path.display()
    )]
    Corrupted {
        /// The store's file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// Another daemon has it open.
    #[error(
        "{}: is in use by another daemon{}: stop that one, or give this one a folder of its own",
        path.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The store's file.
        path: PathBuf,
        /// The other daemon's process, where it could be read.
        holder: Option<u32>,
    },
    /// Another program, not a daemon, holds SQLite's own lock for too long.
    #[error("{}: another program keeps it locked: end the sqlite3 session or the backup that is writing to it", path.display())]
    Busy {
        /// The store's file.
        path: PathBuf,
    },
    /// A newer daemon has written it.
    #[error(
        "{}: was written by a newer version (schema {found}, this one knows {known}): start that version again",
        path.display()
    )]
    NewerSchema {
        /// The store's file.
        path: PathBuf,
        /// The newest migration applied to it.
        found: i64,
        /// The newest this daemon has.
        known: i64,
    },
    /// A migration was applied to it that this daemon knows differently, or only in part.
    #[error("{}: its schema differs from this version's ({detail}): start the version that made it", path.display())]
    SchemaDiffers {
        /// The store's file.
        path: PathBuf,
        /// Which migration.
        detail: String,
    },
    /// A value was found that no version of this daemon writes.
    #[error("{}: holds something unreadable ({detail}): it was edited by hand, or is damaged", path.display())]
    Unreadable {
        /// The store's file.
        path: PathBuf,
        /// Where, and what.
        detail: String,
    },
    /// A record breaks a rule of the tables: a fault of this program.
    #[error("{}: refused a record that breaks its rules ({detail}): please report this", path.display())]
    Rejected {
        /// The store's file.
        path: PathBuf,
        /// The rule.
        detail: String,
    },
    /// The store's folder does not exist.
    #[error("{}: its folder does not exist: make it, owned by the daemon's user, or name another in the configuration", path.display())]
    NoFolder {
        /// The store's file.
        path: PathBuf,
    },
    /// Requests or dispositions for a round whose compilation was never begun here.
    #[error("no compilation of round {round} was begun on this host")]
    NoCompilation {
        /// The round.
        round: RoundId,
    },
    /// Requests kept changing while the compilation was being sealed.
    #[error("the compilation of round {round} keeps changing: seal it after its last page")]
    StillChanging {
        /// The round.
        round: RoundId,
    },
    /// Any other failure of the file or the disk under it.
    #[error("{}: {detail}: look at the system's log for errors of this disk", path.display())]
    Io {
        /// The store's file.
        path: PathBuf,
        /// What happened.
        detail: String,
    },
}

impl StoreError {
    pub(crate) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::DiskFull { path },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly {
                path,
                detail: error.to_string(),
            },
            // What is missing below an existing folder is made.
            ErrorKind::NotFound | ErrorKind::NotADirectory => StoreError::NoFolder { path },
            _ => StoreError::Io {
                path,
                detail: error.to_string(),
            },
        }
    }

    pub(crate) fn from_sql(path: &Path, error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
                Self::from_sqlite_code(path, code, database.message())
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Unreadable {
                path: path.to_owned(),
                detail: error.to_string(),
            },
            sqlx::Error::PoolTimedOut => StoreError::Busy { path: path.to_owned() },
            sqlx::Error::Io(io) => Self::from_io(path, io),
            _ => StoreError::Io {
                path: path.to_owned(),
                detail: error.to_string(),
            },
        }
    }

    fn from_sqlite_code(path: &Path, extended: i32, message: &str) -> Self {
        let path = path.to_owned();
        let detail = format!("SQLite {extended}: {message}");
        match extended & PRIMARY_CODE {
            _ if extended == SQLITE_IOERR_SHMSIZE => StoreError::DiskFull { path },
            SQLITE_FULL => StoreError::DiskFull { path },
            SQLITE_READONLY | SQLITE_PERM => StoreError::ReadOnly { path, detail },
            SQLITE_CANTOPEN => StoreError::Io { path, detail },
            SQLITE_CORRUPT | SQLITE_NOTADB => StoreError::Corrupted { path, detail },
            SQLITE_BUSY | SQLITE_LOCKED => StoreError::Busy { path },
            SQLITE_CONSTRAINT | SQLITE_MISMATCH => StoreError::Rejected { path, detail },
            _ => StoreError::Io { path, detail },
        }
    }

    pub(crate) fn from_migration(path: &Path, error: sqlx::migrate::MigrateError, known: i64) -> Self {
        use sqlx::migrate::MigrateError;
        let path_buf = path.to_owned();
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::from_sql(path, error),
            MigrateError::VersionMissing(found) if found > known => StoreError::NewerSchema {
                path: path_buf,
                found,
                known,
            },
            other => StoreError::SchemaDiffers {
                path: path_buf,
                detail: other.to_string(),
            },
        }
    }
}

/// An extended result code carries its primary code in the low byte.
const PRIMARY_CODE: i32 = 0xff;
// SQLite's primary result codes (https://www.sqlite.org/rescode.html): part of its stable interface.
const SQLITE_PERM: i32 = 3;
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_READONLY: i32 = 8;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_MISMATCH: i32 = 20;
const SQLITE_NOTADB: i32 = 26;
/// The index of the write-ahead log could not grow: on a full disk the first thing to fail.
const SQLITE_IOERR_SHMSIZE: i32 = 10 | (19 << 8);
