//! Against other web sites: a page of another origin, or a name that was made to point here, must not give orders.
//!
//! Invariant: tools that are no browsers send none of these headers and are not touched.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Guard;
use crate::wire::Problem;

/// Refuses requests for another host name while the API listens on loopback (DNS rebinding). A request without any
/// name comes from a tool, not from a browser, and passes.
pub(crate) async fn require_local_host(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (Some(names), Some(host)) = (&guard.local_names, host_of(&request)) else {
        return next.run(request).await;
    };
    match host.parse::<Authority>() {
        Ok(authority) if is_local(authority.host(), names) => next.run(request).await,
        Ok(_) | Err(_) => Problem::wrong_host(&host).into_response(),
    }
}

fn is_local(host: &str, names: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    is_loopback || host == "localhost" || names.contains(&host)
}

/// Refuses changes that a browser sends for a page of another origin.
pub(crate) async fn require_own_origin(request: Request, next: Next) -> Response {
    if !changes(request.method()) {
        return next.run(request).await;
    }
    match foreign(&request) {
        Some(because) => Problem::foreign(because).into_response(),
        None => next.run(request).await,
    }
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Why a request is from another site, if it is.
fn foreign(request: &Request) -> Option<String> {
    let site = text(request.headers(), "sec-fetch-site");
    if let Some(site) = site.filter(|site| !matches!(*site, "same-origin" | "none")) {
        return Some(format!(
            "the browser says that this request is {site}; open this host's own page instead"
        ));
    }
    let origin = request.headers().get(header::ORIGIN)?.to_str().unwrap_or("?");
    let own = host_of(request);
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let same = authority
        .zip(own.as_deref())
        .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
    let because = || format!("the request comes from {origin}, not from this host's page; a proxy must pass `Host` on");
    (!same).then(because)
}

fn host_of(request: &Request) -> Option<String> {
    let header = request
        .headers()
        .get(header::HOST)
        .map(|value| value.to_str().unwrap_or("?").to_owned());
    header.or_else(|| request.uri().authority().map(ToString::to_string))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_many_names() {
        for host in ["127.0.0.1", "127.9.9.9", "[::1]", "LOCALHOST", "[::ffff:127.0.0.1]"] {
            assert!(is_local(host, &[]), "{host}");
        }
        for host in [
            "192.0.2.1",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
        ] {
            assert!(!is_local(host, &[]), "{host}");
        }
        assert!(is_local("UI.example", &["ui.example".to_owned()]));
    }
}
