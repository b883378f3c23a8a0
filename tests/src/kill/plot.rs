//! What stories are made of: one thing done to a pair, and waiting for what follows.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use super::pair::Pair;
use crate::cluster::{Knob, ServiceView};

/// Longer than any timer of a pair with knobs, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(30);

/// The service's home.
pub(super) const A: &str = "alpha";
/// The other one.
pub(super) const B: &str = "beta";

pub(super) async fn first_start(pair: &mut Pair) -> Result<()> {
    pair.order(
        B,
        "takeover",
        json!({ "to": "beta", "reason": "too early", "by": "test" }),
    )
    .await;
    pair.order(B, "giveback", json!({ "by": "test" })).await;
    pair.order(A, "cancel", json!({ "by": "test" })).await;
    pair.order(A, "bootstrap", json!({ "by": "test" })).await;
    until(pair, A, serves).await?;
    until(pair, B, |v| v.ready).await?;
    pair.order(B, "bootstrap", json!({ "by": "test" })).await;
    pair.order(A, "bootstrap", json!({ "by": "test" })).await;
    // Beta loses its disk, and is adopted anew.
    let store = pair.host(B).site.state();
    pair.cluster.host_mut(B).daemon.kill()?;
    for file in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        // The last two are there or not.
        let _ = std::fs::remove_file(store.join(file));
    }
    pair.cluster.host_mut(B).daemon.start()?;
    until(pair, B, |v| v.role == "standby" && v.ready).await
}

pub(super) async fn fault(pair: &mut Pair) -> Result<()> {
    turn(pair, A, Knob::Unhealthy)?;
    until(pair, B, serves).await?;
    until(pair, A, |v| v.role == "standby").await?;
    pair.host(A).site.turn_back(Knob::Unhealthy)?;
    until(pair, A, |v| v.ready && v.stay_down.is_none()).await
}

pub(super) async fn moved(pair: &mut Pair, asked: &str) -> Result<()> {
    ask(pair, asked).await;
    until(pair, B, serves).await?;
    until(pair, A, |v| v.role == "standby").await?;
    rest().await
}

pub(super) async fn declined(pair: &mut Pair) -> Result<()> {
    turn(pair, B, Knob::TestFails)?;
    turn(pair, A, Knob::Unhealthy)?;
    until(pair, A, |v| {
        v.alerts.iter().any(|alert| alert.contains("nobody takes over"))
    })
    .await?;
    pair.host(B).site.turn_back(Knob::TestFails)?;
    until(pair, B, serves).await
}

pub(super) async fn refusals(pair: &mut Pair) -> Result<()> {
    let by = || json!({ "by": "test" });
    for (host, order, body) in [
        (
            A,
            "takeover",
            json!({ "to": "gamma", "reason": "nobody", "by": "test" }),
        ),
        (
            A,
            "takeover",
            json!({ "to": "alpha", "reason": "already", "by": "test" }),
        ),
        (
            B,
            "takeover",
            json!({ "to": "gamma", "reason": "nobody", "by": "test" }),
        ),
        (A, "giveback", by()),
        (B, "giveback", by()),
        (A, "cancel", by()),
        (B, "cancel", by()),
        (A, "cure", by()),
        (B, "cure", by()),
        (A, "bootstrap", by()),
        (B, "bootstrap", by()),
        (
            A,
            "takeover",
            json!({ "confirm_stopped": ["beta"], "reason": "no", "by": "test" }),
        ),
        (
            B,
            "takeover",
            json!({ "confirm_stopped": ["alpha"], "reason": "no", "by": "test" }),
        ),
    ] {
        pair.order(host, order, body).await;
    }
    // The holder's answers to what beta passed on.
    pause(300).await;
    Ok(())
}

