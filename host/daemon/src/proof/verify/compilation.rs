//! Is every request accounted for? The seal in the messages, the seals the hosts state, and the digest of what is listed
//! must be one; and every request must have its disposition.

use std::collections::BTreeMap;

use serde_json::Value;
use understudy_protocol::RequestStatus;
use understudy_store::seal_of;

use super::findings::Findings;
use super::story::{Course, Story};
use crate::proof::statement::{Compiled, Statement};

pub(super) fn check(story: &Story<'_>, findings: &mut Findings) {
    if story.course != Course::Moved {
        return;
    }
    let Some((count, digest)) = announced(story) else {
        findings.fails("compilation", "no host states the seal of the compilation");
        return;
    };
    let mut against = wrong_seals(story, count, &digest);
    let (mut listed, mut kept) = (0, 0);
    for half in story.halves {
        let Some(compiled) = &half.compilation else { continue };
        kept += 1;
        if compiled.requests.is_some() {
            listed += 1;
            against.extend(wrong_list(half, compiled, count, &digest));
        }
    }
    if kept == 0 {
        findings.unproven(
            "compilation",
            "no host keeps the compilation any more (see the retention)",
        );
    } else if listed == 0 && against.is_empty() {
        findings.unproven(
            "compilation",
            format!("{count} requests are too many to be listed here; the seals agree"),
        );
    } else {
        let found = format!("{count} requests, {digest}: listed, stored, released and resolved under one digest");
        findings.judge("compilation", against, found);
    }
    check_dispositions(story, findings);
}

fn announced(story: &Story<'_>) -> Option<(u64, String)> {
    let messages = story.halves.iter().flat_map(Statement::messages);
    let mut seals = messages.filter_map(|(_, said)| seal_in(&said.name, &said.body));
    seals.next()
}

fn seal_in(name: &str, body: &Value) -> Option<(u64, String)> {
    let seal = match name {
        "Compilation" | "CompilationStored" => &body["seal"],
        "Released" => &body["grant"]["seal"],
        _ => return None,
    };
    Some((seal["count"].as_u64()?, seal["digest"].as_str()?.to_owned()))
}

fn wrong_seals(story: &Story<'_>, count: u64, digest: &str) -> Vec<String> {
    let mut against = Vec::new();
    for half in story.halves {
        for (event, said) in half.messages() {
            if seal_in(&said.name, &said.body).is_some_and(|(c, d)| (c, d.as_str()) != (count, digest)) {
                against.push(format!("{}.events[{}]: another seal", half.host, event.n));
            }
        }
        if let Some(compiled) = &half.compilation {
            let stated = compiled.digest.as_deref();
            if compiled.count != count || stated != Some(digest) {
                against.push(format!(
                    "{}.compilation: {} requests with {}, and {count} with {digest} were announced",
                    half.host,
                    compiled.count,
                    stated.unwrap_or("no seal")
                ));
            }
        }
    }
    against
}

fn wrong_list(half: &Statement, compiled: &Compiled, count: u64, digest: &str) -> Option<String> {
    let place = |place: usize, error: &str| format!("{}.compilation.requests[{place}]: {error}", half.host);
    let mut requests: Vec<RequestStatus> = Vec::new();
    for (number, request) in compiled.requests.iter().flatten().enumerate() {
        match understudy_wire::request_from_json(request.request.clone()) {
            // Reading must lose nothing, or the digest would not be of what is listed.
            Ok(status) if understudy_wire::request_json(&status) != request.request => {
                return Some(place(number, "it is not in its plain form"));
            }
            Ok(status) => requests.push(status),
            Err(error) => return Some(place(number, &error)),
        }
    }
    requests.sort_by(|a, b| a.id.cmp(&b.id));
    let seal = seal_of(&requests);
    (seal.count != count || seal.digest.to_string() != digest).then(|| {
        format!(
            "{}.compilation.requests: what is listed has the digest {}, not {digest}",
            half.host, seal.digest
        )
    })
}

fn check_dispositions(story: &Story<'_>, findings: &mut Findings) {
    let Some(second) = story.second else {
        findings.unproven("requests", "what became of the requests, only the second can say");
        return;
    };
    let listed = second
        .compilation
        .as_ref()
        .and_then(|compiled| compiled.requests.as_ref());
    let Some(requests) = listed else {
        findings.unproven("requests", format!("{} lists no requests", second.host));
        return;
    };
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut against = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        match &request.disposition {
            Some(disposed) => {
                let word = serde_json::to_value(disposed.outcome).unwrap_or_default();
                *outcomes.entry(word.as_str().unwrap_or("?").to_owned()).or_default() += 1;
            }
            None => against.push(format!(
                "{}.compilation.requests[{number}]: nobody says what became of it",
                second.host
            )),
        }
    }
    if second.step("took-over").is_none() && !against.is_empty() {
        findings.unproven("requests", format!("{} requests are not settled yet", against.len()));
        return;
    }
    let told: Vec<String> = outcomes.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let told = if told.is_empty() {
        "nothing was under way".to_owned()
    } else {
        format!("every request is accounted for: {}", told.join(", "))
    };
    findings.judge("requests", against, told);
}
