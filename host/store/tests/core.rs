//! The core on real files: what was answered is there after the store is opened again.
#![allow(clippy::unwrap_used)]

mod support;

use support::{entry, host, open, request, round, service};
use understudy_protocol::{
    Begun, CompilationSeal, Disposition, DownPhase, Durable, Grant, Outcome, Pause, PauseScope, PauseWord, Pauses,
    RequestState, StayDown, Step, Tenure, Term, Time,
};
use understudy_store::{JournalFilter, Order, OutcomeFilter, RequestFilter, Retention, Store, StoreError, seal_of};

fn full_record() -> Durable {
    Durable {
        adopted: true,
        known: Term(u64::MAX),
        promised: Term(7),
        held: None,
        tenure: Some(Tenure {
            from: Some(host("b")),
            round: Some(round(3)),
            served: true,
            resolved: false,
            overlaps: true,
        }),
        grant: Some(Grant {
            new_term: Term(9),
            to: host("b"),
            round: round(4),
            seal: Some(seal_of([&request("1")])),
        }),
        begun: Some(Begun {
            round: round(5),
            step: Step::WarmUp,
        }),
        round_counter: 4,
        stay_down: Some(StayDown {
            released: Term(6),
            fault: "disk-failing".into(),
            phase: DownPhase::Cured,
        }),
        givebacks: 2,
        pauses: full_pauses(),
    }
}

fn full_pauses() -> Pauses {
    let word = |pause| PauseWord {
        stamp: 3,
        from: host("b"),
        at: Time(1_700_000_000_000),
        pause,
    };
    let pause = |until| {
        Some(Pause {
            by: "anna".into(),
            reason: "a new switch".into(),
            since: Time(1_700_000_000_000),
            until,
        })
    };
    Pauses {
        words: [
            (PauseScope::Cluster, word(None)),
            (PauseScope::Service, word(pause(Some(Time(1_700_000_100_000))))),
            (PauseScope::Host, word(pause(None))),
        ]
        .into(),
        moves: [(round(1), Time(12)), (round(2), Time(13))].into(),
    }
}

#[tokio::test]
async fn identity_and_boots_survive() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let id = store.store_id().await.unwrap();
    let first = store.next_boot("machine-1\n").await.unwrap();
    assert_eq!((first.boot.0, first.same_machine_boot), (1, false));
    drop(store);

    let store = open(&folder).await;
    assert_eq!(store.store_id().await.unwrap(), id);
    let second = store.next_boot("machine-1").await.unwrap();
    assert_eq!((second.boot.0, second.same_machine_boot), (2, true));
    let third = store.next_boot("machine-2").await.unwrap();
    assert_eq!((third.boot.0, third.same_machine_boot), (3, false));

    let other = tempfile::tempdir().unwrap();
    assert_ne!(open(&other).await.store_id().await.unwrap(), id);
}

#[tokio::test]
async fn a_line_and_its_record_survive_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    assert_eq!(store.durable(&service("web")).await.unwrap(), None);
    let line = store.append(&entry("web", Some(full_record())), 1000).await.unwrap();
    assert_eq!(line.round, Some(round(4)));
    drop(store);

    let store = open(&folder).await;
    assert_eq!(store.durable(&service("web")).await.unwrap(), Some(full_record()));
    assert_eq!(store.journal(&JournalFilter::default(), 10).await.unwrap(), [line]);
    // A line without a record leaves it alone; an empty record replaces everything.
    store.append(&entry("web", None), 1001).await.unwrap();
    assert_eq!(store.durable(&service("web")).await.unwrap(), Some(full_record()));
    store
        .append(&entry("web", Some(Durable::default())), 1002)
        .await
        .unwrap();
    assert_eq!(store.durable(&service("web")).await.unwrap(), Some(Durable::default()));
}

