//! The half of a plugin that empties a server, shuts it down, and makes another one serve.

use serde::Serialize;

use crate::host::ledger::{DispositionSink, RequestSink, RequestSource};
use crate::{Attributes, AttributesExt, Call, Fault, Plugin, PluginError, State};

/// Drains and takes over. Every function is short, changes nothing the second time, and is called again until it is done.
pub trait Drain: Plugin {
    /// First host: refuse, or hold, new requests.
    ///
    /// # Errors
    /// Where it can't be said whether they are.
    fn stop_admitting(call: &Call, config: &Self::Config) -> Result<Step, PluginError>;
    /// First host: every request that the server has accepted and not finished.
    ///
    /// # Errors
    /// Where the list would be incomplete.
    fn list_requests(call: &Call, config: &Self::Config, into: &RequestSink) -> Result<(), PluginError>;
    /// First host: wait for what must finish.
    ///
    /// # Errors
    /// Where it can't be seen.
    fn settle(call: &Call, config: &Self::Config) -> Result<Step, PluginError>;
    /// First host: stop the server; done once its processes are gone.
    ///
    /// # Errors
    /// Where it can't be stopped in this manner.
    fn shut_down(call: &Call, config: &Self::Config, manner: Manner) -> Result<Step, PluginError>;
    /// First host: undo [`stop_admitting`](Drain::stop_admitting) and [`settle`](Drain::settle).
    ///
    /// # Errors
    /// Where they can't be undone.
    fn resume(call: &Call, config: &Self::Config) -> Result<Step, PluginError>;
    /// Second host: could this host's server serve in place of the one that has `fault`? Changes nothing.
    ///
    /// # Errors
    /// Where nobody can say.
    fn assess(call: &Call, config: &Self::Config, fault: &Fault) -> Result<Assessment, PluginError>;
    /// Second host, or a restarted holder: make the server serve.
    ///
    /// # Errors
    /// Where it can't.
    fn take_over(call: &Call, config: &Self::Config) -> Result<Step, PluginError>;
    /// Second host: say what became of each request.
    ///
    /// # Errors
    /// Where the list can't be worked through.
    fn resolve_requests(
        call: &Call,
        config: &Self::Config,
        requests: &RequestSource,
        into: &DispositionSink,
    ) -> Result<Step, PluginError>;
    /// Either host: what the server is doing. Changes nothing.
    ///
    /// # Errors
    /// Where it can't be seen: never guess `stopped`.
    fn observe(call: &Call, config: &Self::Config) -> Result<ServerState, PluginError>;
    /// Either host: be ready as a standby of the active host.
    ///
    /// # Errors
    /// Where it can't.
    fn stand_by(call: &Call, config: &Self::Config) -> Result<Step, PluginError>;
}

/// How far a step got, and what to keep for the next call.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How far it got.
    pub status: Status,
    /// What the host keeps for the next call.
    pub state: State,
}

/// How far a step got.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// Nothing is left to do.
    Done,
    /// Not yet.
    Working {
        /// How many requests (or whatever the blocker names) are left, where known.
        remaining: Option<u64>,
        /// Who or what is waited for, one line for people.
        blocker: Option<String>,
        /// When to call again, in milliseconds.
        retry_in_ms: u64,
    },
}

impl Step {
    /// Nothing is left to do.
    pub fn done() -> Self {
        Self {
            status: Status::Done,
            state: State::Same,
        }
    }

    /// Not yet: `blocker` is waited for; call again in `retry_in_ms`.
    pub fn working(blocker: impl Into<String>, retry_in_ms: u64) -> Self {
        Self {
            status: Status::Working {
                remaining: None,
                blocker: Some(blocker.into()),
                retry_in_ms,
            },
            state: State::Same,
        }
    }

    /// With how many are left.
    #[must_use]
    pub fn remaining(mut self, left: u64) -> Self {
        if let Status::Working { remaining, .. } = &mut self.status {
            *remaining = Some(left);
        }
        self
    }

    /// Keeps `value` for the next call's [`Call::state`] in `format`.
    #[must_use]
    pub fn keep<T: Serialize>(mut self, format: u32, value: &T) -> Self {
        self.state = State::keep(format, value);
        self
    }

    /// Forgets what was kept.
    #[must_use]
    pub fn forget(mut self) -> Self {
        self.state = State::Forgotten;
        self
    }
}

/// How a server is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// May answer `working` while the last requests end.
    Graceful,
    /// Ends them.
    Forced,
}

/// Whether this host's server could serve.
#[derive(Debug, Clone, PartialEq)]
pub enum Assessment {
    /// It could.
    Can,
    /// It could not.
    Cannot(Refusal),
}

/// Why a server could not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable, kebab-case.
    pub code: String,
    /// One line for people.
    pub message: String,
    /// What would change the answer.
    pub would_accept_if: Option<String>,
    /// What was seen.
    pub attributes: Attributes,
}

impl Refusal {
    /// A refusal with nothing that would change it.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            would_accept_if: None,
            attributes: Attributes::new(),
        }
    }

    /// What would change the answer.
    #[must_use]
    pub fn unless(mut self, condition: impl Into<String>) -> Self {
        self.would_accept_if = Some(condition.into());
        self
    }

    /// What was seen.
    #[must_use]
    pub fn seen(mut self, key: &str, value: impl ToString) -> Self {
        self.attributes = self.attributes.with(key, value);
        self
    }
}

impl From<Refusal> for Assessment {
    fn from(refusal: Refusal) -> Self {
        Self::Cannot(refusal)
    }
}

/// What a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// No process of it runs.
    Stopped,
    /// It runs and could not serve a client's change.
    StandingBy,
    /// It runs and serves.
    Serving,
}
