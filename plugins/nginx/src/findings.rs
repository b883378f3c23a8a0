//! From what was seen to what is wrong. Pure: every fault of this plugin is decided here, and listed in the README.

use understudy_plugin::host::system::Reading;
use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::status_page::StatusPage;

/// What one look gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) health: Health,
    pub(crate) page: Option<StatusPage>,
    /// What `test` said against the configuration; none where it is good or was not tested.
    pub(crate) bad_configuration: Option<String>,
    pub(crate) disks: Vec<Disk>,
}

/// What the service's own path answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Health {
    Status(u16),
    /// Nothing listens.
    Gone(String),
    /// It listens, and no answer came in time.
    Silent(String),
    #[default]
    NotAsked,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Disk {
    pub(crate) path: String,
    pub(crate) available_bytes: f64,
    pub(crate) is_read_only: bool,
    /// It does not answer: nothing is known of it.
    pub(crate) is_silent: bool,
}

/// Kept between the looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
pub(crate) struct Memory {
    /// The last looks, the latest in the lowest bit; set where it failed.
    #[serde(default)]
    pub(crate) failures: u64,
    /// Connections dropped, as the last look saw it.
    #[serde(default)]
    pub(crate) dropped: Option<u64>,
    #[serde(default)]
    pub(crate) tested_at_ms: u64,
    #[serde(default)]
    pub(crate) bad_configuration: Option<String>,
    /// The drain that is settling, if one is.
    #[serde(default)]
    pub(crate) settling: Option<Settling>,
}

/// When `settle` was first called in the drain of this term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, Deserialize)]
pub(crate) struct Settling {
    pub(crate) term: u64,
    pub(crate) since_ms: u64,
}

pub(crate) const FORMAT: u32 = 1;

impl Health {
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Status(status) if *status < 500)
    }
}

impl Disk {
    pub(crate) fn is_full(&self, config: &Config) -> bool {
        self.is_silent || self.is_read_only || self.available_bytes < config.min_disk_free_bytes as f64
    }

    /// What is wrong with it.
    pub(crate) fn describe(&self) -> String {
        let what = if self.is_silent {
            "does not answer".into()
        } else if self.is_read_only {
            "is read-only".into()
        } else {
            format!("has {} MB left", (self.available_bytes / 1e6) as u64)
        };
        format!("the disk of {} {what}", self.path)
    }
}

impl Memory {
    /// With one more look.
    pub(crate) fn after(&self, seen: &Seen) -> Self {
        let failed = u64::from(!seen.health.is_good());
        Self {
            failures: self.failures << 1 | failed,
            dropped: seen.page.map(|page| page.dropped()).or(self.dropped),
            ..self.clone()
        }
    }

    fn failed_of(&self, window: usize) -> usize {
        let mask = if window >= 64 { u64::MAX } else { (1 << window) - 1 };
        (self.failures & mask).count_ones() as usize
    }
}

/// Of those that matter to nginx.
pub(crate) fn disks(readings: &[Reading], config: &Config) -> Vec<Disk> {
    let path = |reading: &Reading| reading.attributes.value("path").unwrap_or("?").to_owned();
    let of = |key: &'static str| readings.iter().filter(move |reading| reading.key == key);
    let read_only = |wanted: &str| of("disk.read-only").any(|reading| path(reading) == wanted && reading.value > 0.0);
    let answering = of("disk.available").map(|reading| Disk {
        path: path(reading),
        available_bytes: reading.value,
        is_read_only: read_only(&path(reading)),
        is_silent: false,
    });
    // Nothing can be written to a disk that does not answer.
    let silent = of("disk.responding").filter(|reading| reading.value == 0.0);
    let silent = silent.map(|reading| Disk {
        path: path(reading),
        available_bytes: 0.0,
        is_read_only: false,
        is_silent: true,
    });
    let all: Vec<Disk> = answering.chain(silent).collect();
    if config.disk_paths.is_empty() {
        return all;
    }
    let deepest = |wanted: &String| {
        all.iter()
            .filter(|disk| is_above(&disk.path, wanted))
            .max_by_key(|disk| disk.path.len())
    };
    config.disk_paths.iter().filter_map(deepest).cloned().collect()
}

