//! The probe: asks what a client would ask.

use understudy_plugin::prelude::*;

use crate::Http;
use crate::config::Config;
use crate::findings::{self, FORMAT, Health, Looks};
use crate::server;

impl Probe for Http {
    fn check(call: &Call, config: &Config) -> Result<Report, PluginError> {
        let readings = server::disk_readings()?;
        if call.expected() == Expectation::Down && !config.disk_paths.is_empty() && readings.is_empty() {
            // Without a reading nobody may call the cause cured.
            return Err(PluginError::retryable(
                "no-disk-reading",
                "the host reports no disk of `disk-paths`: name one for the target",
            ));
        }
        let health = match call.expected() {
            Expectation::Down => Health::NotAsked,
            Expectation::Serving | Expectation::StandingBy => server::health(config)?,
        };
        let is_good = matches!(health, Health::Status(status) if config.is_good(status));
        let looks = call.state::<Looks>(FORMAT).unwrap_or_default().after(is_good);
        let mut report = findings::report(config, call.expected(), &health, &readings, looks);
        if is_good {
            // A number that can't be had is no fault of the service.
            if let Ok(Some(count)) = server::in_flight(config) {
                report = report.reading("http.requests-in-flight", count as f64, "1");
            }
        }
        Ok(report.keep(FORMAT, &looks))
    }
}
