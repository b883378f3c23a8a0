//! `[[service.plugin]]`: a component, what it is granted, and what the names that it uses stand for here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;
use understudy_runtime::{Ask, CommandSpec, Pattern};

use super::reader::Table;
use super::value::{self, Wrong, word};

/// One plugin of one service.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// The component's file: absolute, or in `host.plugin_dir`.
    pub component: PathBuf,
    /// SHA-256 of the component, in lower-case hex, where the operator pinned it.
    pub digest: Option<String>,
    /// What the operator grants.
    pub grants: BTreeSet<Ask>,
    /// Paths on the disks of its `system` readings.
    pub disks: Vec<PathBuf>,
    /// Given to the plugin with its target.
    pub attributes: BTreeMap<String, String>,
    /// The plugin's own configuration: a JSON object.
    pub config: serde_json::Value,
    /// What endpoints' names stand for.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What commands' names stand for.
    pub commands: BTreeMap<String, CommandSpec>,
    /// The files of secrets, by name.
    pub secrets: BTreeMap<String, PathBuf>,
}

/// Where an endpoint is. Certificates are read when the plugin's target is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP port: `host:port`.
    Tcp(String),
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP port that speaks TLS.
    Tls {
        /// `host:port`.
        address: String,
        /// The name that the server's certificate must carry.
        server_name: String,
        /// PEM file of the authorities; none: those of the machine.
        ca_file: Option<PathBuf>,
        /// PEM files of the client's certificate and key, where the server asks.
        client: Option<(PathBuf, PathBuf)>,
    },
}

impl Plugin {
    /// Where the component's file is.
    pub fn path_in(&self, plugin_dir: &Path) -> PathBuf {
        // An absolute path replaces the folder.
        plugin_dir.join(&self.component)
    }

    /// The component's name for people: the file's name without its ending.
    pub fn name(&self) -> String {
        self.component
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }
}

/// Reads all plugins of a service; none when one of them can't be read or there is none.
pub(super) fn plugins(service: &Table<'_>) -> Option<Vec<Plugin>> {
    let tables = service.tables("plugin", 0);
    if tables.is_empty() {
        service.require("plugin", "add [[service.plugin]] with component = \"redis.wasm\"");
        return None;
    }
    let plugins: Vec<Option<Plugin>> = tables.iter().map(plugin).collect();
    plugins.into_iter().collect()
}

fn plugin(table: &Table<'_>) -> Option<Plugin> {
    let component = table.required(
        "component",
        "\"redis.wasm\" (in host.plugin_dir, or an absolute path)",
        value::text,
    );
    let (endpoints, commands) = (table.named_tables("endpoints"), table.named_tables("commands"));
    let secrets = table.named_tables("secrets");
    let declared = |ask: &Ask| match ask {
        Ask::Endpoint(name) => names(&endpoints).contains(&name.as_str()),
        Ask::Command(name) => names(&commands).contains(&name.as_str()),
        Ask::Secret(name) => names(&secrets).contains(&name.as_str()),
        Ask::Sockets | Ask::System => true,
    };
    let grants = table.list("grant", |value| {
        let ask = ask(value)?;
        if declared(&ask) { Ok(ask) } else { Err(undeclared(&ask)) }
    });
    let plugin = Plugin {
        digest: table.optional("digest", digest),
        grants: grants.into_iter().collect(),
        disks: table.list("disks", value::path),
        attributes: table.named("attributes", value::text),
        config: table
            .optional("config", object)
            .unwrap_or_else(|| serde_json::json!({})),
        endpoints: named(endpoints, endpoint),
        commands: named(commands, command),
        secrets: named(secrets, secret),
        component: PathBuf::new(),
    };
    table.finish();
    Some(Plugin {
        component: component?.into(),
        ..plugin
    })
}

