//! Compiled plugins on disk, by the component's digest and the engine's hash.
//!
//! Invariants: the directory is private to the daemon's user, for what lies there is run as native code; an entry
//! is written whole or not at all; an entry that is not exactly what was written is thrown away and made again.

mod trusted;

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use understudy_protocol::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Why the directory can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("can't make the directory {path}: {source}")]
    Make { path: PathBuf, source: std::io::Error },
    #[error("{path} is open to other users: run chmod 700 {path}, for plugins' machine code is kept there")]
    NotPrivate { path: PathBuf },
    #[error("{path} belongs to another user: choose a directory of the daemon's own user")]
    NotOurs { path: PathBuf },
}

pub(crate) struct Cache {
    directory: PathBuf,
}

impl Cache {
    pub(crate) fn open(directory: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Make {
            path: directory.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        let metadata = fs::metadata(directory).map_err(failed)?;
        if metadata.mode() & 0o077 != 0 {
            return Err(CacheError::NotPrivate {
                path: directory.to_owned(),
            });
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(CacheError::NotOurs {
                path: directory.to_owned(),
            });
        }
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// The compiled component, if a whole entry is there. A damaged one is removed.
    pub(crate) fn find(&self, engine: &Engine, component: &Digest) -> Option<Component> {
        let path = self.path(engine, component);
        let bytes = fs::read(&path).ok()?;
        let found = unsealed(&bytes).and_then(|code| trusted::component(engine, code));
        if found.is_none() {
            tracing::warn!(path = %path.display(), "throwing away a damaged cache entry");
            let _ = fs::remove_file(&path);
        }
        found
    }

    /// Keeps compiled code. Failing to is no failure of the load: it costs a compilation the next time.
    pub(crate) fn keep(&self, engine: &Engine, component: &Digest, code: &[u8]) {
        let path = self.path(engine, component);
        if let Err(error) = self.write(&path, code) {
            tracing::warn!(path = %path.display(), %error, "can't keep a compiled plugin; it is compiled again at the next start");
        }
    }

    fn write(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let number = WRITES.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}.new", std::process::id()));
        let written = write_sealed(&temporary, code).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn path(&self, engine: &Engine, component: &Digest) -> PathBuf {
        self.directory
            .join(format!("{component}-{:016x}.cwasm", engine_hash(engine)))
    }
}

fn write_sealed(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let mut file: File = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&digest(code).0)?;
    file.write_all(code)?;
    file.sync_all()
}

/// The code behind its digest, if it is what was written.
fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (seal, code) = bytes.split_at_checked(DIGEST_BYTES)?;
    (seal == digest(code).0).then_some(code)
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Changes with the runtime's version, its settings and the machine's features.
fn engine_hash(engine: &Engine) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Two loads of one process never write the same file.
static WRITES: AtomicU64 = AtomicU64::new(0);
const DIGEST_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_seal_notices_every_damage() {
        let mut entry = digest(b"code").0.to_vec();
        entry.extend(b"code");
        assert_eq!(unsealed(&entry), Some(&b"code"[..]));
        assert_eq!(unsealed(&entry[..entry.len() - 1]), None);
        assert_eq!(unsealed(&entry[..10]), None);
        assert_eq!(unsealed(&[]), None);
        *entry.last_mut().unwrap() ^= 1;
        assert_eq!(unsealed(&entry), None);
    }

    #[test]
    fn the_directory_must_be_private() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("cache");
        Cache::open(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(Cache::open(&directory), Err(CacheError::NotPrivate { .. })));
    }
}
