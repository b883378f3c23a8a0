//! The second host's side: be ready, start, and let the server go on with what the first had not finished.

use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::document;
use crate::findings;
use crate::process::{self, Left};
use crate::server;

/// So many requests are offered to the server at once: about 100 KB.
const PAGE: u32 = 256;

pub(crate) fn assess(config: &Config) -> Result<Assessment, PluginError> {
    if let Some(fault) = findings::full_disks(config, &server::disk_readings()?)
        .into_iter()
        .next()
    {
        let code = if fault.code == findings::DISK_SILENT {
            "disk-silent"
        } else {
            "disk-full"
        };
        let refusal = Refusal::new(code, format!("On this host: {}", fault.message))
            .unless(format!("{} bytes free, and writable", config.min_disk_free_bytes));
        return Ok(Assessment::Cannot(Refusal {
            attributes: fault.evidence,
            ..refusal
        }));
    }
    match process::run_if_declared("test") {
        Ok(_) => Ok(Assessment::Can),
        Err(error) if error.code == "command-failed" => {
            let refusal = Refusal::new(
                "test-failed",
                format!("This host's server would not start: {}", error.message),
            );
            Ok(refusal.unless("the command `test` ends with 0").into())
        }
        Err(error) => Err(error),
    }
}

pub(crate) fn resolve_requests(
    config: &Config,
    requests: &ledger::RequestSource,
    into: &ledger::DispositionSink,
) -> Result<Step, PluginError> {
    loop {
        let page = requests.next(PAGE);
        if page.is_empty() {
            return Ok(Step::done());
        }
        let answer = match &config.resolve {
            Some(action) => server::act(config, action, document::offer(&page))?.map(|answer| answer.body),
            None => None,
        };
        into.push(&document::dispositions(&page, answer.as_deref())?)?;
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
    process::run_if_declared("test")?;
    if config.exclusive && server::listens()? {
        process::run("stop")?;
        return process::until_gone();
    }
    Ok(Step::done())
}
