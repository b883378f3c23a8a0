//! Measures what clients notice when a service's address moves: `make bench-address`. Needs root.
//!
//! Ends with 0 whatever the figures are: they are for a reader. Anything else means that a round could not be played.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use understudy_tests::cluster::Built;
use understudy_tests::moves::{Plan, measure};

/// Moves an address under load in several ways, in network namespaces, and says what clients saw.
#[derive(Debug, Parser)]
#[command(name = "bench-address")]
struct Arguments {
    /// The folder with the programs understudy and demo.
    #[arg(long, value_name = "FOLDER")]
    programs: PathBuf,
    /// The folder with nginx.wasm.
    #[arg(long, value_name = "FOLDER", default_value = "plugins/dist")]
    plugins: PathBuf,
    /// How often each way has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Only rows whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Where to draw one overlap as SVG.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// A document in which the figures replace what is between the lines `<!-- bench-address -->` and
    /// `<!-- bench-address ends -->`.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let full = |path: &PathBuf| {
        path.canonicalize()
            .with_context(|| format!("{} is not there", path.display()))
    };
    let built = Built {
        programs: full(&arguments.programs)?,
        plugins: full(&arguments.plugins)?,
    };
    let plan = Plan {
        rounds: arguments.rounds.max(1),
        only: arguments.only,
    };
    let report = measure(&built, &plan, |what| eprintln!("bench-address: {what}"))?;
    print!("{report}");
    if let Some(path) = arguments.into {
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let whole = replaced(&text, &report.to_string()).with_context(|| path.display().to_string())?;
        std::fs::write(&path, whole).with_context(|| format!("writing {}", path.display()))?;
    }
    if let (Some(path), Some(picture)) = (arguments.picture, report.picture()) {
        std::fs::write(&path, picture).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn replaced(text: &str, figures: &str) -> Result<String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("there is no line {BEGIN}"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("there is no line {END}"))?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", figures.trim_end()))
}

const BEGIN: &str = "<!-- bench-address -->";
const END: &str = "<!-- bench-address ends -->";
