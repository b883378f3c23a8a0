//! The load itself, on plain servers without any host beside them: the witness must be right before it is believed.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use understudy_tests::load::{
    Kind, Load, Outcome, Plan, RedisClient, RedisPlan, Reply, Report, Service, WebPlan, read_back,
};
use understudy_tests::servers::{DataDisk, Guard, Nginx, RedisServer, free_ports, wait_until};

fn guarded_folder() -> (tempfile::TempDir, Guard) {
    let folder = tempfile::tempdir().unwrap();
    let guard = Guard::start(Path::new(env!("CARGO_BIN_EXE_demo")), folder.path()).unwrap();
    (folder, guard)
}

fn redis_in(folder: &Path, port: u16) -> RedisServer {
    RedisServer::configure(folder, &folder.join("redis"), (Ipv4Addr::LOCALHOST, port)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_servers_answer_everything() {
    let (folder, guard) = guarded_folder();
    let [redis_port, web_port] = free_ports().unwrap();
    let redis = redis_in(folder.path(), redis_port);
    let web = Nginx::configure(
        &folder.path().join("web"),
        &folder.path().join("data"),
        (Ipv4Addr::LOCALHOST, web_port),
        "alpha",
    )
    .unwrap();
    redis.start().unwrap();
    web.start().unwrap();

    let plan = Plan {
        redis: Some(RedisPlan::at(redis.address())),
        web: Some(WebPlan::at(web.address())),
    };
    let load = Load::start(&plan, "first");
    tokio::time::sleep(Duration::from_secs(3)).await;
    load.mark("second");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let recorder = load.finish().await;

    let report = Report::of(&recorder);
    println!("{report}");
    for service in [Service::Redis, Service::Web] {
        let total = &report.service(service).unwrap().total;
        assert_eq!(total.answered, total.sent, "{service:?}");
        assert!(
            total.sent > 2000,
            "{service:?}: only {} requests in five seconds",
            total.sent
        );
    }
    let requests = recorder.requests();
    let slow: Vec<_> = requests.iter().filter(|r| r.kind == Kind::Slow).collect();
    assert!(slow.len() >= 15);
    assert!(
        slow.iter().all(|r| r.end - r.sent > 1_000_000),
        "slow requests take more than a second"
    );
    assert!(
        requests
            .iter()
            .all(|r| r.client.is_some() && r.end >= r.sent && r.sent + 1000 >= r.due)
    );
    assert_eq!(
        read_back(redis.address(), &recorder.acknowledged_writes())
            .await
            .unwrap()
            .lost(),
        0
    );
    guard.sweep().unwrap();
    assert!(!folder.path().exists() && redis.process().is_none() && web.process().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_seen_as_what_it_is() {
    let (folder, _guard) = guarded_folder();
    let [redis_port, web_port] = free_ports().unwrap();
    let redis = redis_in(folder.path(), redis_port);
    let web = Nginx::configure(
        &folder.path().join("web"),
        &folder.path().join("data"),
        (Ipv4Addr::LOCALHOST, web_port),
        "alpha",
    )
    .unwrap();
    redis.start().unwrap();
    web.start().unwrap();

    let plan = Plan {
        redis: Some(RedisPlan::at(redis.address())),
        web: Some(WebPlan::at(web.address())),
    };
    let load = Load::start(&plan, "before");
    tokio::time::sleep(Duration::from_secs(2)).await;
    load.mark("killed");
    redis.process().unwrap().signal(Signal::KILL);
    web.process().unwrap().signal(Signal::TERM);
    tokio::time::sleep(Duration::from_secs(1)).await;
    load.mark("back");
    std::fs::remove_file(redis.data().join("dump.rdb")).ok();
    redis.start().unwrap();
    web.start().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let recorder = load.finish().await;

    let report = Report::of(&recorder);
    println!("{report}");
    let redis_report = report.service(Service::Redis).unwrap();
    assert_eq!(
        redis_report.phases.iter().map(|p| p.phase.as_str()).collect::<Vec<_>>(),
        ["before", "killed", "back"]
    );
    assert!(redis_report.phases[1].failed > 300, "refused connections are failures");
    assert!(redis_report.total.worst_stall_ms > 900.0 && redis_report.phases[2].answered > 900);
    let web_report = report.service(Service::Web).unwrap();
    assert!(web_report.phases[1].failed > 300 && web_report.phases[2].answered > 900);
    // The answers under way were cut: their clients know it, and don't call them answered.
    let cut = recorder
        .requests()
        .iter()
        .filter(|r| r.kind == Kind::Slow && r.outcome != Outcome::Answered)
        .count();
    assert!(cut >= 4, "only {cut} slow requests were cut");
    let found = read_back(redis.address(), &recorder.acknowledged_writes())
        .await
        .unwrap();
    assert!(
        found.missing.len() > 900,
        "a Redis that lost its data lost acknowledged writes: {}",
        found.missing.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_that_nginx_closes_is_retried_once_and_counted() {
    let (folder, _guard) = guarded_folder();
    let [web_port] = free_ports().unwrap();
    let web = Nginx::configure(
        &folder.path().join("web"),
        &folder.path().join("data"),
        (Ipv4Addr::LOCALHOST, web_port),
        "alpha",
    )
    .unwrap();
    web.start().unwrap();
    let plan = WebPlan {
        fresh_rate: 50,
        kept_rate: 2000,
        kept_connections: 8,
        ..WebPlan::at(web.address())
    };
    let load = Load::start(
        &Plan {
            redis: None,
            web: Some(plan),
        },
        "all",
    );
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // A reload ends the old workers' idle connections: now and then a request crosses the end.
        understudy_tests::servers::run_to_end(&web.command(&["-s", "reload"])).unwrap();
    }
    let recorder = load.finish().await;
    let report = Report::of(&recorder);
    println!("{report}");
    let total = &report.service(Service::Web).unwrap().total;
    assert_eq!(total.answered, total.sent);
    let requests = recorder.requests();
    assert!(
        requests
            .iter()
            .filter_map(|r| r.retried_from)
            .all(|from| requests.iter().any(|r| r.client == Some(from)))
    );
}

#[tokio::test]
async fn a_full_disk_makes_the_snapshot_fail() {
    let (folder, _guard) = guarded_folder();
    let disk = DataDisk::make(&folder.path().join("disk"), 16).unwrap();
    assert!(disk.can_fill(), "this test mounts a small file system: run it as root");
    let [port] = free_ports().unwrap();
    let redis = RedisServer::configure(folder.path(), &disk.path().join("redis"), (Ipv4Addr::LOCALHOST, port)).unwrap();
    redis.start().unwrap();
    let mut client = RedisClient::connect(redis.address()).await.unwrap();
    let value = vec![b'x'; 1 << 20];
    client.command(&[b"SET", b"key", &value]).await.unwrap();
    disk.fill().unwrap();
    client.command(&[b"BGSAVE"]).await.unwrap();
    let log = || std::fs::read_to_string(redis.data().join("redis.log")).unwrap_or_default();
    let mut told = String::new();
    for _ in 0..100 {
        if let Reply::Bulk(Some(text)) = client.command(&[b"INFO", b"persistence"]).await.unwrap() {
            told = String::from_utf8(text).unwrap();
        }
        if told.contains("rdb_last_bgsave_status:err") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        told.contains("rdb_last_bgsave_status:err"),
        "BGSAVE did not fail: {}",
        log()
    );
    disk.free().unwrap();
    client.command(&[b"BGSAVE"]).await.unwrap();
    assert!(wait_until(Duration::from_secs(10), || redis
        .data()
        .join("dump.rdb")
        .exists()));
}
