//! What a plugin can reach: each capability used once, and what came of it said.

use serde_json::Value;

use crate::Seen;
use crate::behaviour::pair;
use crate::bindings::understudy::plugin::types::{CallContext, HostError};
use crate::bindings::understudy::plugin::{clock, commands, config as settings, endpoints, sockets, system};

/// None: no such behaviour.
pub(crate) fn run(what: &str, config: &Value, _context: Option<&CallContext>) -> Option<Seen> {
    let seen = match what {
        "connect" => connect(config),
        "http" => http(config),
        "run" => command(config),
        "secret" => secret(config),
        "system" => system::read(text(config, "prefix")).map(|readings| vec![pair("readings", readings.len())]),
        "sockets" => connections(config),
        "many-connections" => many_connections(config),
        "wasi" => Ok(wasi()),
        _ => return None,
    };
    Some(seen.unwrap_or_else(refused))
}

/// The readings of a probe that was told to read them.
pub(crate) fn readings(config: &Value) -> Vec<system::Reading> {
    if config["do"] != "system" {
        return Vec::new();
    }
    system::read(text(config, "prefix")).unwrap_or_default()
}

/// Connects, waits, sends, and reads one piece.
fn connect(config: &Value) -> Result<Seen, HostError> {
    let timeout = timeout(config);
    let connection = endpoints::connect(text(config, "endpoint"), timeout)?;
    let mut seen = Seen::new();
    if let Some(pause) = config["pause-ms"].as_u64() {
        clock::sleep_ms(pause);
    }
    if let Some(send) = config["send"].as_str() {
        connection.write(send.as_bytes(), timeout)?;
    }
    if let Some(bytes) = config["send-bytes"].as_u64() {
        connection.write(&vec![b'x'; usize::try_from(bytes).unwrap_or(usize::MAX)], timeout)?;
    }
    if config["finish"] == true {
        connection.finish()?;
    }
    if config["read"] != false {
        let answer = connection.read(65_536, timeout)?;
        seen.push(pair("read", String::from_utf8_lossy(&answer)));
    }
    seen.push(pair("connected", true));
    Ok(seen)
}

fn http(config: &Value) -> Result<Seen, HostError> {
    let list = config["headers"].as_array().cloned().unwrap_or_default();
    let header = |entry: &Value| {
        (
            entry[0].as_str().unwrap_or_default().to_owned(),
            entry[1].as_str().unwrap_or_default().to_owned(),
        )
    };
    let request = endpoints::HttpRequest {
        method: config["method"].as_str().unwrap_or("GET").to_owned(),
        path: text(config, "path").to_owned(),
        headers: list.iter().map(header).collect(),
        body: text(config, "body").as_bytes().to_vec(),
    };
    let max_body = config["max-body"]
        .as_u64()
        .and_then(|max| u32::try_from(max).ok())
        .unwrap_or(65_536);
    let answer = endpoints::http(text(config, "endpoint"), &request, max_body, timeout(config))?;
    let mut seen = vec![
        pair("status", answer.status),
        pair("truncated", answer.truncated),
        pair("length", answer.body.len()),
        pair(
            "body",
            String::from_utf8_lossy(&answer.body[..answer.body.len().min(1000)]),
        ),
    ];
    seen.extend(
        answer
            .headers
            .into_iter()
            .take(20)
            .map(|(name, value)| (format!("header-{name}"), value)),
    );
    Ok(seen)
}

fn command(config: &Value) -> Result<Seen, HostError> {
    let parameters = config["parameters"].as_object().cloned().unwrap_or_default();
    let parameters: Vec<(String, String)> = parameters
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let output = commands::run(text(config, "command"), &parameters, timeout(config))?;
    let start = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned();
    Ok(vec![
        pair("exit-code", format!("{:?}", output.exit_code)),
        pair("stdout", start(&output.stdout)),
        pair("stderr", start(&output.stderr)),
        pair("length", output.stdout.len()),
        pair("truncated", output.truncated),
    ])
}

fn secret(config: &Value) -> Result<Seen, HostError> {
    let secret = settings::secret(text(config, "secret"))?;
    Ok(vec![pair("secret", String::from_utf8_lossy(&secret))])
}

fn connections(config: &Value) -> Result<Seen, HostError> {
    let listing = sockets::list_connections()?;
    let max = config["page"]
        .as_u64()
        .and_then(|max| u32::try_from(max).ok())
        .unwrap_or(4096);
    let mut seen = vec![pair("total", listing.total())];
    let (mut pages, mut listed) = (0, 0);
    loop {
        let page = listing.next(max);
        if page.is_empty() {
            break;
        }
        pages += 1;
        for connection in page {
            listed += 1;
            // Evidence has room for some: the rest is counted.
            if listed <= 8 {
                let attributes: serde_json::Map<String, Value> = connection
                    .attributes
                    .into_iter()
                    .map(|(key, value)| (key, value.into()))
                    .collect();
                let entry = serde_json::json!({
                    "local": connection.local, "remote": connection.remote, "state": connection.state,
                    "receive-queue": connection.receive_queue, "send-queue": connection.send_queue,
                    "attributes": attributes,
                });
                seen.push((format!("connection-{listed}"), entry.to_string()));
            }
        }
    }
    seen.extend([pair("pages", pages), pair("listed", listed)]);
    Ok(seen)
}

/// Opens connections until the host says no, then closes one and tries once more.
fn many_connections(config: &Value) -> Result<Seen, HostError> {
    let mut open = Vec::new();
    let refused = loop {
        match endpoints::connect(text(config, "endpoint"), timeout(config)) {
            Ok(connection) => open.push(connection),
            Err(refused) => break refused,
        }
        if open.len() > 1000 {
            break HostError {
                code: "none".to_owned(),
                message: String::new(),
                hint: None,
            };
        }
    };
    let opened = open.len();
    open.pop();
    let again = endpoints::connect(text(config, "endpoint"), timeout(config)).is_ok();
    Ok(vec![
        pair("opened", opened),
        pair("refused", refused.code),
        pair("again", again),
    ])
}

/// What WASI alone gives: it must be nothing.
fn wasi() -> Seen {
    vec![
        pair("environment", std::env::vars().count()),
        pair("arguments", std::env::args().count()),
        pair("root", format!("{:?}", std::fs::read_dir("/").map(|_| "open"))),
        pair("passwd", format!("{:?}", std::fs::read("/etc/passwd").map(|_| "open"))),
        pair("write", format!("{:?}", std::fs::write("x", "y").map(|()| "written"))),
        pair(
            "stdin",
            std::io::Read::read(&mut std::io::stdin(), &mut [0; 8]).unwrap_or(usize::MAX),
        ),
    ]
}

fn refused(error: HostError) -> Seen {
    let mut seen = vec![("error".to_owned(), error.code), ("message".to_owned(), error.message)];
    seen.extend(error.hint.map(|hint| ("hint".to_owned(), hint)));
    seen
}

fn text<'a>(config: &'a Value, name: &str) -> &'a str {
    config[name].as_str().unwrap_or_default()
}

fn timeout(config: &Value) -> u32 {
    config["timeout-ms"]
        .as_u64()
        .and_then(|ms| u32::try_from(ms).ok())
        .unwrap_or(5_000)
}
