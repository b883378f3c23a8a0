//! Measures what a check costs in CPU time, beside the usual ways to ask the same: `make bench-probe`.
//!
//! Ends with 0 whatever the figures are: they are for a reader. Anything else means that a check failed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use understudy_tests::bench::{Bench, Plan, Subject, measure};

/// Measures the CPU time of a plugin's probe, of the same check as a command, and of the same check built in.
#[derive(Debug, Parser)]
#[command(name = "bench-probe")]
struct Arguments {
    /// The folder with redis.wasm and c-tcp.wasm.
    #[arg(long, value_name = "FOLDER", default_value = "plugins/dist")]
    plugins: PathBuf,
    /// How often each way to ask has its turn.
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Checks in each turn; a tenth of it where each check starts a process.
    #[arg(long, default_value_t = 500)]
    checks: u32,
    /// Milliseconds to wait after each check: with some, what a machine does to wake up counts too.
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Run only this one, a turn after the other, and print nothing: for a profiler.
    #[arg(long, value_name = "NAME", value_parser = subject)]
    only: Option<Subject>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = Plan {
        rounds: arguments.rounds.max(1),
        checks: arguments.checks,
        pause: Duration::from_millis(arguments.pause),
    };
    let bench = Bench::start(&arguments.plugins).await?;
    if let Some(subject) = arguments.only {
        for _ in 0..plan.rounds * plan.checks {
            bench.check(subject).await?;
        }
        return Ok(());
    }
    let report = measure(&bench, &plan, |round| match round {
        0 => eprintln!("bench-probe: warming up"),
        _ => eprintln!("bench-probe: round {round} of {}", plan.rounds),
    });
    let report = report.await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

fn subject(name: &str) -> Result<Subject, String> {
    let names: Vec<&str> = Subject::ALL.iter().map(|subject| subject.key()).collect();
    let found = Subject::ALL.into_iter().find(|subject| subject.key() == name);
    found.ok_or_else(|| format!("one of {}", names.join(", ")))
}
