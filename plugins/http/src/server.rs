//! Asks the server, and the host about it.

use understudy_plugin::host::{self, sockets::ConnectionInfo};
use understudy_plugin::prelude::*;

use crate::config::{Action, Config};
use crate::document;
use crate::findings::Health;

/// A list of 100,000 requests takes about 4 MB, the most that the host reads of one answer.
const MAX_LIST: u32 = 4 << 20;
const PAGE: u32 = 1024;

/// What a client would see.
pub(crate) fn health(config: &Config) -> Result<Health, PluginError> {
    let mut request = http::get("server", &config.health_path)
        .timeout_ms(config.timeout_ms)
        .max_body(1024);
    if let Some(host) = &config.health_host {
        request = request.header("host", host);
    }
    match request.send() {
        Ok(answer) => Ok(Health::Status(answer.status)),
        Err(error) => match error.code.as_str() {
            "unreachable" => Ok(Health::Gone(error.message)),
            "not-granted" | "unknown-name" | "fenced" => Err(error.into()),
            _ => Ok(Health::Silent(error.message)),
        },
    }
}

/// How many requests the server says it is working on; none where it can't say.
pub(crate) fn in_flight(config: &Config) -> Result<Option<u64>, PluginError> {
    let Some(in_flight) = &config.in_flight else {
        return Ok(None);
    };
    let Some(answer) = ask(config, "GET", &in_flight.path, Vec::new())? else {
        return Ok(Some(0));
    };
    let count = document::number(&answer.body, &in_flight.pointer)?;
    Ok(Some(count.saturating_sub(u64::from(in_flight.counts_itself))))
}

/// The requests that the server lists; none where it can't.
pub(crate) fn requests(config: &Config) -> Result<Option<Vec<RequestStatus>>, PluginError> {
    let Some(path) = &config.requests_path else {
        return Ok(None);
    };
    match ask(config, "GET", path, Vec::new())? {
        Some(answer) if answer.truncated => Err(PluginError::permanent(
            "too-large",
            format!("the answer of {path} is too long"),
        )),
        Some(answer) => document::requests(&answer.body).map(Some),
        None => Ok(Some(Vec::new())),
    }
}

/// Does what the operator configured; nothing where the server is gone.
pub(crate) fn act(config: &Config, action: &Action, body: Vec<u8>) -> Result<Option<http::Response>, PluginError> {
    ask(config, &action.method, &action.path, body)
}

/// One request to `admin`, or to `server` where there is no `admin`; none where nothing listens.
fn ask(config: &Config, method: &str, path: &str, body: Vec<u8>) -> Result<Option<http::Response>, PluginError> {
    let token = host::secret("token")?;
    let send = |endpoint: &str| {
        let mut request = http::Request::new(method, endpoint, path)
            .timeout_ms(config.timeout_ms)
            .max_body(MAX_LIST);
        if let Some(token) = &token {
            request = request.header("authorization", &format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.clone());
        }
        request.send()
    };
    let answer = match send("admin") {
        Err(error) if host::is_absent(&error) => send("server"),
        answer => answer,
    };
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(Some(answer)),
        Ok(answer) => {
            let message = format!("the server answers {} to {method} {path}", answer.status);
            Err(PluginError::retryable("bad-answer", message).seen("http-status", answer.status))
        }
        Err(error) if error.code == "unreachable" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Every connection of the service's ports; none where the operator granted no look at them.
pub(crate) fn connections() -> Result<Option<Vec<ConnectionInfo>>, PluginError> {
    let listing = match sockets::list_connections() {
        Ok(listing) => listing,
        Err(error) if host::is_absent(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut connections = Vec::new();
    loop {
        let page = listing.next(PAGE);
        if page.is_empty() {
            return Ok(Some(connections));
        }
        connections.extend(page);
    }
}

/// Whether anything listens where the service is.
pub(crate) fn listens() -> Result<bool, PluginError> {
    match Stream::connect("server", 1_000) {
        Ok(_) => Ok(true),
        Err(error) if error.code == "unreachable" => Ok(false),
        Err(error) if error.code == "timed-out" => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The readings of the disks; nothing where the operator granted no look at them.
pub(crate) fn disk_readings() -> Result<Vec<system::Reading>, PluginError> {
    match system::read("disk.") {
        Ok(readings) => Ok(readings),
        Err(error) if host::is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
