//! Each thing that a plugin must not get away with: the right failure, with its evidence, within its bounds.

use std::time::Duration;

use serde_json::json;
use understudy_runtime::{CallFailure, SavedState};

use crate::support::{check, context, context_of, probe, target};

const SHORT: Duration = Duration::from_millis(300);

async fn failure(service: &str, config: serde_json::Value) -> CallFailure {
    check(target(service, config), context()).await.unwrap_err()
}

#[tokio::test]
async fn an_endless_loop_times_out() {
    let failure = check(target("spin", json!({"do": "spin"})), context_of(SHORT))
        .await
        .unwrap_err();
    assert_eq!(
        failure,
        CallFailure::TimedOut {
            allowed: SHORT,
            waiting_for: None
        }
    );
    assert!(failure.evidence().contains(&("allowed-ms".into(), "300".into())));
}

#[tokio::test]
async fn an_endless_sleep_times_out_and_says_where() {
    let failure = check(
        target("sleep", json!({"do": "sleep", "ms": 3_600_000})),
        context_of(SHORT),
    )
    .await
    .unwrap_err();
    assert_eq!(
        failure,
        CallFailure::TimedOut {
            allowed: SHORT,
            waiting_for: Some("clock.sleep-ms".into())
        }
    );
    let by_wasi = json!({"do": "sleep-by-wasi", "ms": 3_600_000});
    let failure = check(target("sleep-by-wasi", by_wasi), context_of(SHORT))
        .await
        .unwrap_err();
    assert!(matches!(failure, CallFailure::TimedOut { .. }), "{failure:?}");
}

#[tokio::test]
async fn memory_is_bounded() {
    let limit = understudy_runtime::Limits::default().memory_bytes;
    assert_eq!(
        failure("memory", json!({"do": "memory"})).await,
        CallFailure::OutOfMemory { limit_bytes: limit }
    );
    let seen = probe(target("memory-politely", json!({"do": "memory-politely"}))).await;
    let megabytes: usize = seen["megabytes"].parse().unwrap();
    assert!((1..=limit >> 20).contains(&megabytes), "{megabytes}");
}

#[tokio::test]
async fn a_trap_says_where() {
    let CallFailure::Trapped { message, backtrace, .. } = failure("trap", json!({"do": "trap"})).await else {
        panic!("no trap")
    };
    assert!(message.contains("unreachable"), "{message}");
    assert!(backtrace.iter().any(|frame| frame.contains("check")), "{backtrace:?}");
}

#[tokio::test]
async fn a_panic_leaves_its_message() {
    let failure = failure("panic", json!({"do": "panic"})).await;
    let CallFailure::Trapped { stderr, .. } = &failure else {
        panic!("{failure:?}")
    };
    assert!(stderr.contains("panics on purpose"), "{stderr}");
    assert!(
        failure
            .evidence()
            .iter()
            .any(|(key, value)| key == "stderr" && value.contains("panics on purpose"))
    );
}

