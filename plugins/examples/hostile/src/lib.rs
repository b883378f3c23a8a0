//! A plugin that misbehaves on demand, and that shows what it can reach: the host's tests run it.
//!
//! Its configuration is one JSON object; `do` names what it does (`behaviour.rs`, `reach.rs`), the other members say how.
//! What it saw comes back as evidence: of the fault `seen` from a probe, as JSON in the blocker from a drain call.
//! It speaks the interface without the SDK, so that nothing stands between the tests and the host.

mod behaviour;
mod malformed;
mod reach;

use serde_json::Value;

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "server" });
}

use bindings::exports::understudy::plugin::{drainer, manifest, probe};
use bindings::understudy::plugin::config;
use bindings::understudy::plugin::ledger::{DispositionSink, RequestSink, RequestSource};
use bindings::understudy::plugin::types::{CallContext, Fault, FaultKind, PluginError, SavedState, Severity};

/// What a behaviour saw.
type Seen = Vec<(String, String)>;

struct Hostile;

impl manifest::Guest for Hostile {
    fn describe() -> manifest::Description {
        manifest::Description {
            name: "hostile".to_owned(),
            version: "0.1.0".to_owned(),
            server_types: vec!["hostile".to_owned()],
            asks: ASKS.iter().map(|&ask| ask.to_owned()).collect(),
            summary: "Does whatever a plugin must not get away with".to_owned(),
        }
    }

    fn check_config(json: String) -> Vec<manifest::Diagnostic> {
        match serde_json::from_str::<Value>(&json) {
            Ok(config) if config["do"] == "spin-at-install" => behaviour::spin(),
            Ok(config) if config["do"] == "reach-at-install" => reach_at_install(),
            Ok(Value::Object(_)) => Vec::new(),
            Ok(_) => vec![diagnostic("", "not an object".to_owned())],
            Err(error) => vec![diagnostic("", error.to_string())],
        }
    }
}

impl probe::Guest for Hostile {
    fn check(context: CallContext) -> Result<probe::Report, PluginError> {
        let config = configuration();
        if let Some(report) = behaviour::report(&config) {
            return Ok(report);
        }
        let state = behaviour::next_state(&config, &context);
        let seen = behaviour::run(&config, &context)?;
        let readings = reach::readings(&config);
        Ok(probe::Report {
            verdict: probe::Verdict::Impaired,
            faults: vec![fault(seen)],
            readings,
            state,
        })
    }
}

impl drainer::Guest for Hostile {
    fn stop_admitting(context: CallContext) -> Result<drainer::Step, PluginError> {
        step("stop-admitting", &context)
    }

    fn list_requests(_context: CallContext, into: &RequestSink) -> Result<(), PluginError> {
        behaviour::list(&configuration(), into)
    }

    fn settle(context: CallContext) -> Result<drainer::Step, PluginError> {
        step("settle", &context)
    }

    fn shut_down(context: CallContext, manner: drainer::Manner) -> Result<drainer::Step, PluginError> {
        match manner {
            drainer::Manner::Graceful => step("shut-down graceful", &context),
            drainer::Manner::Forced => step("shut-down forced", &context),
        }
    }

    fn resume(context: CallContext) -> Result<drainer::Step, PluginError> {
        step("resume", &context)
    }

    fn assess(context: CallContext, fault: Fault) -> Result<drainer::Assessment, PluginError> {
        behaviour::run(&configuration(), &context)?;
        if fault.kind == FaultKind::Hardware && fault.severity == Severity::ShutdownRequired {
            return Ok(drainer::Assessment::Can);
        }
        Ok(drainer::Assessment::Cannot(drainer::Refusal {
            code: "not-that-fault".to_owned(),
            message: format!("{}: {}", fault.code, fault.message),
            would_accept_if: Some("the hardware is at fault".to_owned()),
            attributes: fault.evidence,
        }))
    }

    fn take_over(context: CallContext) -> Result<drainer::Step, PluginError> {
        step("take-over", &context)
    }

    fn resolve_requests(
        _context: CallContext,
        requests: &RequestSource,
        into: &DispositionSink,
    ) -> Result<drainer::Step, PluginError> {
        behaviour::resolve(&configuration(), requests, into)
    }

    fn observe(context: CallContext) -> Result<drainer::ServerState, PluginError> {
        behaviour::run(&configuration(), &context)?;
        Ok(drainer::ServerState::StandingBy)
    }

    fn stand_by(context: CallContext) -> Result<drainer::Step, PluginError> {
        step("stand-by", &context)
    }
}

fn step(function: &str, context: &CallContext) -> Result<drainer::Step, PluginError> {
    let config = configuration();
    let state = behaviour::next_state(&config, context);
    let mut seen = behaviour::run(&config, context)?;
    if seen.is_empty() {
        return Ok(drainer::Step {
            status: drainer::Status::Done,
            state,
        });
    }
    seen.push(("function".to_owned(), function.to_owned()));
    let seen: serde_json::Map<String, Value> = seen.into_iter().map(|(key, value)| (key, value.into())).collect();
    let blocker = Some(Value::Object(seen).to_string());
    let working = drainer::Working {
        remaining: Some(1),
        blocker,
        retry_in_ms: 50,
    };
    Ok(drainer::Step {
        status: drainer::Status::Working(working),
        state,
    })
}

/// What must fail at install: every capability, one diagnostic each.
fn reach_at_install() -> Vec<manifest::Diagnostic> {
    let context = None;
    ["connect", "run", "secret", "system", "sockets"]
        .into_iter()
        .map(|what| {
            let config = serde_json::json!({ "do": what, "endpoint": "tcp", "command": "echo", "secret": "password" });
            let seen = reach::run(what, &config, context).unwrap_or_default();
            let code = seen.into_iter().find(|(key, _)| key == "error").map(|(_, code)| code);
            diagnostic(what, code.unwrap_or_default())
        })
        .collect()
}

fn configuration() -> Value {
    serde_json::from_str(&config::json()).unwrap_or(Value::Null)
}

fn fault(evidence: Seen) -> Fault {
    Fault {
        code: "seen".to_owned(),
        kind: FaultKind::Other,
        severity: Severity::Impaired,
        message: "what it saw".to_owned(),
        shutdown_within_ms: None,
        evidence,
    }
}

fn diagnostic(path: &str, message: String) -> manifest::Diagnostic {
    manifest::Diagnostic {
        path: path.to_owned(),
        message,
    }
}

fn saved(number: u64) -> SavedState {
    SavedState {
        format: 1,
        data: number.to_le_bytes().to_vec(),
    }
}

/// `endpoint:unasked` is left out on purpose.
const ASKS: [&str; 13] = [
    "endpoint:tcp",
    "endpoint:unix",
    "endpoint:tls",
    "endpoint:web",
    "endpoint:silent",
    "endpoint:nowhere",
    "command:echo",
    "command:change",
    "command:sleep",
    "command:loud",
    "secret:password",
    "sockets",
    "system",
];
