//! The engine and everything the plugins share: settings, linker, compile cache, and the threads that guests run on.
//!
//! Invariant: guests run on threads of their own, never on the daemon's: whatever they do, the daemon's tasks go on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use understudy_protocol::Digest;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::cache::Cache;
use crate::disks::Disks;
use crate::engine;
use crate::epoch::Ticker;
use crate::limits::{CALLS_AT_ONCE, Limits};
use crate::load::{self, LoadError};
use crate::plugin::Plugin;
use crate::state::CallState;
use crate::threads::Threads;

/// What a runtime is made of.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Where compiled plugins are kept: made with mode 0700, or must have it.
    pub cache_dir: PathBuf,
    /// The bounds of every call; a target may have its own.
    pub limits: Limits,
}

/// Why a runtime can't start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The compile cache can't be used.
    #[error("the plugins' compile cache: {0}")]
    Cache(String),
    /// The machine refuses what the sandbox needs.
    #[error("the plugins' sandbox can't start: {0}")]
    Sandbox(String),
    /// The threads can't be started.
    #[error("the plugins' threads can't start: {0}")]
    Threads(#[from] std::io::Error),
}

/// Loads plugins and runs them. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(Arc<Shared>);

/// What every plugin of a runtime shares.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<CallState>,
    pub(crate) cache: Cache,
    pub(crate) limits: Limits,
    pub(crate) threads: Threads,
    pub(crate) calls: Arc<tokio::sync::Semaphore>,
    pub(crate) disks: Arc<Disks>,
    /// Compiling takes hundreds of megabytes for the largest plugins: one at a time.
    pub(crate) compiling: tokio::sync::Mutex<()>,
    loaded: Mutex<HashMap<Digest, Weak<Plugin>>>,
    pub(crate) ticker: Ticker,
}

impl Runtime {
    /// Starts the sandbox: engine, epoch thread, guest threads.
    ///
    /// # Errors
    /// When the cache directory is not private, or the machine refuses threads or memory.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let sandbox = |error: wasmtime::Error| RuntimeError::Sandbox(format!("{error:#}"));
        let cache = Cache::open(&config.cache_dir).map_err(|error| RuntimeError::Cache(error.to_string()))?;
        let engine = engine::engine().map_err(sandbox)?;
        let linker = engine::linker(&engine).map_err(sandbox)?;
        let ticker = Ticker::start(&engine)?;
        Ok(Self(Arc::new(Shared {
            engine,
            linker,
            cache,
            limits: config.limits,
            threads: Threads::start()?,
            calls: Arc::new(tokio::sync::Semaphore::new(CALLS_AT_ONCE)),
            disks: Arc::default(),
            compiling: tokio::sync::Mutex::new(()),
            loaded: Mutex::default(),
            ticker,
        })))
    }

    /// Loads a plugin: compiled now or from the cache, described by itself with nothing granted. The same file
    /// loaded twice is the same plugin, with the same breakers.
    ///
    /// # Errors
    /// Names the file and the mend.
    pub async fn load(&self, path: &Path) -> Result<Arc<Plugin>, LoadError> {
        load::load(&self.0, path).await
    }
}

impl Shared {
    /// The plugin of this digest, if somebody still has it.
    pub(crate) fn loaded(&self, digest: &Digest) -> Option<Arc<Plugin>> {
        self.loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .and_then(Weak::upgrade)
    }

    pub(crate) fn remember(&self, plugin: &Arc<Plugin>) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, plugin| plugin.strong_count() > 0);
        loaded.insert(plugin.digest(), Arc::downgrade(plugin));
    }
}
