//! How the host says no: every code of `host-error` in one place.

use std::time::Duration;

use crate::bindings::understudy::plugin::types::HostError;
use crate::capability::Denial;

pub(crate) fn denied(denial: Denial) -> HostError {
    let nothing = |message: String| error("not-granted", message, None);
    match denial {
        Denial::NotAsked(ask) => nothing(format!(
            "{ask} is not granted: the plugin's own manifest does not ask for it, and what is not asked for is never granted"
        )),
        Denial::NotGranted { ask, line } => error(
            "not-granted",
            format!("{ask} is not granted to this plugin for this service"),
            Some(line),
        ),
        Denial::NotDeclared { ask, line } => error(
            "unknown-name",
            format!("{ask} is granted, but nothing of that name is declared"),
            Some(line),
        ),
        Denial::AtInstall(ask) => nothing(format!("{ask}: nothing is granted while a plugin is installed")),
    }
}

pub(crate) fn unreachable(message: String) -> HostError {
    error("unreachable", message, None)
}

pub(crate) fn timed_out(what: &str, after: Duration) -> HostError {
    error(
        "timed-out",
        format!("{what}: nothing within {} ms", after.as_millis()),
        None,
    )
}

pub(crate) fn closed(message: &str) -> HostError {
    error("closed", message.to_owned(), None)
}

pub(crate) fn too_large(message: String) -> HostError {
    error("too-large", message, None)
}

pub(crate) fn too_many(message: String) -> HostError {
    error("too-many", message, None)
}

pub(crate) fn fenced(what: &str, term: u64) -> HostError {
    error(
        "fenced",
        format!("{what} is refused: term {term} is no longer the service's current one"),
        None,
    )
}

pub(crate) fn read_only(what: &str, function: &str) -> HostError {
    error(
        "read-only",
        format!("{what} is refused: it changes something, and `{function}` may only look"),
        None,
    )
}

pub(crate) fn invalid(message: String) -> HostError {
    error("invalid", message, None)
}

pub(crate) fn failed(message: String) -> HostError {
    error("failed", message, None)
}

fn error(code: &str, message: String, hint: Option<String>) -> HostError {
    HostError {
        code: code.to_owned(),
        message,
        hint,
    }
}
