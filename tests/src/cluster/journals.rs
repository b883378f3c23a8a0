//! Both hosts' journals as one stream, kept as they come.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::events::{Said, follow};
use super::{Cluster, JournalLine};

/// What both hosts have written so far.
#[derive(Debug)]
pub struct Journals {
    said: mpsc::UnboundedReceiver<(&'static str, Said)>,
    lines: Vec<JournalLine>,
    stop: CancellationToken,
}

impl Journals {
    /// Follows both from their first lines on.
    pub fn follow(cluster: &Cluster) -> Journals {
        let (to, said) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        for host in cluster.hosts() {
            tokio::spawn(follow(host.site.name, host.rest.clone(), to.clone(), stop.clone()));
        }
        Journals {
            said,
            lines: Vec::new(),
            stop,
        }
    }

    /// The next word of either host; none when nobody follows any more.
    pub async fn next(&mut self) -> Option<(&'static str, Said)> {
        let said = self.said.recv().await;
        if let Some((_, Said::Line(line))) = &said {
            self.lines.push((**line).clone());
        }
        said
    }

    /// Every line so far, in the order in which it came.
    pub fn lines(&self) -> &[JournalLine] {
        &self.lines
    }

    /// The line that says so, if it is there already or comes within `patience`.
    pub async fn wait(
        &mut self,
        cluster: &Cluster,
        host: &str,
        service: &str,
        step: &str,
        patience: Duration,
    ) -> Result<JournalLine> {
        let is = |line: &JournalLine| line.host == host && line.service == service && line.step == step;
        let end = Instant::now() + patience;
        loop {
            if let Some(found) = self.lines.iter().find(|line| is(line)) {
                return Ok(found.clone());
            }
            if !matches!(timeout_at(end, self.next()).await, Ok(Some(_))) {
                let hosts = cluster.describe().await;
                bail!("waited {patience:?} in vain for `{step}` of {service} in {host}'s journal\n{hosts}");
            }
        }
    }

    /// From now on only lines that are written later count.
    pub async fn forget(&mut self) {
        // What was written is here within this time.
        let end = Instant::now() + Duration::from_millis(200);
        while let Ok(Some(_)) = timeout_at(end, self.next()).await {}
        self.lines.clear();
    }
}

impl Drop for Journals {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
