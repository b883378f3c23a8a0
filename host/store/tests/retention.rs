//! What retention removes and, more important, what it leaves alone.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{entry, host, request, round, service};
use tempfile::TempDir;
use understudy_protocol::{
    Durable, Entry, Fault, FaultKind, Grant, Outcome, RoundId, Severity, StoreId, Tenure, Term, Verdict,
};
use understudy_store::{JournalFilter, Keep, Pruned, Retention, Store, StoredResponse, seal_of};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn keeping(folder: &TempDir, keep: Keep) -> Store {
    let retention = Retention {
        journal: keep,
        compilations: keep,
        faults: keep,
        audit: keep,
        idempotency: keep,
    };
    Store::open(&folder.path().join("store.db"), retention).await.unwrap()
}

fn for_a_day() -> Keep {
    Keep {
        age: Duration::from_secs(24 * 60 * 60),
        at_most: u64::MAX,
    }
}

fn of_round(round: RoundId, durable: Option<Durable>) -> Entry {
    Entry {
        round: Some(round),
        durable,
        ..entry("web", None)
    }
}

async fn compile(store: &Store, round: RoundId) {
    store
        .begin_compilation(&service("web"), round, &host("a"), Some(&host("b")), 1)
        .await
        .unwrap();
    store.put_requests(round, &[request("1"), request("2")]).await.unwrap();
    store.seal_compilation(round, 2).await.unwrap();
}

async fn rounds(store: &Store) -> Vec<RoundId> {
    let mut rounds: Vec<_> = store
        .compilations(None, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.round)
        .collect();
    rounds.sort();
    rounds
}

#[tokio::test]
async fn the_old_goes_and_the_new_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = keeping(&folder, for_a_day()).await;
    for at_ms in [0, DAY_MS + 5] {
        store
            .append(
                &Entry {
                    round: None,
                    ..entry("web", None)
                },
                at_ms,
            )
            .await
            .unwrap();
        let fault = Fault {
            code: format!("f{at_ms}"),
            kind: FaultKind::Other,
            severity: Severity::Impaired,
            message: String::new(),
            shutdown_within: None,
            evidence: vec![],
        };
        store
            .record_fault(&service("web"), &host("a"), &fault, Verdict::Impaired, at_ms)
            .await
            .unwrap();
        store.end_fault(&service("web"), &host("a"), None, at_ms).await.unwrap();
        let open = Fault {
            code: format!("open{at_ms}"),
            ..fault
        };
        store
            .record_fault(&service("web"), &host("b"), &open, Verdict::Impaired, at_ms)
            .await
            .unwrap();
        let work = store.work_planned(&service("web"), "serve", "", at_ms).await.unwrap();
        store.work_ended(work, Ok(()), at_ms).await.unwrap();
        store.work_planned(&service("web"), "settle", "", at_ms).await.unwrap();
        let key = at_ms.to_string();
        store.take_idempotency_key(&key, "", at_ms).await.unwrap();
        store
            .keep_response(
                &key,
                &StoredResponse {
                    status: 200,
                    headers: vec![],
                    body: vec![],
                },
            )
            .await
            .unwrap();
    }
    let one_each = Pruned {
        journal: 1,
        work: 1,
        faults: 1,
        idempotency: 1,
        ..Pruned::default()
    };
    assert_eq!(store.prune(DAY_MS + 10).await.unwrap(), one_each);
    assert_eq!(store.prune(DAY_MS + 10).await.unwrap(), Pruned::default());
}

#[tokio::test]
async fn of_too_many_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = keeping(
        &folder,
        Keep {
            at_most: 3,
            ..for_a_day()
        },
    )
    .await;
    for at_ms in 0..5 {
        store
            .append(
                &Entry {
                    round: None,
                    ..entry("web", None)
                },
                at_ms,
            )
            .await
            .unwrap();
        store.take_idempotency_key(&at_ms.to_string(), "", at_ms).await.unwrap();
    }
    for counter in 0..5 {
        compile(&store, round(counter)).await;
        store.close_compilation(round(counter), "taken over", 3).await.unwrap();
    }
    let pruned = store.prune(10).await.unwrap();
    assert_eq!((pruned.journal, pruned.idempotency, pruned.compilations), (2, 2, 2));
    let left = store.journal(&JournalFilter::default(), 10).await.unwrap();
    assert_eq!(left.iter().map(|line| line.at_ms).collect::<Vec<_>>(), [4, 3, 2]);
    assert_eq!(rounds(&store).await, [round(2), round(3), round(4)]);
}

