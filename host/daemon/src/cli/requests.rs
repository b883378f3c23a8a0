//! `understudy requests`: what was under way in a takeover, and what became of each request.

use serde_json::json;
use understudy_api::wire::{Compilation, HostView, Page, RequestLine};
use understudy_protocol::ServiceName;

use super::args::{self, Daemon};
use super::client::{Client, part, query};
use super::failure::{Failure, Outcome};
use super::out::{self, word};
use super::table::Table;
use super::time::{instant, length};

/// Which requests.
pub(super) struct Wanted {
    pub(super) round: Option<String>,
    pub(super) service: Option<ServiceName>,
    pub(super) state: Option<args::State>,
    pub(super) outcome: Option<args::Outcome>,
}

/// Asks and shows, page by page.
pub(super) async fn requests(daemon: &Daemon, wanted: Wanted) -> Outcome {
    let client = Client::find(daemon)?;
    let compilation = compilation(&client, &wanted).await?;
    let mut all: Vec<RequestLine> = Vec::new();
    let mut cursor = None;
    loop {
        let query = query(&[
            ("state", wanted.state.as_ref().map(args::word)),
            ("outcome", wanted.outcome.as_ref().map(args::word)),
            ("limit", Some(PAGE.to_string())),
            ("cursor", cursor),
        ]);
        let path = format!("/api/v1/compilations/{}/requests{query}", part(&compilation.round));
        let page: Page<RequestLine> = client.get(&path).await?;
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if daemon.json {
        return out::json(&json!({ "compilation": compilation, "items": all }));
    }
    let note = elsewhere(&client, &compilation).await?;
    out::text(&format!(
        "{}\n{}{note}",
        summary(&compilation),
        table(&compilation, &all)
    ))
}

/// What became of the requests is written on the second host; the first can't know.
async fn elsewhere(client: &Client, compilation: &Compilation) -> Result<String, Failure> {
    let Some(second) = compilation
        .second
        .as_ref()
        .filter(|_| compilation.outcomes.unsettled > 0)
    else {
        return Ok(String::new());
    };
    let hosts: Vec<HostView> = client.get("/api/v1/hosts").await?;
    let me = hosts.iter().find(|host| host.me).map(|host| &host.host);
    Ok(if me == Some(second) {
        String::new()
    } else {
        format!("\nWhat became of them is written on {second}: ask it, with --url.\n")
    })
}

async fn compilation(client: &Client, wanted: &Wanted) -> Result<Compilation, Failure> {
    if let Some(round) = &wanted.round {
        let found = client
            .find_one(&format!("/api/v1/compilations/{}", part(round)))
            .await?;
        return found.ok_or_else(|| {
            Failure::failed(format!(
                "no compilation of {round:?} is kept there; see `understudy requests`, or ask the other host"
            ))
        });
    }
    let service = wanted.service.as_ref().map(ToString::to_string);
    let path = format!(
        "/api/v1/compilations{}",
        query(&[("service", service), ("limit", Some("1".to_owned()))])
    );
    let page: Page<Compilation> = client.get(&path).await?;
    let newest = page.items.into_iter().next();
    newest.ok_or_else(|| Failure::failed("there was no takeover with a compilation yet"))
}

fn summary(compilation: &Compilation) -> String {
    let second = compilation.second.as_deref().unwrap_or("nobody");
    let (o, sealed) = (
        &compilation.outcomes,
        if compilation.sealed { "complete" } else { "NOT COMPLETE" },
    );
    let counts = [
        ("completed", o.completed),
        ("resumed", o.resumed),
        ("replayed", o.replayed),
        ("client retries", o.client_retries),
        ("refused", o.refused),
        ("LOST", o.lost),
        ("not settled", o.unsettled),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    format!(
        "{} {} → {second}, takeover {}, {}: {} requests, {sealed}\n{}\n",
        compilation.service,
        compilation.first,
        compilation.round,
        instant(compilation.started_at_ms),
        compilation.count,
        if counts.is_empty() {
            "nothing was under way".to_owned()
        } else {
            counts.join(", ")
        },
    )
}

fn table(compilation: &Compilation, requests: &[RequestLine]) -> String {
    if requests.is_empty() {
        return "No request fits.\n".to_owned();
    }
    let mut table = Table::new(&["REQUEST", "CLIENT", "OPERATION", "RAN FOR", "STATE", "OUTCOME", "WHY"]);
    for request in requests {
        let progress = request.progress.as_ref().map_or(String::new(), |p| {
            let total = p.total.map_or(String::new(), |total| format!("/{total}"));
            format!(" {}{total} {}", p.done, p.unit)
        });
        let ran = request
            .started_at_ms
            .map(|at| length(compilation.started_at_ms.saturating_sub(at)));
        let (outcome, why) = match &request.disposition {
            Some(disposition) => (word(&disposition.outcome), disposition.message.clone()),
            None => ("not settled".to_owned(), String::new()),
        };
        table.row([
            request.id.clone(),
            request.client.clone(),
            request.operation.clone(),
            ran.unwrap_or_else(|| "?".to_owned()),
            word(&request.state) + &progress,
            outcome,
            why,
        ]);
    }
    table.render()
}

/// The longest page that REST gives.
const PAGE: u32 = 1000;
