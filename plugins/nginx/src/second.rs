//! The second host's side: have a configuration that works, start.

use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::look;
use crate::process::{self, Left};

/// At most so many requests at once: a page of the host is 4096.
const PAGE: u32 = 1024;

pub(crate) fn assess(config: &Config) -> Result<Assessment, PluginError> {
    if let Some(why) = look::bad_configuration()? {
        let refusal = Refusal::new(
            "config-broken",
            "This host's nginx would not start: its configuration is broken",
        );
        return Ok(refusal
            .unless("`nginx -t` finds nothing wrong")
            .seen("test", why)
            .into());
    }
    if let Some(disk) = look::watched_disks(config)?
        .into_iter()
        .find(|disk| disk.is_full(config))
    {
        let refusal = Refusal::new(
            if disk.is_silent { "disk-silent" } else { "disk-full" },
            format!("On this host {}", disk.describe()),
        )
        .unless(format!("{} bytes free, and writable", config.min_disk_free_bytes));
        return Ok(refusal
            .seen("disk-path", &disk.path)
            .seen("disk-available-bytes", disk.available_bytes)
            .into());
    }
    Ok(Assessment::Can)
}

pub(crate) fn take_over(config: &Config) -> Result<Step, PluginError> {
    process::until_serving(config)
}

pub(crate) fn resolve_requests(
    requests: &ledger::RequestSource,
    into: &ledger::DispositionSink,
) -> Result<Step, PluginError> {
    loop {
        let page = requests.next(PAGE);
        if page.is_empty() {
            return Ok(Step::done());
        }
        let dispositions: Vec<_> = page.iter().map(crate::requests::disposition).collect();
        into.push(&dispositions)?;
    }
}

/// A process that ends its last requests still runs, and takes no new ones.
pub(crate) fn observe() -> Result<ServerState, PluginError> {
    Ok(match process::left()? {
        Left::Listening => ServerState::Serving,
        Left::Connections(..) | Left::Process => ServerState::StandingBy,
        Left::Nothing => ServerState::Stopped,
    })
}

pub(crate) fn stand_by(config: &Config) -> Result<Step, PluginError> {
    if let Some(why) = look::bad_configuration()? {
        return Err(PluginError::retryable(
            "config-broken",
            format!("nginx's configuration is broken: {why}"),
        ));
    }
    if config.exclusive && look::listens()? {
        process::run("quit")?;
        return process::until_gone();
    }
    Ok(Step::done())
}
