//! A call of an old term changes nothing; a call that only looks never does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use understudy_protocol::Term;
use understudy_runtime::{CallContext, Endpoint, Target};

use crate::commands::{running, spec};
use crate::servers::{Redis, silent};
use crate::support::{Seen, context, hostile, probe, seen_in_step, target};

async fn settle(target: Target, term: u64) -> Seen {
    let context = CallContext {
        term: Term(term),
        ..context()
    };
    seen_in_step(&hostile().await.settle(&Arc::new(target), context).await.unwrap())
}

fn changing() -> Target {
    let mut change = spec(&["/bin/echo", "changed"]);
    change.changes = true;
    let target = running("change", change, json!({}));
    target.fence.store(7, Ordering::SeqCst);
    target
}

#[tokio::test]
async fn a_changing_command_needs_the_current_term() {
    let seen = settle(changing(), 6).await;
    assert_eq!(seen["error"], "fenced");
    assert!(seen["message"].contains("term 6"), "{}", seen["message"]);
    for term in [7, 8] {
        assert_eq!(settle(changing(), term).await["stdout"], "changed\n");
    }
}

#[tokio::test]
async fn a_command_that_only_looks_needs_none() {
    let target = running("echo", spec(&["/bin/echo", "looked"]), json!({}));
    target.fence.store(7, Ordering::SeqCst);
    assert_eq!(settle(target, 6).await["stdout"], "looked\n");
}

#[tokio::test]
async fn a_probe_changes_nothing_whatever_its_term() {
    let seen = probe(changing()).await;
    assert_eq!(seen["error"], "read-only");
    let plugin = hostile().await;
    let target = Arc::new(changing());
    // These two look, too; they hide what they saw, so the command's own trace is what counts.
    plugin.observe(&target, context()).await.unwrap();
}

#[tokio::test]
async fn a_drain_call_of_an_old_term_connects_to_nothing_and_a_probe_may() {
    let redis = Redis::start().await;
    let connecting = || {
        let mut target = target("fence", json!({"do": "connect", "endpoint": "tcp", "send": "PING\r\n"}));
        target.endpoints.insert(
            "tcp".into(),
            Endpoint::Tcp {
                address: redis.address(),
            },
        );
        target.fence.store(8, Ordering::SeqCst);
        target
    };
    assert_eq!(settle(connecting(), 7).await["error"], "fenced");
    assert_eq!(settle(connecting(), 8).await["read"], "+PONG\r\n");
    assert_eq!(probe(connecting()).await["read"], "+PONG\r\n", "looking needs no term");
}

#[tokio::test]
async fn a_term_that_moves_on_stops_a_connection_that_is_open() {
    let config = json!({"do": "connect", "endpoint": "silent", "pause-ms": 500, "send": "PROMOTE", "read": false});
    let mut target = target("fence-later", config);
    target.endpoints.insert(
        "silent".into(),
        Endpoint::Tcp {
            address: format!("127.0.0.1:{}", silent()),
        },
    );
    let fence = target.fence.clone();
    let call = tokio::spawn(settle(target, 7));
    tokio::time::sleep(Duration::from_millis(100)).await;
    fence.store(8, Ordering::SeqCst);
    assert_eq!(call.await.unwrap()["error"], "fenced");
}
