//! Asks the host: the service's own path, the status page, the configuration test, disks, connections.

use understudy_plugin::host::{self, sockets::ConnectionInfo};
use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::findings::{Disk, Health, disks};
use crate::status_page::StatusPage;

/// `nginx -t` reads files, and with names in them it asks a name server.
const TEST_TIMEOUT_MS: u32 = 10_000;
const PAGE: u32 = 1024;

/// What the service's own path answers.
pub(crate) fn health(config: &Config) -> Result<Health, PluginError> {
    let mut request = http::get("server", &config.health_path)
        .timeout_ms(config.timeout_ms)
        .max_body(1024);
    if let Some(host) = &config.health_host {
        request = request.header("host", host);
    }
    match request.send() {
        Ok(answer) => Ok(Health::Status(answer.status)),
        Err(error) => match error.code.as_str() {
            "unreachable" => Ok(Health::Gone(error.message)),
            "not-granted" | "unknown-name" | "fenced" => Err(error.into()),
            _ => Ok(Health::Silent(error.message)),
        },
    }
}

/// The page of `stub_status`; none where there is no such endpoint, or nothing answers there.
pub(crate) fn status_page(config: &Config) -> Result<Option<StatusPage>, PluginError> {
    match http::get("status", &config.status_path)
        .timeout_ms(config.timeout_ms)
        .send()
    {
        Ok(answer) if answer.status == 200 => Ok(StatusPage::parse(&answer.text())),
        Ok(_) => Ok(None),
        Err(error) if error.code == "fenced" => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// What nginx says against its configuration; none where it is good, or the operator declared no test.
pub(crate) fn bad_configuration() -> Result<Option<String>, PluginError> {
    match commands::run("test", &Attributes::new(), TEST_TIMEOUT_MS) {
        Ok(output) if output.exit_code == Some(0) => Ok(None),
        Ok(output) => Ok(Some(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        Err(error) if host::is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn watched_disks(config: &Config) -> Result<Vec<Disk>, PluginError> {
    match system::read("disk.") {
        Ok(readings) => Ok(disks(&readings, config)),
        Err(error) if host::is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Every connection of the service's ports; none where the operator granted no look at them.
pub(crate) fn connections() -> Result<Option<Vec<ConnectionInfo>>, PluginError> {
    let listing = match sockets::list_connections() {
        Ok(listing) => listing,
        Err(error) if host::is_absent(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut connections = Vec::new();
    loop {
        let page = listing.next(PAGE);
        if page.is_empty() {
            return Ok(Some(connections));
        }
        connections.extend(page);
    }
}

/// Whether anything listens where the service is.
pub(crate) fn listens() -> Result<bool, PluginError> {
    match Stream::connect("server", 1_000) {
        Ok(_) => Ok(true),
        Err(error) if error.code == "unreachable" => Ok(false),
        Err(error) if error.code == "timed-out" => Ok(true),
        Err(error) => Err(error.into()),
    }
}
