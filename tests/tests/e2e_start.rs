//! A daemon that can't have all that it needs does nothing at all.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use understudy_tests::cluster::{Bed, PATIENCE, Wishes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_without_its_port_or_its_token_begins_nothing() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["redis"])).await.unwrap();
    let last = bed.cluster.alpha.rest.journal().await.unwrap().last().unwrap().seq;
    bed.cluster.alpha.daemon.kill().unwrap();

    let squatter = TcpListener::bind(bed.cluster.alpha.site.api()).unwrap();
    assert!(refuses_to_start(&mut bed).contains("the API can't listen on"));
    drop(squatter);

    let config = bed.cluster.alpha.site.config_file();
    let good = fs::read_to_string(&config).unwrap();
    let token = bed.cluster.alpha.site.folder.join("no-such-token");
    let bad = good.replace("[api]\n", &format!("[api]\ntoken_file = \"{}\"\n", token.display()));
    fs::write(&config, bad).unwrap();
    assert!(refuses_to_start(&mut bed).contains("token_file"));
    fs::write(&config, good).unwrap();

    bed.cluster.alpha.daemon.start().unwrap();
    bed.cluster.wait_serves("alpha", "redis", PATIENCE).await.unwrap();
    let lines = bed.cluster.alpha.rest.journal_after(last).await.unwrap();
    let starts: Vec<_> = lines.iter().filter(|line| line.step.starts_with("started")).collect();
    assert_eq!(
        starts.len(),
        1,
        "only the daemon that could run began anything: {lines:#?}"
    );
}

/// Starts alpha's daemon, waits until it has ended, and gives what it said.
fn refuses_to_start(bed: &mut Bed) -> String {
    let log = bed.cluster.alpha.daemon.log_file().to_owned();
    let before = fs::read_to_string(&log).unwrap_or_default().len();
    bed.cluster.alpha.daemon.start().unwrap();
    let end = Instant::now() + PATIENCE;
    while bed.cluster.alpha.daemon.runs() {
        assert!(Instant::now() < end, "it runs without what it needs");
        std::thread::sleep(Duration::from_millis(20));
    }
    fs::read_to_string(&log).unwrap().split_off(before)
}
