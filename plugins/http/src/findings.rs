//! From what was seen to what is wrong. Pure: every fault of this plugin is decided here, and listed in the README.

use understudy_plugin::host::system::Reading;
use understudy_plugin::prelude::*;

use crate::config::Config;

/// What the health path answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    Status(u16),
    /// Nothing listens.
    Gone(String),
    /// It listens, and no answer came in time.
    Silent(String),
    NotAsked,
}

/// The last looks: the latest in the lowest bit, set where it failed. Kept between the calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
pub(crate) struct Looks(pub(crate) u64);

pub(crate) const FORMAT: u32 = 1;

impl Looks {
    pub(crate) fn after(self, is_good: bool) -> Self {
        Self(self.0 << 1 | u64::from(!is_good))
    }

    fn failed_of(self, window: usize) -> usize {
        let mask = if window >= 64 { u64::MAX } else { (1 << window) - 1 };
        (self.0 & mask).count_ones() as usize
    }
}

/// The verdict; `looks` has this one in it.
pub(crate) fn report(
    config: &Config,
    expected: Expectation,
    health: &Health,
    readings: &[Reading],
    looks: Looks,
) -> Report {
    let disks = full_disks(config, readings);
    match expected {
        Expectation::Serving => Report::of(disks.into_iter().chain(unhealthy(config, health, looks)).collect()),
        Expectation::StandingBy => {
            let mut faults: Vec<_> = disks
                .into_iter()
                .map(|fault| Fault {
                    severity: Severity::Impaired,
                    ..fault
                })
                .collect();
            let is_unready = !faults.is_empty();
            if config.exclusive && matches!(health, Health::Status(_) | Health::Silent(_)) {
                let message = "The server should stand by and runs, though only one host's may (`exclusive`)";
                faults.push(Fault::impaired("http-role-wrong", FaultKind::Operator, message));
            }
            let report = Report::of(faults);
            if is_unready {
                Report {
                    verdict: Verdict::Failing,
                    ..report
                }
            } else {
                report
            }
        }
        Expectation::Down => Report::of(disks),
    }
}

fn unhealthy(config: &Config, health: &Health, looks: Looks) -> Option<Fault> {
    let failed = looks.failed_of(config.window);
    let lasting = |message: String| {
        let fault = Fault::shutdown_required("http-unhealthy", FaultKind::Software, message)
            .evidence("path", &config.health_path)
            .evidence("failed-looks", format!("{failed} of the last {}", config.window));
        if failed >= config.max_failures {
            match config.shutdown_within_ms {
                Some(ms) => fault.within_ms(ms),
                None => fault,
            }
        } else {
            Fault {
                severity: Severity::Impaired,
                ..fault
            }
        }
    };
    match health {
        Health::Gone(why) => {
            let message = format!("The server does not listen: {why}");
            Some(Fault::shutdown_required("http-unreachable", FaultKind::Software, message).evidence("error", why))
        }
        Health::Silent(why) => Some(lasting(format!("The server does not answer: {why}")).evidence("error", why)),
        Health::Status(status) if !config.is_good(*status) => Some(
            lasting(format!("The server answers {status} to {}", config.health_path)).evidence("http-status", status),
        ),
        Health::Status(_) | Health::NotAsked => None,
    }
}

/// The fault of a disk that does not answer: nothing is known of it.
pub(crate) const DISK_SILENT: &str = "http-disk-silent";

