//! A configuration that changes while the daemon runs, and what systemd is told. Needs root.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use understudy_tests::cluster::{Bed, Host, Knob, PATIENCE, Policies, Wishes, wait_for};
use understudy_tests::lan::{Lan, play};

const SLOW_DRAIN: Policies = Policies {
    on_fault: "force",
    on_request: "extend",
    on_unknown: "alert",
    auto_giveback: false,
    reboot: false,
    shutdown_within_ms: None,
};

fn knobs(lan: &Arc<Lan>) -> Wishes {
    Wishes {
        lan: Some(Arc::clone(lan)),
        knobs: Some(SLOW_DRAIN),
        ..Wishes::for_tests(&["web"])
    }
}

/// Changes the file, sends SIGHUP, and waits for a word in the log that was not there before.
async fn reload(host: &Host, from: &str, to: &str, word: &str) -> Result<String> {
    let file = host.site.config_file();
    let text = fs::read_to_string(&file)?;
    anyhow::ensure!(text.contains(from), "{from} is not in the configuration");
    fs::write(&file, text.replace(from, to))?;
    let log = || fs::read_to_string(host.daemon.log_file()).unwrap_or_default();
    let before = log().len();
    host.daemon.hang_up()?;
    let end = Instant::now() + PATIENCE;
    loop {
        let said = log().get(before..).unwrap_or_default().to_owned();
        if said.contains(word) {
            return Ok(said);
        }
        if Instant::now() >= end {
            bail!("the log does not say {word:?}:\n{said}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn settings_change_while_it_runs_and_a_takeover_goes_on() {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::serving(&knobs(&lan)).await?;
        // In the middle of a drain that is extended for ever: the new policy is in force at the next deadline, and
        // nothing else of the takeover has changed.
        bed.cluster.alpha.site.turn(Knob::Busy)?;
        until_draining(&bed).await?;
        bed.step("alpha", "web", "drain-extended").await?;
        let said = reload(
            &bed.cluster.alpha,
            "on_request = \"extend\"",
            "on_request = \"abort\"",
            "in force now",
        )
        .await?;
        assert!(said.contains("settings of web"), "{said}");
        bed.step("alpha", "web", "drain-aborted").await?;
        bed.cluster.wait_serves("alpha", "web", PATIENCE).await?;
        bed.cluster.alpha.site.turn_back(Knob::Busy)?;

        // The probes' rhythm.
        reload(
            &bed.cluster.alpha,
            "interval = \"250ms\"",
            "interval = \"300ms\"",
            "in force now",
        )
        .await?;

        // What can't change is named, and stays.
        let said = reload(
            &bed.cluster.beta,
            "192.0.2.10/24",
            "192.0.2.12/24",
            "only after a restart",
        )
        .await?;
        assert!(said.contains("address") && said.contains("web"), "{said}");
        reload(
            &bed.cluster.beta,
            "192.0.2.12/24",
            "192.0.2.10/24",
            "nothing changes now",
        )
        .await?;

        // A wrong file: the place and the mend are said, and the old configuration stays in force.
        let said = reload(
            &bed.cluster.alpha,
            "on_request = \"abort\"",
            "on_request = \"perhaps\"",
            "the old one stays in force",
        )
        .await?;
        assert!(said.contains("understudy.toml:") && said.contains("perhaps"), "{said}");
        let moved = async || {
            // Refused while an attempt is under way; on a busy machine one may come to nothing.
            let _ = bed.cluster.alpha.rest.takeover("web", Some("beta"), "a test").await;
            Ok(bed.cluster.beta.rest.service("web").await?.serves)
        };
        wait_for(&bed.cluster, "the service moves all the same", PATIENCE, moved).await
    })
    .unwrap();
}

#[test]
fn it_is_read_again_in_every_state_that_lasts() {
    play(async |lan: Arc<Lan>| {
        let mut bed = Bed::unborn(&knobs(&lan)).await?;
        let mut hold = 500;
        // Fresh; active and standby; draining and preparing; released or standby, and activating.
        change_hold(&bed, &mut hold).await?;
        bed.cluster.bootstrap(&["web"]).await?;
        change_hold(&bed, &mut hold).await?;
        bed.cluster.alpha.site.turn(Knob::Busy)?;
        until_draining(&bed).await?;
        change_hold(&bed, &mut hold).await?;
        bed.cluster.beta.site.turn(Knob::StartFails)?;
        bed.cluster.alpha.site.turn_back(Knob::Busy)?;
        bed.step("beta", "web", "grant-accepted").await?;
        change_hold(&bed, &mut hold).await?;
        bed.cluster.beta.site.turn_back(Knob::StartFails)?;
        let served = async || {
            let [alpha, beta] = [
                bed.cluster.alpha.rest.service("web").await?,
                bed.cluster.beta.rest.service("web").await?,
            ];
            Ok(alpha.serves != beta.serves)
        };
        wait_for(&bed.cluster, "one host serves", PATIENCE, served).await
    })
    .unwrap();
}

/// Orders a takeover until it has come to the drain: the short timers of these hosts may end an attempt on a busy machine.
async fn until_draining(bed: &Bed) -> Result<()> {
    let draining = async || {
        let view = bed.cluster.alpha.rest.service("web").await?;
        if view.role == "active" {
            bed.cluster.alpha.rest.takeover("web", Some("beta"), "a test").await?;
        }
        Ok(view.role == "draining")
    };
    wait_for(&bed.cluster, "alpha drains", PATIENCE, draining).await
}

/// Both hosts are given another hold time, and say so.
async fn change_hold(bed: &Bed, hold: &mut u32) -> Result<()> {
    for host in bed.cluster.hosts() {
        let (from, to) = (format!("hold = \"{hold}ms\""), format!("hold = \"{}ms\"", *hold + 1));
        reload(host, &from, &to, "in force now").await?;
    }
    *hold += 1;
    Ok(())
}

#[test]
fn systemd_is_told_when_it_is_ready_reloads_and_stops() {
    play(async |lan: Arc<Lan>| {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("notify");
        let told = UnixDatagram::bind(&socket)?;
        told.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut bed = Bed::serving(&knobs(&lan)).await?;
        let next = || -> Result<String> {
            let mut bytes = [0; 512];
            let length = told.recv(&mut bytes).context("systemd is not told")?;
            Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
        };
        let alpha = &mut bed.cluster.alpha;
        alpha.daemon.set("NOTIFY_SOCKET", &socket.display().to_string());
        // An orderly end while it is active: the server and its address stay, and nobody else takes over.
        alpha.daemon.stop()?;
        let server = alpha.site.process("web").context("the server goes on")?;
        assert!(lan.has("alpha", understudy_tests::lan::VIPS[1].into())?);
        alpha.daemon.start()?;
        assert!(next()?.contains("READY=1"));
        alpha.daemon.hang_up()?;
        let said = next()?;
        assert!(
            said.contains("RELOADING=1") && said.contains("MONOTONIC_USEC="),
            "{said}"
        );
        assert!(next()?.contains("READY=1"), "the reload is over");
        bed.cluster.wait_serves("alpha", "web", PATIENCE).await?;
        assert_eq!(bed.cluster.alpha.site.process("web").map(|p| p.pid), Some(server.pid));
        bed.cluster.wait_heard().await?;

        // In the middle of a takeover: after its restart the first serves on, or the second has it.
        bed.cluster.alpha.site.turn(Knob::Busy)?;
        until_draining(&bed).await?;
        bed.step("alpha", "web", "drain-started").await?;
        bed.cluster.alpha.daemon.stop()?;
        assert!(next()?.contains("STOPPING=1"));
        bed.cluster.alpha.site.turn_back(Knob::Busy)?;
        bed.cluster.alpha.daemon.start()?;
        bed.cluster.wait_serves("alpha", "web", PATIENCE).await?;
        assert!(!bed.cluster.beta.rest.service("web").await?.serves);
        Ok(())
    })
    .unwrap();
}
