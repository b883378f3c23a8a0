//! What operators want of a pair beside its orders, as they type it: pauses, seen and obeyed by real daemons over
//! restarts, and vetoes that are passed over. Needs root, for disks that can be filled.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use anyhow::Result;
use understudy_tests::cluster::{Bed, Built, PATIENCE, Wishes};
use understudy_tests::load::{Load, Plan, Report, Service, WebPlan};
use understudy_tests::servers::run_to_end;

/// The command, asked of one host's daemon; what it says.
fn understudy(bed: &Bed, host: &str, words: &[&str]) -> Result<String> {
    let mut argv = vec![Built::for_tests()?.daemon().display().to_string()];
    argv.extend(words.iter().map(ToString::to_string));
    let config = bed.cluster.host(host).site.config_file();
    argv.extend(["--config".to_owned(), config.display().to_string()]);
    run_to_end(&argv)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_outlives_a_restart_and_a_fault_waits_for_its_end() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["web"])).await.unwrap();
    let load = Load::start(
        &Plan {
            redis: None,
            web: Some(WebPlan::at(bed.cluster.ports().service("web"))),
        },
        "all",
    );
    // Said at the standby; the holder hears it.
    let said = understudy(
        &bed,
        "beta",
        &["pause", "web", "--reason", "a new switch", "--for", "2h"],
    )
    .unwrap();
    assert!(said.contains("web: paused for 2 h"), "{said}");
    bed.step("alpha", "web", "pauses-heard").await.unwrap();

    bed.cluster.alpha.site.disk.fill().unwrap();
    let withheld = bed.step("alpha", "web", "move-withheld").await.unwrap();
    assert!(withheld.detail.contains("a new switch"), "{}", withheld.detail);
    let status = understudy(&bed, "alpha", &["status"]).unwrap();
    for part in [
        "paused (service)",
        "a new switch",
        "ends with `understudy unpause web`",
        "until 20",
    ] {
        assert!(status.contains(part), "{part:?} is not in\n{status}");
    }

    // The daemon dies and comes back: the pause is still there, and so is the fault.
    bed.journals.forget().await;
    bed.cluster.alpha.daemon.kill().unwrap();
    bed.cluster.alpha.daemon.start().unwrap();
    bed.step("alpha", "web", "move-withheld").await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(bed.cluster.alpha.rest.service("web").await.unwrap().serves);

    let said = understudy(&bed, "beta", &["unpause", "web"]).unwrap();
    assert!(said.contains("the pause is ended"), "{said}");
    bed.step("beta", "web", "took-over").await.unwrap();
    let refused = understudy(&bed, "beta", &["unpause", "web"]).unwrap_err().to_string();
    assert!(refused.contains("nothing is paused"), "{refused}");
    let report = Report::of(load.finish().await.as_ref());
    println!("{report}");
    assert!(report.service(Service::Web).unwrap().total.sent > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_host_declines_and_an_operator_may_pass_over_it() {
    let mut bed = Bed::serving(&Wishes::for_tests(&["web"])).await.unwrap();
    understudy(&bed, "beta", &["pause", "--host", "--reason", "a new disk"]).unwrap();
    let takeover = |extra: &[&str]| {
        let mut words = vec!["takeover", "web", "--to", "beta", "--reason", "it must", "--wait"];
        words.extend(extra);
        understudy(&bed, "alpha", &words)
    };
    let declined = takeover(&[]).unwrap_err().to_string();
    assert!(
        declined.contains("a new disk") && declined.contains("unpause"),
        "{declined}"
    );
    let status = understudy(&bed, "alpha", &["status"]).unwrap();
    assert!(status.contains("beta declined: this host is paused"), "{status}");
    takeover(&["--override-vetoes"]).unwrap();
    bed.cluster.wait_serves("beta", "web", PATIENCE).await.unwrap();
    let noted = bed.step("beta", "web", "assessing").await;
    println!("{noted:?}");
}
