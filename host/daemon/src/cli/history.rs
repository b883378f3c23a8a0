//! `understudy history`: the journal, and new lines as they come.

use std::time::Duration;

use understudy_api::wire::JournalLine;
use understudy_protocol::{HostName, ServiceName};

use super::args::Daemon;
use super::client::{Client, query};
use super::failure::Outcome;
use super::out::{self, plain, word};
use super::time::instant;
use crate::exit::Exit;

/// Which lines.
pub(super) struct Wanted {
    pub(super) service: Option<ServiceName>,
    pub(super) round: Option<String>,
    pub(super) host: Option<HostName>,
    pub(super) lines: u32,
}

/// Asks and shows; with `follow`, until it is interrupted.
pub(super) async fn history(daemon: &Daemon, wanted: &Wanted, follow: bool) -> Outcome {
    let client = Client::find(daemon)?;
    let lines: Vec<JournalLine> = client.get(&path(wanted, None)).await?;
    if daemon.json && !follow {
        return out::json(&lines);
    }
    if lines.is_empty() && !follow {
        return out::line("Nothing happened yet.");
    }
    let mut last = show(daemon, &lines, 0)?;
    let mut silent = false;
    if !follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(POLL).await;
        match client.get::<Vec<JournalLine>>(&path(wanted, Some(last))).await {
            Ok(lines) => {
                last = show(daemon, &lines, last)?;
                silent = false;
            }
            // A daemon that restarts in the middle of a takeover is just what somebody wants to follow.
            Err(failure) if failure.exit == Exit::Unreachable => {
                if !silent {
                    eprintln!("{}\n(waiting for it)", failure.message);
                }
                silent = true;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// One step while somebody watches: the time of day, and what happened.
pub(super) fn brief_line(line: &JournalLine) -> String {
    let time: String = instant(line.at_ms).chars().skip(DATE).collect();
    let detail = if line.detail.is_empty() {
        line.reason.clone()
    } else {
        line.detail.clone()
    };
    format!(
        "{time}  {}  {}: {}",
        plain(&line.host),
        plain(&line.step),
        plain(&detail)
    )
}

/// One step of the journal on one line, with its reason.
fn step_line(line: &JournalLine) -> String {
    let role = if line.from == line.to {
        word(&line.to)
    } else {
        format!("{} → {}", word(&line.from), word(&line.to))
    };
    let round = line
        .round
        .as_ref()
        .map_or(String::new(), |round| format!(" [{}]", plain(round)));
    let detail = if line.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", plain(&line.detail))
    };
    format!(
        "{}  {} {}  {}{detail}  ({}; {role}; term {}){round}",
        instant(line.at_ms),
        plain(&line.host),
        plain(&line.service),
        plain(&line.step),
        plain(&line.reason),
        line.term.text,
    )
}

fn show(daemon: &Daemon, lines: &[JournalLine], last: u64) -> Result<u64, super::failure::Failure> {
    for line in lines {
        if daemon.json {
            out::json_line(line)?
        } else {
            out::line(&step_line(line))?
        }
    }
    Ok(lines.last().map_or(last, |line| line.seq))
}

fn path(wanted: &Wanted, after: Option<u64>) -> String {
    let query = query(&[
        ("service", wanted.service.as_ref().map(ToString::to_string)),
        ("round", wanted.round.clone()),
        ("host", wanted.host.as_ref().map(ToString::to_string)),
        ("after", after.map(|after| after.to_string())),
        (
            "limit",
            Some(if after.is_some() { FOLLOWED } else { wanted.lines }.to_string()),
        ),
    ]);
    format!("/api/v1/journal{query}")
}

/// `2026-11-23 ` before the time.
const DATE: usize = 11;
const POLL: Duration = Duration::from_millis(500);
/// More than happens between two looks.
const FOLLOWED: u32 = 1000;
