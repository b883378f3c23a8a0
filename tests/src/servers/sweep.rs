//! Leaves nothing behind: ends what runs in a folder, unmounts what is mounted there, removes it.
//!
//! Servers are started by the daemons and put themselves into the background, so nobody is their parent. A guard
//! process waits for the end of whoever started all this, by whatever cause, and sweeps then.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::process::{Owned, run_to_end};

/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ends all processes of the folder, unmounts all that is mounted in it, and removes it.
pub fn sweep(folder: &Path) -> Result<()> {
    // The daemons first: they would start a server again.
    for program in ["understudy", "nginx", "redis-server"] {
        for process in Owned::in_folder(folder).into_iter().filter(|p| p.program == program) {
            process.end(PATIENCE)?;
        }
    }
    for mounted in mounts_in(folder) {
        run_to_end(&["umount".into(), "--lazy".into(), mounted.display().to_string()])?;
    }
    crate::lan::sweep(folder);
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn mounts_in(folder: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let paths = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from);
    paths.filter(|path| path.starts_with(folder)).collect()
}

/// A process that sweeps a folder as soon as its starter is gone, even by SIGKILL.
#[derive(Debug)]
pub struct Guard {
    process: Child,
    folder: PathBuf,
}

impl Guard {
    /// Starts the guard of `folder`; `program` is the demo's own, which knows the command `guard`.
    pub fn start(program: &Path, folder: &Path) -> Result<Guard> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let mut command = Command::new(program);
        command
            .arg("guard")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        // In a process group of its own: a Ctrl-C in the terminal is not for it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let process = command
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Guard {
            process,
            folder: folder.to_owned(),
        })
    }

    /// Sweeps now, and waits for it.
    pub fn sweep(mut self) -> Result<()> {
        self.let_go()
    }

    fn let_go(&mut self) -> Result<()> {
        drop(self.process.stdin.take());
        let status = self.process.wait().context("waiting for the guard")?;
        if !status.success() {
            bail!(
                "{} could not be swept: the guard ended with {status}",
                self.folder.display()
            );
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Already swept, or nobody is left to be told.
        let _swept = self.let_go();
    }
}

/// What the guard does: waits until nobody holds the other end of its input, then sweeps.
pub fn guard_until_eof(folder: &Path) -> Result<()> {
    std::io::stdin()
        .read_to_end(&mut Vec::new())
        .context("waiting for the end of my starter")?;
    sweep(folder)
}
