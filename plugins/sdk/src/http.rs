//! One HTTP request to a named endpoint.

use serde::de::DeserializeOwned;

use crate::HostError;
use crate::host::endpoints;

/// How long a request may take unless the plugin says otherwise: a status page that needs longer is worth a fault.
const TIMEOUT_MS: u32 = 2_000;
/// How much of the answer is read unless the plugin says otherwise.
const MAX_BODY: u32 = 64 * 1024;

/// A `GET` of `path` (with its query, beginning with `/`) at the endpoint `name`.
pub fn get(name: &str, path: &str) -> Request {
    Request::new("GET", name, path)
}

/// A request that has not been sent.
#[derive(Debug, Clone)]
pub struct Request {
    endpoint: String,
    request: endpoints::HttpRequest,
    timeout_ms: u32,
    max_body: u32,
}

impl Request {
    /// A request with this method.
    pub fn new(method: &str, name: &str, path: &str) -> Self {
        let request = endpoints::HttpRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        Self {
            endpoint: name.to_owned(),
            request,
            timeout_ms: TIMEOUT_MS,
            max_body: MAX_BODY,
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.request.body = body;
        self
    }

    /// With this time for the whole of it, in milliseconds.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }

    /// Reading at most this much of the answer.
    #[must_use]
    pub fn max_body(mut self, bytes: u32) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// What the host says. An answer of any status is not an error.
    pub fn send(self) -> Result<Response, HostError> {
        let answer = endpoints::http(&self.endpoint, &self.request, self.max_body, self.timeout_ms)?;
        Ok(Response {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
            truncated: answer.truncated,
        })
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, as they came.
    pub headers: Vec<(String, String)>,
    /// The body, at most as much as was asked for.
    pub body: Vec<u8>,
    /// Whether the body was longer.
    pub truncated: bool,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Where it is not, or does not fit the type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
