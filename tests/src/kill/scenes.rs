//! Longer scenes of stories: pauses, drains that need more time, servers that must be down, forced takeovers, and words
//! that are lost.

use anyhow::Result;
use serde_json::json;

use super::pair::Pair;
use super::plot::{A, B, ask, pause, rest, serves, turn, until, until_step};
use crate::cluster::{Knob, ServiceView};

/// Longer than a connection may be silent.
const CONNECTION_LOST_MS: u64 = 3_600;

/// A pause that ends by itself, one that an operator ends, and one that isn't there.
pub(super) async fn paused(pair: &mut Pair) -> Result<()> {
    pause_service(pair, Some(600)).await;
    pause(900).await;
    end_pause(pair).await;
    pause_service(pair, None).await;
    turn(pair, A, Knob::Unhealthy)?;
    until(pair, A, is_withheld).await?;
    end_pause(pair).await;
    until(pair, B, serves).await
}

/// A host of which nothing is known moves by policy, and not while that is paused.
pub(super) async fn paused_and_unknown(pair: &mut Pair) -> Result<()> {
    pause_service(pair, None).await;
    pair.signal_servers(A, rustix::process::Signal::STOP)?;
    until(pair, A, is_withheld).await?;
    pair.signal_servers(A, rustix::process::Signal::CONT)?;
    until(pair, A, |view| view.verdict == "healthy").await?;
    end_pause(pair).await;
    rest().await
}

fn is_withheld(view: &ServiceView) -> bool {
    view.alerts.iter().any(|alert| alert.contains("pause"))
}

async fn pause_service(pair: &Pair, for_ms: Option<u64>) {
    let body = match for_ms {
        Some(ms) => json!({ "reason": "a new switch", "by": "test", "for_ms": ms }),
        None => json!({ "reason": "a new switch", "by": "test" }),
    };
    pair.order(A, "pause", body).await;
}

async fn end_pause(pair: &Pair) {
    // Refused where nothing is paused, which is a row, too.
    let _refused = pair.host(A).rest.end_pause(pair.service).await;
}

/// The server is busy for longer than both hosts grant.
pub(super) async fn too_long(pair: &mut Pair, host: &str, for_a_fault: bool) -> Result<()> {
    turn(pair, host, Knob::Busy)?;
    if for_a_fault {
        turn(pair, host, Knob::Unhealthy)?;
    } else {
        ask(pair, host).await;
    }
    until(pair, host, |view| view.role == "draining").await?;
    if for_a_fault {
        until(pair, other(host), serves).await
    } else {
        until(pair, host, serves).await
    }
}

/// As [`too_long`], on the host whose own patience ends first.
pub(super) async fn too_long_away(pair: &mut Pair) -> Result<()> {
    ask(pair, A).await;
    until(pair, B, serves).await?;
    until(pair, A, |view| view.role == "standby" && view.ready).await?;
    too_long(pair, B, true).await
}

/// The host that is asked for more time does not answer.
pub(super) async fn no_word_on_more_time(pair: &mut Pair, for_a_fault: bool) -> Result<()> {
    turn(pair, A, Knob::Busy)?;
    if for_a_fault {
        turn(pair, A, Knob::Unhealthy)?;
    } else {
        ask(pair, A).await;
    }
    until(pair, A, |view| view.role == "draining").await?;
    pair.host(B).daemon.freeze()?;
    pause(3_400).await;
    pair.host(B).daemon.thaw()?;
    pair.host(A).site.turn_all_back()?;
    rest().await
}

/// The fault says when the server must be down, and nobody can take over.
pub(super) async fn must_be_down(pair: &mut Pair, gets_well: bool) -> Result<()> {
    turn(pair, B, Knob::TestFails)?;
    turn(pair, A, if gets_well { Knob::StopHangs } else { Knob::Busy })?;
    turn(pair, A, Knob::Unhealthy)?;
    until(pair, A, |view| view.role == "draining").await?;
    if gets_well {
        pair.host(A).site.turn_back(Knob::Unhealthy)?;
    } else {
        // Longer than one deadline: with nobody to ask, it grants itself more.
        pause(2_000).await;
        pair.host(A).site.turn_back(Knob::Busy)?;
    }
    until_journal(pair, A, "parked").await?;
    pause(1_500).await;
    pair.host(A).site.turn_all_back()?;
    pair.host(B).site.turn_all_back()?;
    rest().await
}

