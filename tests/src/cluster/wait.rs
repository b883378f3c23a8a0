//! Waiting with a name and an end. Whoever waits in vain is told what both hosts say.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Cluster, Host};

/// Between looks.
const LOOK: Duration = Duration::from_millis(50);

/// How much of a daemon's log is shown.
const LOG_LINES: usize = 40;

/// Looks until the condition holds. An error of the condition counts as "not yet": a daemon may be starting.
pub async fn wait_for(
    cluster: &Cluster,
    what: &str,
    patience: Duration,
    mut condition: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let end = Instant::now() + patience;
    loop {
        let last = condition().await;
        if matches!(last, Ok(true)) {
            return Ok(());
        }
        if Instant::now() >= end {
            let why = last.err().map(|e| format!(" (last error: {e:#})")).unwrap_or_default();
            bail!(
                "waited {patience:?} in vain for this: {what}{why}\n{}",
                cluster.describe().await
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(crate) async fn describe(host: &Host) -> String {
    let mut text = format!("── {}\n", host.site.name);
    match host.rest.own_view().await {
        Err(e) => text.push_str(&format!("   no answer over REST: {e:#}\n")),
        Ok(view) => {
            for s in &view.services {
                text.push_str(&format!(
                    "   {}: {} serves={} held={} known={} active={} verdict={} fault={} stay-down={} ready={} waits for {}; alerts {:?}\n",
                    s.service,
                    s.role,
                    s.serves,
                    s.held_term.as_ref().map_or("-", |t| &t.text),
                    s.known_term.text,
                    s.active.as_deref().unwrap_or("-"),
                    s.verdict,
                    s.fault.as_ref().map_or("-", |f| &f.code),
                    s.stay_down.as_ref().map_or("-", |d| &d.phase),
                    s.ready,
                    s.waiting_for.as_deref().unwrap_or("nothing"),
                    s.alerts,
                ));
            }
            text.push_str(&format!("   alerts of the host: {:?}\n", view.alerts));
        }
    }
    for line in host.rest.journal().await.unwrap_or_default() {
        text.push_str(&format!(
            "   {:>5} {} {:<8} {:<20} {} -> {} term {}: {}\n",
            line.seq, line.at_ms, line.service, line.step, line.from, line.to, line.term.text, line.detail
        ));
    }
    text.push_str(&format!("   the end of {}:\n", host.daemon.log_file().display()));
    let log = std::fs::read_to_string(host.daemon.log_file()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
        text.push_str(&format!("     {line}\n"));
    }
    text
}
