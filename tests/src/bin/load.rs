//! Puts a load on a Redis and a web service and says what clients saw: `load --redis 127.0.0.1:6379 --seconds 10`.
//!
//! Ends with 1 if a request was not answered or an acknowledged write can't be found again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use understudy_tests::load::{Load, Plan, RedisPlan, Report, WebPlan, read_back};

/// An open-loop load on a Redis and a web service that keeps a record of each request.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    /// The Redis service's address; keys named `understudy:load:…` are written there.
    #[arg(long, value_name = "IP:PORT")]
    redis: Option<SocketAddr>,
    /// Writes a second.
    #[arg(long, default_value_t = 600)]
    redis_rate: u32,
    /// The web service's address; it must serve /quick.txt and /slow.txt as the demo's servers do.
    #[arg(long, value_name = "IP:PORT")]
    web: Option<SocketAddr>,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Write the record of each request there, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let redis = arguments.redis.map(|address| RedisPlan {
        rate: arguments.redis_rate,
        ..RedisPlan::at(address)
    });
    let plan = Plan {
        redis,
        web: arguments.web.map(WebPlan::at),
    };
    let load = Load::start(&plan, "all");
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let recorder = load.finish().await;

    if let Some(path) = &arguments.requests {
        let lines: Result<Vec<String>, _> = recorder.requests().iter().map(serde_json::to_string).collect();
        std::fs::write(path, lines?.join("\n")).with_context(|| format!("writing {}", path.display()))?;
    }
    let report = Report::of(&recorder);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    let mut lost = 0;
    if let Some(address) = arguments.redis {
        let found = read_back(address, &recorder.acknowledged_writes()).await?;
        lost = found.lost();
        eprintln!("read back {} acknowledged writes: {lost} lost", found.checked);
    }
    let all_answered = report.services.iter().all(|s| s.total.answered == s.total.sent);
    Ok(if all_answered && lost == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
