//! The bearer token: in the `Authorization` header, or, for the page (an `EventSource` sends no headers), as a cookie
//! that only proves that the token was known.
//!
//! Invariant: the token itself is neither kept nor sent back; digests are compared, so the time taken says nothing.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Guard;
use crate::idempotency::hex;
use crate::wire::Problem;

/// What is kept of the token.
#[derive(Clone)]
pub(crate) struct Secret {
    digest: [u8; 32],
    session: String,
}

impl Secret {
    pub(crate) fn new(token: &str) -> Self {
        let session = Sha256::new()
            .chain_update(b"understudy session\0")
            .chain_update(token)
            .finalize();
        Secret {
            digest: digest(token),
            session: hex(&session),
        }
    }

    /// Whether this is the token.
    pub(crate) fn is(&self, token: &str) -> bool {
        digest(token) == self.digest
    }

    /// The session cookie's value.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// Whether a request proves that it knows the token.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|token| self.is(token))
            || session(headers).is_some_and(|value| digest(value) == digest(&self.session))
    }
}

/// Refuses requests without the token, where one is set.
pub(crate) async fn require_token(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match &guard.secret {
        Some(secret) if !secret.admits(request.headers()) => Problem::unauthorized().into_response(),
        Some(_) | None => next.run(request).await,
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// The session cookie's name.
pub(crate) const COOKIE: &str = "understudy_session";
