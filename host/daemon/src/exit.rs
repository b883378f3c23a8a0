//! Every exit code, in one table: scripts and service managers decide by them. The numbers from 64 on are those of
//! `sysexits.h`.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, as asked.
    Ok = 0,
    /// Refused, or failed; the message says why.
    Failed = 1,
    /// The command line makes no sense. The number that clap uses.
    Usage = 2,
    /// What could be checked holds; something could not be checked. Of `verify`.
    InPart = 3,
    /// The daemon can't be reached.
    Unreachable = 69,
    /// What was waited for did not happen in time. It may still happen.
    TimedOut = 75,
    /// The configuration is wrong. Restarting does not help: see `RestartPreventExitStatus` in the unit.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
