//! Asks a running daemon, over REST. One connection a question: nothing to keep alive, nothing to time out between.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use understudy_api::wire::Problem;

use super::args::Daemon;
use super::failure::Failure;
use super::out::plain;
use crate::config::{self, Api};
use crate::exit::Exit;

/// A daemon's address, and the token for it.
pub(super) struct Client {
    authority: String,
    token: Option<String>,
}

/// An answer: its status, and its body while nobody has read it.
pub(super) struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Client {
    /// Finds the daemon: said on the command line, or in the configuration, or where it is by default.
    pub(super) fn find(daemon: &Daemon) -> Result<Self, Failure> {
        let api = config::api_of(&daemon.config);
        let url = match (&daemon.url, &api) {
            (Some(url), _) => url.clone(),
            (None, Some(api)) => format!("http://{}", reachable(api)),
            (None, None) => DEFAULT_URL.to_owned(),
        };
        let configured = api.and_then(|api| api.token_file).filter(|_| daemon.url.is_none());
        let token_file = daemon.token_file.clone().or(configured);
        let token = token_file.map(|path| read_token(&path)).transpose()?;
        Ok(Client {
            authority: authority(&url)?,
            token,
        })
    }

    /// The answer to a question, decoded.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, None).await?.decode()
    }

    /// As [`Client::get`]; none where there is no such thing.
    pub(super) async fn find_one<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let answer = self.ask(Method::GET, path, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            Ok(None)
        } else {
            answer.decode().map(Some)
        }
    }

    /// Gives an order.
    pub(super) async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(Failure::failed)?;
        self.ask(Method::POST, path, Some(body)).await?.decode()
    }

    /// Ends something.
    pub(super) async fn delete<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(Failure::failed)?;
        self.ask(Method::DELETE, path, Some(body)).await?.decode()
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer, Failure> {
        let asked = tokio::time::timeout(ANSWER_PATIENCE, self.exchange(method, path, body)).await;
        asked.unwrap_or_else(|_| Err(self.unreachable(&format!("no answer within {ANSWER_PATIENCE:?}"))))
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer, Failure> {
        let connect = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(&self.authority)).await;
        let stream = match connect {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.unreachable(&error)),
            Err(_) => return Err(self.unreachable(&format!("no connection within {CONNECT_PATIENCE:?}"))),
        };
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.unreachable(&error))?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(Failure::failed)?;
        let answer = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
            let body = body.map_err(|error| self.unreachable(&error))?.to_bytes();
            Ok(Answer { status, body })
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The connection may end as soon as the answer is there; then the answer is all that is left to take.
            _ = connection => answer.await,
        }
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> Failure {
        let message = format!(
            "the daemon at {} can't be reached: {why}\nIs it running (`systemctl status understudy`)? Another one: --url \
             http://HOST:PORT",
            self.authority
        );
        Failure::new(Exit::Unreachable, message)
    }
}

impl Answer {
    fn decode<T: DeserializeOwned>(self) -> Result<T, Failure> {
        if !self.status.is_success() {
            return Err(self.failure());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let version = env!("CARGO_PKG_VERSION");
            Failure::failed(format!(
                "the answer can't be read ({error}); is the daemon of another version than {version}?"
            ))
        })
    }

    fn failure(&self) -> Failure {
        let Ok(problem) = serde_json::from_slice::<Problem>(&self.body) else {
            return Failure::failed(format!("the daemon answers with {}", self.status));
        };
        let mut message = plain(&problem.detail);
        if let Some(change) = problem
            .would_change
            .filter(|change| !problem.detail.contains(change.as_str()))
        {
            message.push_str(&format!("\nWould change the answer: {}", plain(&change)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            message.push_str("\nSay where the token is: --token-file FILE");
        }
        if self.status == StatusCode::NOT_FOUND {
            message.push_str("\nWhat there is: `understudy status`");
        }
        Failure::failed(message)
    }
}

/// Text as one part of a path or a query.
pub(super) fn part(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// `?a=1&b=2` of the pairs that have a value.
pub(super) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let given = pairs
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", part(value.as_ref()?))));
    let given: Vec<String> = given.collect();
    if given.is_empty() {
        String::new()
    } else {
        format!("?{}", given.join("&"))
    }
}

/// Where a daemon that listens everywhere is found on its own machine.
fn reachable(api: &Api) -> std::net::SocketAddr {
    let mut address = api.listen;
    if address.ip().is_unspecified() {
        let here = if address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        };
        address.set_ip(here);
    }
    address
}

fn authority(url: &str) -> Result<String, Failure> {
    let usage = |why: &str| {
        Failure::new(
            Exit::Usage,
            format!("{url:?} is no daemon's address: {why}; write http://HOST:PORT"),
        )
    };
    let with_scheme = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let uri: Uri = with_scheme.parse().map_err(|_| usage("it can't be read"))?;
    if uri.scheme_str() != Some("http") {
        return Err(usage("only http is spoken (use ssh -L for another machine)"));
    }
    let host = uri
        .host()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| usage("it names no host"))?;
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(DEFAULT_PORT)))
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path);
    let text =
        text.map_err(|error| Failure::failed(format!("the token in {} can't be read: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}

const DEFAULT_PORT: u16 = 7420;
const DEFAULT_URL: &str = "http://127.0.0.1:7420";
/// Longer than any network that an operator would call one.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The daemon may ask another host before it answers an order.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// A page of 1000 requests with all their attributes is a few megabytes.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (url, expected) in [
            ("http://127.0.0.1:7420", "127.0.0.1:7420"),
            ("http://alpha", "alpha:7420"),
            ("alpha:1234", "alpha:1234"),
            ("http://[::1]:7420/", "[::1]:7420"),
        ] {
            assert_eq!(authority(url).unwrap(), expected, "{url}");
        }
        for bad in ["https://alpha:7420", "http://", "not a url", "ftp://x"] {
            assert_eq!(authority(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(query(&[("a", None)]), "");
        assert_eq!(
            query(&[("a", Some("x y&z".into())), ("b", None), ("c", Some("ü".into()))]),
            "?a=x%20y%26z&c=%C3%BC"
        );
    }
}