#[tokio::test]
async fn the_journal_is_read_from_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    for at_ms in 0..10 {
        store
            .append(&entry(if at_ms % 2 == 0 { "web" } else { "db" }, None), at_ms)
            .await
            .unwrap();
    }
    let web = JournalFilter {
        service: Some(service("web")),
        ..JournalFilter::default()
    };
    let times = |lines: Vec<understudy_store::JournalLine>| lines.iter().map(|line| line.at_ms).collect::<Vec<_>>();
    assert_eq!(times(store.journal(&web, 3).await.unwrap()), [8, 6, 4]);
    let oldest = JournalFilter {
        order: Order::OldestFirst,
        ..web.clone()
    };
    let first = store.journal(&oldest, 2).await.unwrap();
    let rest = JournalFilter {
        after_seq: Some(first[1].seq),
        ..oldest.clone()
    };
    assert_eq!(times(first), [0, 2]);
    assert_eq!(times(store.journal(&rest, 10).await.unwrap()), [4, 6, 8]);
    let before = JournalFilter {
        before_seq: Some(4),
        ..JournalFilter::default()
    };
    assert_eq!(times(store.journal(&before, 2).await.unwrap()), [2, 1]);
    let no_round = JournalFilter {
        round: Some(round(77)),
        ..JournalFilter::default()
    };
    assert!(store.journal(&no_round, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn both_hosts_make_the_same_seal() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut requests: Vec<_> = (0..5000).map(|n| request(&format!("r{n}"))).collect();
    // What SQL could mangle: an empty id, zero bytes, text that sorts differently elsewhere.
    requests.extend(["", "\0", "a\0b", "Z", "z", "é", "\u{10ffff}"].map(request));
    let mut seals = Vec::new();
    for folder in &folders {
        let store = open(folder).await;
        store
            .begin_compilation(&service("web"), round(1), &host("a"), Some(&host("b")), 1)
            .await
            .unwrap();
        for page in requests.chunks(512) {
            store.put_requests(round(1), page).await.unwrap();
        }
        seals.push(store.seal_compilation(round(1), 2).await.unwrap());
        requests.reverse();
    }
    requests.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(seals[0], seals[1]);
    assert_eq!(seals[0], seal_of(&requests));

    let store = open(&folders[0]).await;
    assert_eq!(store.sealed(round(1)).await.unwrap(), Some(seals[0]));
    let mut all = Vec::new();
    let mut pages = store.all_requests(round(1)).await.unwrap();
    while let Some(page) = pages.next_page().await.unwrap() {
        all.extend(page);
    }
    assert_eq!(all, requests);
}

#[tokio::test]
async fn a_change_takes_the_seal_away_and_a_repetition_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store
        .begin_compilation(&service("web"), round(1), &host("a"), None, 1)
        .await
        .unwrap();
    let mut requests = [request("1"), request("2")];
    store.put_requests(round(1), &requests).await.unwrap();
    let seal: CompilationSeal = store.seal_compilation(round(1), 2).await.unwrap();
    store.put_requests(round(1), &requests).await.unwrap();
    assert_eq!(store.sealed(round(1)).await.unwrap(), Some(seal));

    requests[1].state = RequestState::Cut;
    store.put_requests(round(1), &requests).await.unwrap();
    assert_eq!(store.sealed(round(1)).await.unwrap(), None);
    let cut = store.seal_compilation(round(1), 3).await.unwrap();
    assert_ne!(cut, seal);
    assert_eq!(cut, seal_of(&requests));

    store.clear_requests(round(1)).await.unwrap();
    assert_eq!(store.sealed(round(1)).await.unwrap(), None);
    assert_eq!(store.seal_compilation(round(1), 4).await.unwrap(), seal_of([]));
}

#[tokio::test]
async fn every_request_gets_a_disposition() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store
        .begin_compilation(&service("web"), round(1), &host("a"), Some(&host("b")), 1)
        .await
        .unwrap();
    let requests: Vec<_> = (0..10).map(|n| request(&n.to_string())).collect();
    store.put_requests(round(1), &requests).await.unwrap();
    let said = |id: &str, outcome| Disposition {
        id: id.into(),
        outcome,
        message: "said".into(),
    };
    let page = [
        said("3", Outcome::Resumed),
        said("nobody", Outcome::Completed),
        said("4", Outcome::Replayed),
    ];
    assert_eq!(store.record_dispositions(round(1), &page, 5).await.unwrap(), ["nobody"]);

    let unresolved = RequestFilter {
        outcome: Some(OutcomeFilter::Unresolved),
        ..RequestFilter::default()
    };
    let left = store.requests(round(1), &unresolved, Some("2"), 100).await.unwrap();
    assert_eq!(
        left.iter().map(|line| line.status.id.as_str()).collect::<Vec<_>>(),
        ["5", "6", "7", "8", "9"]
    );
    assert_eq!(store.compilation(round(1)).await.unwrap().unwrap().resolved_at_ms, None);

    assert_eq!(
        store
            .resolve_rest(round(1), Outcome::Lost, "nobody knows", 6)
            .await
            .unwrap(),
        8
    );
    assert_eq!(
        store
            .resolve_rest(round(1), Outcome::Lost, "nobody knows", 7)
            .await
            .unwrap(),
        0
    );
    let summary = store.compilations(Some(&service("web")), 5).await.unwrap().remove(0);
    assert_eq!(summary.resolved_at_ms, Some(6));
    assert_eq!((summary.requests, summary.unresolved), (10, 0));
    assert_eq!(summary.by_state, [(RequestState::Running, 10)]);
    assert_eq!(
        summary.by_outcome,
        [(Outcome::Resumed, 1), (Outcome::Replayed, 1), (Outcome::Lost, 8)]
    );
    let resumed = RequestFilter {
        outcome: Some(OutcomeFilter::Is(Outcome::Resumed)),
        ..RequestFilter::default()
    };
    let lines = store.requests(round(1), &resumed, None, 100).await.unwrap();
    assert_eq!(lines[0].disposition, Some(said("3", Outcome::Resumed)));
    let nobody = RequestFilter {
        client: Some("no such".into()),
        ..RequestFilter::default()
    };
    assert!(store.requests(round(1), &nobody, None, 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn requests_of_an_unknown_round_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let refused = store.put_requests(round(1), &[request("1")]).await;
    assert!(matches!(refused, Err(StoreError::NoCompilation { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_second_daemon_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let second = Store::open(store.path(), Retention::default()).await;
    let Err(StoreError::Locked { holder, .. }) = second else {
        panic!("{second:?}")
    };
    assert_eq!(holder, Some(std::process::id()));
    drop(store);
    open(&folder).await;
}
