//! What the machine says of disk and memory, as far as Redis cares. Pure.

use understudy_plugin::host::system::Reading;
use understudy_plugin::prelude::*;

use crate::config::Config;

/// The machine's readings.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Machine {
    /// The disk with the least left, of those that concern Redis; none where the host reports none.
    pub(crate) disk: Option<Disk>,
    /// Free memory as a part of all.
    pub(crate) memory_free: Option<f64>,
    /// Free memory in bytes.
    pub(crate) memory_free_bytes: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Disk {
    pub(crate) path: String,
    pub(crate) available_bytes: f64,
    pub(crate) is_read_only: bool,
    /// It does not answer: nothing is known of it.
    pub(crate) is_silent: bool,
}

impl Disk {
    /// Whether nothing more can be written that would matter.
    pub(crate) fn is_full(&self, config: &Config) -> bool {
        self.is_silent || self.is_read_only || self.available_bytes < config.min_disk_free_bytes as f64
    }

    /// The code of the fault that it is; `full` is the one of a disk that answers.
    pub(crate) fn code(&self, full: &'static str, silent: &'static str) -> &'static str {
        if self.is_silent { silent } else { full }
    }

    pub(crate) fn describe(&self) -> String {
        if self.is_silent {
            format!("the disk of {} does not answer", self.path)
        } else if self.is_read_only {
            format!("the disk of {} is read-only", self.path)
        } else {
            format!(
                "the disk of {} has {} MB left",
                self.path,
                (self.available_bytes / 1e6) as u64
            )
        }
    }
}

impl Machine {
    pub(crate) fn of(readings: &[Reading], config: &Config) -> Self {
        let value = |key: &str| {
            readings
                .iter()
                .find(|reading| reading.key == key)
                .map(|reading| reading.value)
        };
        let memory_free_bytes = value("memory.available");
        let memory_free = memory_free_bytes
            .zip(value("memory.total").filter(|total| *total > 0.0))
            .map(|(a, t)| a / t);
        Self {
            disk: disk(readings, config),
            memory_free,
            memory_free_bytes,
        }
    }

    pub(crate) fn is_memory_short(&self, config: &Config) -> bool {
        self.memory_free.is_some_and(|free| free < config.min_memory_free_ratio)
    }
}

/// Of the configured path, the disk that is mounted deepest above it; of several disks without a path, the emptiest.
fn disk(readings: &[Reading], config: &Config) -> Option<Disk> {
    let path = |reading: &Reading| reading.attributes.value("path").unwrap_or("?").to_owned();
    // A disk that does not answer is listed as that only, and nothing can be written to it.
    let is_silent = |reading: &Reading| reading.key == "disk.responding" && reading.value == 0.0;
    let available = readings
        .iter()
        .filter(|reading| reading.key == "disk.available" || is_silent(reading));
    let chosen = match &config.disk_path {
        Some(wanted) => available
            .filter(|reading| is_above(&path(reading), wanted))
            .max_by_key(|reading| path(reading).len()),
        None => available.min_by(|a, b| a.value.total_cmp(&b.value)),
    }?;
    let path = path(chosen);
    let is_read_only = readings.iter().any(|reading| {
        reading.key == "disk.read-only"
            && reading.attributes.value("path") == Some(path.as_str())
            && reading.value > 0.0
    });
    Some(Disk {
        path,
        available_bytes: chosen.value,
        is_read_only,
        is_silent: is_silent(chosen),
    })
}

fn is_above(mount: &str, path: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    path.strip_prefix(mount)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(key: &str, value: f64, path: &str) -> Reading {
        Reading {
            key: key.into(),
            value,
            unit: "B".into(),
            attributes: Attributes::new().with("path", path),
        }
    }

    fn config(path: Option<&str>) -> Config {
        Config {
            disk_path: path.map(str::to_owned),
            min_disk_free_bytes: 1000,
            ..Config::default()
        }
    }

    #[test]
    fn the_deepest_disk_above_the_path_counts() {
        let readings = [
            reading("disk.available", 5.0, "/"),
            reading("disk.available", 5000.0, "/var/lib/redis"),
        ];
        let disk = Machine::of(&readings, &config(Some("/var/lib/redis/data")))
            .disk
            .unwrap();
        assert_eq!(
            (disk.path.as_str(), disk.is_full(&config(None))),
            ("/var/lib/redis", false)
        );
        let disk = Machine::of(&readings, &config(Some("/var/lib/redis-other")))
            .disk
            .unwrap();
        assert_eq!((disk.path.as_str(), disk.is_full(&config(None))), ("/", true));
    }

    #[test]
    fn without_a_path_the_emptiest_counts() {
        let readings = [
            reading("disk.available", 5000.0, "/a"),
            reading("disk.available", 50.0, "/b"),
        ];
        assert_eq!(Machine::of(&readings, &config(None)).disk.unwrap().path, "/b");
        assert_eq!(Machine::of(&[], &config(None)).disk, None);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_full() {
        let readings = [
            reading("disk.available", 1e9, "/a"),
            reading("disk.read-only", 1.0, "/a"),
        ];
        assert!(
            Machine::of(&readings, &config(Some("/a")))
                .disk
                .unwrap()
                .is_full(&config(None))
        );
    }

    #[test]
    fn a_disk_that_does_not_answer_is_full() {
        let disk = Machine::of(&[reading("disk.responding", 0.0, "/a")], &config(Some("/a/b")))
            .disk
            .unwrap();
        assert!(disk.is_full(&config(None)) && disk.describe().contains("does not answer"));
        assert_eq!(disk.code("full", "silent"), "silent");
    }

    #[test]
    fn memory_is_a_ratio() {
        let readings = [
            reading("memory.total", 1000.0, ""),
            reading("memory.available", 40.0, ""),
        ];
        let machine = Machine::of(&readings, &config(None));
        assert_eq!(machine.memory_free, Some(0.04));
        assert!(machine.is_memory_short(&config(None)));
        assert!(
            !Machine::default().is_memory_short(&config(None)),
            "unknown is not short"
        );
    }
}
