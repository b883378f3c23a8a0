//! `commands`: runs what the operator declared. No shell, a process group of its own, killed at its deadline.
//!
//! Invariant: a changing command runs only for a call that may change the server and whose term is current. A
//! command that ends by itself may leave processes behind (it may have started the server); one that is killed
//! leaves none of its group.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::bindings::understudy::plugin::commands::{Host, Output};
use crate::bindings::understudy::plugin::types::HostError;
use crate::capability::Ask;
use crate::command::CommandSpec;
use crate::imports::endpoints::clip;
use crate::imports::refuse;
use crate::state::{CallState, Purpose};

impl Host for CallState {
    async fn run(
        &mut self,
        name: String,
        parameters: Vec<(String, String)>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Output, HostError>> {
        let _entered = self.enter(format!("commands.run({})", clip(&name)));
        let allowed = self.allowed(timeout_ms);
        match self.command(&name, &parameters) {
            Ok((spec, argv)) => Ok(run(&name, &spec, &argv, allowed.min(spec.timeout)).await),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl CallState {
    /// What the name stands for, with its parameters in place, if that is granted and may run now.
    fn command(&self, name: &str, parameters: &[(String, String)]) -> Result<(CommandSpec, Vec<String>), HostError> {
        let ask = Ask::Command(name.to_owned());
        let target = self.granted(&ask).map_err(refuse::denied)?;
        let spec = target
            .commands
            .get(name)
            .ok_or_else(|| refuse::denied(self.rights.not_declared(&ask)))?;
        let argv = spec
            .fill(parameters)
            .map_err(|error| refuse::invalid(format!("{name}: {error}")))?;
        self.check_change(name, spec)?;
        Ok((spec.clone(), argv))
    }

    fn check_change(&self, name: &str, spec: &CommandSpec) -> Result<(), HostError> {
        let what = format!("command {name}");
        match self.purpose {
            Purpose::Change if spec.changes && self.is_fenced() => Err(refuse::fenced(&what, self.term)),
            Purpose::Look | Purpose::Install if spec.changes => Err(refuse::read_only(&what, self.function)),
            Purpose::Change | Purpose::Look | Purpose::Install => Ok(()),
        }
    }
}

async fn run(name: &str, spec: &CommandSpec, argv: &[String], allowed: Duration) -> Result<Output, HostError> {
    let mut child = start(spec, argv).map_err(|error| refuse::failed(format!("{name}: can't start: {error}")))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut output = Output {
        exit_code: None,
        stdout: Vec::new(),
        stderr: Vec::new(),
        truncated: false,
    };
    let ended = {
        let (out, err) = (&mut output.stdout, &mut output.stderr);
        let reading = async { tokio::join!(read(stdout, out), read(stderr, err)) };
        timeout(allowed, wait(&mut child, reading)).await
    };
    let Ok(ended) = ended else {
        drop(group);
        // Killed: it is gone in a moment.
        let _ = child.wait().await;
        return Err(refuse::timed_out(name, allowed));
    };
    group.disarm();
    let (status, (out_cut, err_cut)) = ended.map_err(|error| refuse::failed(format!("{name}: {error}")))?;
    output.exit_code = status.code();
    output.truncated = out_cut || err_cut;
    Ok(output)
}

fn start(spec: &CommandSpec, argv: &[String]) -> std::io::Result<Child> {
    let (program, arguments) = argv.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(PLAIN_ENVIRONMENT)
        .envs(&spec.env)
        .current_dir(spec.cwd.as_deref().unwrap_or_else(|| "/".as_ref()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command.spawn()
}

/// Waits for the command's end and for what it wrote. A server that it started may hold its output open for ever: that
/// is waited for only a moment.
async fn wait<R: Default>(
    child: &mut Child,
    reading: impl Future<Output = R>,
) -> std::io::Result<(std::process::ExitStatus, R)> {
    let mut reading = std::pin::pin!(reading);
    tokio::select! {
        status = child.wait() => {
            let read = timeout(OUTPUT_GRACE, reading).await.unwrap_or_default();
            Ok((status?, read))
        }
        read = &mut reading => Ok((child.wait().await?, read)),
    }
}

/// Reads to the end, keeps what fits; whether there was more.
async fn read(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) -> bool {
    let Some(mut from) = from else { return false };
    let mut buffer = [0; 4096];
    let mut cut = false;
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let fits = length.min(MOST_OUTPUT - kept.len());
        kept.extend_from_slice(&buffer[..fits]);
        cut |= fits < length;
    }
    cut
}

/// Kills the whole process group when it is dropped: at the deadline, and when the call itself is dropped.
struct Group(Option<Pid>);

impl Group {
    /// The leader ended by itself: its number may be somebody else's soon.
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // It may be gone already.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// What every command has, whoever started the daemon.
const PLAIN_ENVIRONMENT: [(&str, &str); 2] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("LANG", "C.UTF-8"),
];
/// The size that the interface promises, for each of the two.
const MOST_OUTPUT: usize = 64 << 10;
/// For the last bytes in the pipe.
const OUTPUT_GRACE: std::time::Duration = Duration::from_millis(200);