/// Waits until a step is in the host's journal after what is there now.
async fn until_journal(pair: &Pair, host: &str, step: &str) -> Result<()> {
    let after = pair.last_line(host).await;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(12);
    while std::time::Instant::now() < end {
        let lines = pair.host(host).rest.journal_after(after).await.unwrap_or_default();
        if lines.iter().any(|line| line.step == step) {
            return Ok(());
        }
        pause(30).await;
    }
    anyhow::bail!("{host} does not come to {step}")
}

/// An operator vouches for a host that only stands still; it comes back, must stand down, and its server does not stop
/// at once. That two hosts serve meanwhile is what the operator was told would follow.
pub(super) async fn wrongly_said_to_be_stopped(pair: &mut Pair) -> Result<()> {
    turn(pair, A, Knob::KillHangs)?;
    pair.host(A).daemon.freeze()?;
    until(pair, B, |view| !view.peers.iter().any(|peer| peer.connected)).await?;
    vouch(pair, B, A).await;
    until(pair, B, serves).await?;
    pair.host(A).daemon.thaw()?;
    until(pair, A, |view| view.role == "standing-down").await?;
    order_everything(pair, A).await;
    pause(2_000).await;
    pair.cluster.host_mut(A).daemon.kill()?;
    pair.cluster.host_mut(A).daemon.start()?;
    until(pair, A, |view| view.role == "standing-down").await?;
    pause(500).await;
    pair.host(A).site.turn_back(Knob::KillHangs)?;
    until(pair, A, |view| view.role == "standby").await
}

pub(super) async fn vouch(pair: &Pair, at: &str, stopped: &str) -> bool {
    let body = json!({ "confirm_stopped": [stopped], "reason": "its power failed", "by": "test" });
    pair.order(at, "takeover", body).await
}

async fn order_everything(pair: &Pair, host: &str) {
    vouch(pair, host, other(host)).await;
    pair.order(host, "bootstrap", json!({ "by": "test" })).await;
    ask(pair, host).await;
    pair.order(host, "giveback", json!({ "by": "test" })).await;
}

/// The first start waits for a host that stands still: orders meanwhile are refused, and it can be cancelled.
pub(super) async fn first_start_waits(pair: &mut Pair) -> Result<()> {
    let bootstrap = || json!({ "by": "test" });
    pair.host(B).daemon.freeze()?;
    pair.order(A, "bootstrap", bootstrap()).await;
    order_everything(pair, A).await;
    pair.order(A, "cancel", json!({ "by": "test" })).await;
    pair.order(A, "bootstrap", bootstrap()).await;
    // Longer than it waits for a promise.
    pause(2_300).await;
    pair.host(B).daemon.thaw()?;
    until(pair, A, |view| view.role == "fresh" && view.heard_all()).await?;
    pair.order(A, "bootstrap", bootstrap()).await;
    until(pair, A, serves).await
}

/// Two operators start the service at once, and the hosts hear of it late.
pub(super) async fn first_start_on_both(pair: &mut Pair) -> Result<()> {
    pair.lan.cut(A, B)?;
    pair.lan.cut(B, A)?;
    for host in [A, B] {
        pair.order(host, "bootstrap", json!({ "by": "test" })).await;
    }
    pair.lan.heal(A, B)?;
    pair.lan.heal(B, A)?;
    pause(2_500).await;
    for host in [A, B] {
        pair.order(host, "bootstrap", json!({ "by": "test" })).await;
        pause(500).await;
    }
    rest().await
}

/// The second serves, and the first hears of it only when the hosts meet again.
pub(super) async fn answer_lost(pair: &mut Pair) -> Result<()> {
    turn(pair, A, Knob::StopHangs)?;
    ask(pair, A).await;
    until_step(pair, A, "server-stopping").await?;
    pair.lan.cut(B, A)?;
    let told = until(pair, B, serves).await;
    pause(CONNECTION_LOST_MS).await;
    pair.lan.heal(B, A)?;
    told?;
    until(pair, A, |view| view.role == "standby").await
}

/// Somebody ends a server by hand that a host could not stop.
pub(super) async fn ended_by_hand(pair: &mut Pair) -> Result<()> {
    turn(pair, B, Knob::KillHangs)?;
    pair.host(B).site.start_by_hand(pair.service)?;
    // Between two attempts to stop it: else the attempt under way is the first to see that it is gone.
    until_step(pair, B, "stop-failed").await?;
    if let Some(server) = pair.host(B).site.process(pair.service) {
        server.signal(rustix::process::Signal::TERM);
    }
    super::plot::until_gone(pair).await?;
    rest().await
}

fn other(host: &str) -> &'static str {
    if host == A { B } else { A }
}
