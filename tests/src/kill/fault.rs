//! What happens to a host at a step, and how it ends.
//!
//! Invariants: whatever strikes a host ends by itself or by what an operator is told to do about it; what the operator
//! was shown is noted while it lasts; nobody serves only where somebody is told why.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::case::Verdict;
use super::pair::Pair;
use super::plot::{pause, serves};
use super::scenes::vouch;
use crate::cluster::HOSTS;

/// From a crash to the restart, as `RestartSec=` of the unit.
const RESTART: Duration = Duration::from_millis(100);
/// How long whatever is not a kill lasts: longer than every timer of a pair with knobs.
const LASTS: Duration = Duration::from_millis(3_500);
/// A daemon that can't start says so within this time.
const REFUSAL: Duration = Duration::from_secs(6);
/// The longest that the other host takes to serve by itself, after which an operator decides.
const BY_ITSELF: Duration = Duration::from_secs(5);
/// How long an operator's word may take to be obeyed on a busy machine.
const BY_ORDER: Duration = Duration::from_secs(20);
/// A setting that changes with a reload.
const RELOADED: (&str, &str) = ("hold = \"500ms\"", "hold = \"600ms\"");
const STORE: &str = "store.sqlite";

/// What happens to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Its daemon is killed, and started again.
    Killed,
    /// Its daemon stands still for longer than every timer.
    Frozen,
    /// It and the other host don't hear each other.
    Parted,
    /// The other host does not hear it.
    Mute,
    /// It does not hear the other host.
    Deaf,
    /// Nothing can be written to the disk of its store.
    DiskFull,
    /// Its daemon is killed, and finds its store read-only.
    ReadOnly,
    /// Its daemon is killed, and finds bytes of its store overwritten.
    Damaged,
    /// Bytes of its store are overwritten while its daemon runs.
    Overwritten,
    /// It reads a changed configuration.
    Reloaded,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 10] = [
        Fault::Killed,
        Fault::Frozen,
        Fault::Parted,
        Fault::Mute,
        Fault::Deaf,
        Fault::DiskFull,
        Fault::ReadOnly,
        Fault::Damaged,
        Fault::Overwritten,
        Fault::Reloaded,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Killed => "killed",
            Fault::Frozen => "frozen",
            Fault::Parted => "parted",
            Fault::Mute => "mute",
            Fault::Deaf => "deaf",
            Fault::DiskFull => "disk full",
            Fault::ReadOnly => "store read-only",
            Fault::Damaged => "store damaged while down",
            Fault::Overwritten => "store overwritten while it runs",
            Fault::Reloaded => "reloaded",
        }
    }

    /// Whether it begins with the daemon's death; else the daemon stops itself, so that the moment is the step's.
    pub(super) fn kills(self) -> bool {
        matches!(self, Fault::Killed | Fault::ReadOnly | Fault::Damaged)
    }
}

/// Lets the fault strike, last and end; says when it had ended.
pub(super) async fn suffer(fault: Fault, me: &str, pair: &mut Pair, verdict: &mut Verdict) -> Result<Instant> {
    if fault.kills() && until_dead(me, pair).await.is_err() && fault != Fault::Killed {
        bail!("the story started the daemon of {me} again before its store could be struck");
    }
    match fault {
        Fault::Killed => killed(me, pair, verdict).await?,
        Fault::Frozen => {
            lasts(pair, verdict, &[other(me)]).await?;
            pair.host(me).daemon.thaw()?;
        }
        Fault::Parted => cut(&[(me, other(me)), (other(me), me)], me, pair, verdict).await?,
        Fault::Mute => cut(&[(me, other(me))], me, pair, verdict).await?,
        Fault::Deaf => cut(&[(other(me), me)], me, pair, verdict).await?,
        Fault::DiskFull => {
            pair.fill_store(me)?;
            pair.host(me).daemon.thaw()?;
            lasts(pair, verdict, &HOSTS).await?;
            pair.free_store(me)?;
        }
        Fault::ReadOnly => read_only(me, pair, verdict).await?,
        Fault::Damaged => {
            overwrite(&pair.host(me).site.state())?;
            start_or_mend(me, pair, verdict).await?;
        }
        Fault::Overwritten => {
            overwrite(&pair.host(me).site.state())?;
            pair.host(me).daemon.thaw()?;
            lasts(pair, verdict, &HOSTS).await?;
            let daemon = &mut pair.cluster.host_mut(me).daemon;
            if daemon.runs() {
                daemon.kill()?;
            }
            start_or_mend(me, pair, verdict).await?;
        }
        Fault::Reloaded => reloaded(me, pair, verdict).await?,
    }
    Ok(Instant::now())
}

