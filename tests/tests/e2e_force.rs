//! `understudy takeover --confirm-stopped`, granted and refused by real daemons, as an operator types it. Needs root.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use understudy_tests::cluster::{Bed, Built, PATIENCE, Wishes, wait_for};
use understudy_tests::lan::{Lan, VIPS, Watch, play};
use understudy_tests::load::{RedisClient, Reply};
use understudy_tests::servers::run_to_end;

const WEB: IpAddr = IpAddr::V4(VIPS[1]);

fn on(lan: &Arc<Lan>, services: &[&'static str]) -> Wishes {
    Wishes {
        lan: Some(Arc::clone(lan)),
        ..Wishes::for_tests(services)
    }
}

/// The command, on beta; what it says.
fn confirm_stopped(bed: &Bed, service: &str, stopped: &str) -> Result<String> {
    let mut argv = bed.cluster.beta.site.enter();
    let config = bed.cluster.beta.site.config_file();
    argv.push(Built::for_tests()?.daemon().display().to_string());
    let words = ["takeover", service, "--confirm-stopped", stopped, "--wait", "--config"];
    argv.extend(words.map(str::to_owned));
    argv.push(config.display().to_string());
    run_to_end(&argv)
}

#[test]
fn a_host_that_was_stopped_for_certain_is_replaced_and_stays_down_when_it_returns() {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::serving(&on(&lan, &["web"])).await?;
        let before = bed.cluster.alpha.rest.service("web").await?.held_term.unwrap();
        let alpha = &bed.cluster.alpha.site;
        let server = |site: &understudy_tests::cluster::Site| (site.web.pid_file(), site.folder.clone());
        let watch = Watch::start(&lan, VIPS[1], [server(alpha), server(&bed.cluster.beta.site)])?;

        // The machine loses its power: the daemon and the server are gone at once, and so is the address.
        bed.cluster.alpha.daemon.kill()?;
        lan.lose_power("alpha")?;
        lan.run("alpha", "ip link set eth0 down")?;

        // Beta says so, and does nothing by itself.
        let told = async || {
            let beta = bed.cluster.beta.rest.service("web").await?;
            Ok(beta.alerts.iter().any(|alert| alert.contains("alpha")) && !beta.serves)
        };
        wait_for(&bed.cluster, "beta tells that alpha is silent", PATIENCE, told).await?;
        let said = confirm_stopped(&bed, "web", "alpha")?;
        println!("{said}");
        bed.cluster.wait_serves("beta", "web", PATIENCE).await?;
        assert!(lan.has("beta", WEB)?);
        let after = bed.cluster.beta.rest.service("web").await?.held_term.unwrap();
        assert!(after > before, "{after:?} is higher than {before:?}");

        // Alpha returns, and somebody starts its server as well: it stays a standby.
        lan.run("alpha", "ip link set eth0 up")?;
        bed.cluster.alpha.daemon.start()?;
        let stands_down = async || {
            let view = bed.cluster.alpha.rest.service("web").await?;
            Ok(view.role == "standby" && view.held_term.is_none() && !view.serves)
        };
        wait_for(&bed.cluster, "alpha stands down", PATIENCE, stands_down).await?;
        bed.cluster.wait_ready("alpha", "web", PATIENCE).await?;
        bed.cluster.alpha.site.start_by_hand("web")?;
        bed.step("alpha", "web", "stopped-again").await?;
        assert!(bed.cluster.alpha.site.process("web").is_none());
        assert!(!lan.has("alpha", WEB)? && lan.has("beta", WEB)?);
        assert_eq!(watch.both_had_the_address(), []);

        // And it is a whole pair again.
        bed.cluster.wait_ready("alpha", "web", PATIENCE).await?;
        bed.cluster.beta.rest.giveback("web").await?;
        bed.cluster.wait_serves("alpha", "web", PATIENCE).await
    })
    .unwrap();
}

#[test]
fn it_is_refused_while_the_host_is_alive_and_changes_nothing() {
    play(async |lan: Arc<Lan>| {
        let bed = Bed::serving(&on(&lan, &["web"])).await?;
        let before = bed.cluster.alpha.rest.service("web").await?.held_term;
        let refused = confirm_stopped(&bed, "web", "alpha").unwrap_err().to_string();
        println!("{refused}");
        assert!(refused.contains("alpha"), "it names who is alive: {refused}");
        // A daemon that stands still for a moment is still connected, and alive.
        bed.cluster.alpha.daemon.freeze()?;
        let refused = confirm_stopped(&bed, "web", "alpha").unwrap_err().to_string();
        bed.cluster.alpha.daemon.thaw()?;
        assert!(refused.contains("alpha"), "{refused}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let alpha = bed.cluster.alpha.rest.service("web").await?;
        assert!(alpha.serves && alpha.held_term == before, "{alpha:?}");
        assert!(!bed.cluster.beta.rest.service("web").await?.serves);
        assert!(lan.has("alpha", WEB)? && !lan.has("beta", WEB)?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_redis_copy_is_promoted_with_all_that_it_had() {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::serving(&on(&lan, &["redis"])).await?;
        let service = bed.cluster.ports().service("redis");
        let mut client = RedisClient::connect(service).await?;
        client.command(&[b"SET", b"kept", b"by beta"]).await?;
        client.command(&[b"WAIT", b"1", b"5000"]).await?;
        bed.cluster.alpha.daemon.kill()?;
        lan.lose_power("alpha")?;
        let lost = async || Ok(!bed.cluster.beta.rest.service("redis").await?.peers[0].connected);
        wait_for(&bed.cluster, "beta has lost alpha", PATIENCE, lost).await?;
        confirm_stopped(&bed, "redis", "alpha")?;
        bed.cluster.wait_serves("beta", "redis", PATIENCE).await?;
        let mut client = RedisClient::connect(service).await?;
        let kept = client.command(&[b"GET", b"kept"]).await?;
        assert!(
            matches!(&kept, Reply::Bulk(Some(value)) if value == b"by beta"),
            "{kept:?}"
        );
        bed.cluster.alpha.daemon.start()?;
        bed.cluster.wait_ready("alpha", "redis", PATIENCE).await
    })
    .unwrap();
}
