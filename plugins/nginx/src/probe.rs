//! The probe: looks at nginx and at the machine under it.

use understudy_plugin::prelude::*;

use crate::Nginx;
use crate::config::Config;
use crate::findings::{self, FORMAT, Health, Memory, Seen};
use crate::look;

impl Probe for Nginx {
    fn check(call: &Call, config: &Config) -> Result<Report, PluginError> {
        let before: Memory = call.state(FORMAT).unwrap_or_default();
        let seen = Seen {
            health: health(call.expected(), config)?,
            page: if call.expected() == Expectation::Serving {
                look::status_page(config)?
            } else {
                None
            },
            bad_configuration: None,
            disks: look::watched_disks(config)?,
        };
        if call.expected() == Expectation::Down && !config.disk_paths.is_empty() && seen.disks.is_empty() {
            // Without a reading nobody may call the cause cured.
            return Err(PluginError::retryable(
                "no-disk-reading",
                "the host reports no disk above `disk-paths`: name one for the target",
            ));
        }
        let mut after = before.after(&seen);
        test_configuration(call.expected(), config, &mut after)?;
        let seen = Seen {
            bad_configuration: after.bad_configuration.clone(),
            ..seen
        };
        let report = findings::report(config, call.expected(), &seen, &before, &after);
        Ok(with_readings(report, &seen).keep(FORMAT, &after))
    }
}

/// A standby that is stopped is right, and nothing asks it for an answer.
fn health(expected: Expectation, config: &Config) -> Result<Health, PluginError> {
    match expected {
        Expectation::Down => Ok(Health::NotAsked),
        Expectation::Serving | Expectation::StandingBy => look::health(config),
    }
}

/// While nginx serves, its configuration is tested now and then; a standby's, on which a take-over depends, at each look.
fn test_configuration(expected: Expectation, config: &Config, memory: &mut Memory) -> Result<(), PluginError> {
    let now_ms = clock::now_ms();
    let is_due = match expected {
        Expectation::Down => false,
        Expectation::StandingBy => true,
        Expectation::Serving => {
            config.config_test_every_s > 0
                && now_ms.saturating_sub(memory.tested_at_ms) >= config.config_test_every_s * 1000
        }
    };
    if is_due {
        memory.bad_configuration = look::bad_configuration()?;
        memory.tested_at_ms = now_ms;
    }
    Ok(())
}

fn with_readings(mut report: Report, seen: &Seen) -> Report {
    for disk in &seen.disks {
        report = report.reading("disk.available", disk.available_bytes, "B");
    }
    let Some(page) = seen.page else { return report };
    report
        .reading("nginx.connections", page.active as f64, "1")
        .reading("nginx.requests-under-way", page.under_way() as f64, "1")
        .reading("nginx.connections-kept-alive", page.waiting as f64, "1")
        .reading("nginx.requests", page.requests as f64, "1")
        .reading("nginx.connections-dropped", page.dropped() as f64, "1")
}
