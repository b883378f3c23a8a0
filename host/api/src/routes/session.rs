//! Signing in for the page: the token once, a cookie from then on, because an `EventSource` can't send the token.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::extract::Body;
use crate::guard::SESSION_COOKIE;
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::Problem;

/// `POST /session`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionRequest {
    /// The token.
    token: String,
}

/// Signs in: sets a session cookie. Without a configured token there is nothing to sign in to, and it succeeds.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", security(()), request_body = SessionRequest, responses(
    (status = 204, description = "Signed in"),
    (status = 401, description = "Not the token", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn open(State(shared): State<Shared>, body: Body<SessionRequest>) -> Answer<Response> {
    let Some(secret) = &shared.guard.secret else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    if !secret.is(body.value.token.trim()) {
        return Err(Box::new(Problem::unauthorized()));
    }
    Ok(with_cookie(secret.session(), ""))
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", security(()), responses((status = 204, description = "Signed out")))]
pub(crate) async fn close() -> Response {
    with_cookie("", "; Max-Age=0")
}

fn with_cookie(value: &str, more: &str) -> Response {
    let cookie = format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{more}");
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
