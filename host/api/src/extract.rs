//! Reading requests strictly: every error names the field, as a problem document.
//!
//! Invariant: nothing unknown is ignored, neither in a body nor in a query; a misspelt filter must not look like one
//! that matches everything.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use understudy_protocol::ServiceName;

use crate::problem::Answer;
use crate::wire::Problem;

/// A body of JSON, with its bytes (for the digest of an `Idempotency-Key`). An empty body is `{}`.
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Box<Problem>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let media_type = media_type(request.headers());
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(MAX_BODY_BYTES),
                _ => Problem::malformed(format!("the body could not be read: {}", rejection.body_text())),
            })?;
        // A form of another site always names its type, even when it is empty.
        let is_json = media_type
            .as_deref()
            .map_or(bytes.is_empty(), |media_type| media_type == "application/json");
        if !is_json {
            return Err(Box::new(Problem::media_type()));
        }
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        Ok(Body {
            value: parse_json(text)?,
            bytes,
        })
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("?");
    value
        .split(';')
        .next()
        .map(|media_type| media_type.trim().to_ascii_lowercase())
}

fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Answer<T> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = field_of(&error.path().to_string(), &error.inner().to_string());
        match error.inner().classify() {
            serde_json::error::Category::Data => not_valid(field, &error.inner().to_string()),
            _ => Problem::malformed(format!("the body is not JSON: {}", error.inner())),
        }
    })?;
    reader
        .end()
        .map_err(|error| Problem::malformed(format!("the body goes on after its JSON: {error}")))?;
    Ok(value)
}

/// The query's fields.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Box<Problem>;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        let reader = serde_urlencoded::Deserializer::new(form_pairs(query));
        serde_path_to_error::deserialize(reader).map(Params).map_err(|error| {
            let message = error.inner().to_string();
            Box::new(not_valid(field_of(&error.path().to_string(), &message), &message))
        })
    }
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// The field an error is about: where the reader stood, or what the message quotes (a missing field has no place).
fn field_of(path: &str, message: &str) -> Option<String> {
    let quoted = || message.split('`').nth(1).map(str::to_owned);
    if path.is_empty() || path == "." || path == "?" {
        quoted()
    } else {
        Some(path.to_owned())
    }
}

fn not_valid(field: Option<String>, message: &str) -> Problem {
    match field {
        Some(field) => Problem::invalid(&field, format!("{field}: {message}")),
        None => Problem::malformed(message),
    }
}

/// The service named by the path.
pub(crate) struct ServiceIn(pub(crate) ServiceName);

impl<S: Send + Sync> FromRequestParts<S> for ServiceIn {
    type Rejection = Box<Problem>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let NameIn(name) = NameIn::from_request_parts(parts, state).await?;
        ServiceName::new(&name)
            .map(ServiceIn)
            .map_err(|_| Box::new(Problem::unknown_service(&name)))
    }
}

/// The one name in the path.
pub(crate) struct NameIn(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for NameIn {
    type Rejection = Box<Problem>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| NameIn(name))
            .map_err(|error| Box::new(Problem::malformed(error.body_text())))
    }
}

/// A service's name from a query, where it is one.
///
/// # Errors
/// When it is no name.
pub(crate) fn service_filter(name: Option<&str>) -> Answer<Option<ServiceName>> {
    let check = |name| ServiceName::new(name).map_err(|error| Box::new(Problem::invalid("service", error.to_string())));
    name.map(check).transpose()
}

/// The longest body: an order is a few hundred bytes.
pub(crate) const MAX_BODY_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::TakeoverRequest;

    fn problem_of(text: &str) -> Problem {
        *parse_json::<TakeoverRequest>(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn an_error_names_its_field() {
        let unknown = problem_of(r#"{"reason":"x","rason":"y"}"#);
        assert_eq!((unknown.status, unknown.field.as_deref()), (422, Some("rason")));
        let missing = problem_of("{}");
        assert_eq!((missing.status, missing.field.as_deref()), (422, Some("reason")));
        let wrong = problem_of(r#"{"reason":"x","confirm_stopped":["beta",7]}"#);
        assert_eq!(
            (wrong.status, wrong.field.as_deref()),
            (422, Some("confirm_stopped[1]"))
        );
    }

    #[test]
    fn broken_json_is_malformed() {
        for text in ["{", "{\"reason\":", "{} {}", "\u{0}"] {
            assert_eq!(
                problem_of(&text.replace("{} {}", "{\"reason\":\"x\"} {}")).word(),
                "malformed",
                "{text}"
            );
        }
    }
}
