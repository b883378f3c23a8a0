//! The bridge between the interface's types and the host's: every conversion at the WIT boundary is here.
//!
//! Invariant: no `_` arm and no `..` pattern, so that a new variant or field on either side is a compile error
//! here. Nothing is judged: `answer.rs` does that.

use std::time::Duration;

use understudy_protocol as host;

use crate::bindings::exports::understudy::plugin::{drainer, manifest, probe};
use crate::bindings::understudy::plugin::{sockets, system, types};
use crate::call;
use crate::target::Target;

// Into the guest.

pub(crate) fn call_context(target: &Target, context: &call::CallContext, remaining: Duration) -> types::CallContext {
    types::CallContext {
        target: types::Target {
            service: target.service.to_string(),
            server_type: target.server_type.clone(),
            host: target.host.to_string(),
            attributes: target.attributes.clone(),
        },
        term: context.term.0,
        expected: match context.expected {
            call::Expectation::Serving => types::Expectation::Serving,
            call::Expectation::StandingBy => types::Expectation::StandingBy,
            call::Expectation::Down => types::Expectation::Down,
        },
        attempt: context.attempt,
        remaining_ms: millis(remaining),
        state: context
            .state
            .clone()
            .map(|call::SavedState { format, data }| types::SavedState { format, data }),
        attributes: context.attributes.clone(),
    }
}

pub(crate) fn manner(manner: call::Manner) -> drainer::Manner {
    match manner {
        call::Manner::Graceful => drainer::Manner::Graceful,
        call::Manner::Forced => drainer::Manner::Forced,
    }
}

pub(crate) fn fault_to_guest(fault: &host::Fault) -> types::Fault {
    let host::Fault {
        code,
        kind,
        severity,
        message,
        shutdown_within,
        evidence,
    } = fault.clone();
    types::Fault {
        code,
        kind: match kind {
            host::FaultKind::Hardware => types::FaultKind::Hardware,
            host::FaultKind::Storage => types::FaultKind::Storage,
            host::FaultKind::Memory => types::FaultKind::Memory,
            host::FaultKind::Network => types::FaultKind::Network,
            host::FaultKind::Power => types::FaultKind::Power,
            host::FaultKind::Software => types::FaultKind::Software,
            host::FaultKind::Dependency => types::FaultKind::Dependency,
            host::FaultKind::Capacity => types::FaultKind::Capacity,
            host::FaultKind::Operator => types::FaultKind::Operator,
            host::FaultKind::Other => types::FaultKind::Other,
        },
        severity: match severity {
            host::Severity::Impaired => types::Severity::Impaired,
            host::Severity::ShutdownRequired => types::Severity::ShutdownRequired,
        },
        message,
        shutdown_within_ms: shutdown_within.map(millis),
        evidence,
    }
}

pub(crate) fn request_to_guest(request: host::RequestStatus) -> types::RequestStatus {
    let host::RequestStatus {
        id,
        client,
        operation,
        state,
        started_at_ms,
        progress,
        idempotency_key,
        resume,
        attributes,
    } = request;
    types::RequestStatus {
        id,
        client,
        operation,
        state: match state {
            host::RequestState::Queued => types::RequestState::Queued,
            host::RequestState::Running => types::RequestState::Running,
            host::RequestState::Completed => types::RequestState::Completed,
            host::RequestState::Failed => types::RequestState::Failed,
            host::RequestState::Cut => types::RequestState::Cut,
            host::RequestState::Refused => types::RequestState::Refused,
        },
        started_at_ms,
        progress: progress.map(|host::Progress { done, total, unit }| types::Progress { done, total, unit }),
        idempotency_key,
        resume,
        attributes,
    }
}

pub(crate) fn reading_to_guest(reading: call::Reading) -> system::Reading {
    let call::Reading {
        key,
        value,
        unit,
        attributes,
    } = reading;
    system::Reading {
        key,
        value,
        unit,
        attributes,
    }
}

pub(crate) fn connection_to_guest(connection: crate::sockets::Connection) -> sockets::ConnectionInfo {
    let crate::sockets::Connection {
        local,
        remote,
        state,
        receive_queue,
        send_queue,
        attributes,
    } = connection;
    sockets::ConnectionInfo {
        local: local.to_string(),
        remote: remote.to_string(),
        state: state.to_owned(),
        receive_queue,
        send_queue,
        // The kernel does not keep it.
        age_ms: None,
        attributes,
    }
}

// Out of the guest.

pub(crate) fn diagnostic(diagnostic: manifest::Diagnostic) -> call::Diagnostic {
    let manifest::Diagnostic { path, message } = diagnostic;
    call::Diagnostic { path, message }
}

pub(crate) fn plugin_error(error: types::PluginError) -> call::PluginError {
    let types::PluginError {
        code,
        message,
        retryable,
        attributes,
    } = error;
    call::PluginError {
        code,
        message,
        retryable,
        attributes,
    }
}

