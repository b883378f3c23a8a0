//! Compiled once, found again, and never trusted when it is damaged.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use understudy_runtime::{Limits, Runtime, RuntimeConfig, RuntimeError};

use crate::support::plugin_path;

fn runtime(directory: &Path) -> Result<Runtime, RuntimeError> {
    Runtime::new(RuntimeConfig {
        cache_dir: directory.to_owned(),
        limits: Limits::default(),
    })
}

/// Loads the hostile plugin in a runtime of its own, and says which file holds its code.
async fn load(directory: &Path) -> (PathBuf, u64) {
    let plugin = runtime(directory).unwrap().load(&plugin_path("hostile")).await.unwrap();
    assert!(plugin.check_config("{}").await.unwrap().is_empty(), "it runs");
    let entries: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [entry] = &entries[..] else {
        panic!("one entry, not {entries:?}")
    };
    assert!(entry.to_string_lossy().contains(&plugin.digest().to_string()));
    (entry.clone(), fs::metadata(entry).unwrap().ino())
}

#[tokio::test]
async fn a_compiled_plugin_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let (entry, inode) = load(&cache).await;
    assert_eq!(fs::metadata(&entry).unwrap().mode() & 0o777, 0o600);
    assert_eq!(load(&cache).await, (entry, inode), "not written again");
}

#[tokio::test]
async fn a_damaged_entry_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let (entry, _) = load(&cache).await;
    let whole = fs::read(&entry).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], b"", b"nonsense"] {
        fs::write(&entry, damaged).unwrap();
        let (again, _) = load(&cache).await;
        assert_eq!(again, entry);
        assert!(fs::read(&entry).unwrap() == whole, "made again, and the same");
    }
}

#[tokio::test]
async fn an_open_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let Err(error) = runtime(directory.path()) else {
        panic!("it was taken")
    };
    assert!(error.to_string().contains("chmod 700"), "{error}");
}
