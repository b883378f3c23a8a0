//! One `understudy run`, with the ways in which it can be hurt.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::Site;
use crate::servers::wait_until;

/// A daemon stops its work in order within this time.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A host's daemon.
#[derive(Debug)]
pub struct Daemon {
    enter: Vec<String>,
    program: PathBuf,
    environment: Vec<(String, String)>,
    config: PathBuf,
    log: PathBuf,
    process: Option<Child>,
}

impl Daemon {
    pub(crate) fn new(program: &Path, site: &Site) -> Daemon {
        Daemon {
            enter: site.enter(),
            program: program.to_owned(),
            environment: Vec::new(),
            config: site.config_file(),
            log: site.folder.join("daemon.log"),
            process: None,
        }
    }

    /// Sets a variable of its environment, from its next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Whether it runs; one that ended by itself is not waited for any more.
    pub fn runs(&mut self) -> bool {
        match self.process.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => true,
            Some(_) => {
                self.process = None;
                false
            }
            None => false,
        }
    }

    /// Where it writes its log.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Starts it; its log is appended to.
    pub fn start(&mut self) -> Result<()> {
        if self.process.is_some() {
            bail!("the daemon of {} runs already", self.config.display());
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .context("opening the daemon's log")?;
        // `ip netns exec` becomes the program that it starts: the process id is the daemon's.
        let mut words = self.enter.iter().map(Path::new).chain([&*self.program]);
        let mut command = Command::new(words.next().context("no program")?);
        command
            .args(words)
            .arg("run")
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log).process_group(0);
        command.env("NO_COLOR", "1").envs(self.environment.iter().cloned());
        self.process = Some(
            command
                .spawn()
                .with_context(|| format!("starting {}", self.program.display()))?,
        );
        Ok(())
    }

    /// Fails if it has ended by itself; its last words are in the error.
    pub fn still_runs(&mut self) -> Result<()> {
        let Some(Ok(Some(status))) = self.process.as_mut().map(Child::try_wait) else {
            return Ok(());
        };
        self.process = None;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        bail!("the daemon ended with {status}:\n{log}")
    }

    /// Ends it in order.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        if !wait_until(STOP_PATIENCE, || !matches!(process.try_wait(), Ok(None))) {
            process.kill()?;
            process.wait()?;
            bail!(
                "the daemon did not end within {STOP_PATIENCE:?} of SIGTERM; see {}",
                self.log.display()
            );
        }
        Ok(())
    }

    /// Ends it without a word, as a crash does.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        if let Some(mut process) = self.process.take() {
            process.wait()?;
        }
        Ok(())
    }

    /// Holds it still, as an overloaded or suspended machine does.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Lets it read its configuration again.
    pub fn hang_up(&self) -> Result<()> {
        self.signal(Signal::HUP)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self
            .pid()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw);
        kill_process(pid.context("the daemon does not run")?, signal).context("signalling the daemon")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Servers that it started are swept by the guard.
        let _not_running = self.kill();
    }
}
