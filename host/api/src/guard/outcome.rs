//! What every answer gets: a request id, a line in the log, headers for browsers, a time limit; and every error the
//! shape of a problem document, a panic included.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;
use uuid::Uuid;

use crate::problem::MEDIA_TYPE;
use crate::wire::Problem;

/// A request's id: its own, where it has a sane one.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Answers a handler that panicked.
pub(crate) fn on_panic(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(message, "a request handler panicked");
    Problem::broken().into_response()
}

/// Ends a request that takes too long.
pub(crate) async fn limit_time(request: Request, next: Next) -> Response {
    let detail =
        || format!("no answer within {TIME_LIMIT:?}; an order may still be carried out: look before you repeat");
    let answer = tokio::time::timeout(TIME_LIMIT, next.run(request)).await;
    answer.unwrap_or_else(|_| Problem::too_slow(detail()).into_response())
}

/// The outermost layer: what it adds is on every answer.
pub(crate) async fn finish(mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let path = request.uri().path().to_owned();
    let is_head = request.method() == Method::HEAD;
    let span = tracing::info_span!("request", id, method = %request.method(), path);
    request.extensions_mut().insert(RequestId(id.clone()));

    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| log(response.status(), started.elapsed()));

    if response.status().is_client_error() || response.status().is_server_error() {
        response = problem(response, &path, &id);
    }
    if is_head {
        *response.body_mut() = Body::empty();
    }
    let headers = response.headers_mut();
    for (name, value) in BROWSER_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=MAX_ID_LENGTH).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    given
        .filter(plain)
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn log(status: StatusCode, took: Duration) {
    let took_ms = took.as_secs_f64() * 1000.0;
    match status {
        _ if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE => {
            tracing::warn!(status = status.as_u16(), took_ms, "answered");
        }
        _ => tracing::debug!(status = status.as_u16(), took_ms, "answered"),
    }
}

/// The same error as a problem with its place; `Allow`, `Retry-After` and the like stay.
fn problem(response: Response, path: &str, id: &str) -> Response {
    let (mut parts, _) = response.into_parts();
    let problem = parts
        .extensions
        .remove::<Problem>()
        .unwrap_or_else(|| Problem::from_status(parts.status));
    let problem = Problem {
        instance: Some(path.to_owned()),
        request_id: Some(id.to_owned()),
        ..problem
    };
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
        header::ETAG,
    ] {
        parts.headers.remove(name);
    }
    parts
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    Response::from_parts(parts, Body::from(problem.body()))
}

/// Longer than any order waits for its answer; a stuck store must not hold connections for ever.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Long enough for a UUID or a trace id of others.
const MAX_ID_LENGTH: usize = 64;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Scripts and data from this host only. Styles may stand in attributes: charts need them, and they run nothing.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

const BROWSER_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
