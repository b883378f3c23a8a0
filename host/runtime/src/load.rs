//! From a file to a plugin: what is wrong with a file is found here, and said with the file's name and the mend.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use understudy_protocol::Digest;
use wasmtime::component::{Component, InstancePre};

use crate::bindings::exports::understudy::plugin::{drainer, manifest, probe};
use crate::cache;
use crate::description::{BadDescription, Description};
use crate::failure::CallFailure;
use crate::plugin::{Exports, Plugin};
use crate::runtime::Shared;
use crate::state::CallState;

/// The package that plugins are written against.
const PACKAGE: &str = "understudy:plugin";
/// Its version.
const VERSION: &str = "0.1.0";

/// Why a file is no plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be read.
    #[error("{path}: can't read it: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is far larger than any plugin.
    #[error("{path}: larger than {limit_bytes} bytes, which no plugin is; is it the right file?")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is read.
        limit_bytes: u64,
    },
    /// It is something else.
    #[error("{path}: not a WebAssembly component; give the .wasm file that the plugin's build made")]
    NotAComponent {
        /// The file.
        path: PathBuf,
    },
    /// It is a module, not yet a component.
    #[error(
        "{path}: a core module, not a component; build it for wasm32-wasip2, or turn it into a component with `wasm-tools component new`"
    )]
    CoreModule {
        /// The file.
        path: PathBuf,
    },
    /// It is broken.
    #[error("{path}: a damaged component ({detail}); build or copy it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the compiler says.
        detail: String,
    },
    /// It was made for another version of the interface.
    #[error("{path}: made for {found}; this host speaks {PACKAGE}@{VERSION}: build it against that version")]
    WrongVersion {
        /// The file.
        path: PathBuf,
        /// The interface it names.
        found: String,
    },
    /// It exports no world of ours.
    #[error(
        "{path}: exports neither {PACKAGE}/probe@{VERSION} nor {PACKAGE}/drainer@{VERSION} (with {PACKAGE}/manifest@{VERSION}); export the world `fault-probe`, `drain` or `server`"
    )]
    NoWorld {
        /// The file.
        path: PathBuf,
    },
    /// It wants something that this host does not have.
    #[error("{path}: imports {import}, which no plugin can have; only {PACKAGE}@{VERSION} and WASI 0.2 are there")]
    UnknownImport {
        /// The file.
        path: PathBuf,
        /// What it wants.
        import: String,
    },
    /// Names fit and types don't.
    #[error("{path}: does not fit {PACKAGE}@{VERSION} ({detail}); build it against the released interface")]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// It can't say what it is.
    #[error("{path}: `describe` failed: {failure}")]
    Describe {
        /// The file.
        path: PathBuf,
        /// How.
        failure: CallFailure,
    },
    /// What it says of itself breaks a rule.
    #[error("{path}: the description is no good: {problem}")]
    BadDescription {
        /// The file.
        path: PathBuf,
        /// Which rule.
        problem: BadDescription,
    },
}

pub(crate) async fn load(shared: &Arc<Shared>, path: &Path) -> Result<Arc<Plugin>, LoadError> {
    let bytes = read(path).await?;
    let digest = cache::digest(&bytes);
    // One load at a time: a second one of the same file finds the first's plugin.
    let _turn = shared.compiling.lock().await;
    if let Some(plugin) = shared.loaded(&digest) {
        return Ok(plugin);
    }
    check_kind(path, &bytes)?;
    let component = compiled(shared, path, digest, bytes).await?;
    check_names(shared, path, &component)?;
    let instance = shared
        .linker
        .instantiate_pre(&component)
        .map_err(|error| LoadError::WrongShape {
            path: path.to_owned(),
            detail: format!("{error:#}"),
        })?;
    let exports = exports(path, &instance)?;
    let described = crate::plugin::describe(shared, &instance, &exports).await;
    let description = described.map_err(|failure| LoadError::Describe {
        path: path.to_owned(),
        failure,
    })?;
    let description = Description::check(description).map_err(|problem| LoadError::BadDescription {
        path: path.to_owned(),
        problem,
    })?;
    let plugin = Arc::new(Plugin::new(shared.clone(), digest, description, instance, exports));
    shared.remember(&plugin);
    Ok(plugin)
}

async fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let length = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if length > LARGEST_PLUGIN_BYTES {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
            limit_bytes: LARGEST_PLUGIN_BYTES,
        });
    }
    tokio::fs::read(path).await.map_err(failed)
}

/// The first bytes tell components, modules and everything else apart.
fn check_kind(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    match bytes.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some(b"\0asm\x01\0\0\0") => Err(LoadError::CoreModule { path: path.to_owned() }),
        Some(_) | None => Err(LoadError::NotAComponent { path: path.to_owned() }),
    }
}

async fn compiled(shared: &Arc<Shared>, path: &Path, digest: Digest, bytes: Vec<u8>) -> Result<Component, LoadError> {
    let shared = shared.clone();
    let work = move || match shared.cache.find(&shared.engine, &digest) {
        Some(component) => Ok(component),
        None => {
            let started = std::time::Instant::now();
            let code = shared.engine.precompile_component(&bytes)?;
            shared.cache.keep(&shared.engine, &digest, &code);
            tracing::info!(%digest, took_ms = started.elapsed().as_millis(), "compiled a plugin");
            shared
                .cache
                .find(&shared.engine, &digest)
                .map_or_else(|| Component::new(&shared.engine, &bytes), Ok)
        }
    };
    let damaged = |detail: String| LoadError::Damaged {
        path: path.to_owned(),
        detail,
    };
    let compiled = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| damaged(error.to_string()))?;
    compiled.map_err(|error| damaged(format!("{error:#}")))
}

/// Every import must be there, under a version that fits; nothing unknown is ever made up.
fn check_names(shared: &Shared, path: &Path, component: &Component) -> Result<(), LoadError> {
    let kind = component.component_type();
    let imports: Vec<&str> = kind.imports(&shared.engine).map(|(name, _)| name).collect();
    let exports = kind.exports(&shared.engine).map(|(name, _)| name);
    for name in imports.iter().copied().chain(exports) {
        if name.starts_with(PACKAGE) && !speaks_our_version(name) {
            return Err(LoadError::WrongVersion {
                path: path.to_owned(),
                found: name.to_owned(),
            });
        }
    }
    let known = |name: &str| name.starts_with(PACKAGE) || WASI.iter().any(|package| name.starts_with(package));
    match imports.iter().find(|name| !known(name)) {
        Some(import) => Err(LoadError::UnknownImport {
            path: path.to_owned(),
            import: (*import).to_owned(),
        }),
        None => Ok(()),
    }
}

fn speaks_our_version(name: &str) -> bool {
    name.rsplit_once('@').is_some_and(|(_, version)| version == VERSION)
}

fn exports(path: &Path, instance: &InstancePre<CallState>) -> Result<Exports, LoadError> {
    let no_world = || LoadError::NoWorld { path: path.to_owned() };
    let manifest = manifest::GuestIndices::new(instance).map_err(|_| no_world())?;
    let probe = probe::GuestIndices::new(instance).ok();
    let drainer = drainer::GuestIndices::new(instance).ok();
    if probe.is_none() && drainer.is_none() {
        return Err(no_world());
    }
    Ok(Exports {
        manifest,
        probe,
        drainer,
    })
}

/// The packages of WASI that languages' runtimes want. They are linked, and nothing is behind them.
const WASI: [&str; 6] = [
    "wasi:io/",
    "wasi:clocks/",
    "wasi:random/",
    "wasi:cli/",
    "wasi:filesystem/",
    "wasi:sockets/",
];
/// Python components have 18 MB.
const LARGEST_PLUGIN_BYTES: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_first_bytes() {
        let path = Path::new("x.wasm");
        assert!(check_kind(path, b"\0asm\x0d\0\x01\0...").is_ok());
        assert!(matches!(
            check_kind(path, b"\0asm\x01\0\0\0"),
            Err(LoadError::CoreModule { .. })
        ));
        for other in [&b""[..], b"\0asm", b"#!/bin/sh\n"] {
            assert!(matches!(check_kind(path, other), Err(LoadError::NotAComponent { .. })));
        }
    }

    #[test]
    fn only_the_exact_version_is_spoken() {
        assert!(speaks_our_version("understudy:plugin/probe@0.1.0"));
        assert!(!speaks_our_version("understudy:plugin/probe@0.2.0"));
        assert!(!speaks_our_version("understudy:plugin/probe"));
    }
}
