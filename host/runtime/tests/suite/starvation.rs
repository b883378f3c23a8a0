//! Whatever some guests do, the others and the daemon go on; and a call that is no longer wanted ends.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use understudy_runtime::{CallFailure, Cancellation, Endpoint};

use crate::servers::Redis;
use crate::support::{check, context, context_of, hostile, probe, seen, target};

/// Long enough that honest calls end before it on any machine.
const SPIN: Duration = Duration::from_secs(15);

fn spinners(count: usize, name: &'static str) -> Vec<tokio::task::JoinHandle<CallFailure>> {
    let spin = move |number| async move {
        let target = target(&format!("{name}-{number}"), json!({"do": "spin"}));
        check(target, context_of(SPIN)).await.unwrap_err()
    };
    (0..count).map(|number| tokio::spawn(spin(number))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_probes_go_on_beside_spinning_ones() {
    let redis = Redis::start().await;
    let spinners = spinners(8, "spinner");
    let mut honest = target(
        "honest",
        json!({"do": "connect", "endpoint": "tcp", "send": "PING\r\n"}),
    );
    honest.endpoints.insert(
        "tcp".into(),
        Endpoint::Tcp {
            address: redis.address(),
        },
    );
    for _ in 0..20 {
        assert_eq!(probe(honest.clone()).await["read"], "+PONG\r\n");
    }
    assert!(
        spinners.iter().all(|spinner| !spinner.is_finished()),
        "they should still be spinning"
    );
    for spinner in spinners {
        spinner.abort();
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_daemons_own_thread_goes_on() {
    let spinners = spinners(4, "beside");
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        spinners.iter().all(|spinner| !spinner.is_finished()),
        "they should still be spinning"
    );
    for spinner in spinners {
        spinner.abort();
    }
}

#[tokio::test]
async fn a_dropped_call_ends() {
    let plugin = hostile().await;
    let spin = Arc::new(target("dropped", json!({"do": "spin"})));
    // More than the threads there are, again and again: were they not ended, the last call would never run.
    for _ in 0..10 {
        let calls = (0..8).map(|_| plugin.check(&spin, context()));
        let all = futures_util::future::join_all(calls);
        assert!(tokio::time::timeout(Duration::from_millis(50), all).await.is_err());
    }
    assert_eq!(
        probe(target("dropped", json!({"do": "context"}))).await["service"],
        "dropped"
    );
}

#[tokio::test]
async fn a_polite_plugin_ends_when_it_is_cancelled() {
    let cancellation = Cancellation::default();
    let mut context = context();
    context.cancellation = cancellation.clone();
    let call = tokio::spawn(check(target("polite", json!({"do": "until-cancelled"})), context));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!call.is_finished());
    cancellation.cancel();
    assert_eq!(seen(&call.await.unwrap().unwrap())["cancelled"], "true");
}

#[tokio::test]
async fn an_impolite_plugin_is_ended_when_it_is_cancelled() {
    let mut context = context();
    context.cancellation.cancel();
    context.remaining = Duration::from_secs(50);
    let failure = check(target("impolite", json!({"do": "spin"})), context)
        .await
        .unwrap_err();
    assert_eq!(failure, CallFailure::Cancelled);
    let state = hostile()
        .await
        .breaker(&target("impolite", json!({})).service, understudy_runtime::World::Probe);
    assert_eq!(state.failures, 0, "nobody blames it for that");
}
