//! Two daemons, each in a network namespace of its own, whose servers may both run while the service moves. Needs root.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use understudy_tests::cluster::{Bed, JournalLine, PATIENCE, Wishes};
use understudy_tests::lan::{Lan, VIPS, play};
use understudy_tests::load::{Load, Plan, Report, Service, WebPlan};

fn wishes(lan: &Arc<Lan>) -> Wishes {
    Wishes {
        lan: Some(Arc::clone(lan)),
        overlap: true,
        ..Wishes::for_tests(&["web"])
    }
}

/// New connections, kept ones, and answers that take longer than the move of admission.
fn load(bed: &Bed, first: &'static str) -> Load {
    let plan = WebPlan {
        fresh_rate: 100,
        kept_rate: 40,
        kept_connections: 4,
        slow_rate: 3,
        ..WebPlan::at(bed.cluster.ports().service("web"))
    };
    let web = Some(plan);
    Load::start(&Plan { redis: None, web }, first)
}

/// Every request was answered, whole, and those of a phase by these hosts.
async fn nobody_noticed(load: Load, phases: &[(usize, &str)]) {
    let report = Report::of(load.finish().await.as_ref());
    println!("{report}");
    let web = report.service(Service::Web).unwrap();
    assert!(web.total.sent > 200, "{}", web.total.sent);
    assert_eq!(web.total.answered, web.total.sent, "{:?}", web.unanswered);
    for (phase, host) in phases {
        let by: Vec<_> = web.phases[*phase].answered_by.keys().cloned().collect();
        assert_eq!(by, [*host], "in phase {phase}");
    }
}

/// The place of a step in the order in which the hosts wrote it.
fn at(lines: &[JournalLine], host: &str, step: &str) -> u64 {
    let found = lines.iter().find(|line| line.host == host && line.step == step);
    found.unwrap_or_else(|| panic!("{host} has no {step}")).at_ms
}

/// Admission moved before the first's server was told to stop, and the second served meanwhile.
fn the_timeline_shows_it(lines: &[JournalLine], first: &str, second: &str) {
    let order = [
        at(lines, second, "arming"),
        at(lines, second, "warming-up"),
        at(lines, second, "shutdown-commanded"),
        at(lines, first, "admission-yielded"),
        at(lines, first, "redirected"),
        at(lines, second, "serving"),
        at(lines, first, "server-stopping"),
        at(lines, first, "released"),
        at(lines, second, "overlap-ended"),
    ];
    assert!(order.is_sorted(), "{first} to {second}: {order:?}");
    let answers = order[6].saturating_sub(order[5]);
    assert!(
        answers > 200,
        "the first had answers under way when the second served: {order:?}"
    );
}

#[test]
fn admission_moves_there_and_back_and_no_client_notices() {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::serving(&wishes(&lan)).await?;
        let load = load(&bed, "on alpha");
        tokio::time::sleep(Duration::from_secs(3)).await;
        for (first, second) in [("alpha", "beta"), ("beta", "alpha")] {
            load.mark("moving");
            bed.journals.forget().await;
            let asked = &bed.cluster.host(first).rest;
            asked.takeover("web", Some(second), "a test").await?;
            bed.step(second, "web", "took-over").await?;
            the_timeline_shows_it(bed.journals.lines(), first, second);
            load.mark("moved");
            bed.cluster.wait_ready(first, "web", PATIENCE).await?;
            assert!(lan.has(second, VIPS[1].into())? && !lan.has(first, VIPS[1].into())?);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        for host in ["alpha", "beta"] {
            let left = lan.run(host, "nft list tables")?;
            assert!(!left.contains("us_back") && !left.contains("us_hide"), "{host}: {left}");
        }
        nobody_noticed(load, &[(0, "alpha"), (2, "beta"), (4, "alpha")]).await;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_first_that_is_killed_after_the_yield_goes_on_where_it_was() {
    killed("alpha", "alpha", "redirected");
}

#[test]
fn a_second_that_is_killed_while_it_appears_goes_on_where_it_was() {
    killed("beta", "beta", "grant-accepted");
}

/// Kills a host's daemon as soon as that step is in a journal, and starts it again after a while.
fn killed(host: &'static str, who: &'static str, step: &'static str) {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::serving(&wishes(&lan)).await?;
        let load = load(&bed, "all");
        tokio::time::sleep(Duration::from_secs(3)).await;
        bed.journals.forget().await;
        bed.cluster.alpha.rest.takeover("web", Some("beta"), "a test").await?;
        bed.step(who, "web", step).await?;
        bed.cluster.host_mut(host).daemon.kill()?;
        // The rules go on working: nobody looks after them now.
        tokio::time::sleep(Duration::from_secs(1)).await;
        bed.cluster.host_mut(host).daemon.start()?;
        bed.step("beta", "web", "took-over").await?;
        bed.cluster.wait_ready("alpha", "web", PATIENCE).await?;
        assert!(lan.has("beta", VIPS[1].into())? && !lan.has("alpha", VIPS[1].into())?);
        assert!(bed.cluster.beta.rest.service("web").await?.serves);
        nobody_noticed(load, &[]).await;
        Ok(())
    })
    .unwrap();
}
