//! A plugin that keeps failing is left alone, per service and per side.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use understudy_runtime::{BreakerPolicy, BreakerState, CallFailure, Limits, Target, World};

use crate::support::{check, context, hostile, target};

/// Left alone after two failures, at first for so long.
fn impatient(service: &str, what: &str, first: Duration) -> Target {
    let mut target = target(service, json!({"do": what}));
    let breaker = BreakerPolicy {
        failures: 2,
        first,
        longest: Duration::from_secs(3600),
    };
    target.limits = Some(Limits {
        breaker,
        ..Limits::default()
    });
    target
}

const LONG: Duration = Duration::from_secs(3600);

async fn failure(target: &Target) -> CallFailure {
    check(target.clone(), context()).await.unwrap_err()
}

#[tokio::test]
async fn it_opens_backs_off_and_closes() {
    let first = Duration::from_secs(3);
    let bad = impatient("breaker", "trap", first);
    let good = impatient("breaker", "context", first);
    for _ in 0..2 {
        assert!(matches!(failure(&bad).await, CallFailure::Trapped { .. }));
    }
    assert!(
        matches!(failure(&good).await, CallFailure::BreakerOpen { failures: 2, .. }),
        "even a good call waits"
    );
    tokio::time::sleep(first).await;
    assert!(matches!(failure(&bad).await, CallFailure::Trapped { .. }), "one trial");
    let CallFailure::BreakerOpen { retry_in, .. } = failure(&good).await else {
        panic!("it should be open")
    };
    assert!(first < retry_in && retry_in <= 2 * first, "doubled: {retry_in:?}");
    tokio::time::sleep(retry_in).await;
    check(good.clone(), context()).await.unwrap();
    let state = hostile().await.breaker(&good.service, World::Probe);
    assert_eq!(state, BreakerState::default(), "closed");
}

#[tokio::test]
async fn it_is_of_one_service_and_one_side() {
    let bad = impatient("breaker-one", "trap", LONG);
    for _ in 0..2 {
        failure(&bad).await;
    }
    assert!(matches!(failure(&bad).await, CallFailure::BreakerOpen { .. }));
    assert!(matches!(
        failure(&impatient("breaker-two", "trap", LONG)).await,
        CallFailure::Trapped { .. }
    ));
    let plugin = hostile().await;
    let drain = Arc::new(impatient("breaker-one", "", LONG));
    plugin
        .settle(&drain, context())
        .await
        .expect("the drain side is untouched");
    plugin.reset_breaker(&bad.service);
    assert!(matches!(failure(&bad).await, CallFailure::Trapped { .. }));
}

#[tokio::test]
async fn a_plugins_own_error_does_not_open_it() {
    let target = impatient("breaker-error", "error", LONG);
    for _ in 0..5 {
        assert!(matches!(failure(&target).await, CallFailure::Plugin(_)));
    }
}
