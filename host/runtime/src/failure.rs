//! How a call can fail, with the evidence that is kept.
//!
//! Invariant: no failure says anything about the server: to the protocol each is `unknown`. Whose failure it
//! is decides the breaker: only what the plugin itself did wrong counts.

use std::time::Duration;

use wasmtime::WasmBacktrace;

use crate::call::PluginError;
use crate::trace::Trace;

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallFailure {
    /// It did not end in time.
    #[error("no answer within {} ms{}", allowed.as_millis(), waiting_text(waiting_for))]
    TimedOut {
        /// How long it had.
        allowed: Duration,
        /// The host call that it was in; none: it was computing.
        waiting_for: Option<String>,
    },
    /// It broke down.
    #[error("the plugin broke down: {message}")]
    Trapped {
        /// What the sandbox says.
        message: String,
        /// Where it was, the innermost first.
        backtrace: Vec<String>,
        /// The end of what it wrote to standard error, for example a panic's message.
        stderr: String,
    },
    /// It wanted more memory than it may have.
    #[error("the plugin wanted more than {limit_bytes} bytes of memory")]
    OutOfMemory {
        /// What it may have.
        limit_bytes: usize,
    },
    /// It logged too much.
    #[error("the plugin logged too much: {lines} lines, {bytes} bytes in one call")]
    LogFlood {
        /// Lines up to the end.
        lines: u32,
        /// Bytes up to the end.
        bytes: usize,
    },
    /// It handed over more than fits.
    #[error("the plugin's {what} is over its limit of {limit}")]
    AnswerTooLarge {
        /// What was too large.
        what: String,
        /// What fits: entries of a list, bytes of everything else.
        limit: usize,
    },
    /// It answered that it could not do its work.
    #[error("{}: {}", .0.code, .0.message)]
    Plugin(PluginError),
    /// It failed too often and is left alone for a while.
    #[error("left alone after {failures} failures in a row; next try in {} ms", retry_in.as_millis())]
    BreakerOpen {
        /// When it is tried again.
        retry_in: Duration,
        /// Failures in a row.
        failures: u32,
    },
    /// Its answer breaks the interface's rules.
    #[error("the plugin's answer breaks a rule: {what}")]
    Invalid {
        /// Which rule, and how.
        what: String,
    },
    /// It has no such function.
    #[error("the plugin does not export {interface}")]
    NotExported {
        /// What was called.
        interface: &'static str,
    },
    /// The caller no longer wanted the answer.
    #[error("cancelled")]
    Cancelled,
    /// The host could not run it.
    #[error("the host could not run the plugin: {message}")]
    Host {
        /// Why.
        message: String,
    },
}

fn waiting_text(waiting_for: &Option<String>) -> String {
    waiting_for
        .as_ref()
        .map(|what| format!(" (in {what})"))
        .unwrap_or_default()
}

impl CallFailure {
    /// Whether the plugin itself did wrong: these open its breaker.
    pub fn is_plugins_own(&self) -> bool {
        match self {
            CallFailure::TimedOut { .. }
            | CallFailure::Trapped { .. }
            | CallFailure::OutOfMemory { .. }
            | CallFailure::LogFlood { .. }
            | CallFailure::AnswerTooLarge { .. }
            | CallFailure::Invalid { .. } => true,
            CallFailure::Plugin(_)
            | CallFailure::BreakerOpen { .. }
            | CallFailure::NotExported { .. }
            | CallFailure::Cancelled
            | CallFailure::Host { .. } => false,
        }
    }

