//! Files that are no plugins: each says what is wrong and what to do.

use std::path::PathBuf;

use understudy_runtime::LoadError;

use crate::support::{hostile, plugin_path, runtime};

/// Tries to load a file with this content.
async fn load(content: &[u8]) -> LoadError {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("tried.wasm");
    std::fs::write(&path, content).unwrap();
    let error = runtime().load(&path).await.unwrap_err();
    assert!(error.to_string().contains("tried.wasm"), "it names the file: {error}");
    error
}

/// The hostile plugin with every occurrence of a text replaced by another of the same length.
fn patched(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(plugin_path("hostile")).unwrap();
    let mut at = 0;
    let mut replaced = 0;
    while let Some(next) = bytes[at..]
        .windows(from.len())
        .position(|window| window == from.as_bytes())
    {
        bytes[at + next..at + next + from.len()].copy_from_slice(to.as_bytes());
        at += next + from.len();
        replaced += 1;
    }
    assert!(replaced > 0, "{from} is not in the plugin");
    bytes
}

#[tokio::test]
async fn a_good_one_describes_itself() {
    let plugin = hostile().await;
    assert_eq!(plugin.description().name, "hostile");
    assert_eq!(plugin.description().asks.len(), 13);
    assert!(plugin.is_probe() && plugin.is_drain());
    let again = runtime().load(&plugin_path("hostile")).await.unwrap();
    assert!(
        std::sync::Arc::ptr_eq(&plugin, &again),
        "the same file is the same plugin"
    );
}

#[tokio::test]
async fn other_files_are_told_apart() {
    assert!(matches!(load(b"").await, LoadError::NotAComponent { .. }));
    assert!(matches!(
        load(b"#!/bin/sh\necho hello\n").await,
        LoadError::NotAComponent { .. }
    ));
    assert!(matches!(load(b"\0asm\x01\0\0\0").await, LoadError::CoreModule { .. }));
    assert!(matches!(load(b"\0asm\x0d\0\x01\0").await, LoadError::NoWorld { .. }));
    let missing = runtime().load("/does/not/exist.wasm".as_ref()).await.unwrap_err();
    assert!(matches!(missing, LoadError::Read { .. }));
}

#[tokio::test]
async fn a_damaged_component_is_refused() {
    let whole = std::fs::read(plugin_path("hostile")).unwrap();
    for length in [9, 100, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        let error = load(&whole[..length]).await;
        assert!(matches!(error, LoadError::Damaged { .. }), "{length}: {error}");
    }
}

#[tokio::test]
async fn another_version_of_the_interface_is_named() {
    let error = load(&patched("@0.1.0", "@0.9.0")).await;
    assert!(
        matches!(&error, LoadError::WrongVersion { found, .. } if found.ends_with("@0.9.0")),
        "{error}"
    );
}

#[tokio::test]
async fn an_unknown_import_is_named() {
    let error = load(&patched("wasi:cli/", "wasi:xyz/")).await;
    assert!(
        matches!(&error, LoadError::UnknownImport { import, .. } if import.starts_with("wasi:xyz/")),
        "{error}"
    );
    let error = load(&patched("understudy:plugin/clock", "understudy:plugin/clack")).await;
    assert!(matches!(&error, LoadError::WrongShape { .. }), "{error}");
    assert!(error.to_string().contains("clack"), "{error}");
}

#[tokio::test]
async fn an_older_version_of_wasi_links() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("older.wasm");
    // Which version a component names is its linker's choice.
    let bytes = std::fs::read(plugin_path("hostile")).unwrap();
    let named = |version: &str| String::from_utf8_lossy(&bytes).contains(&format!("wasi:cli/stderr{version}"));
    let known = [("@0.2.12", "@0.2.10"), ("@0.2.6", "@0.2.1")];
    let (from, to) = known
        .into_iter()
        .find(|(from, _)| named(from))
        .expect("the linker's version is known here");
    std::fs::write(&path, patched(from, to)).unwrap();
    let plugin = runtime().load(&path).await.unwrap();
    assert_eq!(plugin.description().name, "hostile");
}