pub(crate) fn report(report: probe::Report) -> call::Report {
    let probe::Report {
        verdict,
        faults,
        readings,
        state,
    } = report;
    call::Report {
        verdict: match verdict {
            probe::Verdict::Healthy => host::Verdict::Healthy,
            probe::Verdict::Impaired => host::Verdict::Impaired,
            probe::Verdict::Failing => host::Verdict::Failing,
            probe::Verdict::Unknown => host::Verdict::Unknown,
        },
        faults: faults.into_iter().map(fault).collect(),
        readings: readings.into_iter().map(reading).collect(),
        state: state.map(saved_state),
    }
}

pub(crate) fn step(step: drainer::Step) -> call::Step {
    let drainer::Step { status, state } = step;
    call::Step {
        status: match status {
            drainer::Status::Done => call::Status::Done,
            drainer::Status::Working(drainer::Working {
                remaining,
                blocker,
                retry_in_ms,
            }) => call::Status::Working {
                remaining,
                blocker,
                retry_in: Duration::from_millis(retry_in_ms),
            },
        },
        state: state.map(saved_state),
    }
}

pub(crate) fn assessment(assessment: drainer::Assessment) -> call::Assessment {
    match assessment {
        drainer::Assessment::Can => call::Assessment::Can,
        drainer::Assessment::Cannot(drainer::Refusal {
            code,
            message,
            would_accept_if,
            attributes,
        }) => call::Assessment::Cannot {
            refusal: host::PluginRefusal {
                code,
                message,
                would_accept_if,
                hard: attributes.iter().any(|(key, value)| key == "veto" && value == "hard"),
            },
            attributes,
        },
    }
}

pub(crate) fn server_state(state: drainer::ServerState) -> host::ServerState {
    match state {
        drainer::ServerState::Stopped => host::ServerState::Stopped,
        drainer::ServerState::StandingBy => host::ServerState::StandingBy,
        drainer::ServerState::Serving => host::ServerState::Serving,
    }
}

pub(crate) fn request_from_guest(request: types::RequestStatus) -> host::RequestStatus {
    let types::RequestStatus {
        id,
        client,
        operation,
        state,
        started_at_ms,
        progress,
        idempotency_key,
        resume,
        attributes,
    } = request;
    host::RequestStatus {
        id,
        client,
        operation,
        state: match state {
            types::RequestState::Queued => host::RequestState::Queued,
            types::RequestState::Running => host::RequestState::Running,
            types::RequestState::Completed => host::RequestState::Completed,
            types::RequestState::Failed => host::RequestState::Failed,
            types::RequestState::Cut => host::RequestState::Cut,
            types::RequestState::Refused => host::RequestState::Refused,
        },
        started_at_ms,
        progress: progress.map(|types::Progress { done, total, unit }| host::Progress { done, total, unit }),
        idempotency_key,
        resume,
        attributes,
    }
}

pub(crate) fn disposition(disposition: types::Disposition) -> host::Disposition {
    let types::Disposition { id, outcome, message } = disposition;
    host::Disposition {
        id,
        outcome: match outcome {
            types::Outcome::Completed => host::Outcome::Completed,
            types::Outcome::Resumed => host::Outcome::Resumed,
            types::Outcome::Replayed => host::Outcome::Replayed,
            types::Outcome::ClientRetries => host::Outcome::ClientRetries,
            types::Outcome::Refused => host::Outcome::Refused,
            types::Outcome::Lost => host::Outcome::Lost,
        },
        message,
    }
}

fn fault(fault: types::Fault) -> host::Fault {
    let types::Fault {
        code,
        kind,
        severity,
        message,
        shutdown_within_ms,
        evidence,
    } = fault;
    host::Fault {
        code,
        kind: match kind {
            types::FaultKind::Hardware => host::FaultKind::Hardware,
            types::FaultKind::Storage => host::FaultKind::Storage,
            types::FaultKind::Memory => host::FaultKind::Memory,
            types::FaultKind::Network => host::FaultKind::Network,
            types::FaultKind::Power => host::FaultKind::Power,
            types::FaultKind::Software => host::FaultKind::Software,
            types::FaultKind::Dependency => host::FaultKind::Dependency,
            types::FaultKind::Capacity => host::FaultKind::Capacity,
            types::FaultKind::Operator => host::FaultKind::Operator,
            types::FaultKind::Other => host::FaultKind::Other,
        },
        severity: match severity {
            types::Severity::Impaired => host::Severity::Impaired,
            types::Severity::ShutdownRequired => host::Severity::ShutdownRequired,
        },
        message,
        shutdown_within: shutdown_within_ms.map(Duration::from_millis),
        evidence,
    }
}

fn reading(reading: system::Reading) -> call::Reading {
    let system::Reading {
        key,
        value,
        unit,
        attributes,
    } = reading;
    call::Reading {
        key,
        value,
        unit,
        attributes,
    }
}

fn saved_state(state: types::SavedState) -> call::SavedState {
    let types::SavedState { format, data } = state;
    call::SavedState { format, data }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
