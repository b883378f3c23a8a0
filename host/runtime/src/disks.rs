//! The readings of the disks that the operator named. A disk that hangs must not hang the daemon: each is asked on a
//! thread of its own, and one that has not answered yet is not asked again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use tokio::time::timeout;

use crate::call::Reading;

/// Which disks have been asked and have not answered.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    asked: Mutex<HashSet<PathBuf>>,
}

impl Disks {
    /// The readings of each of these. `disk.responding` is 0 for one that hangs or fails, and the others are missing.
    pub(crate) async fn read(self: &Arc<Self>, paths: &[PathBuf], remaining: Duration) -> Vec<Reading> {
        // Half of what is left, so that the guest still has time to say that a disk hangs.
        let patience = LONGEST.min(remaining / 2);
        let questions: Vec<_> = paths.iter().map(|path| (path, self.ask(path))).collect();
        let deadline = tokio::time::Instant::now() + patience;
        let mut readings = Vec::new();
        for (path, question) in questions {
            let answer = match question {
                Some(question) => timeout(deadline.saturating_duration_since(tokio::time::Instant::now()), question).await,
                None => Ok(Ok(None)),
            };
            match answer {
                Ok(Ok(Some(stat))) => readings.extend(of_disk(path, &stat)),
                Ok(Ok(None) | Err(_)) | Err(_) => readings.push(reading(path, "disk.responding", 0.0, "1")),
            }
        }
        readings
    }

    /// Asks, unless an earlier question still waits.
    fn ask(self: &Arc<Self>, path: &Path) -> Option<tokio::task::JoinHandle<Option<StatVfs>>> {
        if !self.asked().insert(path.to_owned()) {
            return None;
        }
        let (disks, path) = (self.clone(), path.to_owned());
        Some(tokio::task::spawn_blocking(move || {
            let stat = statvfs(&path).ok();
            disks.asked().remove(&path);
            stat
        }))
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_disk(path: &Path, stat: &StatVfs) -> Vec<Reading> {
    let bytes = |blocks: u64| blocks as f64 * stat.f_frsize as f64;
    let read_only = stat.f_flag.contains(StatVfsMountFlags::RDONLY);
    let mut readings = vec![
        reading(path, "disk.responding", 1.0, "1"),
        reading(path, "disk.total", bytes(stat.f_blocks), "B"),
        reading(path, "disk.available", bytes(stat.f_bavail), "B"),
        reading(path, "disk.read-only", f64::from(u8::from(read_only)), "1"),
    ];
    // Some file systems have no inodes of a fixed number.
    if stat.f_files > 0 {
        readings.push(reading(path, "disk.inodes-available", stat.f_favail as f64, "1"));
    }
    readings
}

fn reading(path: &Path, key: &str, value: f64, unit: &str) -> Reading {
    let attributes = vec![("path".to_owned(), path.display().to_string())];
    Reading { key: key.to_owned(), value, unit: unit.to_owned(), attributes }
}

/// A disk that takes longer is as good as gone for a server.
const LONGEST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_says_how_full_it_is_and_a_missing_one_does_not_respond() {
        let disks = Arc::new(Disks::default());
        let paths = [PathBuf::from("/"), PathBuf::from("/does/not/exist")];
        let readings = disks.read(&paths, Duration::from_secs(10)).await;
        let value = |key: &str, path: &str| {
            let of = |reading: &&Reading| reading.key == key && reading.attributes[0].1 == path;
            readings.iter().find(of).map(|reading| reading.value)
        };
        assert!(value("disk.total", "/").unwrap() > 0.0);
        assert_eq!(value("disk.responding", "/"), Some(1.0));
        assert_eq!(value("disk.responding", "/does/not/exist"), Some(0.0));
        assert_eq!(value("disk.total", "/does/not/exist"), None);
        assert!(disks.asked().is_empty());
    }

    #[tokio::test]
    async fn a_disk_that_has_not_answered_is_not_asked_again() {
        let disks = Arc::new(Disks::default());
        disks.asked().insert("/".into());
        let readings = disks.read(&["/".into()], Duration::from_secs(10)).await;
        assert_eq!((readings.len(), readings[0].value), (1, 0.0));
    }
}
