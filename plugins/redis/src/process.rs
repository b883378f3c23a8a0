//! Redis as a process: the operator's commands start and stop it, the plugin sees whether it is there.

use understudy_plugin::host;
use understudy_plugin::prelude::*;

use crate::config::{Address, Config};
use crate::memory::{Copy, FORMAT, Memory};
use crate::server::{Server, Trouble};

/// The operator's commands start and return; one that does not is given up.
const COMMAND_TIMEOUT_MS: u32 = 10_000;
/// How long one call looks for a change of the process, before the host is asked to call again.
const LOOK_MS: u64 = 2_000;
/// Between two looks: what a stop and a start may add to a client's wait.
const LOOK_AGAIN_MS: u64 = 10;
/// Left of the call for the answer.
const MARGIN_MS: u64 = 200;

/// Runs one of the operator's commands.
pub(crate) fn run(name: &str, parameters: &Attributes) -> Result<(), PluginError> {
    let output = commands::run(name, parameters, COMMAND_TIMEOUT_MS)?;
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

/// Whether Redis' process is there, by the operator's command `status`; none where there is no such command.
pub(crate) fn runs() -> Result<Option<bool>, PluginError> {
    match commands::run("status", &Attributes::new(), COMMAND_TIMEOUT_MS) {
        Ok(output) => Ok(Some(output.exit_code == Some(0))),
        Err(error) if host::is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Looks until nothing listens at Redis' address and its process is gone.
pub(crate) fn until_gone() -> Step {
    let listens = || !matches!(Stream::connect("server", 200), Err(error) if error.code == "unreachable");
    let is_there = || listens() || matches!(runs(), Ok(Some(true)));
    match watch(|| (!is_there()).then_some(())) {
        Some(()) => Step::done(),
        None => Step::working("Redis is shutting down", 50),
    }
}

/// Looks until Redis listens.
fn until_listening(config: &Config) -> Option<Server> {
    watch(|| Server::connect(config).ok())
}

fn watch<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = clock::now_ms() + clock::remaining_ms().saturating_sub(MARGIN_MS).min(LOOK_MS);
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if clock::now_ms() >= end || clock::cancelled() {
            return None;
        }
        clock::sleep_ms(LOOK_AGAIN_MS);
    }
}

/// Starts Redis as a master on the data of this host's disk, unless that data is known to be old.
pub(crate) fn start_as_master(config: &Config, memory: &Memory) -> Result<Step, PluginError> {
    if let Some(lack) = memory.what_disk_lacks().filter(|_| !config.promote_old_copy) {
        let message = format!("{lack}. To serve it all the same, start Redis by hand, or set `promote-old-copy`");
        return Err(PluginError::permanent("copy-on-disk-is-old", message));
    }
    run("start", &Attributes::new())?;
    Ok(match until_listening(config).map(|mut server| server.info()) {
        Some(Ok(info)) if !info.is_loading() => Step::done().keep(
            FORMAT,
            &Memory {
                copy: Copy::Own,
                shut_down_sent_at_ms: None,
                ..memory.clone()
            },
        ),
        Some(Ok(info)) => Step::working(format!("Redis is reading its data, {} so far", info.loaded()), 100),
        _ => Step::working("Redis is starting", 100),
    })
}

/// Starts Redis so that it is a replica before any client can write to it.
pub(crate) fn start_as_replica(config: &Config, master: &Address) -> Result<Option<Server>, PluginError> {
    let parameters = Attributes::new().with("host", &master.host).with("port", master.port);
    run("start-replica", &parameters)?;
    Ok(until_listening(config))
}

/// Whether this is Redis saying that it is still reading its data.
pub(crate) fn is_loading(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Error(message) if message.starts_with("LOADING"))
}
