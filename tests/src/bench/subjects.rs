//! The ways to ask a Redis whether it is well, and what each needs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use understudy_protocol::{HostName, ServiceName, Term, Verdict};
use understudy_runtime::{
    CallContext, Endpoint, Expectation, Limits, Plugin, Runtime, RuntimeConfig, SavedState, Target,
};

use crate::servers::{RedisServer, free_ports};

/// One way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The Redis plugin with all that the demo grants: Redis, the data's disk, the machine's memory.
    RedisPlugin,
    /// The Redis plugin with nothing granted but Redis.
    RedisPluginMinimal,
    /// The example in C: connects, sends PING, reads PONG.
    CPlugin,
    /// A call of a plugin that does nothing: `check-config` of an empty configuration.
    EmptyCall,
    /// The same as the C plugin, written into the host.
    NativePing,
    /// PING and INFO, written into the host: what the Redis plugin reads.
    NativeInfo,
    /// What a check script does.
    Shell,
    /// The same command without a shell.
    Command,
}

impl Subject {
    /// In the order in which they take turns.
    pub const ALL: [Subject; 8] = [
        Subject::RedisPlugin,
        Subject::Shell,
        Subject::CPlugin,
        Subject::NativePing,
        Subject::EmptyCall,
        Subject::RedisPluginMinimal,
        Subject::Command,
        Subject::NativeInfo,
    ];

    /// What it is called in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Subject::RedisPlugin => "redis-plugin",
            Subject::RedisPluginMinimal => "redis-plugin-minimal",
            Subject::CPlugin => "c-plugin",
            Subject::EmptyCall => "empty-call",
            Subject::NativePing => "native-ping",
            Subject::NativeInfo => "native-info",
            Subject::Shell => "shell",
            Subject::Command => "command",
        }
    }

    /// What it is called in the table.
    pub fn label(self) -> &'static str {
        match self {
            Subject::RedisPlugin => "Redis plugin, the demo's grants",
            Subject::RedisPluginMinimal => "Redis plugin, endpoint only",
            Subject::CPlugin => "C plugin, PING",
            Subject::EmptyCall => "a plugin call that does nothing",
            Subject::NativePing => "native Rust, PING",
            Subject::NativeInfo => "native Rust, PING and INFO",
            Subject::Shell => "sh -c 'redis-cli ping'",
            Subject::Command => "redis-cli ping, no shell",
        }
    }

    /// The same questions asked by the host itself.
    pub fn native(self) -> Subject {
        match self {
            Subject::RedisPlugin | Subject::RedisPluginMinimal | Subject::NativeInfo => Subject::NativeInfo,
            Subject::CPlugin | Subject::EmptyCall | Subject::NativePing | Subject::Shell | Subject::Command => {
                Subject::NativePing
            }
        }
    }

    /// Whether each check starts a process: dear enough that a tenth of the checks give as good a figure.
    pub fn starts_a_process(self) -> bool {
        matches!(self, Subject::Shell | Subject::Command)
    }
}

/// A Redis, the plugins, and their targets. The server ends with it.
pub struct Bench {
    server: RedisServer,
    pid: u32,
    redis: Watched,
    redis_minimal: Watched,
    c: Watched,
    /// Last: everything above has its files there.
    _folder: TempDir,
}

/// A plugin and what it looks after.
struct Watched {
    plugin: Arc<Plugin>,
    target: Arc<Target>,
    /// What the last check kept for the next.
    state: Mutex<Option<SavedState>>,
}

impl Bench {
    /// Starts the server and loads the plugins from the folder.
    ///
    /// # Errors
    /// When Redis is not installed or the plugins are not built.
    pub async fn start(plugins: &Path) -> Result<Bench> {
        let folder = tempfile::tempdir().context("making a folder for the server")?;
        let runtime = Runtime::new(RuntimeConfig {
            cache_dir: folder.path().join("compiled"),
            limits: Limits::default(),
        })?;
        let load = async |name: &str| {
            let loaded = runtime.load(&plugins.join(name)).await;
            loaded.with_context(|| "the plugins must be built first: make plugins")
        };
        let (redis, c) = (load("redis.wasm").await?, load("c-tcp.wasm").await?);

        let data = folder.path().join("data");
        let [port] = free_ports()?;
        let server = RedisServer::configure(&folder.path().join("redis"), &data, (Ipv4Addr::LOCALHOST, port))?;
        let pid = server.start()?.pid;
        let address = server.address();
        Ok(Bench {
            pid,
            redis: Watched::new(&redis, as_in_the_demo(address, &data)?),
            redis_minimal: Watched::new(&redis, minimal(address, "redis")?),
            c: Watched::new(&c, in_c(address)?),
            server,
            _folder: folder,
        })
    }

