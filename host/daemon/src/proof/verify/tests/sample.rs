//! A small takeover that went as it must, told by both hosts, and the keys to sign it.

mod overlap;

use serde_json::{Value, json};
use tempfile::TempDir;
use understudy_api::wire::{ProofAssembly, ProofBundle, ProofHalf};
use understudy_protocol::HostName;
use understudy_store::seal_of;

use crate::cluster::{self, Identity};
use crate::proof::statement::Statement;
use crate::proof::{FORM, assemble, canonical, keys};

/// Two hosts of a cluster, with what each states.
pub(super) struct Sample {
    pub(super) alpha: Value,
    pub(super) beta: Value,
    identities: [Identity; 2],
    _folder: TempDir,
}

pub(super) const ROUND: &str = "0123456789abcdef0011223344556677-4";

impl Sample {
    pub(super) fn new() -> Self {
        Sample::told(first(), second())
    }

    /// A takeover in which both servers ran.
    pub(super) fn overlapping() -> Self {
        Sample::told(overlap::first(), overlap::second())
    }

    fn told(first: Vec<Value>, second: Vec<Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("a"), folder.path().join("b"));
        let name = |name| HostName::new(name).unwrap();
        cluster::init(&one, &name("alpha"), false).unwrap();
        let invitation = cluster::invite(&one, &name("beta")).unwrap();
        cluster::join(&two, &invitation, false).unwrap();
        let identities = [Identity::load(&one).unwrap(), Identity::load(&two).unwrap()];
        let [alpha, beta] = [
            statement(&identities[0], first, -70_000),
            statement(&identities[1], second, 70_000),
        ];
        Sample {
            alpha,
            beta,
            identities,
            _folder: folder,
        }
    }

    pub(super) fn authority(&self) -> String {
        keys::pem(&self.identities[0].authority)
    }

    /// Both halves, signed by their hosts as they are now.
    pub(super) fn bundle(&self) -> ProofBundle {
        self.assembled(vec![self.half(0, &self.alpha), self.half(1, &self.beta)])
    }

    pub(super) fn half(&self, host: usize, statement: &Value) -> ProofHalf {
        let identity = &self.identities[host];
        ProofHalf {
            host: identity.host.to_string(),
            certificate: keys::pem(&identity.certificate),
            signature: keys::sign(identity, &canonical::canonical(statement).unwrap()).unwrap(),
            statement: statement.clone(),
        }
    }

    pub(super) fn assembled(&self, halves: Vec<ProofHalf>) -> ProofBundle {
        let by = &self.identities[0];
        let mut bundle = ProofBundle {
            form: FORM.into(),
            takeover: ROUND.into(),
            service: "redis".into(),
            assembled: ProofAssembly {
                by: by.host.to_string(),
                at_ms: now_ms(),
                certificate: keys::pem(&by.certificate),
            },
            authority: keys::pem(&by.authority),
            absent: Vec::new(),
            halves,
            signature: String::new(),
        };
        let bytes = canonical::canonical(&assemble::unsigned(&bundle)).unwrap();
        bundle.signature = keys::sign(by, &bytes).unwrap();
        bundle
    }
}

fn now_ms() -> u64 {
    u64::try_from(crate::driver::wall_ms()).unwrap()
}

/// Beta's clock is 70 ms ahead of alpha's.
fn statement(identity: &Identity, events: Vec<Value>, offset_us: i64) -> Value {
    let me = identity.host.as_str();
    let peer = if me == "alpha" { "beta" } else { "alpha" };
    let requests: Vec<Value> = requests()
        .into_iter()
        .map(|request| {
            let disposed = json!({ "outcome": "client-retries", "message": "no answer was sent" });
            json!({ "request": request, "disposition": if me == "beta" { disposed } else { Value::Null } })
        })
        .collect();
    let (count, digest) = seal();
    let value = json!({
        "form": FORM, "host": me, "service": "redis", "takeover": ROUND, "understudy": "0.1.0",
        "stated_at_ms": now_ms(),
        "authority": keys::digest(&identity.authority),
        "certificate": keys::digest(&identity.certificate),
        "clocks": [{ "peer": peer, "at_ms": 1000, "offset_us": -offset_us, "uncertainty_us": 400 }],
        "events": numbered(events),
        "address": [{ "at_ms": 1030, "event": "address-held", "detail": "new clients wait" }],
        "compilation": {
            "first": "alpha", "second": "beta", "count": count, "digest": digest, "requests": requests,
        },
    });
    serde_json::from_value::<Statement>(value.clone()).unwrap();
    value
}

