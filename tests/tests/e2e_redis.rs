//! Redis, moved away from a full disk and home again under load: what was acknowledged is there, on both hosts.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use understudy_tests::cluster::{Bed, PATIENCE, Wishes};
use understudy_tests::load::{Load, Plan, RedisPlan, Report, Service, read_back};
use understudy_tests::story::{account_for, disagreements};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_moves_redis_and_the_cure_brings_it_home() {
    let wishes = Wishes::for_tests(&["redis"]);
    let mut bed = Bed::serving(&wishes).await.unwrap();
    let service = bed.cluster.ports().service("redis");
    let load = Load::start(
        &Plan {
            redis: Some(RedisPlan::at(service)),
            web: None,
        },
        "before",
    );
    tokio::time::sleep(Duration::from_secs(2)).await;

    load.mark("takeover");
    bed.cluster.alpha.site.disk.fill().unwrap();
    let fault = bed.step("alpha", "redis", "fault-indicated").await.unwrap();
    assert!(fault.detail.contains("redis-persistence-failing"), "{}", fault.detail);
    let released = bed.step("alpha", "redis", "released").await.unwrap();
    bed.step("beta", "redis", "took-over").await.unwrap();
    load.mark("on beta");
    let acknowledged = load.recorder().acknowledged_writes();
    let found = read_back(bed.cluster.beta.site.redis.address(), &acknowledged)
        .await
        .unwrap();
    assert_eq!((found.lost(), found.checked), (0, acknowledged.len()));
    assert!(
        bed.cluster.alpha.site.process("redis").is_none(),
        "alpha's Redis stays down"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;

    load.mark("giveback");
    bed.cluster.alpha.site.disk.free().unwrap();
    bed.step("alpha", "redis", "cured").await.unwrap();
    bed.step("beta", "redis", "come-back-permitted").await.unwrap();
    bed.step("alpha", "redis", "rebooted").await.unwrap();
    bed.cluster.wait_ready("alpha", "redis", PATIENCE).await.unwrap();
    bed.cluster.beta.rest.giveback("redis").await.unwrap();
    let given_back = bed.step("beta", "redis", "released").await.unwrap();
    bed.step("alpha", "redis", "took-over").await.unwrap();
    load.mark("after");
    tokio::time::sleep(Duration::from_secs(1)).await;

    let recorder = load.finish().await;
    let report = Report::of(&recorder);
    println!("{report}");
    let acknowledged = recorder.acknowledged_writes();
    let found = read_back(bed.cluster.alpha.site.redis.address(), &acknowledged)
        .await
        .unwrap();
    assert_eq!((found.lost(), found.checked), (0, acknowledged.len()));
    let redis = report.service(Service::Redis).unwrap();
    assert_eq!(redis.total.failed, 0, "{:?}", redis.unanswered);
    assert!(
        redis.phases.iter().all(|phase| phase.answered > 0),
        "answers in every phase"
    );

    for round in [released.round.unwrap(), given_back.round.unwrap()] {
        assert_eq!(
            disagreements(bed.journals.lines(), "redis", &round),
            Vec::<String>::new()
        );
        let account = account_for(&bed.cluster, bed.journals.lines(), "redis", &round, &recorder)
            .await
            .unwrap();
        assert!(account.is_complete(), "{account:?}");
    }
}
