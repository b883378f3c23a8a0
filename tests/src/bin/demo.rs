//! `make demo`: two hosts, real servers, a load, a fault, a takeover and a giveback, told as they happen.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use understudy_tests::cluster::Built;
use understudy_tests::servers::{guard_until_eof, sweep};
use understudy_tests::story::{Wanted, play};

#[derive(Debug, Parser)]
#[command(name = "demo", about = "Understudy's demo")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the whole story. Ends with 0 if nothing was lost and nothing failed.
    Run {
        /// Everything that the demo makes lies here; removed at the end.
        #[arg(long)]
        folder: PathBuf,
        /// The folder of the built programs.
        #[arg(long)]
        programs: PathBuf,
        /// The folder of the plugins' components.
        #[arg(long)]
        plugins: PathBuf,
        /// End after the story instead of leaving the page up until Ctrl-C.
        #[arg(long)]
        once: bool,
    },
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

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run {
            folder,
            programs,
            plugins,
            once,
        } => {
            let plugins = plugins
                .canonicalize()
                .context("the plugins are not built: run `make build`")?;
            let folder = std::path::absolute(folder)?;
            run(&Wanted {
                folder,
                built: Built { programs, plugins },
                once,
            })
        }
        Command::Clean { folder } => sweep(&std::path::absolute(folder)?).map(|()| ExitCode::SUCCESS),
        Command::Guard { folder } => guard_until_eof(&folder).map(|()| ExitCode::SUCCESS),
    }
}

#[tokio::main]
async fn run(wanted: &Wanted) -> Result<ExitCode> {
    Ok(if play(wanted).await? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