fn is_above(mount: &str, path: &str) -> bool {
    path.strip_prefix(mount.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The verdict; `memory` has this look in it, `before` had not.
pub(crate) fn report(config: &Config, expected: Expectation, seen: &Seen, before: &Memory, memory: &Memory) -> Report {
    match expected {
        Expectation::Serving => Report::of(of_serving(config, seen, before, memory)),
        Expectation::StandingBy => of_standing_by(config, seen),
        Expectation::Down => Report::of(full_disks(config, seen)),
    }
}

fn of_serving(config: &Config, seen: &Seen, before: &Memory, memory: &Memory) -> Vec<Fault> {
    let mut faults = full_disks(config, seen);
    faults.extend(health(config, seen, memory));
    faults.extend(configuration(seen));
    faults.extend(dropped(seen, before));
    faults
}

fn of_standing_by(config: &Config, seen: &Seen) -> Report {
    let mut faults: Vec<_> = full_disks(config, seen)
        .into_iter()
        .map(|fault| Fault {
            severity: Severity::Impaired,
            ..fault
        })
        .chain(configuration(seen))
        .collect();
    let is_unready = !faults.is_empty();
    if config.exclusive && matches!(seen.health, Health::Status(_) | Health::Silent(_)) {
        let message = "nginx should stand by and runs, though only one host's may (`exclusive`)";
        faults.push(Fault::impaired("nginx-role-wrong", FaultKind::Operator, message));
    }
    let mut report = Report::of(faults);
    if is_unready {
        report.verdict = Verdict::Failing;
    }
    report
}

fn health(config: &Config, seen: &Seen, memory: &Memory) -> Option<Fault> {
    let unhealthy = |message: String| {
        let failed = memory.failed_of(config.window);
        let fault = Fault::shutdown_required("nginx-unhealthy", FaultKind::Software, message)
            .evidence("path", &config.health_path)
            .evidence("failed-looks", format!("{failed} of the last {}", config.window));
        let is_lasting = failed >= config.max_failures;
        if is_lasting {
            fault
        } else {
            Fault {
                severity: Severity::Impaired,
                ..fault
            }
        }
    };
    match &seen.health {
        Health::Gone(why) => {
            let message = format!("nginx does not listen: {why}");
            Some(Fault::shutdown_required("nginx-unreachable", FaultKind::Software, message).evidence("error", why))
        }
        Health::Silent(why) => Some(unhealthy(format!("nginx does not answer: {why}")).evidence("error", why)),
        Health::Status(status) if *status >= 500 => {
            Some(unhealthy(format!("nginx answers {status} to {}", config.health_path)).evidence("http-status", status))
        }
        Health::Status(_) | Health::NotAsked => None,
    }
}

fn configuration(seen: &Seen) -> Option<Fault> {
    let why = seen.bad_configuration.as_ref()?;
    let message = "nginx's configuration is broken: it would not start again";
    Some(Fault::impaired("nginx-config-broken", FaultKind::Operator, message).evidence("test", why))
}

fn dropped(seen: &Seen, before: &Memory) -> Option<Fault> {
    let now = seen.page?.dropped();
    let before = before.dropped.filter(|before| *before <= now)?;
    (now > before).then(|| {
        let message = format!(
            "nginx dropped {} connections since the last look: it has no worker connection left",
            now - before
        );
        Fault::impaired("nginx-dropping-connections", FaultKind::Capacity, message).evidence("dropped", now)
    })
}

/// nginx can't buffer a request or write its log on a full disk: it answers some and fails others.
fn full_disks(config: &Config, seen: &Seen) -> Vec<Fault> {
    let full = seen.disks.iter().filter(|disk| disk.is_full(config)).map(|disk| {
        let code = if disk.is_silent {
            "nginx-disk-silent"
        } else {
            "nginx-disk-full"
        };
        Fault::shutdown_required(code, FaultKind::Storage, format!("T{}", &disk.describe()[1..]))
            .evidence("disk-path", &disk.path)
            .evidence("disk-available-bytes", disk.available_bytes)
            .evidence("disk-read-only", disk.is_read_only)
    });
    full.collect()
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