/// The disks of the configured folders that nothing more can be written to.
pub(crate) fn full_disks(config: &Config, readings: &[Reading]) -> Vec<Fault> {
    let path = |reading: &Reading| reading.attributes.value("path").unwrap_or("?").to_owned();
    let is_silent = |reading: &Reading| reading.key == "disk.responding" && reading.value == 0.0;
    let is_above = |mount: &str, wanted: &str| {
        wanted
            .strip_prefix(mount.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let disk_of = |wanted: &String| {
        let disks = readings
            .iter()
            .filter(|reading| reading.key == "disk.available" || is_silent(reading));
        disks
            .filter(|reading| is_above(&path(reading), wanted))
            .max_by_key(|reading| path(reading).len())
    };
    let read_only = |wanted: &str| {
        readings
            .iter()
            .any(|reading| reading.key == "disk.read-only" && path(reading) == wanted && reading.value > 0.0)
    };
    let mut faults: Vec<Fault> = Vec::new();
    for reading in config.disk_paths.iter().filter_map(disk_of) {
        let path = path(reading);
        let left = if is_silent(reading) { 0.0 } else { reading.value };
        let is_known = faults
            .iter()
            .any(|fault| fault.evidence.value("disk-path") == Some(&path));
        if !is_known && (read_only(&path) || left < config.min_disk_free_bytes as f64) {
            let (code, what) = if is_silent(reading) {
                (DISK_SILENT, "does not answer")
            } else {
                ("http-disk-full", "is full or read-only")
            };
            let message = format!("The disk of {path} {what}");
            let fault = Fault::shutdown_required(code, FaultKind::Storage, message);
            faults.push(
                fault
                    .evidence("disk-path", &path)
                    .evidence("disk-available-bytes", left),
            );
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(expected: Expectation, health: Health, looks: u64) -> (Verdict, Vec<String>) {
        let report = report(&Config::default(), expected, &health, &[], Looks(looks));
        (
            report.verdict,
            report.faults.into_iter().map(|fault| fault.code).collect(),
        )
    }

    #[test]
    fn errors_fail_only_when_they_last() {
        let bad = || Health::Status(503);
        assert_eq!(at(Expectation::Serving, bad(), 0b1).0, Verdict::Impaired);
        assert_eq!(
            at(Expectation::Serving, bad(), 0b11001),
            (Verdict::Failing, vec!["http-unhealthy".into()])
        );
        assert_eq!(
            at(Expectation::Serving, bad(), 0b110000001).0,
            Verdict::Impaired,
            "long ago"
        );
        assert_eq!(
            at(Expectation::Serving, Health::Status(200), 0b1110).0,
            Verdict::Healthy
        );
        assert_eq!(Looks(0b10).after(false), Looks(0b101));
    }

    #[test]
    fn the_operator_says_how_long_it_may_go_on() {
        let config = Config {
            shutdown_within_ms: Some(90_000),
            ..Config::default()
        };
        let fault = |looks| unhealthy(&config, &Health::Status(503), Looks(looks)).unwrap();
        assert_eq!(fault(0b111).shutdown_within_ms, Some(90_000));
        assert_eq!(fault(0b1).shutdown_within_ms, None, "not while it only tells somebody");
    }

    #[test]
    fn one_that_does_not_listen_fails_at_once_unless_it_should_not() {
        let gone = || Health::Gone("refused".into());
        assert_eq!(
            at(Expectation::Serving, gone(), 1),
            (Verdict::Failing, vec!["http-unreachable".into()])
        );
        assert_eq!(at(Expectation::StandingBy, gone(), 1).0, Verdict::Healthy);
        assert_eq!(at(Expectation::Down, Health::NotAsked, 1).0, Verdict::Healthy);
        assert_eq!(
            at(Expectation::StandingBy, Health::Status(200), 0),
            (Verdict::Impaired, vec!["http-role-wrong".into()])
        );
    }

    #[test]
    fn a_full_disk_of_a_named_folder_requires_a_shutdown() {
        let attributes = Attributes::new().with("path", "/srv");
        let readings = [Reading {
            key: "disk.available".into(),
            value: 5.0,
            unit: "B".into(),
            attributes,
        }];
        let config = Config {
            disk_paths: vec!["/srv/a".into(), "/srv/b".into()],
            ..Config::default()
        };
        let report = report(&config, Expectation::Down, &Health::NotAsked, &readings, Looks(0));
        assert_eq!((report.verdict, report.faults.len()), (Verdict::Failing, 1));
        assert!(
            full_disks(&Config::default(), &readings).is_empty(),
            "no folder is named"
        );
    }
}