pub(super) async fn refusals_while_busy(pair: &mut Pair) -> Result<()> {
    turn(pair, A, Knob::Busy)?;
    ask(pair, A).await;
    until(pair, A, |v| v.role == "draining").await?;
    ask(pair, A).await;
    ask(pair, B).await;
    pair.order(A, "giveback", json!({ "by": "test" })).await;
    pause(200).await;
    // Beta stands still, so that alpha stays released, or gives up.
    pair.host(A).site.turn_back(Knob::Busy)?;
    pause(20).await;
    pair.host(B).daemon.freeze()?;
    pause(600).await;
    for order in ["giveback", "cancel"] {
        pair.order(A, order, json!({ "by": "test" })).await;
    }
    ask(pair, A).await;
    pair.host(B).daemon.thaw()?;
    rest().await
}

pub(super) async fn power_failure(pair: &mut Pair) -> Result<()> {
    for name in [A, B] {
        pair.cluster.host_mut(name).daemon.kill()?;
        pair.lan.lose_power(name)?;
    }
    pair.cluster.host_mut(A).daemon.start()?;
    pause(700).await;
    // Alone, it has not heard the other: it refuses.
    pair.order(A, "giveback", json!({ "by": "test" })).await;
    pair.order(
        A,
        "takeover",
        json!({ "to": "beta", "reason": "too early", "by": "test" }),
    )
    .await;
    pair.cluster.host_mut(B).daemon.start()?;
    until(pair, A, serves).await?;
    until(pair, B, |v| v.ready).await
}

pub(super) async fn forced(pair: &mut Pair) -> Result<()> {
    pair.cluster.host_mut(A).daemon.kill()?;
    pair.lan.lose_power(A)?;
    until(pair, B, |v| !v.peers.iter().any(|peer| peer.connected)).await?;
    let vouch = json!({ "confirm_stopped": ["alpha"], "reason": "its power failed", "by": "test" });
    pair.order(B, "takeover", vouch).await;
    until(pair, B, serves).await?;
    pair.cluster.host_mut(A).daemon.start()?;
    until(pair, A, |v| v.role == "standby" && v.ready).await
}

pub(super) async fn started_by_hand(pair: &mut Pair) -> Result<()> {
    let start = |pair: &Pair| pair.host(B).site.start_by_hand(pair.service);
    start(pair)?;
    until_gone(pair).await?;
    turn(pair, B, Knob::KillHangs)?;
    start(pair)?;
    pause(2500).await;
    pair.host(B).site.turn_back(Knob::KillHangs)?;
    until_gone(pair).await?;
    rest().await
}

pub(super) async fn until_gone(pair: &Pair) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while pair.host(B).site.process(pair.service).is_some() {
        if Instant::now() >= end {
            bail!("the server that was started by hand still runs");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

pub(super) fn turn(pair: &Pair, host: &str, knob: Knob) -> Result<()> {
    pair.host(host).site.turn(knob)
}

pub(super) async fn ask(pair: &Pair, host: &str) {
    pair.order(
        host,
        "takeover",
        json!({ "to": "beta", "reason": "a test", "by": "test" }),
    )
    .await;
}

pub(super) fn serves(view: &ServiceView) -> bool {
    view.role == "active" && view.serves
}

pub(super) async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// For what comes by itself after the last thing that was waited for.
pub(super) async fn rest() -> Result<()> {
    pause(900).await;
    Ok(())
}

/// Waits until this step is the last one of the host's journal.
pub(super) async fn until_step(pair: &Pair, host: &str, step: &str) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let lines = pair.host(host).rest.journal().await.unwrap_or_default();
        if lines.last().is_some_and(|line| line.step == step) {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("{host} does not come to {step}")
}

pub(super) async fn until(pair: &Pair, host: &str, holds: impl Fn(&ServiceView) -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        if pair.view(host).await.is_ok_and(|view| holds(&view)) {
            return Ok(());
        }
        if Instant::now() >= end {
            bail!("{host} does not follow the story");
        }
        tokio::time::sleep(LOOK).await;
    }
}
