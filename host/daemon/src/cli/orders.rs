//! Orders: takeover, giveback, cure, cancel, bootstrap. An accepted order is under way, not done: `--wait` waits.

use understudy_api::wire::{
    Accepted, BootstrapRequest, CancelRequest, CureRequest, GivebackRequest, Takeover, TakeoverRequest,
};
use understudy_protocol::{HostName, ServiceName};

use super::args::{Daemon, Force, Waiting};
use super::client::Client;
use super::failure::{Failure, Outcome};
use super::{out, wait};

/// Moves a service.
pub(super) async fn takeover(
    daemon: &Daemon,
    service: &ServiceName,
    to: Option<HostName>,
    reason: String,
    force: Force,
    waiting: &Waiting,
) -> Outcome {
    let forced = force.force || force.override_stay_down || !force.confirm_stopped.is_empty();
    let request = TakeoverRequest {
        to: to.map(|host| host.to_string()),
        reason,
        confirm_stopped: force.confirm_stopped.iter().map(ToString::to_string).collect(),
        override_vetoes: force.override_vetoes,
        force: force.force,
        override_stay_down: force.override_stay_down,
        dry_run: false,
        by: by(waiting.by.as_ref()),
    };
    let client = Client::find(daemon)?;
    let before = newest(&client, service).await?;
    let accepted: Accepted = client.post(&path(service, "takeover"), &request).await?;
    if waiting.wait && forced {
        return wait::for_this_host(daemon, &client, service, waiting.timeout).await;
    }
    if waiting.wait {
        return wait::for_takeover(daemon, &client, service, &accepted, before, waiting.timeout).await;
    }
    announce(daemon, &accepted, &format!("{service}: the takeover is under way"))
}

/// Moves a service home.
pub(super) async fn giveback(
    daemon: &Daemon,
    service: &ServiceName,
    reason: Option<String>,
    override_vetoes: bool,
    waiting: &Waiting,
) -> Outcome {
    let client = Client::find(daemon)?;
    let before = newest(&client, service).await?;
    let request = GivebackRequest {
        reason,
        override_vetoes,
        dry_run: false,
        by: by(waiting.by.as_ref()),
    };
    let accepted: Accepted = client.post(&path(service, "giveback"), &request).await?;
    if waiting.wait {
        return wait::for_takeover(daemon, &client, service, &accepted, before, waiting.timeout).await;
    }
    announce(daemon, &accepted, &format!("{service}: the giveback is under way"))
}

/// Says that a fault is cured.
pub(super) async fn cure(daemon: &Daemon, service: &ServiceName, reason: Option<String>) -> Outcome {
    let client = Client::find(daemon)?;
    let request = CureRequest { reason, by: by(None) };
    let accepted: Accepted = client.post(&path(service, "cure"), &request).await?;
    announce(
        daemon,
        &accepted,
        &format!("{service}: cured; the active host is asked for permission to come back"),
    )
}

/// Ends a takeover.
pub(super) async fn cancel(daemon: &Daemon, service: &ServiceName, reason: Option<String>) -> Outcome {
    let client = Client::find(daemon)?;
    let request = CancelRequest { reason, by: by(None) };
    let accepted: Accepted = client.post(&path(service, "cancel"), &request).await?;
    announce(
        daemon,
        &accepted,
        &format!("{service}: the takeover is being cancelled; the server resumes"),
    )
}

/// Starts a service for the first time.
pub(super) async fn bootstrap(
    daemon: &Daemon,
    service: &ServiceName,
    reason: Option<String>,
    waiting: &Waiting,
) -> Outcome {
    let client = Client::find(daemon)?;
    let request = BootstrapRequest {
        reason,
        by: by(waiting.by.as_ref()),
    };
    let accepted: Accepted = client.post(&path(service, "bootstrap"), &request).await?;
    if waiting.wait {
        return wait::for_active(daemon, &client, service, waiting.timeout).await;
    }
    announce(daemon, &accepted, &format!("{service}: the first start is under way"))
}

/// The service's newest takeover: an order's own is the one that comes after it.
async fn newest(client: &Client, service: &ServiceName) -> Result<Option<String>, Failure> {
    let newest: Option<Takeover> = client.find_one(&path(service, "takeover")).await?;
    Ok(newest.map(|takeover| takeover.id))
}

pub(super) fn path(service: &ServiceName, order: &str) -> String {
    format!("/api/v1/services/{service}/{order}")
}

fn announce(daemon: &Daemon, accepted: &Accepted, text: &str) -> Outcome {
    if daemon.json {
        return out::json(accepted);
    }
    let id = accepted
        .takeover
        .as_ref()
        .map_or(String::new(), |id| format!(" (takeover {id})"));
    out::line(&format!(
        "{text}{id}. Look with `understudy status {}`.",
        accepted.service
    ))
}

/// In whose name an order is given: it stands in the journal.
pub(super) fn by(said: Option<&String>) -> Option<String> {
    let from = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let user = || {
        let id = rustix::process::getuid();
        if id.is_root() {
            "root".to_owned()
        } else {
            format!("uid {}", id.as_raw())
        }
    };
    said.cloned()
        .or_else(|| from("SUDO_USER"))
        .or_else(|| from("USER"))
        .or_else(|| Some(user()))
}
