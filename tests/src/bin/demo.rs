//! `make demo`: two hosts, real servers, a load, a fault, a takeover and a giveback, told as they happen.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};
use understudy_tests::servers::{guard_until_eof, sweep};

#[derive(Debug, Parser)]
#[command(name = "demo", about = "Understudy's demo")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// End everything that a demo left running in FOLDER, and remove it.
    Clean {
        /// The demo's folder.
        folder: PathBuf,
    },
    /// Wait until the starter is gone, then clean (used by the demo itself).
    Guard {
        /// The demo's folder.
        folder: PathBuf,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Clean { folder } => clean(&folder),
        Command::Guard { folder } => guard_until_eof(&folder),
    }
}

fn clean(folder: &Path) -> Result<()> {
    sweep(folder)
}