#[tokio::test]
async fn endless_recursion_ends() {
    // The one needs the sandbox's stack only, the other a stack in its own memory too.
    for (what, trap) in [
        ("recurse", "stack exhausted"),
        ("recurse-in-memory", "out of bounds memory"),
    ] {
        let failure = failure("recurse", json!({"do": what})).await;
        assert!(
            matches!(&failure, CallFailure::Trapped { message, .. } if message.contains(trap)),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_log_flood_ends_the_call() {
    let by_lines = failure("log-lines", json!({"do": "log", "lines": 1_000_000, "bytes": 1})).await;
    assert!(
        matches!(by_lines, CallFailure::LogFlood { lines: 1_001, .. }),
        "{by_lines:?}"
    );
    let by_bytes = failure("log-bytes", json!({"do": "log", "lines": 1_000_000, "bytes": 10_000})).await;
    assert!(
        matches!(by_bytes, CallFailure::LogFlood { lines: 27, .. }),
        "{by_bytes:?}"
    );
    let seen = probe(target("log-some", json!({"do": "log", "lines": 900, "bytes": 20}))).await;
    assert_eq!(seen["logged"], "900");
}

#[tokio::test]
async fn an_answer_is_bounded() {
    for (config, wanted) in [
        (json!({"do": "huge-answer", "bytes": 32 << 20}), "answer"),
        (
            json!({"do": "huge-argument", "bytes": 32 << 20}),
            "argument of a host call",
        ),
        (json!({"do": "huge-answer", "bytes": 5_000}), "fault's message"),
        (json!({"do": "huge-state", "bytes": (64 << 10) + 1}), "saved state"),
        (json!({"do": "many-faults", "bytes": 65}), "list of faults"),
    ] {
        let failure = failure("large", config.clone()).await;
        assert!(
            matches!(&failure, CallFailure::AnswerTooLarge { what, .. } if what == wanted),
            "{config}: {failure:?}"
        );
        crate::support::hostile()
            .await
            .reset_breaker(&target("large", json!({})).service);
    }
    check(
        target("large", json!({"do": "huge-state", "bytes": 64 << 10})),
        context(),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn an_answer_that_breaks_a_rule_is_refused() {
    for (service, what) in [
        ("failing", "failing-without-fault"),
        ("code", "bad-code"),
        ("nan", "not-a-number"),
    ] {
        let failure = failure(service, json!({"do": what})).await;
        assert!(matches!(failure, CallFailure::Invalid { .. }), "{what}: {failure:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_abi_is_refused() {
    for spoil in ["verdict", "pointer", "length", "text", "answer"] {
        let failure = failure(&format!("spoil-{spoil}"), json!({"do": "context", "spoil": spoil})).await;
        let refused = matches!(
            failure,
            CallFailure::Trapped { .. } | CallFailure::AnswerTooLarge { .. }
        );
        assert!(refused, "{spoil}: {failure:?}");
    }
}

#[tokio::test]
async fn a_plugins_own_error_is_not_its_failure() {
    let failure = failure("error", json!({"do": "error"})).await;
    let CallFailure::Plugin(error) = &failure else {
        panic!("{failure:?}")
    };
    assert_eq!((error.code.as_str(), error.retryable), ("no-server", true));
    assert!(!failure.is_plugins_own());
}

#[tokio::test]
async fn the_next_call_after_every_failure_is_a_fresh_one() {
    for what in ["trap", "memory", "recurse", "panic"] {
        failure("fresh", json!({"do": what})).await;
        let seen = probe(target("fresh", json!({"do": "context"}))).await;
        assert_eq!(seen["service"], "fresh");
    }
}

#[tokio::test]
async fn the_context_arrives_whole() {
    let mut target = target("context", json!({"do": "context"}));
    target.attributes = vec![("rack".into(), "7".into())];
    let mut context = context();
    context.attempt = 3;
    context.attributes = vec![("active-host".into(), "beta".into())];
    let seen = crate::support::seen(&check(target, context).await.unwrap());
    for (key, value) in [
        ("service", "context"),
        ("server-type", "hostile"),
        ("host", "alpha"),
        ("term", "7"),
        ("expected", "Expectation::Serving"),
        ("attempt", "3"),
        ("remaining-ms", "20000"),
        ("attribute-rack", "7"),
        ("attribute-active-host", "beta"),
    ] {
        assert_eq!(seen[key], value, "{key}");
    }
}

#[tokio::test]
async fn state_is_kept_by_the_host_and_nowhere_else() {
    let target = target("state", json!({"do": "context", "count": true}));
    let mut state = None;
    for round in 1u64..=3 {
        let mut context = context();
        context.state = state;
        state = check(target.clone(), context).await.unwrap().state;
        assert_eq!(
            state,
            Some(SavedState {
                format: 1,
                data: round.to_le_bytes().to_vec()
            })
        );
    }
}

#[tokio::test]
async fn wasi_gives_nothing() {
    let seen = probe(target("wasi", json!({"do": "wasi"}))).await;
    for (key, value) in [("environment", "0"), ("arguments", "0"), ("stdin", "0")] {
        assert_eq!(seen[key], value, "{key}");
    }
    for key in ["root", "passwd", "write"] {
        assert!(seen[key].starts_with("Err"), "{key}: {}", seen[key]);
    }
}
