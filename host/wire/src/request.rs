//! Requests of a compilation on the wire.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use understudy_protocol as protocol;

use super::BadWire;

/// One entry of a compilation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RequestStatus {
    id: String,
    client: String,
    operation: String,
    state: RequestState,
    started_at_ms: u64,
    progress: Option<Progress>,
    idempotency_key: Option<String>,
    /// Base64: what the second needs to go on is bytes.
    resume: Option<String>,
    attributes: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RequestState {
    Queued,
    Running,
    Completed,
    Failed,
    Cut,
    Refused,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    done: u64,
    total: Option<u64>,
    unit: String,
}

impl From<&protocol::RequestStatus> for RequestStatus {
    fn from(request: &protocol::RequestStatus) -> Self {
        let request = request.clone();
        RequestStatus {
            id: request.id,
            client: request.client,
            operation: request.operation,
            state: request.state.into(),
            started_at_ms: request.started_at_ms,
            progress: request.progress.map(|p| Progress {
                done: p.done,
                total: p.total,
                unit: p.unit,
            }),
            idempotency_key: request.idempotency_key,
            resume: request.resume.map(|bytes| BASE64_STANDARD.encode(bytes)),
            attributes: request.attributes,
        }
    }
}

impl TryFrom<RequestStatus> for protocol::RequestStatus {
    type Error = BadWire;
    fn try_from(request: RequestStatus) -> Result<Self, BadWire> {
        let resume = request.resume.map(|text| BASE64_STANDARD.decode(text)).transpose();
        Ok(protocol::RequestStatus {
            id: request.id,
            client: request.client,
            operation: request.operation,
            state: request.state.into(),
            started_at_ms: request.started_at_ms,
            progress: request.progress.map(|p| protocol::Progress {
                done: p.done,
                total: p.total,
                unit: p.unit,
            }),
            idempotency_key: request.idempotency_key,
            resume: resume.map_err(|_| BadWire::NotBase64)?,
            attributes: request.attributes,
        })
    }
}

impl From<protocol::RequestState> for RequestState {
    fn from(state: protocol::RequestState) -> Self {
        match state {
            protocol::RequestState::Queued => RequestState::Queued,
            protocol::RequestState::Running => RequestState::Running,
            protocol::RequestState::Completed => RequestState::Completed,
            protocol::RequestState::Failed => RequestState::Failed,
            protocol::RequestState::Cut => RequestState::Cut,
            protocol::RequestState::Refused => RequestState::Refused,
        }
    }
}

impl From<RequestState> for protocol::RequestState {
    fn from(state: RequestState) -> Self {
        match state {
            RequestState::Queued => protocol::RequestState::Queued,
            RequestState::Running => protocol::RequestState::Running,
            RequestState::Completed => protocol::RequestState::Completed,
            RequestState::Failed => protocol::RequestState::Failed,
            RequestState::Cut => protocol::RequestState::Cut,
            RequestState::Refused => protocol::RequestState::Refused,
        }
    }
}
