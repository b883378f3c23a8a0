//! What operators order and see: the first start, a takeover by request, a refusal with its reason, a server started by
//! hand.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::time::Duration;

use understudy_tests::cluster::{Bed, PATIENCE, Problem, Wishes, wait_for};
use understudy_tests::load::{Load, Plan, RedisClient, Report, Service, WebPlan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_serves_before_the_bootstrap_and_it_is_ordered_once() {
    let bed = Bed::unborn(&Wishes::for_tests(&["web"])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    for host in bed.cluster.hosts() {
        let view = host.rest.service("web").await.unwrap();
        assert!(
            !view.serves && view.held_term.is_none() && view.role == "fresh",
            "{view:?}"
        );
        assert!(host.site.process("web").is_none(), "no server runs");
    }
    bed.cluster.bootstrap(&["web"]).await.unwrap();
    assert!(!bed.cluster.beta.rest.service("web").await.unwrap().serves);
    for host in bed.cluster.hosts() {
        let refused = host
            .rest
            .bootstrap("web")
            .await
            .unwrap_err()
            .downcast::<Problem>()
            .unwrap();
        assert_eq!(refused.status, 409, "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_moves_a_service_there_and_back_and_clients_notice_nothing() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["web"])).await.unwrap();
    let load = Load::start(
        &Plan {
            redis: None,
            web: Some(WebPlan::at(bed.cluster.ports().service("web"))),
        },
        "all",
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Ordered at the standby: it asks the holder.
    bed.cluster
        .beta
        .rest
        .takeover("web", Some("beta"), "a new kernel for alpha")
        .await
        .unwrap();
    bed.step("beta", "web", "took-over").await.unwrap();
    bed.cluster.wait_ready("alpha", "web", PATIENCE).await.unwrap();
    let stranger = bed
        .cluster
        .beta
        .rest
        .takeover("web", Some("gamma"), "a mistake")
        .await
        .unwrap_err();
    assert_eq!(
        stranger.downcast::<Problem>().unwrap().refusal.as_deref(),
        Some("not-a-candidate")
    );
    bed.cluster.alpha.rest.giveback("web").await.unwrap();
    bed.step("alpha", "web", "took-over").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = Report::of(load.finish().await.as_ref());
    println!("{report}");
    let web = report.service(Service::Web).unwrap();
    assert_eq!(web.total.answered, web.total.sent, "{:?}", web.unanswered);
    let takeovers = bed.cluster.beta.rest.takeovers("web").await.unwrap();
    assert_eq!(
        takeovers.iter().filter(|t| t.state == "done").count(),
        2,
        "{takeovers:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_that_can_not_declines_with_its_reason_and_the_first_serves_on() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["web"])).await.unwrap();
    let config = bed.cluster.beta.site.web.config_file();
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, "this is no configuration;").unwrap();
    let sees_it = async || Ok(bed.cluster.beta.rest.service("web").await?.verdict == "failing");
    wait_for(
        &bed.cluster,
        "beta's probe sees its broken configuration",
        PATIENCE,
        sees_it,
    )
    .await
    .unwrap();

    let load = Load::start(
        &Plan {
            redis: None,
            web: Some(WebPlan::at(bed.cluster.ports().service("web"))),
        },
        "all",
    );
    bed.cluster.alpha.site.disk.fill().unwrap();
    let declined = bed.step("alpha", "web", "candidate-declined").await.unwrap();
    assert!(
        declined.detail.contains("config"),
        "the reason is beta's configuration: {}",
        declined.detail
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    let alpha = bed.cluster.alpha.rest.service("web").await.unwrap();
    assert!(alpha.serves, "{alpha:?}");
    assert!(
        alpha.alerts.iter().any(|alert| alert.contains("nobody takes over")),
        "{:?}",
        alpha.alerts
    );

    // Mended, beta takes over at the next attempt.
    fs::write(&config, good).unwrap();
    bed.step("beta", "web", "took-over").await.unwrap();
    let report = Report::of(load.finish().await.as_ref());
    println!("{report}");
    let web = report.service(Service::Web).unwrap();
    assert_eq!(web.total.answered, web.total.sent, "{:?}", web.unanswered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_started_by_hand_on_a_released_host_is_stopped_again() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["redis", "web"])).await.unwrap();
    bed.cluster.alpha.site.disk.fill().unwrap();
    // Redis notices a full disk when it has something to save.
    let mut client = RedisClient::connect(bed.cluster.ports().service("redis"))
        .await
        .unwrap();
    client.command(&[b"SET", b"something", b"to save"]).await.unwrap();
    for service in ["redis", "web"] {
        bed.step("beta", service, "took-over").await.unwrap();
    }
    for service in ["redis", "web"] {
        let process = bed.cluster.alpha.site.start_by_hand(service).unwrap();
        bed.step("alpha", service, "started-by-hand").await.unwrap();
        bed.step("alpha", service, "stopped-again").await.unwrap();
        assert!(!process.runs(), "{service} was stopped again");
    }
    // Also while nobody tells the daemon: it was restarted, and finds the server running.
    bed.journals.forget().await;
    bed.cluster.alpha.daemon.kill().unwrap();
    let process = bed.cluster.alpha.site.start_by_hand("redis").unwrap();
    bed.cluster.alpha.daemon.start().unwrap();
    bed.step("alpha", "redis", "stopped-again").await.unwrap();
    assert!(!process.runs());
    assert!(bed.cluster.beta.rest.service("redis").await.unwrap().serves);
}
