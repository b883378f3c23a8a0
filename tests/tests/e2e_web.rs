//! nginx, moved away from a full disk and home again under load: nobody gets an error, and every answer under way is in
//! the compilation.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use understudy_tests::cluster::{Bed, Giveback, PATIENCE, Wishes};
use understudy_tests::load::{Load, Plan, Report, Service, WebPlan};
use understudy_tests::story::{account_for, disagreements};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_moves_nginx_and_it_comes_home_by_itself() {
    let wishes = Wishes {
        giveback: Giveback::AutoAfter(1),
        ..Wishes::for_tests(&["web"])
    };
    let mut bed = Bed::serving(&wishes).await.unwrap();
    let service = bed.cluster.ports().service("web");
    let load = Load::start(
        &Plan {
            redis: None,
            web: Some(WebPlan::at(service)),
        },
        "before",
    );
    tokio::time::sleep(Duration::from_secs(3)).await;

    load.mark("takeover");
    bed.cluster.alpha.site.disk.fill().unwrap();
    let fault = bed.step("alpha", "web", "fault-indicated").await.unwrap();
    assert!(fault.detail.contains("nginx-disk-full"), "{}", fault.detail);
    let released = bed.step("alpha", "web", "released").await.unwrap();
    bed.step("beta", "web", "took-over").await.unwrap();
    load.mark("on beta");
    assert!(
        bed.cluster.alpha.site.process("web").is_none(),
        "alpha's nginx stays down"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;

    load.mark("giveback");
    bed.cluster.alpha.site.disk.free().unwrap();
    bed.step("beta", "web", "giveback-begun").await.unwrap();
    let given_back = bed.step("beta", "web", "released").await.unwrap();
    bed.step("alpha", "web", "took-over").await.unwrap();
    bed.cluster.wait_serves("alpha", "web", PATIENCE).await.unwrap();
    load.mark("after");
    tokio::time::sleep(Duration::from_secs(2)).await;

    let recorder = load.finish().await;
    let report = Report::of(&recorder);
    println!("{report}");
    let web = report.service(Service::Web).unwrap();
    assert_eq!(web.total.answered, web.total.sent, "{:?}", web.unanswered);
    let by = |phase: usize| web.phases[phase].answered_by.keys().cloned().collect::<Vec<_>>();
    assert_eq!(by(0), ["alpha"]);
    assert_eq!(by(2), ["beta"], "on beta, beta answers");
    assert_eq!(by(4), ["alpha"]);

    for round in [released.round.unwrap(), given_back.round.unwrap()] {
        assert_eq!(disagreements(bed.journals.lines(), "web", &round), Vec::<String>::new());
        let account = account_for(&bed.cluster, bed.journals.lines(), "web", &round, &recorder)
            .await
            .unwrap();
        assert!(account.is_complete(), "{account:?}");
        assert!(account.under_way >= 3, "the slow answers were under way: {account:?}");
    }
}