    /// A stable name for journals and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            CallFailure::TimedOut { .. } => "timed-out",
            CallFailure::Trapped { .. } => "trapped",
            CallFailure::OutOfMemory { .. } => "out-of-memory",
            CallFailure::LogFlood { .. } => "log-flood",
            CallFailure::AnswerTooLarge { .. } => "answer-too-large",
            CallFailure::Plugin(_) => "plugin-error",
            CallFailure::BreakerOpen { .. } => "breaker-open",
            CallFailure::Invalid { .. } => "invalid-answer",
            CallFailure::NotExported { .. } => "not-exported",
            CallFailure::Cancelled => "cancelled",
            CallFailure::Host { .. } => "host",
        }
    }

    /// What is kept of the failure: key/value pairs for the journal.
    pub fn evidence(&self) -> Vec<(String, String)> {
        let mut pairs = vec![("failure", self.code().to_owned()), ("message", self.to_string())];
        match self {
            CallFailure::TimedOut { allowed, waiting_for } => {
                pairs.push(("allowed-ms", allowed.as_millis().to_string()));
                pairs.extend(waiting_for.iter().map(|what| ("waiting-for", what.clone())));
            }
            CallFailure::Trapped { backtrace, stderr, .. } => {
                pairs.push(("backtrace", backtrace.join("\n")));
                pairs.push(("stderr", stderr.clone()));
            }
            CallFailure::OutOfMemory { limit_bytes } => pairs.push(("limit-bytes", limit_bytes.to_string())),
            CallFailure::LogFlood { lines, bytes } => {
                pairs.push(("lines", lines.to_string()));
                pairs.push(("bytes", bytes.to_string()));
            }
            CallFailure::AnswerTooLarge { what, limit } => {
                pairs.push(("what", what.clone()));
                pairs.push(("limit", limit.to_string()));
            }
            CallFailure::Plugin(error) => {
                pairs.push(("code", error.code.clone()));
                pairs.push(("retryable", error.retryable.to_string()));
                pairs.extend(
                    error
                        .attributes
                        .iter()
                        .map(|(key, value)| (key.as_str(), value.clone())),
                );
            }
            CallFailure::BreakerOpen { retry_in, failures } => {
                pairs.push(("retry-in-ms", retry_in.as_millis().to_string()));
                pairs.push(("failures", failures.to_string()));
            }
            CallFailure::Invalid { .. }
            | CallFailure::NotExported { .. }
            | CallFailure::Cancelled
            | CallFailure::Host { .. } => {}
        }
        pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}

/// Why the host itself ended a guest, thrown through it as a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("its time is up")]
    TimeUp,
    #[error("it logged too much")]
    LogFlood,
}

/// Finds out why a guest ended without an answer.
pub(crate) fn classify(error: &wasmtime::Error, trace: &Trace, bounds: &Bounds) -> CallFailure {
    match error.downcast_ref::<Ended>() {
        Some(Ended::TimeUp) => return timed_out(trace, bounds),
        Some(Ended::LogFlood) => {
            let (lines, bytes) = trace.logged();
            return CallFailure::LogFlood { lines, bytes };
        }
        None => {}
    }
    if trace.memory_was_refused() {
        return CallFailure::OutOfMemory {
            limit_bytes: bounds.memory_bytes,
        };
    }
    let root = error.root_cause().to_string();
    if root.contains(COPIED_TOO_MUCH) {
        // The guest is on the stack only where it was calling the host.
        let what = if frames(error).is_empty() {
            "answer"
        } else {
            "argument of a host call"
        };
        return CallFailure::AnswerTooLarge {
            what: what.to_owned(),
            limit: bounds.answer_bytes,
        };
    }
    CallFailure::Trapped {
        message: root,
        backtrace: frames(error),
        stderr: trace.stderr(),
    }
}

/// Its time is up, or it was cancelled and did not come to an end by itself.
pub(crate) fn timed_out(trace: &Trace, bounds: &Bounds) -> CallFailure {
    if bounds.cancelled {
        return CallFailure::Cancelled;
    }
    CallFailure::TimedOut {
        allowed: bounds.time,
        waiting_for: trace.waiting_for(),
    }
}

/// The bounds that a failure may have to name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) memory_bytes: usize,
    pub(crate) answer_bytes: usize,
    pub(crate) cancelled: bool,
}

fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let names = backtrace.frames().iter().take(MOST_FRAMES).map(|frame| {
        let symbol = frame.symbols().iter().find_map(|symbol| symbol.name());
        match symbol.or(frame.func_name()) {
            Some(name) => name.chars().take(LONGEST_FRAME).collect(),
            None => format!("function {}", frame.func_index()),
        }
    });
    names.collect()
}

/// The runtime has no type for this error; a test holds this text to the pinned version's.
const COPIED_TOO_MUCH: &str = "fuel allocated for hostcalls has been exhausted";
/// Enough to find the place; an endless recursion has thousands.
const MOST_FRAMES: usize = 16;
/// Mangled generic names can be very long.
const LONGEST_FRAME: usize = 200;
