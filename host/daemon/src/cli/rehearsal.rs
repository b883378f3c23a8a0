//! `understudy takeover --dry-run` and `understudy giveback --dry-run`: what would come of it. Nothing is changed.

use serde::Serialize;
use understudy_api::wire::{CandidateAnswer, CandidateForecast, GivebackRequest, Rehearsal, TakeoverRequest};
use understudy_protocol::{HostName, ServiceName};

use super::args::{Daemon, Force, Waiting};
use super::client::Client;
use super::failure::{Failure, Outcome};
use super::orders::{by, path};
use super::out::{self, plain, word};
use super::time::length;

/// Rehearses a takeover.
pub(super) async fn takeover(
    daemon: &Daemon,
    service: &ServiceName,
    to: Option<HostName>,
    reason: String,
    force: &Force,
    waiting: &Waiting,
) -> Outcome {
    let request = TakeoverRequest {
        to: to.map(|host| host.to_string()),
        reason,
        // By force nothing is rehearsed: the daemon says so.
        confirm_stopped: force.confirm_stopped.iter().map(ToString::to_string).collect(),
        override_vetoes: force.override_vetoes,
        force: force.force,
        override_stay_down: force.override_stay_down,
        dry_run: true,
        by: by(waiting.by.as_ref()),
    };
    rehearse(daemon, service, "takeover", &request).await
}

/// Rehearses a giveback.
pub(super) async fn giveback(
    daemon: &Daemon,
    service: &ServiceName,
    override_vetoes: bool,
    waiting: &Waiting,
) -> Outcome {
    let request = GivebackRequest {
        reason: None,
        override_vetoes,
        dry_run: true,
        by: by(waiting.by.as_ref()),
    };
    rehearse(daemon, service, "giveback", &request).await
}

/// Fails where the service would not move, so that a script can ask before it orders.
async fn rehearse<R: Serialize>(daemon: &Daemon, service: &ServiceName, order: &str, request: &R) -> Outcome {
    let client = Client::find(daemon)?;
    let rehearsal: Rehearsal = client.post(&path(service, order), request).await?;
    if daemon.json {
        out::json(&rehearsal)?;
    } else {
        out::text(&shown(&rehearsal))?;
    }
    if rehearsal.would_move {
        Ok(())
    } else {
        Err(Failure::failed(format!("{service}: {}", plain(&rehearsal.summary))))
    }
}

fn shown(rehearsal: &Rehearsal) -> String {
    let mut text = format!(
        "{}: {} (nothing was changed)\n",
        rehearsal.service,
        plain(&rehearsal.summary)
    );
    let mut line = |text_of: &str, words: String| text.push_str(&format!("  {text_of:<10} {}\n", plain(&words)));
    if let Some(refusal) = &rehearsal.refusal
        && let Some(change) = &refusal.would_change
    {
        line("would help", change.clone());
    }
    if let Some(takeover) = &rehearsal.under_way {
        line("under way", format!("a takeover, at {}", takeover.step));
    }
    for candidate in &rehearsal.candidates {
        line(&candidate.host, answer(candidate));
    }
    if let Some(outage) = &rehearsal.outage {
        let (ms, low, high) = (length(outage.ms), length(outage.low_ms), length(outage.high_ms));
        line("outage", format!("about {ms} ({low} to {high}): {}", outage.basis));
    }
    if let Some(requests) = &rehearsal.requests {
        let longest = requests
            .longest_ms
            .map_or(String::new(), |ms| format!(", the longest for {}", length(ms)));
        line(
            "requests",
            format!(
                "{} under way of {} listed{longest}",
                requests.under_way, requests.listed
            ),
        );
        for blocker in &requests.blockers {
            let since = blocker.for_ms.map_or(String::new(), |ms| format!(" ({})", length(ms)));
            line("", format!("{} {}{since}", blocker.client, blocker.operation));
        }
    }
    for unknown in &rehearsal.unknown {
        line("unknown", unknown.clone());
    }
    for step in &rehearsal.steps {
        line(&step.host, format!("{:<20} {}", step.step, step.reason));
    }
    text
}

fn answer(candidate: &CandidateForecast) -> String {
    match candidate.answer {
        CandidateAnswer::Accepts => {
            let verdict = candidate.verdict.as_ref().map_or("?".to_owned(), word);
            format!("would take over; its server is {verdict}")
        }
        CandidateAnswer::Declines => {
            let (why, change) = candidate.refusal.as_ref().map_or((String::new(), None), |refusal| {
                (refusal.message.clone(), refusal.would_change.clone())
            });
            let change = change.map_or(String::new(), |change| format!("; would change its mind: {change}"));
            format!("would decline: {why}{change}")
        }
        CandidateAnswer::Silent => format!("silent: {}", candidate.because.clone().unwrap_or_default()),
    }
}
