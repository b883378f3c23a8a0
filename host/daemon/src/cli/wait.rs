//! Waits for what an order set going, and shows its steps as they come.
//!
//! Invariant: a wait that ends too early says nothing about the order: it goes on, and the exit code says so.

use std::time::{Duration, Instant};

use understudy_api::wire::{Accepted, HostView, Role, ServiceOverview, Takeover, TakeoverState};
use understudy_protocol::ServiceName;

use super::args::Daemon;
use super::client::Client;
use super::failure::{Failure, Outcome};
use super::history::brief_line;
use super::out::{self, plain};
use super::time::length;
use crate::exit::Exit;

/// Waits for the takeover that an order opened; `before` was the newest one when it was given.
pub(super) async fn for_takeover(
    daemon: &Daemon,
    client: &Client,
    service: &ServiceName,
    accepted: &Accepted,
    before: Option<String>,
    patience: Duration,
) -> Outcome {
    let deadline = Instant::now() + patience;
    let newest = format!("/api/v1/services/{service}/takeover");
    let mut id = accepted.takeover.clone();
    let mut shown = 0;
    loop {
        let path = id
            .as_ref()
            .map_or(newest.clone(), |id| format!("/api/v1/takeovers/{id}"));
        let found: Option<Takeover> = client.find_one(&path).await?;
        if let Some(takeover) = found.filter(|takeover| Some(&takeover.id) != before.as_ref()) {
            if !daemon.json {
                for step in takeover.steps.iter().skip(shown) {
                    out::line(&brief_line(step))?;
                }
            }
            shown = takeover.steps.len();
            id = Some(takeover.id.clone());
            if takeover.state.is_final() {
                return conclude(daemon, service, &takeover);
            }
        }
        pause(service, deadline).await?;
    }
}

/// Waits until somebody serves the service.
pub(super) async fn for_active(daemon: &Daemon, client: &Client, service: &ServiceName, patience: Duration) -> Outcome {
    let deadline = Instant::now() + patience;
    loop {
        let overview: ServiceOverview = client.get(&format!("/api/v1/services/{service}")).await?;
        if let Some(serving) = overview.hosts.iter().find(|on_host| on_host.view.serves) {
            if daemon.json {
                return out::json(&overview);
            }
            return out::line(&format!(
                "{service}: {} serves, with term {}",
                serving.host, overview.term.text
            ));
        }
        pause(service, deadline).await?;
    }
}

/// Waits until the answering host serves: a forced takeover has no round of its own, and what a silent peer said last
/// counts for nothing.
pub(super) async fn for_this_host(
    daemon: &Daemon,
    client: &Client,
    service: &ServiceName,
    patience: Duration,
) -> Outcome {
    let deadline = Instant::now() + patience;
    let begun = Instant::now() + PUBLISHED;
    loop {
        let hosts: Vec<HostView> = client.get("/api/v1/hosts").await?;
        let own = hosts.into_iter().next();
        let view = own.and_then(|own| own.services.into_iter().find(|view| view.service == service.as_str()));
        match view {
            Some(view) if view.serves && daemon.json => return out::json(&view),
            Some(view) if view.serves => {
                let term = view
                    .held_term
                    .map_or(String::new(), |term| format!(", with term {}", term.text));
                return out::line(&format!("{service}: this host serves{term}"));
            }
            // Neither asking the others nor starting the server any more.
            Some(view) if !matches!(view.role, Role::Forcing | Role::Activating) && Instant::now() > begun => {
                let message =
                    format!("{service}: the takeover came to nothing: see `understudy history --service {service}`");
                return Err(Failure::failed(message));
            }
            _ => pause(service, deadline).await?,
        }
    }
}

fn conclude(daemon: &Daemon, service: &ServiceName, takeover: &Takeover) -> Outcome {
    if daemon.json {
        out::json(takeover)?;
    }
    let name = |host: &Option<String>| host.clone().unwrap_or_else(|| "?".to_owned());
    let (first, second) = (name(&takeover.first), name(&takeover.second));
    // Where the reason is not known as data, the last step says it in words.
    let last_word = || takeover.steps.last().map(|step| step.detail.clone());
    let why = takeover
        .refusal
        .as_ref()
        .map(|refusal| refusal.message.clone())
        .or_else(last_word);
    let why = why.map_or_else(|| "no reason is known".to_owned(), |why| plain(&why));
    match takeover.state {
        TakeoverState::Declined => Err(Failure::failed(format!("{service}: {second} did not take over: {why}"))),
        TakeoverState::Cancelled => Err(Failure::failed(format!(
            "{service}: the takeover ended, {first} serves on: {why}"
        ))),
        _ if daemon.json => Ok(()),
        _ => {
            let outage = takeover
                .outage_ms
                .map_or(String::new(), |ms| format!("; nobody served for {}", length(ms)));
            let term = takeover
                .new_term
                .as_ref()
                .map_or(String::new(), |term| format!(" with term {}", term.text));
            out::line(&format!(
                "{service}: {second} serves{term}{outage}. Requests: `understudy requests {}`",
                takeover.id
            ))
        }
    }
}

async fn pause(service: &ServiceName, deadline: Instant) -> Outcome {
    if Instant::now() + POLL > deadline {
        let message = format!("{service}: not done yet; it goes on: see `understudy status {service}`");
        return Err(Failure::new(Exit::TimedOut, message));
    }
    tokio::time::sleep(POLL).await;
    Ok(())
}

/// An order that was accepted shows in the view within this time.
const PUBLISHED: Duration = Duration::from_secs(2);
/// Often enough that a takeover of a second shows its steps.
const POLL: Duration = Duration::from_millis(300);