async fn killed(me: &str, pair: &mut Pair, verdict: &mut Verdict) -> Result<()> {
    tokio::time::sleep(RESTART).await;
    note_alerts(pair, other(me), verdict).await;
    let daemon = &mut pair.cluster.host_mut(me).daemon;
    // The story may have started it meanwhile.
    if daemon.runs() { Ok(()) } else { daemon.start() }
}

/// A process that was sent a signal, or that refuses, may take a moment to be gone with all its files.
async fn until_dead(me: &str, pair: &mut Pair) -> Result<()> {
    let end = Instant::now() + REFUSAL;
    while pair.cluster.host_mut(me).daemon.runs() {
        ensure!(Instant::now() < end, "the daemon of {me} still runs");
        pause(5).await;
    }
    Ok(())
}

async fn cut(ways: &[(&str, &str)], me: &str, pair: &mut Pair, verdict: &mut Verdict) -> Result<()> {
    for (from, to) in ways {
        pair.lan.cut(from, to)?;
    }
    pair.host(me).daemon.thaw()?;
    let noted = lasts(pair, verdict, &HOSTS).await;
    for (from, to) in ways {
        pair.lan.heal(from, to)?;
    }
    noted
}

/// The daemon is started again and again, as systemd does, and can't open its store.
async fn read_only(me: &str, pair: &mut Pair, verdict: &mut Verdict) -> Result<()> {
    pair.remount_store(me, "ro")?;
    let end = Instant::now() + LASTS;
    while Instant::now() < end {
        let daemon = &mut pair.cluster.host_mut(me).daemon;
        if !daemon.runs() {
            daemon.start()?;
        }
        pause(300).await;
    }
    // The last one may still be on its way.
    let refused = until_dead(me, pair).await;
    note_refusal(me, pair, verdict);
    let noted = lasts_no_more(pair, verdict, &[other(me)]).await;
    pair.remount_store(me, "rw")?;
    noted?;
    refused.context("its store can't be written to")?;
    pair.cluster.host_mut(me).daemon.start()
}

/// Starts a daemon whose store was overwritten. Where it refuses, an operator does what it says: the store is moved
/// away; and if nobody serves by then, the other host is told for certain that this one is stopped.
async fn start_or_mend(me: &str, pair: &mut Pair, verdict: &mut Verdict) -> Result<()> {
    pair.cluster.host_mut(me).daemon.start()?;
    let end = Instant::now() + REFUSAL;
    while pair.cluster.host_mut(me).daemon.runs() {
        if Instant::now() >= end {
            // The damage hit nothing that it needs, or what it needs was written anew since.
            verdict.note(format!("{me}: starts all the same"));
            return begin_anew(me, pair, verdict).await;
        }
        pause(50).await;
    }
    note_refusal(me, pair, verdict);
    lasts_no_more(pair, verdict, &[other(me)]).await?;
    if !serves_within(pair, other(me), BY_ITSELF).await {
        vouch_for_the_other(me, pair, verdict).await?;
    }
    let state = pair.host(me).site.state();
    for file in [STORE, "store.sqlite-wal", "store.sqlite-shm"] {
        // The last two are there or not.
        let _ = fs::rename(state.join(file), state.join(format!("{file}.damaged")));
    }
    verdict.note(format!("operator: moved the store of {me} away"));
    pair.cluster.host_mut(me).daemon.start()
}

/// With what was overwritten the right to serve may be lost: then the other host says so, and an operator decides.
async fn begin_anew(me: &str, pair: &mut Pair, verdict: &mut Verdict) -> Result<()> {
    let lost = |alerts: &[String]| {
        let says = |what: &str| alerts.iter().any(|alert| alert.contains(what));
        says("nobody holds the service") || says("has not confirmed the release")
    };
    let end = Instant::now() + BY_ITSELF;
    while Instant::now() < end {
        if pair.view(other(me)).await.is_ok_and(|view| lost(&view.alerts)) {
            lasts_no_more(pair, verdict, &HOSTS).await?;
            vouch_for_the_other(me, pair, verdict).await?;
            return pair.cluster.host_mut(me).daemon.start();
        }
        pause(100).await;
    }
    Ok(())
}

/// An operator switches the host off and tells the other one so.
async fn vouch_for_the_other(me: &str, pair: &mut Pair, verdict: &mut Verdict) -> Result<()> {
    pair.lan.lose_power(me)?;
    until_dead(me, pair).await?;
    // The other one may be the host that the story made ill: it must be well to serve.
    pair.host(other(me)).site.turn_all_back()?;
    let end = Instant::now() + BY_ORDER;
    while !vouch(pair, other(me), me).await {
        ensure!(Instant::now() < end, "{} can't be told that {me} is stopped", other(me));
        pause(300).await;
    }
    verdict.note(format!("operator: `takeover --confirm-stopped {me}` on {}", other(me)));
    ensure!(
        serves_within(pair, other(me), BY_ORDER).await,
        "{} does not serve although {me} is said to be stopped",
        other(me)
    );
    Ok(())
}

