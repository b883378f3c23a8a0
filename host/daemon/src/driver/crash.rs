//! Crash points, for the tests with real daemons: kills or stops this daemon by a signal to itself, at a chosen row of the
//! protocol's table, right after its journal line is durable or right after its actions were begun.
//!
//! Invariants: only in debug builds, and only where the environment names a folder; a crash point is spent before the
//! signal, so that what comes after it is ordinary.

/// Where in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The line is durable, and no action has begun.
    Stored,
    /// The actions have begun.
    Acted,
}

/// Release builds have none.
#[cfg(not(debug_assertions))]
pub(super) fn point(_: Moment, _: &understudy_protocol::ServiceName, _: Option<usize>) {}

#[cfg(debug_assertions)]
pub(super) use armed::point;

#[cfg(debug_assertions)]
mod armed {
    use std::fs;
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::sync::LazyLock;
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};
    use understudy_protocol::{ServiceName, row_names};

    use super::Moment;

    /// The folder: `die-at` in it holds one crash point (moment, service, row, `kill` or `stop`), and `taken` gets a line for each journaled row.
    const VARIABLE: &str = "UNDERSTUDY_CRASH_POINTS";
    /// For messages to leave and work to begin, before a daemon dies after its actions.
    const BEGUN: Duration = Duration::from_millis(20);

    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(row_names);

    pub(in super::super) fn point(moment: Moment, service: &ServiceName, row: Option<usize>) {
        let (Some(folder), Some(name)) = (FOLDER.as_ref(), row.and_then(|row| NAMES.get(row))) else {
            return;
        };
        if moment == Moment::Stored {
            note(&folder.join("taken"), &format!("{service}\t{name}\n"));
        }
        let word = match moment {
            Moment::Stored => "stored",
            Moment::Acted => "acted",
        };
        let wanted = folder.join("die-at");
        let text = fs::read_to_string(&wanted).unwrap_or_default();
        let Some(signal) = text.strip_prefix(&format!("{word}\t{service}\t{name}\t")) else {
            return;
        };
        if moment == Moment::Acted {
            std::thread::sleep(BEGUN);
        }
        let signal = if signal == "stop" { Signal::STOP } else { Signal::KILL };
        if fs::rename(&wanted, folder.join("died-at")).is_ok() {
            // A signal that can't be sent would show as a point that nobody died at.
            let _ = kill_process(getpid(), signal);
        }
    }

    fn note(file: &Path, line: &str) {
        let opened = fs::File::options().create(true).append(true).open(file);
        if let Err(error) = opened.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!(file = %file.display(), %error, "a crash point can't be noted");
        }
    }
}
