//! Redis whose data can't be written: the case that a takeover is for.

use understudy_protocol::{FaultKind, ServerState, Severity, Verdict};
use understudy_runtime::{Expectation, Manner, Status};

use crate::bed::until;
use crate::redis::{Pair, fault};
use crate::side::{codes, value};

/// Takes the data's folder away, so that the next save fails; whoever runs the test may be root, whom no permission stops.
fn break_saving(pair: &Pair) {
    std::fs::remove_dir_all(pair.a.data()).unwrap();
    pair.a.cli(&["SET", "unsaved", "1"]);
    pair.a.cli(&["BGSAVE"]);
    until("the save has failed", || {
        pair.a
            .cli(&["INFO", "persistence"])
            .contains("rdb_last_bgsave_status:err")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_fails_requires_a_shutdown_and_the_copy_takes_over() {
    let mut pair = Pair::new("", r#", "min-disk-free-bytes": 0"#).await;
    pair.a.cli(&["SET", "k", "1"]);
    break_saving(&pair);
    let report = pair.first.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)[0]),
        (Verdict::Failing, "redis-persistence-failing"),
        "{report:?}"
    );
    let found = report.faults[0].clone();
    assert_eq!(
        (found.kind, found.severity),
        (FaultKind::Storage, Severity::ShutdownRequired)
    );
    assert_eq!(value(&found.evidence, "rdb-last-bgsave-status"), Some("err"));
    assert!(value(&found.evidence, "master-repl-offset").is_some());
    assert_eq!(pair.second.refusal(&found).await, None);

    pair.first.stop_admitting().await;
    pair.first.settle().await;
    pair.first.shut_down(Manner::Graceful).await;
    assert_eq!(pair.first.observe().await, ServerState::Stopped);
    for answer in [pair.first.resume_once().await, pair.first.take_over_once().await] {
        assert_eq!(
            answer.unwrap_err().code,
            "copy-on-disk-is-old",
            "it stopped without saving: only the copy has everything"
        );
    }
    pair.second.take_over().await;
    assert_eq!(pair.b.cli(&["GET", "k"]).trim(), "1");
    assert_eq!(
        pair.b.cli(&["GET", "unsaved"]).trim(),
        "1",
        "never on the first's disk, and not lost"
    );

    // Cured: it comes back as a replica, and then may take over again.
    std::fs::create_dir(pair.a.data()).unwrap();
    pair.first.knows("active-host", "b");
    pair.first.stand_by().await;
    assert!(pair.a.is_linked());
    assert_eq!(
        pair.first.check(Expectation::StandingBy).await.verdict,
        Verdict::Healthy
    );
    assert_eq!(pair.first.refusal(&fault("x")).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_with_a_broken_disk_and_no_copy_it_still_stops() {
    let mut pair = Pair::new("stop-writes-on-bgsave-error no", r#", "min-disk-free-bytes": 0"#).await;
    pair.b.kill();
    until("the replica is gone", || {
        pair.a.cli(&["INFO", "replication"]).contains("connected_slaves:0")
    });
    break_saving(&pair);
    pair.first.stop_admitting().await;
    let status = pair.first.shut_down_once(Manner::Graceful).await.unwrap();
    assert!(
        matches!(status, Status::Working { .. }),
        "gracefully it keeps what only it has"
    );
    pair.first.shut_down(Manner::Forced).await;
    assert_eq!(pair.first.observe().await, ServerState::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_seen_before_the_save_fails_and_until_it_is_cured() {
    // A bound that no disk meets stands for a full one.
    let mut pair = Pair::new("", r#", "min-disk-free-bytes": 1000000000000000000"#).await;
    let report = pair.first.check(Expectation::Serving).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Impaired, vec!["redis-disk-full-soon"])
    );
    let report = pair.first.check(Expectation::Down).await;
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-disk-full"])
    );
    assert_eq!(pair.second.refusal(&fault("x")).await.as_deref(), Some("disk-full"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_must_stay_down_is_stopped_whoever_started_it() {
    let mut pair = Pair::new("", r#", "min-disk-free-bytes": 0, "save-on-shutdown": false"#).await;
    pair.a.cli(&["SET", "k", "1"]);
    pair.first.stop_admitting().await;
    pair.first.settle().await;
    pair.first.shut_down(Manner::Graceful).await;
    pair.second.take_over().await;

    pair.a.start(&[]);
    pair.a.cli(&["SET", "k", "of the wrong one"]);
    assert_eq!(pair.first.observe().await, ServerState::Serving);
    pair.first.expected = Expectation::Down;
    pair.first.shut_down(Manner::Graceful).await;
    assert_eq!(pair.first.observe().await, ServerState::Stopped);
    let error = pair.first.take_over_once().await.unwrap_err();
    assert_eq!(
        error.code, "copy-on-disk-is-old",
        "saving what is old did not make it new"
    );
    assert_eq!(pair.b.cli(&["GET", "k"]).trim(), "1");
}