pub(super) fn numbered(events: Vec<Value>) -> Vec<Value> {
    let number = |(event, n): (Value, u64)| {
        let mut event = event;
        event["n"] = n.into();
        event
    };
    events.into_iter().zip(1..).map(number).collect()
}

fn first() -> Vec<Value> {
    vec![
        step(1000, "fault-indicated", "active", "asking", 1),
        said(1000, "sent", "beta", "FaultIndicated", json!({ "round": round() })),
        said(1001, "sent", "beta", "FaultReported", json!({ "round": round() })),
        said(
            1030,
            "received",
            "beta",
            "ShutdownCommanded",
            json!({ "round": round(), "new_term": 2 }),
        ),
        step(1030, "drain-started", "asking", "draining", 1),
        step(1100, "compilation-sealed", "draining", "draining", 1),
        said(
            1100,
            "sent",
            "beta",
            "Compilation",
            json!({ "round": round(), "seal": seal_json() }),
        ),
        said(
            1110,
            "received",
            "beta",
            "CompilationStored",
            json!({ "round": round(), "seal": seal_json() }),
        ),
        step(1110, "server-stopping", "draining", "draining", 1),
        step(1120, "server-stopped", "draining", "stopped", 1),
        step(1130, "released", "stopped", "released", 1),
        said(1130, "sent", "beta", "Released", grant()),
        said(1300, "received", "beta", "TookOver", json!({ "held": 2 })),
        step(1300, "grant-settled", "released", "standby", 2),
    ]
}

fn second() -> Vec<Value> {
    vec![
        said(1072, "received", "alpha", "FaultIndicated", json!({ "round": round() })),
        step(1072, "fault-heard", "standby", "preparing", 1),
        said(1073, "received", "alpha", "FaultReported", json!({ "round": round() })),
        step(1099, "shutdown-commanded", "preparing", "preparing", 1),
        said(
            1099,
            "sent",
            "alpha",
            "ShutdownCommanded",
            json!({ "round": round(), "new_term": 2 }),
        ),
        said(
            1172,
            "received",
            "alpha",
            "Compilation",
            json!({ "round": round(), "seal": seal_json() }),
        ),
        step(1178, "compilation-stored", "preparing", "preparing", 1),
        said(
            1178,
            "sent",
            "alpha",
            "CompilationStored",
            json!({ "round": round(), "seal": seal_json() }),
        ),
        said(1202, "received", "alpha", "Released", grant()),
        step(1202, "grant-accepted", "preparing", "activating", 2),
        step(1250, "server-serves", "activating", "activating", 2),
        step(1260, "serving", "activating", "active", 2),
        step(1360, "took-over", "active", "active", 2),
        said(1360, "sent", "alpha", "TookOver", json!({ "held": 2 })),
    ]
}

pub(super) fn step(at_ms: u64, name: &str, from: &str, to: &str, term: u64) -> Value {
    json!({ "n": 0, "at_ms": at_ms, "step": {
        "seq": at_ms, "name": name, "reason": "the table says so", "detail": "in words", "from": from, "to": to,
        "term": term, "round": ROUND,
    } })
}

fn said(at_ms: u64, direction: &str, peer: &str, name: &str, body: Value) -> Value {
    json!({ "n": 0, "at_ms": at_ms, "message": {
        "direction": direction, "peer": peer, "name": name, "body": body, "times": 1, "last_at_ms": at_ms,
    } })
}

fn round() -> Value {
    let (store, counter) = ROUND.split_once('-').unwrap();
    json!({ "store": store, "counter": counter.parse::<u64>().unwrap() })
}

fn grant() -> Value {
    json!({ "grant": { "new_term": 2, "to": "beta", "round": round(), "seal": seal_json() } })
}

fn seal_json() -> Value {
    let (count, digest) = seal();
    json!({ "count": count, "digest": digest })
}

fn seal() -> (u64, String) {
    let statuses: Vec<_> = requests()
        .into_iter()
        .map(|request| understudy_wire::request_from_json(request).unwrap())
        .collect();
    let seal = seal_of(&statuses);
    (seal.count, seal.digest.to_string())
}

fn requests() -> Vec<Value> {
    let request = |id: &str, state: &str| {
        json!({
            "id": id, "client": "192.0.2.7:50000", "operation": "SET", "state": state, "started_at_ms": 900,
            "progress": { "done": 3, "total": 9, "unit": "bytes" }, "idempotency_key": "k", "resume": "AAEC",
            "attributes": [["user", "ann"]],
        })
    };
    vec![request("r1", "completed"), request("r2", "cut")]
}
