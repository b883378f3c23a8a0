//! `understudy pause` and `unpause`: nothing moves by itself, or may again.

use std::time::Duration;

use understudy_api::wire::{Accepted, HostView, PauseAnswer, PauseRequest, UnpauseRequest};
use understudy_protocol::ServiceName;

use super::args::{Daemon, What};
use super::client::{Client, part};
use super::failure::{Failure, Outcome};
use super::orders::by;
use super::out;
use super::time::length;

/// Pauses.
pub(super) async fn pause(daemon: &Daemon, what: What, reason: String, lasts: Option<Duration>) -> Outcome {
    let client = Client::find(daemon)?;
    let for_ms = lasts.map(|lasts| u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
    let request = PauseRequest {
        reason,
        for_ms,
        by: by(None),
    };
    let end = for_ms.map_or_else(|| "until it is ended".to_owned(), |ms| format!("for {}", length(ms)));
    let path = path(&client, &what).await?;
    if let Some(service) = &what.service {
        let accepted: Accepted = client.post(&path, &request).await?;
        let text = format!("{service}: paused {end}. Nothing moves it by itself; your own orders do.");
        return say(daemon, &accepted, &text);
    }
    let answer: PauseAnswer = client.post(&path, &request).await?;
    let text = format!(
        "{} paused {end}: {}. Nothing moves by itself; your own orders do.",
        scope(&what),
        done(&answer)
    );
    say(daemon, &answer, &text)
}

/// Ends a pause.
pub(super) async fn unpause(daemon: &Daemon, what: What, reason: Option<String>) -> Outcome {
    let client = Client::find(daemon)?;
    let request = UnpauseRequest { reason, by: by(None) };
    let path = path(&client, &what).await?;
    if let Some(service) = &what.service {
        let accepted: Accepted = client.delete(&path, &request).await?;
        return say(daemon, &accepted, &format!("{service}: the pause is ended."));
    }
    let answer: PauseAnswer = client.delete(&path, &request).await?;
    let text = format!("{}: the pause is ended ({}).", scope(&what), done(&answer));
    say(daemon, &answer, &text)
}

fn say<T: serde::Serialize>(daemon: &Daemon, answer: &T, text: &str) -> Outcome {
    if daemon.json {
        out::json(answer)
    } else {
        out::line(text)
    }
}

fn scope(what: &What) -> &'static str {
    if what.host { "this host" } else { "the cluster" }
}

async fn path(client: &Client, what: &What) -> Result<String, Failure> {
    if let Some(service) = &what.service {
        return Ok(of_service(service));
    }
    if !what.host {
        return Ok("/api/v1/pause".to_owned());
    }
    let hosts: Vec<HostView> = client.get("/api/v1/hosts").await?;
    let me = hosts.iter().find(|host| host.me);
    let me = me.ok_or_else(|| Failure::failed("the daemon does not say which host it is"))?;
    Ok(format!("/api/v1/hosts/{}/pause", part(&me.host)))
}

fn of_service(service: &ServiceName) -> String {
    format!("/api/v1/services/{service}/pause")
}

fn done(answer: &PauseAnswer) -> String {
    let each = answer.services.iter().map(|service| match &service.refusal {
        None => service.service.clone(),
        Some(refusal) => format!("{} not ({})", service.service, out::plain(&refusal.message)),
    });
    let texts: Vec<_> = each.collect();
    if texts.is_empty() {
        "no service".to_owned()
    } else {
        texts.join(", ")
    }
}
