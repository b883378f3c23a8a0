//! A small REST client, as an operator's script would be.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::said::{Compilation, HostView, JournalLine, Page, RequestLine, ServiceView, Takeover};

/// A daemon answers at once; orders wait for the machine for a few seconds at most.
const PATIENCE: Duration = Duration::from_secs(15);

/// The longest list in one answer.
const PAGE: u32 = 1000;

/// One host's REST interface.
#[derive(Debug, Clone)]
pub struct Rest {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    token: Option<String>,
}

/// An error answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// The refusal's code, for orders.
    pub refusal: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.detail, self.status)
    }
}

impl std::error::Error for Problem {}

impl Rest {
    /// The interface that listens there.
    pub fn at(address: SocketAddr) -> Rest {
        Rest {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
            token: None,
        }
    }

    /// The same, with the token that it asks for.
    pub fn with_token(mut self, token: Option<String>) -> Rest {
        self.token = token;
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the daemon is ready for work; an error is no answer.
    pub async fn is_ready(&self) -> Result<bool> {
        Ok(self.send(Method::GET, "/readyz", None).await?.status().is_success())
    }

    /// The host's own view of itself.
    pub async fn own_view(&self) -> Result<HostView> {
        let hosts: Vec<HostView> = self.get("/api/v1/hosts").await?;
        hosts.into_iter().next().context("a host lists itself first")
    }

    /// The host's own view of a service.
    pub async fn service(&self, service: &str) -> Result<ServiceView> {
        let found = self
            .own_view()
            .await?
            .services
            .into_iter()
            .find(|s| s.service == service);
        found.with_context(|| format!("{} knows no service {service}", self.address))
    }

    /// The whole journal, oldest line first.
    pub async fn journal(&self) -> Result<Vec<JournalLine>> {
        self.journal_after(0).await
    }

    /// The journal's lines after this one, oldest first.
    pub async fn journal_after(&self, seq: u64) -> Result<Vec<JournalLine>> {
        let mut lines: Vec<JournalLine> = Vec::new();
        loop {
            let after = lines.last().map_or(seq, |line| line.seq);
            let page: Vec<JournalLine> = self.get(&format!("/api/v1/journal?after={after}&limit={PAGE}")).await?;
            if page.is_empty() {
                return Ok(lines);
            }
            lines.extend(page);
        }
    }

    /// All takeovers of a service, newest first.
    pub async fn takeovers(&self, service: &str) -> Result<Vec<Takeover>> {
        self.pages(&format!("/api/v1/takeovers?service={service}")).await
    }

    /// All compilations of a service, newest first.
    pub async fn compilations(&self, service: &str) -> Result<Vec<Compilation>> {
        self.pages(&format!("/api/v1/compilations?service={service}")).await
    }

    /// All requests of a compilation.
    pub async fn requests(&self, round: &str) -> Result<Vec<RequestLine>> {
        self.pages(&format!("/api/v1/compilations/{round}/requests?")).await
    }

    /// Starts a service for the first time, there.
    pub async fn bootstrap(&self, service: &str) -> Result<()> {
        self.order(service, "bootstrap", json!({ "by": "demo" })).await
    }

    /// Moves a service.
    pub async fn takeover(&self, service: &str, to: Option<&str>, reason: &str) -> Result<()> {
        self.order(service, "takeover", json!({ "to": to, "reason": reason, "by": "demo" }))
            .await
    }

    /// Moves a service home.
    pub async fn giveback(&self, service: &str) -> Result<()> {
        self.order(service, "giveback", json!({ "by": "demo" })).await
    }

    /// Says that the host's fault is cured.
    pub async fn cure(&self, service: &str) -> Result<()> {
        self.order(service, "cure", json!({ "by": "demo" })).await
    }

    /// Gives an order; a refusal is a [`Problem`].
    pub async fn order(&self, service: &str, order: &str, body: Value) -> Result<()> {
        let path = format!("/api/v1/services/{service}/{order}");
        let answer = self.send(Method::POST, &path, Some(body)).await?;
        self.read::<Value>(answer, &path).await.map(drop)
    }

    /// Ends a pause of a service; a refusal is a [`Problem`].
    pub async fn end_pause(&self, service: &str) -> Result<()> {
        let path = format!("/api/v1/services/{service}/pause");
        let answer = self.send(Method::DELETE, &path, Some(json!({ "by": "demo" }))).await?;
        self.read::<Value>(answer, &path).await.map(drop)
    }

    /// Any answer, as JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.send(Method::GET, path, None).await?;
        self.read(answer, path).await
    }

    async fn pages<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let from = cursor.map(|c| format!("&cursor={c}")).unwrap_or_default();
            let page: Page<T> = self
                .get(&format!("{path}&limit={PAGE}{from}").replace("?&", "?"))
                .await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response<Incoming>, path: &str) -> Result<T> {
        let status = answer.status();
        let body = tokio::time::timeout(PATIENCE, answer.into_body().collect())
            .await??
            .to_bytes();
        if !status.is_success() {
            match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => return Err(problem.into()),
                Err(_) => bail!("{}{path}: {status}: {}", self.address, String::from_utf8_lossy(&body)),
            }
        }
        serde_json::from_slice(&body).with_context(|| {
            format!(
                "{}{path} answered what is not expected: {}",
                self.address,
                String::from_utf8_lossy(&body)
            )
        })
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Response<Incoming>> {
        let body = body.map(|b| Bytes::from(b.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        let request = match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let request = request.body(Full::new(body))?;
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let answer = answer.with_context(|| format!("{}{path} does not answer", self.address))?;
        answer.with_context(|| format!("asking {}{path}", self.address))
    }
}