#[tokio::test]
async fn what_is_needed_stays_however_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = keeping(&folder, for_a_day()).await;
    let peer = |counter| RoundId {
        store: StoreId(9),
        counter,
    };
    // Round 1 came to nothing, 2 is granted, 3 is a peer's whose requests nobody resolved, 4 and 5 are being worked
    // through or were.
    for round in [round(1), round(2), peer(3), peer(4), peer(5)] {
        compile(&store, round).await;
        store.append(&of_round(round, None), 1).await.unwrap();
    }
    let grant = Grant {
        new_term: Term(4),
        to: host("b"),
        round: round(2),
        seal: Some(seal_of([])),
    };
    let tenure = |resolved| Tenure {
        from: Some(host("b")),
        round: Some(peer(4)),
        served: true,
        resolved,
        overlaps: false,
    };
    let durable = |resolved, grant| Durable {
        tenure: Some(tenure(resolved)),
        grant,
        ..Durable::default()
    };
    store
        .append(&of_round(round(2), Some(durable(false, Some(grant)))), 1)
        .await
        .unwrap();
    store.resolve_rest(peer(4), Outcome::Lost, "", 3).await.unwrap();
    store.resolve_rest(peer(5), Outcome::Lost, "", 3).await.unwrap();

    let pruned = store.prune(100 * DAY_MS).await.unwrap();
    assert_eq!(rounds(&store).await, [peer(4), round(2)]);
    assert_eq!(pruned.compilations, 3);
    let mut left: Vec<_> = store.journal(&JournalFilter::default(), 10).await.unwrap();
    left.sort_by_key(|line| line.seq);
    assert_eq!(
        left.iter().filter_map(|line| line.round).collect::<Vec<_>>(),
        [round(2), peer(4), round(2)]
    );
    assert_eq!(
        store.sealed(round(2)).await.unwrap(),
        Some(seal_of(&[request("1"), request("2")]))
    );

    // Settled and resolved: nothing needs them any more. The last unresolved one of a holder always is.
    compile(&store, peer(6)).await;
    store
        .append(&of_round(round(2), Some(durable(true, None))), 1)
        .await
        .unwrap();
    store.close_compilation(round(2), "taken over", 4).await.unwrap();
    store.prune(100 * DAY_MS).await.unwrap();
    assert_eq!(rounds(&store).await, [peer(6)]);
}

#[tokio::test]
async fn the_space_of_what_went_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = keeping(&folder, for_a_day()).await;
    compile(&store, round(1)).await;
    for page in 0..4 {
        let requests: Vec<_> = (0..2000).map(|n| request(&format!("{page}-{n}"))).collect();
        store.put_requests(round(1), &requests).await.unwrap();
    }
    store.close_compilation(round(1), "cancelled", 3).await.unwrap();
    store.close().await;
    let file = folder.path().join("store.db");
    let before = std::fs::metadata(&file).unwrap().len();

    let store = keeping(&folder, for_a_day()).await;
    assert_eq!(store.prune(100 * DAY_MS).await.unwrap().compilations, 1);
    store.close().await;
    let after = std::fs::metadata(&file).unwrap().len();
    assert!(after < before / 2, "{before} bytes became {after}");
}

#[tokio::test]
async fn a_holder_keeps_what_its_next_round_is_built_from() {
    let folder = tempfile::tempdir().unwrap();
    let store = keeping(
        &folder,
        Keep {
            at_most: 1,
            ..for_a_day()
        },
    )
    .await;
    let own = store.store_id().await.unwrap();
    let mine = |counter| RoundId { store: own, counter };
    for counter in 1..=4 {
        compile(&store, mine(counter)).await;
    }
    store.close_compilation(mine(2), "cancelled", 3).await.unwrap();
    let held = |held| Durable {
        held,
        round_counter: 4,
        ..Durable::default()
    };
    store
        .append(&of_round(mine(4), Some(held(Some(Term(3))))), 1)
        .await
        .unwrap();
    assert_eq!(store.prune(100 * DAY_MS).await.unwrap().compilations, 1);
    assert_eq!(rounds(&store).await, [mine(1), mine(3), mine(4)]);
    store.append(&of_round(mine(4), Some(held(None))), 1).await.unwrap();
    assert_eq!(store.prune(100 * DAY_MS).await.unwrap().compilations, 2);
    assert_eq!(rounds(&store).await, [mine(4)]);
}
