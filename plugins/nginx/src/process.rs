//! nginx as processes: the operator's commands start and stop it, the plugin sees whether it is there.

use understudy_plugin::host;
use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::look;
use crate::requests;

/// The operator's commands start and return; one that does not is given up.
const COMMAND_TIMEOUT_MS: u32 = 10_000;
/// How long one call looks for a change, before the host is asked to call again.
const LOOK_MS: u64 = 2_000;
/// Between two looks: what a stop and a start may add to a client's wait.
const LOOK_AGAIN_MS: u64 = 10;
/// Left of the call for the answer.
const MARGIN_MS: u64 = 200;

/// Runs one of the operator's commands.
pub(crate) fn run(name: &str) -> Result<(), PluginError> {
    let output = commands::run(name, &Attributes::new(), COMMAND_TIMEOUT_MS)?;
    if output.exit_code == Some(0) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let code = output
        .exit_code
        .map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
    let message = format!("the command `{name}` ended with {code}: {}", said.trim());
    Err(PluginError::retryable("command-failed", message).seen("command", name))
}

/// Stops nginx without waiting for its requests. `stop` speaks to the first process alone: where that one is dead, its
/// workers go on, and only `kill` reaches them.
pub(crate) fn stop_all(attempt: u32) -> Result<Step, PluginError> {
    if attempt <= 1 && run("stop").is_ok() {
        return until_gone();
    }
    match commands::run("kill", &Attributes::new(), COMMAND_TIMEOUT_MS) {
        Ok(_) => until_gone(),
        Err(error) if host::is_absent(&error) => {
            let stopped = run("stop");
            let step = until_gone()?;
            Ok(match (&step.status, stopped) {
                (Status::Done, _) => step,
                (_, Ok(())) => Step::working(format!("nginx does not stop: {DEAD}"), 50),
                (_, Err(error)) => Step::working(format!("{}: {DEAD}", error.message), 50),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// What keeps `stop` from stopping, and the mend.
const DEAD: &str = "if its first process is dead, declare and grant the command `kill`";

/// What is left of nginx.
pub(crate) enum Left {
    Nothing,
    /// It takes connections.
    Listening,
    /// It takes none any more, and so many are not over; the first of them, for people.
    Connections(u64, String),
    /// Nothing of it is seen from outside, and its process is there.
    Process,
}

/// A worker that ends its last requests no longer listens: only its connections, or the operator's `status`, show it.
pub(crate) fn left() -> Result<Left, PluginError> {
    if look::listens()? {
        return Ok(Left::Listening);
    }
    let connections = look::connections()?.unwrap_or_default();
    let held = requests::held(&connections);
    if let Some(first) = held.first() {
        let who = first.attributes.value("client").unwrap_or(&first.remote);
        return Ok(Left::Connections(held.len() as u64, who.to_owned()));
    }
    match commands::run("status", &Attributes::new(), COMMAND_TIMEOUT_MS) {
        Ok(output) if output.exit_code == Some(0) => Ok(Left::Process),
        Ok(_) => Ok(Left::Nothing),
        Err(error) if host::is_absent(&error) => Ok(Left::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Looks until nothing of nginx is left.
pub(crate) fn until_gone() -> Result<Step, PluginError> {
    let mut last = left()?;
    let end = end();
    while !matches!(last, Left::Nothing) && clock::now_ms() < end && !clock::cancelled() {
        clock::sleep_ms(LOOK_AGAIN_MS);
        last = left()?;
    }
    Ok(match last {
        Left::Nothing => Step::done(),
        Left::Listening => Step::working("nginx still listens", 50),
        Left::Connections(count, who) => {
            Step::working(format!("requests in progress, for example of {who}"), 50).remaining(count)
        }
        Left::Process => Step::working("nginx's process has not ended", 50),
    })
}

/// Starts nginx unless it listens, and looks until the service's own path answers.
pub(crate) fn until_serving(config: &Config) -> Result<Step, PluginError> {
    if !look::listens()? {
        run("start")?;
    }
    let end = end();
    loop {
        let health = look::health(config)?;
        if health.is_good() {
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