fn names<'a>(tables: &'a [(String, Table<'_>)]) -> Vec<&'a str> {
    tables.iter().map(|(name, _)| name.as_str()).collect()
}

fn undeclared(ask: &Ask) -> Wrong {
    let add = match ask {
        Ask::Endpoint(name) => format!("add [service.plugin.endpoints.{name}] with tcp = \"127.0.0.1:6379\""),
        Ask::Command(name) => format!("add [service.plugin.commands.{name}] with argv = [\"/usr/bin/…\"]"),
        Ask::Secret(name) => format!("add [service.plugin.secrets.{name}] with file = \"/etc/understudy/…\""),
        Ask::Sockets | Ask::System => String::new(),
    };
    Wrong::new(format!("{ask} is granted, and nothing of that name is declared")).mend(add)
}

fn named<T>(tables: Vec<(String, Table<'_>)>, read: impl Fn(&Table<'_>) -> Option<T>) -> BTreeMap<String, T> {
    tables
        .iter()
        .filter_map(|(name, table)| Some((name.clone(), read(table)?)))
        .collect()
}

fn endpoint(table: &Table<'_>) -> Option<Endpoint> {
    let tcp = table.optional("tcp", value::host_port);
    let unix = table.optional("unix", value::path);
    let tls = table.optional("tls", value::host_port);
    let server_name = table.optional("server_name", value::text);
    let ca_file = table.optional("ca_file", value::path);
    let cert_file = table.optional("cert_file", value::path);
    let key_file = table.optional("key_file", value::path);
    table.finish();

    let kinds = ["tcp", "unix", "tls"].iter().filter(|kind| table.has(kind)).count();
    let problem = |key, message: &str, mend: &str| table.notes().problem(table.problem(key, message).mend(mend));
    if kinds != 1 {
        problem(
            "",
            "an endpoint is one of `tcp`, `unix` and `tls`",
            "write one of them, like tcp = \"127.0.0.1:6379\"",
        );
        return None;
    }
    if !table.has("tls") {
        for key in ["server_name", "ca_file", "cert_file", "key_file"] {
            if table.has(key) {
                problem(
                    key,
                    &format!("`{key}` belongs to a `tls` endpoint"),
                    "write tls = \"host:port\" instead, or remove it",
                );
            }
        }
    }
    if let Some(address) = tls {
        if table.has("cert_file") != table.has("key_file") {
            problem(
                "cert_file",
                "`cert_file` and `key_file` belong together",
                "write both, or neither",
            );
        }
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let server_name = server_name.unwrap_or_else(|| host.trim_matches(['[', ']']).to_owned());
        return Some(Endpoint::Tls {
            address,
            server_name,
            ca_file,
            client: cert_file.zip(key_file),
        });
    }
    tcp.map(Endpoint::Tcp).or(unix.map(Endpoint::Unix))
}

fn command(table: &Table<'_>) -> Option<CommandSpec> {
    let patterns = [
        ("word", Pattern::Word),
        ("number", Pattern::Number),
        ("path", Pattern::Path),
        ("host-port", Pattern::HostPort),
    ];
    let argv = table.required("argv", "[\"/usr/bin/systemctl\", \"start\", \"redis\"]", value::argv);
    let spec = CommandSpec {
        argv: Vec::new(),
        parameters: table.named("parameters", &word(&patterns)),
        timeout: table.optional("timeout", value::duration).unwrap_or(COMMAND_TIMEOUT),
        env: table.named("env", value::text),
        cwd: table.optional("cwd", value::path),
        // Unless it is said to be harmless it is fenced.
        changes: table.optional("changes", value::flag).unwrap_or(true),
    };
    table.finish();
    let spec = CommandSpec { argv: argv?, ..spec };
    match spec.check() {
        Ok(()) => Some(spec),
        Err(error) => {
            table.notes().problem(table.problem("argv", format!("`argv`: {error}")));
            None
        }
    }
}

fn secret(table: &Table<'_>) -> Option<PathBuf> {
    let file = table.required("file", "\"/etc/understudy/redis.password\"", value::path);
    table.finish();
    file
}

fn ask(value: &DeValue<'_>) -> Result<Ask, Wrong> {
    value::text(value)?
        .parse()
        .map_err(|error: understudy_runtime::BadAsk| Wrong::new(error.to_string()))
}

fn digest(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = value::text(value)?;
    let hex = text
        .strip_prefix("sha256:")
        .filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    match hex {
        Some(hex) => Ok(hex.to_ascii_lowercase()),
        None => Err(Wrong::new("this is no digest").mend("write \"sha256:\" and what `sha256sum FILE` prints")),
    }
}

fn object(value: &DeValue<'_>) -> Result<serde_json::Value, Wrong> {
    match value {
        DeValue::Table(_) => value::json(value),
        _ => Err(Wrong::kind("a table", value)),
    }
}

/// Longer than any healthy service manager needs to answer.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
