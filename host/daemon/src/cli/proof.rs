//! `understudy bundle` and `understudy verify`: a takeover's proof, and what it is worth. Verifying asks no daemon.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use understudy_api::wire::{Page, ProofReport, ProofResult, ProofVerdict, Takeover};
use understudy_protocol::ServiceName;

use super::args::{Daemon, Directory};
use super::client::{Client, part, query};
use super::failure::{Failure, Outcome};
use super::out::{self, plain};
use crate::exit::Exit;
use crate::proof::{self, Trusted};

/// Prints a takeover's bundle; without an id, that of the last one.
pub(super) async fn bundle(daemon: &Daemon, id: Option<String>, service: Option<ServiceName>) -> Outcome {
    let client = Client::find(daemon)?;
    let id = match id {
        Some(id) => id,
        None => newest(&client, service).await?,
    };
    let bundle: Value = client.get(&format!("/api/v1/takeovers/{}/bundle", part(&id))).await?;
    for absence in bundle["absent"].as_array().into_iter().flatten() {
        let text = |field: &str| plain(absence[field].as_str().unwrap_or_default());
        eprintln!("{} is not in it: {}", text("host"), text("because"));
    }
    out::json(&bundle)
}

async fn newest(client: &Client, service: Option<ServiceName>) -> Result<String, Failure> {
    let query = query(&[
        ("service", service.map(|service| service.to_string())),
        ("limit", Some("1".to_owned())),
    ]);
    let page: Page<Takeover> = client.get(&format!("/api/v1/takeovers{query}")).await?;
    let newest = page.items.into_iter().next();
    newest
        .map(|takeover| takeover.id)
        .ok_or_else(|| Failure::failed("there was no takeover yet"))
}

/// Verifies a bundle's file.
pub(super) fn verify(file: &Path, ca: Option<&Path>, identity: &Directory, json: bool) -> Outcome {
    let text = read(file)?;
    let trusted = trusted(ca, identity)?;
    let report = proof::verify(&text, &trusted)
        .map_err(|error| Failure::failed(format!("{}: this is no proof bundle: {error}", file.display())))?;
    if json {
        out::json(&report)?;
    } else {
        out::text(&shown(&report))?;
    }
    let ended = |exit| Err(Failure::new(exit, format!("{}: {}", file.display(), report.summary)));
    match report.verdict {
        ProofVerdict::Holds => Ok(()),
        ProofVerdict::HoldsInPart => ended(Exit::InPart),
        ProofVerdict::Fails => ended(Exit::Failed),
    }
}

fn shown(report: &ProofReport) -> String {
    let mut text = format!("takeover {} of {}\n", plain(&report.takeover), plain(&report.service));
    for check in &report.checks {
        let mark = match check.result {
            ProofResult::Holds => "ok  ",
            ProofResult::Unproven => "?   ",
            ProofResult::Fails => "FAIL",
        };
        text.push_str(&format!("{mark}  {:<12} {}\n", check.check, plain(&check.found)));
    }
    if let Some(outage) = &report.outage {
        let sure = |ms: u64| format!(", give or take {ms} ms");
        let sure = outage
            .uncertainty_ms
            .map_or(", by clocks that were not compared".to_owned(), sure);
        let address = |ms: i64| format!("; the addresses say {ms} ms");
        let address = outage.address_ms.map_or(String::new(), address);
        text.push_str(&format!("\nnew clients waited {} ms{sure}{address}\n", outage.ms));
    }
    text.push_str(&format!("\n{}\n", plain(&report.summary)));
    text
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    Ok(text)
}

/// The authority that was given, or the one of this machine's identity; else nobody vouches.
fn trusted(ca: Option<&Path>, identity: &Directory) -> Result<Trusted, Failure> {
    let own = identity.identity.join("ca.pem");
    let (path, given) = ca.map_or((own.as_path(), false), |path| (path, true));
    match fs::read_to_string(path) {
        Ok(pem) => Trusted::pem(&pem, path.display().to_string())
            .map_err(|error| Failure::failed(format!("{}: no certificate: {error}", path.display()))),
        Err(error) if given => Err(Failure::failed(format!("{}: {error}", path.display()))),
        Err(_) => Ok(Trusted::Nobody),
    }
}
