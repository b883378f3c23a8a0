//! Two daemons, each in a network namespace of its own on one link, and an address that moves between them. Needs root.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use understudy_tests::cluster::{Bed, PATIENCE, Wishes, wait_for};
use understudy_tests::lan::{CLIENT, Lan, OWN, VIPS, Watch, link_address, play};
use understudy_tests::load::{Load, Plan, RedisPlan, Report, Service, WebPlan, read_back};

const REDIS: IpAddr = IpAddr::V4(VIPS[0]);
const WEB: IpAddr = IpAddr::V4(VIPS[1]);

fn on(lan: &Arc<Lan>, services: &[&'static str]) -> Wishes {
    Wishes {
        lan: Some(Arc::clone(lan)),
        ..Wishes::for_tests(services)
    }
}

fn watch(lan: &Lan, bed: &Bed) -> Result<Watch> {
    let server = |place: usize| {
        let site = &bed.cluster.hosts()[place].site;
        (site.web.pid_file(), site.folder.clone())
    };
    Watch::start(lan, VIPS[1], [server(0), server(1)])
}

/// The client's own table says that the address is this host's.
async fn clients_find(lan: &Lan, bed: &Bed, ip: IpAddr, place: usize) -> Result<()> {
    let wanted = link_address(OWN[place]);
    let finds = async || Ok(lan.neighbour(ip)?.as_deref() == Some(&*wanted));
    wait_for(
        &bed.cluster,
        &format!("the client has {wanted} for {ip}"),
        PATIENCE,
        finds,
    )
    .await
}

#[test]
fn nginx_moves_there_and_back_with_its_address() {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::serving(&on(&lan, &["web"])).await?;
        let watch = watch(&lan, &bed)?;
        let plan = WebPlan {
            fresh_rate: 150,
            kept_rate: 60,
            kept_connections: 6,
            slow_rate: 2,
            ..WebPlan::at(bed.cluster.ports().service("web"))
        };
        let load = Load::start(
            &Plan {
                redis: None,
                web: Some(plan),
            },
            "on alpha",
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(lan.has("alpha", WEB)? && !lan.has("beta", WEB)?);
        clients_find(&lan, &bed, WEB, 0).await?;

        load.mark("takeover");
        bed.cluster.alpha.site.disk.fill()?;
        bed.step("beta", "web", "took-over").await?;
        load.mark("on beta");
        assert!(!lan.has("alpha", WEB)? && lan.has("beta", WEB)?);
        clients_find(&lan, &bed, WEB, 1).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;

        load.mark("giveback");
        bed.cluster.alpha.site.disk.free()?;
        bed.step("alpha", "web", "rebooted").await?;
        bed.cluster.wait_ready("alpha", "web", PATIENCE).await?;
        bed.cluster.alpha.rest.giveback("web").await?;
        bed.step("alpha", "web", "took-over").await?;
        load.mark("after");
        assert!(lan.has("alpha", WEB)? && !lan.has("beta", WEB)?);
        clients_find(&lan, &bed, WEB, 0).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;

        let report = Report::of(load.finish().await.as_ref());
        println!("{report}");
        let web = report.service(Service::Web).unwrap();
        assert_eq!(web.total.answered, web.total.sent, "{:?}", web.unanswered);
        let by = |phase: usize| web.phases[phase].answered_by.keys().cloned().collect::<Vec<_>>();
        assert_eq!(by(0), ["alpha"]);
        assert_eq!(by(2), ["beta"], "on beta, beta answers");
        assert_eq!(by(4), ["alpha"]);
        assert_eq!(watch.both_had_the_address(), []);
        assert_eq!(watch.both_servers_ran(), []);
        Ok(())
    })
    .unwrap();
}

