//! Both hosts' journals as one stream, kept and told as they come.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, JournalLine, Said, follow};

/// What both hosts have written so far.
#[derive(Debug)]
pub(crate) struct Follower {
    said: mpsc::UnboundedReceiver<(&'static str, Said)>,
    lines: Vec<JournalLine>,
    stop: CancellationToken,
}

impl Follower {
    pub(crate) fn start(cluster: &Cluster) -> Follower {
        let (to, said) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        for host in cluster.hosts() {
            tokio::spawn(follow(host.site.name, host.rest.clone(), to.clone(), stop.clone()));
        }
        Follower {
            said,
            lines: Vec::new(),
            stop,
        }
    }

    /// The next word of either host.
    pub(crate) async fn next(&mut self) -> Option<(&'static str, Said)> {
        let said = self.said.recv().await;
        if let Some((_, Said::Line(line))) = &said {
            self.lines.push((**line).clone());
        }
        said
    }

    /// Every line so far, in the order in which it came.
    pub(crate) fn lines(&self) -> &[JournalLine] {
        &self.lines
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
