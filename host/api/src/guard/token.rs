//! The bearer token, in the `Authorization` header and nowhere else: a cookie would be sent by pages of others too, and
//! an address ends up in logs.
//!
//! Invariant: the token itself is not kept; digests are compared, so the time taken says nothing.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Guard;
use crate::wire::Problem;

/// What is kept of the token.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn new(token: &str) -> Self {
        Secret(Sha256::digest(token.as_bytes()).into())
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|token| Secret::new(token).0 == self.0)
    }
}

/// Refuses requests without the token, where one is set.
pub(crate) async fn require_token(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match &guard.secret {
        Some(secret) if !secret.admits(request.headers()) => Problem::unauthorized().into_response(),
        Some(_) | None => next.run(request).await,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
