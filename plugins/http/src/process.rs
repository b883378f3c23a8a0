//! The server as a process: the operator's commands start and stop it, the plugin sees whether it is there.

use understudy_plugin::host;
use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::connections;
use crate::findings::Health;
use crate::server;

/// The operator's commands start and return; one that does not is given up.
const COMMAND_TIMEOUT_MS: u32 = 10_000;
/// How long one call looks for a change, before the host is asked to call again.
const LOOK_MS: u64 = 2_000;
/// Between two looks: what a stop and a start may add to a client's wait.
const LOOK_AGAIN_MS: u64 = 10;
/// Left of the call for the answer.
const MARGIN_MS: u64 = 200;

/// Runs one of the operator's commands; false where there is none of that name.
pub(crate) fn run_if_declared(name: &str) -> Result<bool, PluginError> {
    match commands::run(name, &Attributes::new(), COMMAND_TIMEOUT_MS) {
        Ok(output) if output.exit_code == Some(0) => Ok(true),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let code = output
                .exit_code
                .map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
            let message = format!("the command `{name}` ended with {code}: {}", said.trim());
            Err(PluginError::retryable("command-failed", message).seen("command", name))
        }
        Err(error) if host::is_absent(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Runs one of the operator's commands, which must be there.
pub(crate) fn run(name: &str) -> Result<(), PluginError> {
    match run_if_declared(name)? {
        true => Ok(()),
        false => Err(PluginError::permanent(
            "no-command",
            format!("the command `{name}` is neither declared nor granted"),
        )),
    }
}

/// What is left of the server.
pub(crate) enum Left {
    Nothing,
    /// It takes connections.
    Listening,
    /// It takes none any more, and so many are not over; the first of them, for people.
    Connections(u64, String),
    /// Nothing of it is seen from outside, and its process is there.
    Process,
}

pub(crate) fn left() -> Result<Left, PluginError> {
    if server::listens()? {
        return Ok(Left::Listening);
    }
    let connections = server::connections()?.unwrap_or_default();
    let held: Vec<_> = connections::held(&connections).collect();
    if let Some(first) = held.first() {
        return Ok(Left::Connections(
            held.len() as u64,
            connections::client(first).to_owned(),
        ));
    }
    match commands::run("status", &Attributes::new(), COMMAND_TIMEOUT_MS) {
        Ok(output) if output.exit_code == Some(0) => Ok(Left::Process),
        Ok(_) => Ok(Left::Nothing),
        Err(error) if host::is_absent(&error) => Ok(Left::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Looks until nothing of the server is left.
pub(crate) fn until_gone() -> Result<Step, PluginError> {
    let mut last = left()?;
    let end = end();
    while !matches!(last, Left::Nothing) && clock::now_ms() < end && !clock::cancelled() {
        clock::sleep_ms(LOOK_AGAIN_MS);
        last = left()?;
    }
    Ok(match last {
        Left::Nothing => Step::done(),
        Left::Listening => Step::working("the server still listens", 50),
        Left::Connections(count, who) => {
            Step::working(format!("requests in progress, for example of {who}"), 50).remaining(count)
        }
        Left::Process => Step::working("the server's process has not ended", 50),
    })
}

/// Starts the server unless it listens, and looks until its health path answers well.
pub(crate) fn until_serving(config: &Config) -> Result<Step, PluginError> {
    if !server::listens()? {
        run("start")?;
    } else if let Some(resume) = &config.resume {
        server::act(config, resume, Vec::new())?;
    }
    let end = end();
    loop {
        let health = server::health(config)?;
        if matches!(health, Health::Status(status) if config.is_good(status)) {
            return Ok(Step::done());
        }
        if clock::now_ms() >= end || clock::cancelled() {
            return Ok(Step::working(
                format!("{} does not answer well yet: {health:?}", config.health_path),
                100,
            ));
        }
        clock::sleep_ms(LOOK_AGAIN_MS);
    }
}

fn end() -> u64 {
    clock::now_ms() + clock::remaining_ms().saturating_sub(MARGIN_MS).min(LOOK_MS)
}