#[test]
fn redis_moves_with_its_address_and_no_acknowledged_write_is_lost() {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::serving(&on(&lan, &["redis"])).await?;
        let plan = RedisPlan {
            rate: 200,
            ..RedisPlan::at(bed.cluster.ports().service("redis"))
        };
        let load = Load::start(
            &Plan {
                redis: Some(plan),
                web: None,
            },
            "all",
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        bed.cluster.alpha.rest.takeover("redis", Some("beta"), "a test").await?;
        bed.step("beta", "redis", "took-over").await?;
        clients_find(&lan, &bed, REDIS, 1).await?;
        bed.cluster.wait_ready("alpha", "redis", PATIENCE).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let recorder = load.finish().await;
        let report = Report::of(&recorder);
        println!("{report}");
        let acknowledged = recorder.acknowledged_writes();
        assert!(acknowledged.len() > 200, "writes were acknowledged on both hosts");
        let found = read_back(bed.cluster.beta.site.redis.address(), &acknowledged).await?;
        assert_eq!((found.lost(), found.checked), (0, acknowledged.len()));
        assert_eq!(report.service(Service::Redis).unwrap().total.failed, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_killed_daemon_leaves_the_address_and_its_restart_finds_what_is_true_by_then() {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::serving(&on(&lan, &["web"])).await?;
        let watch = watch(&lan, &bed)?;
        let load = Load::start(
            &Plan {
                redis: None,
                web: Some(WebPlan {
                    slow_rate: 1,
                    ..WebPlan::at(bed.cluster.ports().service("web"))
                }),
            },
            "all",
        );
        // The active host's daemon: its server and its address go on without it, and it finds them again.
        bed.cluster.alpha.daemon.kill()?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(lan.has("alpha", WEB)?, "the address stays");
        bed.cluster.alpha.daemon.start()?;
        bed.cluster.wait_serves("alpha", "web", PATIENCE).await?;
        let report = Report::of(load.finish().await.as_ref());
        let web = report.service(Service::Web).unwrap();
        assert_eq!(web.total.answered, web.total.sent, "{:?}", web.unanswered);
        // What somebody removes meanwhile is put back.
        bed.cluster.alpha.daemon.kill()?;
        lan.run("alpha", &format!("ip address del {WEB}/24 dev eth0"))?;
        bed.cluster.alpha.daemon.start()?;
        bed.cluster.wait_serves("alpha", "web", PATIENCE).await?;
        assert!(lan.has("alpha", WEB)?, "the address is back");

        bed.cluster.wait_heard().await?;
        // A host that has released it: what was put there while its daemon was away is removed.
        bed.cluster.alpha.rest.takeover("web", Some("beta"), "a test").await?;
        bed.step("beta", "web", "took-over").await?;
        bed.cluster.wait_ready("alpha", "web", PATIENCE).await?;
        assert_eq!(watch.both_had_the_address(), []);
        bed.cluster.alpha.daemon.kill()?;
        lan.run("alpha", &format!("ip address add {WEB}/24 dev eth0"))?;
        bed.cluster.alpha.daemon.start()?;
        let gone = async || Ok(!lan.has("alpha", WEB)?);
        wait_for(
            &bed.cluster,
            "alpha removes the address that is not its own",
            PATIENCE,
            gone,
        )
        .await?;
        assert!(lan.has("beta", WEB)?);
        assert!(bed.cluster.beta.rest.service("web").await?.serves);
        Ok(())
    })
    .unwrap();
}

/// The host says this of the service until further notice.
async fn told(bed: &Bed, host: &str, what: &str) -> Result<()> {
    let told = async || {
        let service = bed.cluster.host(host).rest.service("web").await?;
        Ok(service.alerts.iter().any(|alert| alert.starts_with(what)))
    };
    wait_for(&bed.cluster, &format!("{host} tells of {what}"), PATIENCE, told).await
}

#[test]
fn what_others_do_to_an_address_is_mended_and_told() {
    play(async |lan: Arc<Lan>| {
        let bed = Bed::serving(&on(&lan, &["web"])).await?;
        // Somebody removes it from the host that serves, and somebody adds it where it does not belong.
        lan.run("alpha", &format!("ip address del {WEB}/24 dev eth0"))?;
        let back = async || lan.has("alpha", WEB);
        wait_for(&bed.cluster, "the address is back", PATIENCE, back).await?;
        lan.run("beta", &format!("ip address add {WEB}/24 dev eth0"))?;
        let gone = async || Ok(!lan.has("beta", WEB)?);
        wait_for(&bed.cluster, "the address is gone", PATIENCE, gone).await?;
        told(&bed, "beta", "address-leftover-removed: ").await?;
        // A third machine has it too, and answers for it.
        lan.run(CLIENT, &format!("ip address add {WEB}/32 dev eth0"))?;
        told(&bed, "alpha", "address-duplicate: ").await?;
        assert!(bed.cluster.alpha.rest.service("web").await?.serves);
        Ok(())
    })
    .unwrap();
}