    /// The server's process.
    pub(super) fn server(&self) -> u32 {
        self.pid
    }

    /// One check.
    ///
    /// # Errors
    /// When it does not find the server well.
    pub async fn check(&self, subject: Subject) -> Result<()> {
        let address = self.server.address();
        match subject {
            Subject::RedisPlugin => self.redis.check().await,
            Subject::RedisPluginMinimal => self.redis_minimal.check().await,
            Subject::CPlugin => self.c.check().await,
            Subject::EmptyCall => {
                let found = self.redis.plugin.check_config("{}").await?;
                ensure!(found.is_empty(), "the empty configuration is refused: {found:?}");
                Ok(())
            }
            Subject::NativePing => native(address, false),
            Subject::NativeInfo => native(address, true),
            Subject::Shell => {
                let line = format!("redis-cli -p {} ping", address.port());
                pongs(Command::new("/bin/sh").args(["-c", &line]))
            }
            Subject::Command => pongs(Command::new("redis-cli").args(["-p", &address.port().to_string(), "ping"])),
        }
        .with_context(|| format!("{}: a check failed", subject.label()))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Err(error) = self.server.stop() {
            eprintln!("bench-probe: {error:#}");
        }
    }
}

impl Watched {
    fn new(plugin: &Arc<Plugin>, target: Target) -> Watched {
        Watched {
            plugin: plugin.clone(),
            target: Arc::new(target),
            state: Mutex::default(),
        }
    }

    async fn check(&self) -> Result<()> {
        let mut context = CallContext::new(Term(1), Expectation::Serving, PATIENCE);
        context.state = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        let report = self.plugin.check(&self.target, context).await?;
        if report.verdict != Verdict::Healthy {
            bail!("the plugin finds the server {:?}: {:?}", report.verdict, report.faults);
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = report.state;
        Ok(())
    }
}

/// What the demo's configuration gives it. The memory's bound is off: how full this machine is does not matter here.
fn as_in_the_demo(address: SocketAddr, data: &Path) -> Result<Target> {
    let mut target = minimal(address, "redis")?;
    for ask in [
        "endpoint:peer",
        "command:start",
        "command:start-replica",
        "command:status",
        "system",
        "sockets",
    ] {
        target.granted.insert(ask.parse()?);
    }
    target.disks = vec![data.to_owned()];
    target.ports = vec![address.port()];
    target.config = serde_json::json!({
        "disk-path": data,
        "min-disk-free-bytes": 0,
        "min-memory-free-ratio": 0.0,
        "addresses": { HOST: address },
    })
    .to_string();
    Ok(target)
}

fn in_c(address: SocketAddr) -> Result<Target> {
    let mut target = minimal(address, "tcp")?;
    target.config = serde_json::json!({"send": "PING\r\n", "expect": "+PONG"}).to_string();
    Ok(target)
}

fn minimal(address: SocketAddr, server_type: &str) -> Result<Target> {
    let mut target = Target::new(ServiceName::new("measured")?, server_type, HostName::new(HOST)?);
    target.granted.insert("endpoint:server".parse()?);
    let endpoint = Endpoint::Tcp {
        address: address.to_string(),
    };
    target.endpoints.insert("server".to_owned(), endpoint);
    Ok(target)
}

fn native(address: SocketAddr, wants_info: bool) -> Result<()> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.get_mut().write_all(b"*1\r\n$4\r\nPING\r\n")?;
    stream.read_line(&mut line)?;
    ensure!(line == "+PONG\r\n", "the answer is {line:?}");
    if wants_info {
        line.clear();
        stream.get_mut().write_all(b"*1\r\n$4\r\nINFO\r\n")?;
        stream.read_line(&mut line)?;
        let length: usize = line.trim().strip_prefix('$').unwrap_or_default().parse()?;
        let mut info = vec![0; length + 2];
        stream.read_exact(&mut info)?;
        ensure!(info.starts_with(b"# Server"), "that is no INFO");
    }
    Ok(())
}

/// Runs a command and looks at what it says.
fn pongs(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().context("starting it")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && said.trim() == "PONG", "it said {said:?}");
    Ok(())
}

/// The host that the plugin believes to be on.
const HOST: &str = "alpha";
/// Far longer than any check takes: who waits that long has found a fault.
const PATIENCE: Duration = Duration::from_secs(10);
