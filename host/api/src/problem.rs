//! Errors as answers: one constructor for each kind, so that a type always has the same status and title.
//!
//! Invariant: `detail` names the place and the mend. The guard adds `instance` and `request_id` on the way out and
//! turns every other error answer into a problem, so nothing leaves this API as bare text.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::host::{HostError, OrderError};
use crate::wire::{Problem, Refusal};

/// What handlers return.
pub(crate) type Answer<T> = Result<T, Box<Problem>>;

impl Problem {
    /// A problem with a stable word, its title, and what happened this time.
    pub(crate) fn new(status: StatusCode, word: &str, title: &str, detail: impl Into<String>) -> Self {
        Problem {
            kind: format!("{TYPE_PREFIX}{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            field: None,
            refusal: None,
            would_change: None,
            because: None,
            request_id: None,
        }
    }

    /// The stable word at the end of the type.
    pub fn word(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.kind)
    }

    pub(crate) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing here", what)
    }

    pub(crate) fn unknown_service(name: &str) -> Self {
        Self::not_found(format!(
            "there is no service {name:?} on this host; see /api/v1/services"
        ))
        .at("service")
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "The request can't be read",
            detail,
        )
    }

    pub(crate) fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "A field of the request is not valid",
            detail,
        )
        .at(field)
    }

    pub(crate) fn media_type() -> Self {
        let detail = "send the body as JSON, with `Content-Type: application/json`";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "The body is not JSON",
            detail,
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("the body is longer than {limit} bytes");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is too large",
            detail,
        )
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "send `Authorization: Bearer TOKEN` with the token of the file named by `token_file` in [api]";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A token is needed", detail)
    }

    pub(crate) fn foreign(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "foreign-origin",
            "Changes from other sites are refused",
            detail,
        )
    }

    pub(crate) fn wrong_host(host: &str) -> Self {
        let detail = format!(
            "this API listens on loopback and does not answer for the host {host:?}; ask for 127.0.0.1 or localhost"
        );
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "wrong-host",
            "The request is meant for another host",
            detail,
        )
    }

    pub(crate) fn conflict(word: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, word, title, detail)
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        let mut problem = Self::conflict("refused", "The order is refused", refusal.message.clone());
        problem.refusal = Some(refusal.code.clone());
        problem.would_change = refusal.would_change.clone();
        problem.because = Some(refusal);
        problem
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now", detail)
    }

    pub(crate) fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "too-slow", "No answer in time", detail)
    }

    pub(crate) fn broken() -> Self {
        let detail = "the daemon failed to answer this request; it goes on. Its log has more under the request's id";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "broken",
            "A fault of the daemon",
            detail,
        )
    }

    /// For answers that were errors without being problems yet.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                let detail = "this path does not take that method; `Allow` names those that it takes";
                Self::new(status, "method", "The method is not allowed here", detail)
            }
            StatusCode::NOT_FOUND => Self::not_found("there is nothing at this path; see /openapi.json"),
            other => {
                let reason = other.canonical_reason().unwrap_or("error");
                Self::new(other, "http", reason, reason)
            }
        }
    }

    /// The HTTP status.
    pub(crate) fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The document's text.
    pub(crate) fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| String::from("{}"))
    }
}

impl From<HostError> for Box<Problem> {
    fn from(error: HostError) -> Self {
        Box::new(match &error {
            HostError::BadCursor { .. } => Problem::invalid("cursor", error.to_string()),
            HostError::Store { .. } | HostError::Unproven { .. } => Problem::unavailable(error.to_string()),
        })
    }
}

impl From<OrderError> for Box<Problem> {
    fn from(error: OrderError) -> Self {
        Box::new(match &error {
            OrderError::Refused(refusal) => Problem::refused(refusal.into()),
            OrderError::UnknownService => Problem::not_found(error.to_string()).at("service"),
            OrderError::Unanswered => Problem::too_slow(error.to_string()),
            OrderError::Unavailable { .. } => Problem::unavailable(error.to_string()),
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))];
        let mut response = (self.status_code(), headers, self.body()).into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Box<Problem> {
    fn into_response(self) -> Response {
        (*self).into_response()
    }
}

/// The media type of RFC 9457.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

const TYPE_PREFIX: &str = "urn:understudy:problem:";
