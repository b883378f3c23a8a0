//! The readings of the disks that the operator named. A disk that hangs must not hang the daemon: each is asked on a
//! thread of its own, and while one has not answered yet, everybody waits for the same answer. Where the thread found that
//! the kernel has the numbers in memory, later questions need none (`disks/in_memory.rs`).

mod in_memory;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::call::Reading;
use in_memory::InMemory;

/// The disks that have been asked and have not answered yet: whoever asks meanwhile waits for the same answer.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    asked: Mutex<HashMap<PathBuf, Question>>,
    /// Those that need no thread, as a thread has found out.
    in_memory: Mutex<HashMap<PathBuf, InMemory>>,
}

/// A question under way; its answer is none when the disk failed.
type Question = watch::Receiver<Option<Option<Vec<Reading>>>>;

impl Disks {
    /// The readings of each of these, once each. `disk.responding` is 0 for one that hangs or fails, and the others are
    /// missing.
    pub(crate) async fn read(self: &Arc<Self>, paths: &[PathBuf], remaining: Duration) -> Vec<Reading> {
        // Half of what is left, so that the guest still has time to say that a disk hangs.
        let patience = LONGEST.min(remaining / 2);
        let paths: BTreeSet<&PathBuf> = paths.iter().collect();
        let mut readings = Vec::new();
        let mut questions = Vec::new();
        for path in paths {
            match self.at_once(path) {
                Some(found) => readings.extend(found),
                None => questions.push((path, self.ask(path))),
            }
        }
        let deadline = tokio::time::Instant::now() + patience;
        for (path, mut question) in questions {
            let answered = timeout_at(deadline, question.wait_for(Option::is_some)).await;
            match answered
                .ok()
                .and_then(Result::ok)
                .and_then(|answer| answer.clone().flatten())
            {
                Some(found) => readings.extend(found),
                None => readings.push(reading(path, "disk.responding", 0.0, "1")),
            }
        }
        readings
    }

    /// Where it needs no waiting. A disk that has not answered an earlier question is left alone.
    fn at_once(&self, path: &Path) -> Option<Vec<Reading>> {
        if self.asked().contains_key(path) {
            return None;
        }
        let disk = *locked(&self.in_memory).get(path)?;
        let numbers = disk.numbers(path);
        if numbers.is_none() {
            locked(&self.in_memory).remove(path);
        }
        Some(of_disk(path, &numbers?))
    }

    /// Asks on a thread of its own, unless an earlier question still waits.
    fn ask(self: &Arc<Self>, path: &Path) -> Question {
        let mut asked = self.asked();
        if let Some(question) = asked.get(path) {
            return question.clone();
        }
        let (answer, question) = watch::channel(None);
        asked.insert(path.to_owned(), question.clone());
        let (disks, path) = (self.clone(), path.to_owned());
        tokio::task::spawn_blocking(move || {
            let found = statvfs(&path).ok().map(|stat| of_disk(&path, &stat));
            if let Some(disk) = InMemory::at(&path) {
                locked(&disks.in_memory).insert(path.clone(), disk);
            }
            disks.asked().remove(&path);
            answer.send_replace(Some(found));
        });
        question
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<PathBuf, Question>> {
        locked(&self.asked)
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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
    Reading {
        key: key.to_owned(),
        value,
        unit: unit.to_owned(),
        attributes,
    }
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
    async fn a_disk_that_hangs_does_not_respond_and_is_not_asked_again() {
        let disks = Arc::new(Disks::default());
        let (_never_answers, question) = watch::channel(None);
        disks.asked().insert("/".into(), question);
        let readings = disks.read(&["/".into()], Duration::from_millis(100)).await;
        assert_eq!((readings.len(), readings[0].value), (1, 0.0));
    }

    #[tokio::test]
    async fn a_local_disk_is_asked_on_a_thread_once() {
        let disks = Arc::new(Disks::default());
        let shm = [PathBuf::from("/dev/shm")];
        let first = disks.read(&shm, Duration::from_secs(10)).await;
        assert!(locked(&disks.in_memory).contains_key(&shm[0]));
        let again = disks.at_once(&shm[0]).expect("no thread is needed any more");
        let keys = |readings: &[Reading]| readings.iter().map(|r| r.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&first), keys(&again));
    }

    #[tokio::test]
    async fn everybody_who_asks_at_once_gets_the_answer() {
        let disks = Arc::new(Disks::default());
        let paths = [PathBuf::from("/"), PathBuf::from("/")];
        let all = (0..32).map(|_| disks.read(&paths, Duration::from_secs(10)));
        for readings in futures_join(all).await {
            assert_eq!(
                readings
                    .iter()
                    .filter(|r| r.key == "disk.responding")
                    .map(|r| r.value)
                    .collect::<Vec<_>>(),
                [1.0]
            );
        }
    }

    async fn futures_join<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
        let mut answers = Vec::new();
        let mut waiting: Vec<_> = all.map(Box::pin).collect();
        std::future::poll_fn(|context| {
            waiting.retain_mut(|future| match future.as_mut().poll(context) {
                std::task::Poll::Ready(answer) => {
                    answers.push(answer);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if waiting.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        answers
    }
}
