//! Daemons killed at the worst moments: the token is never in two hands, and never lost.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use understudy_tests::cluster::{Bed, PATIENCE, Wishes};
use understudy_tests::load::{Load, Plan, RedisPlan, Report, read_back};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_killed_after_its_release_stays_down_when_it_comes_back() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["redis"])).await.unwrap();
    let load = Load::start(
        &Plan {
            redis: Some(RedisPlan::at(bed.cluster.ports().service("redis"))),
            web: None,
        },
        "all",
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    bed.cluster
        .alpha
        .rest
        .takeover("redis", Some("beta"), "test")
        .await
        .unwrap();
    bed.step("alpha", "redis", "server-stopping").await.unwrap();
    // From here on beta hears nothing: the release goes out and, unless beta was very quick, is not answered.
    bed.cluster.beta.daemon.freeze().unwrap();
    bed.step("alpha", "redis", "released").await.unwrap();
    bed.cluster.alpha.daemon.kill().unwrap();
    let acknowledged = load.recorder().acknowledged_writes();
    bed.cluster.alpha.daemon.start().unwrap();
    // Longer than it takes to start a server, if it would.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let alpha = bed.cluster.alpha.rest.service("redis").await.unwrap();
    assert!(!alpha.serves && alpha.held_term.is_none(), "{alpha:?}");
    assert!(["released", "standby"].contains(&alpha.role.as_str()), "{alpha:?}");
    assert!(
        bed.cluster.alpha.site.process("redis").is_none(),
        "its server stays down"
    );

    bed.cluster.beta.daemon.thaw().unwrap();
    bed.cluster.wait_serves("beta", "redis", PATIENCE).await.unwrap();
    bed.step("beta", "redis", "took-over").await.unwrap();
    let found = read_back(bed.cluster.beta.site.redis.address(), &acknowledged)
        .await
        .unwrap();
    assert_eq!(found.lost(), 0);
    let recorder = load.finish().await;
    println!("{}", Report::of(&recorder));
    let all = read_back(bed.cluster.beta.site.redis.address(), &recorder.acknowledged_writes())
        .await
        .unwrap();
    assert_eq!(all.lost(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_killed_in_the_middle_completes_the_takeover_when_it_comes_back() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["redis"])).await.unwrap();
    let load = Load::start(
        &Plan {
            redis: Some(RedisPlan::at(bed.cluster.ports().service("redis"))),
            web: None,
        },
        "all",
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    bed.cluster
        .alpha
        .rest
        .takeover("redis", Some("beta"), "test")
        .await
        .unwrap();
    bed.step("beta", "redis", "compilation-stored").await.unwrap();
    bed.cluster.beta.daemon.kill().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    bed.cluster.beta.daemon.start().unwrap();
    bed.cluster.wait_serves("beta", "redis", PATIENCE).await.unwrap();
    let alpha = bed.cluster.alpha.rest.service("redis").await.unwrap();
    assert!(!alpha.serves && alpha.held_term.is_none(), "{alpha:?}");
    bed.step("beta", "redis", "took-over").await.unwrap();
    let recorder = load.finish().await;
    println!("{}", Report::of(&recorder));
    let found = read_back(bed.cluster.beta.site.redis.address(), &recorder.acknowledged_writes())
        .await
        .unwrap();
    assert_eq!(found.lost(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_active_hosts_daemon_killed_and_restarted_serves_on() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["web"])).await.unwrap();
    let before = bed.cluster.alpha.rest.service("web").await.unwrap().held_term;
    let server = bed.cluster.alpha.site.process("web").unwrap();
    bed.cluster.alpha.daemon.kill().unwrap();
    assert!(server.runs(), "the server does not die with its daemon");
    // Without a witness a silent host proves nothing: beta must not take over.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!bed.cluster.beta.rest.service("web").await.unwrap().serves);
    bed.cluster.alpha.daemon.start().unwrap();
    bed.cluster.wait_serves("alpha", "web", PATIENCE).await.unwrap();
    let after = bed.cluster.alpha.rest.service("web").await.unwrap().held_term;
    assert_eq!(before, after, "the same term: nothing moved");
    assert_eq!(
        bed.cluster.alpha.site.process("web").map(|p| p.pid),
        Some(server.pid),
        "the same server"
    );
}