async fn reloaded(me: &str, pair: &mut Pair, verdict: &mut Verdict) -> Result<()> {
    let (before, after) = RELOADED;
    change_settings(me, pair, before, after).await?;
    pause(600).await;
    for name in HOSTS {
        note_alerts(pair, name, verdict).await;
    }
    change_settings(me, pair, after, before).await
}

async fn change_settings(me: &str, pair: &Pair, from: &str, to: &str) -> Result<()> {
    let host = pair.host(me);
    let file = host.site.config_file();
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains(from), "{from} is not in the configuration");
    fs::write(&file, text.replace(from, to))?;
    let log = || fs::read_to_string(host.daemon.log_file()).unwrap_or_default();
    let before = log().len();
    host.daemon.hang_up()?;
    host.daemon.thaw()?;
    let end = Instant::now() + BY_ORDER;
    while !log().get(before..).is_some_and(|said| said.contains("in force now")) {
        ensure!(Instant::now() < end, "{me} does not say that it read its configuration");
        pause(30).await;
    }
    Ok(())
}

/// Waits for as long as it lasts, then notes what the hosts that can be asked show.
async fn lasts(pair: &Pair, verdict: &mut Verdict, asked: &[&str]) -> Result<()> {
    tokio::time::sleep(LASTS).await;
    lasts_no_more(pair, verdict, asked).await
}

/// At the end of what lasts: one host serves, or an operator is told what it waits for.
async fn lasts_no_more(pair: &Pair, verdict: &mut Verdict, asked: &[&str]) -> Result<()> {
    let told_before = verdict.alerts.len();
    let (mut serving, mut waits) = (Vec::new(), Vec::new());
    for name in asked {
        note_alerts(pair, name, verdict).await;
        let Ok(view) = pair.view(name).await else { continue };
        if serves(&view) {
            serving.push((*name).to_owned());
        }
        waits.extend(view.waiting_for.map(|what| format!("{name} waits for {what}")));
    }
    let whole = asked.len() == HOSTS.len();
    verdict.meanwhile = match (serving.is_empty(), whole) {
        (false, _) => Some(serving.join(" and ")),
        (true, true) => Some("nobody".to_owned()),
        // A host that can't be asked may serve on.
        (true, false) => None,
    };
    ensure!(serving.len() < 2, "both hosts say that they serve");
    if serving.is_empty() && whole {
        waits.into_iter().for_each(|what| verdict.note(what));
        ensure!(
            verdict.alerts.len() > told_before || told_before > 0,
            "nobody serves, and no operator is told why:\n{}",
            pair.cluster.describe().await
        );
    }
    Ok(())
}

async fn serves_within(pair: &Pair, host: &str, patience: Duration) -> bool {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if pair.view(host).await.is_ok_and(|view| serves(&view)) {
            return true;
        }
        pause(100).await;
    }
    false
}

/// What a daemon that could not start said last.
fn note_refusal(me: &str, pair: &Pair, verdict: &mut Verdict) {
    let log = fs::read_to_string(pair.host(me).daemon.log_file()).unwrap_or_default();
    let folder = pair.host(me).site.state().display().to_string();
    if let Some(line) = log
        .lines()
        .rev()
        .find(|line| line.contains("understudy: ") || line.contains("Error"))
    {
        let said = line.replace(&folder, "STATE_DIR");
        verdict.note(format!(
            "{me} does not start: {}",
            said.trim_start_matches("understudy: ")
        ));
    }
}

pub(super) async fn note_alerts(pair: &Pair, host: &str, verdict: &mut Verdict) {
    let Ok(view) = pair.view(host).await else { return };
    for alert in view.alerts {
        verdict.note(format!("{host}: {alert}"));
    }
}

/// Some bytes of every page of the store, and of what was written since.
fn overwrite(state: &Path) -> Result<()> {
    const PAGE: u64 = 4096;
    const FROM: u64 = 200;
    for name in [STORE, "store.sqlite-wal"] {
        let opened = File::options().read(true).write(true).open(state.join(name));
        let Ok(mut file) = opened else { continue };
        let length = file.metadata()?.len();
        let mut at = FROM;
        while at + 64 < length {
            let mut bytes = [0; 64];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut bytes)?;
            bytes.iter_mut().for_each(|byte| *byte ^= 0x5a);
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&bytes).context("overwriting the store")?;
            at += PAGE;
        }
    }
    Ok(())
}

pub(super) fn other(host: &str) -> &'static str {
    if host == HOSTS[0] { HOSTS[1] } else { HOSTS[0] }
}
