//! Processes: which are ours, and how they are ended.
//!
//! Invariant: nothing is ended by its name alone. A process is ours when its program is one that we start *and* its
//! command line, its working folder or its log lies in our folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

/// The programs that are started in our folders, as the kernel names them.
const PROGRAMS: [&str; 3] = ["understudy", "redis-server", "nginx"];

/// A running process that belongs to one of our folders.
#[derive(Debug, Clone)]
pub struct Owned {
    /// Its process id.
    pub pid: u32,
    /// Its program.
    pub program: String,
    /// The folder that it works in.
    pub cwd: PathBuf,
    /// Its command line, with spaces.
    pub command: String,
}

impl Owned {
    /// All processes that belong to `folder`.
    pub fn in_folder(folder: &Path) -> Vec<Owned> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
        pids.filter_map(Owned::look_up)
            .filter(|p| p.belongs_to(folder))
            .collect()
    }

    /// The process that a pid file names, if it runs and belongs to `folder`.
    pub fn by_pid_file(pid_file: &Path, folder: &Path) -> Option<Owned> {
        let pid = fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
        Owned::look_up(pid).filter(|p| p.belongs_to(folder))
    }

    /// Whether it still runs (a zombie does not).
    pub fn runs(&self) -> bool {
        Owned::look_up(self.pid).is_some_and(|now| now.program == self.program)
    }

    /// Sends it a signal; one that is gone already is no error.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
            && self.runs()
        {
            let _gone = rustix::process::kill_process(pid, signal);
        }
    }

    /// Asks it to end, waits for `patience`, then ends it.
    pub fn end(&self, patience: Duration) -> Result<()> {
        self.signal(Signal::TERM);
        if wait_until(patience, || !self.runs()) {
            return Ok(());
        }
        self.signal(Signal::KILL);
        if wait_until(Duration::from_secs(5), || !self.runs()) {
            return Ok(());
        }
        bail!(
            "process {} ({}) does not end, not even by SIGKILL",
            self.pid,
            self.command
        )
    }

    fn look_up(pid: u32) -> Option<Owned> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let status = fs::read_to_string(folder.join("stat")).ok()?;
        // The state follows the program's name, which is in brackets and may hold anything.
        let (before, after) = status.rsplit_once(')')?;
        let program = before.split_once('(')?.1.to_owned();
        if after.trim_start().starts_with(['Z', 'X']) {
            return None;
        }
        let command = fs::read(folder.join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let cwd = fs::read_link(folder.join("cwd")).unwrap_or_default();
        Some(Owned {
            pid,
            program,
            cwd,
            command,
        })
    }

    fn belongs_to(&self, folder: &Path) -> bool {
        let named = folder
            .to_str()
            .is_some_and(|text| self.command.contains(&format!("{text}/")));
        PROGRAMS.contains(&self.program.as_str())
            && (named || self.cwd.starts_with(folder) || (self.program == "nginx" && self.has_open(folder)))
    }

    /// A worker of nginx names no file in its title, and its parent may be dead: its log tells whose it is.
    fn has_open(&self, folder: &Path) -> bool {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid))
            .into_iter()
            .flatten()
            .flatten();
        open.filter_map(|fd| fs::read_link(fd.path()).ok())
            .any(|file| file.starts_with(folder))
    }
}

/// Looks every 10 ms, for at most `patience`; whether the condition came about.
pub fn wait_until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a command to its end; its output is in the error if it fails.
pub fn run_to_end(argv: &[String]) -> Result<String> {
    let (program, arguments) = argv.split_first().context("an empty command")?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("running {program}: is it installed? `make demo` says how"))?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if !output.status.success() {
        bail!("`{}` ended with {}: {}", argv.join(" "), output.status, said.trim());
    }
    Ok(said)
}

/// Whether this process may mount.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// From now on the process can't make a file longer than `bytes`: what it writes fails as on a full disk.
pub fn limit_file_size(pid: u32, bytes: u64) -> Result<()> {
    run_to_end(&[
        "prlimit".into(),
        format!("--pid={pid}"),
        format!("--fsize={bytes}:{bytes}"),
    ])
    .map(drop)
}
