//! What others may see of the driver: a view of all hosts, and the journal as it grows. Peers get this host's view and
//! lines; theirs are kept as they last said them.
//!
//! Invariants: what is published never feeds back into a decision; a peer's view and lines are shown as that peer's
//! word, and only under its own name.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::{broadcast, watch};
use tracing::warn;
use understudy_api::wire;
use understudy_protocol::{HostName, ServiceName, ServiceView};
use understudy_store::JournalLine;

use super::wall_ms;
use crate::edges::{Audience, Links};
use crate::effects::{Context, lock};
use crate::peers::Frame;
use crate::shown;

/// Lines that a slow reader may be behind before it goes on from the store.
const FEED: usize = 1024;
/// Lines that are kept of each peer: several takeovers' worth.
const PEER_LINES: usize = 2000;
/// Rounds whose cause is remembered.
const CAUSES: usize = 1000;

/// What is shown of a service beside the machine's view.
#[derive(Debug, Clone)]
pub(crate) struct ServiceInfo {
    pub(crate) server_type: String,
    pub(crate) address: wire::AddressView,
}

/// Publishes; see the module's head.
pub(crate) struct Publisher {
    me: HostName,
    started_at_ms: i64,
    infos: BTreeMap<ServiceName, ServiceInfo>,
    view: watch::Sender<Arc<Vec<wire::HostView>>>,
    feed: broadcast::Sender<wire::JournalLine>,
    peer_feed: broadcast::Sender<wire::JournalLine>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    peer_views: BTreeMap<HostName, (wire::HostView, i64)>,
    peer_lines: BTreeMap<HostName, VecDeque<wire::JournalLine>>,
    causes: BTreeMap<String, wire::Cause>,
    /// When a round was first seen under way.
    begun: BTreeMap<String, i64>,
    store_troubles: BTreeMap<ServiceName, String>,
}

impl Publisher {
    pub(crate) fn new(me: &HostName, infos: BTreeMap<ServiceName, ServiceInfo>) -> Self {
        Publisher {
            me: me.clone(),
            started_at_ms: wall_ms(),
            infos,
            view: watch::channel(Arc::default()).0,
            feed: broadcast::channel(FEED).0,
            peer_feed: broadcast::channel(FEED).0,
            kept: Mutex::default(),
        }
    }

    pub(crate) fn view(&self) -> watch::Receiver<Arc<Vec<wire::HostView>>> {
        self.view.subscribe()
    }

    pub(crate) fn feed(&self) -> broadcast::Receiver<wire::JournalLine> {
        self.feed.subscribe()
    }

    pub(crate) fn peer_feed(&self) -> broadcast::Receiver<wire::JournalLine> {
        self.peer_feed.subscribe()
    }

    /// The lines a peer has told, oldest first.
    pub(crate) fn peer_lines(&self, host: &HostName) -> Vec<wire::JournalLine> {
        lock(&self.kept)
            .peer_lines
            .get(host)
            .map(|lines| lines.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Every peer's lines about a round.
    pub(crate) fn peer_lines_of_round(&self, round: &str) -> Vec<wire::JournalLine> {
        let kept = lock(&self.kept);
        let all = kept.peer_lines.values().flatten();
        all.filter(|line| line.round.as_deref() == Some(round))
            .cloned()
            .collect()
    }

    /// Why a round was opened, where it was seen since the daemon started.
    pub(crate) fn cause(&self, round: &str) -> Option<wire::Cause> {
        lock(&self.kept).causes.get(round).cloned()
    }

    /// Why the store fails, if it does.
    pub(crate) fn store_trouble(&self) -> Option<String> {
        lock(&self.kept).store_troubles.values().next().cloned()
    }

    fn my_view(&self, services: Vec<wire::ServiceView>, now: i64) -> wire::HostView {
        let trouble = self
            .store_trouble()
            .map(|error| format!("the store can't be written: {error}"));
        wire::HostView {
            host: self.me.to_string(),
            me: true,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            started_at_ms: Some(shown::millis(self.started_at_ms)),
            now_ms: Some(shown::millis(now)),
            seen_at_ms: Some(shown::millis(now)),
            age_ms: Some(0),
            reachable: true,
            services,
            alerts: trouble.into_iter().collect(),
        }
    }

    fn service(&self, view: &ServiceView, context: &Context) -> Option<wire::ServiceView> {
        let info = self.infos.get(&view.service)?;
        let around = wire::Surroundings {
            server_type: info.server_type.clone(),
            address: shown::address(&info.address, &*context.parts.address),
            probes: shown::probes(context),
            takeover_started_at_ms: self.begun_at(view).map(shown::millis),
        };
        let mut shown = wire::ServiceView::new(view, around);
        shown.alerts.extend(context.parts.address.troubles());
        if let Some(takeover) = &shown.takeover
            && let (Some(round), Some(cause)) = (&takeover.round, &takeover.cause)
        {
            let mut kept = lock(&self.kept);
            kept.causes.insert(round.clone(), cause.clone());
            if kept.causes.len() > CAUSES {
                kept.causes.pop_first();
            }
        }
        Some(shown)
    }

    /// When the takeover under way was first seen.
    fn begun_at(&self, view: &ServiceView) -> Option<i64> {
        let round = view.takeover.as_ref()?.round?.to_string();
        let mut kept = lock(&self.kept);
        let begun = *kept.begun.entry(round).or_insert_with(wall_ms);
        if kept.begun.len() > CAUSES {
            kept.begun.pop_first();
        }
        Some(begun)
    }

    /// Every other candidate: its own word where it gave one, its name where not.
    fn peer_hosts(&self, peers: &dyn Links, services: &[(ServiceView, Arc<Context>)]) -> Vec<wire::HostView> {
        let connected = peers.connected();
        let troubles = peers.troubles();
        let mut names: Vec<_> = services
            .iter()
            .flat_map(|(view, _)| view.peers.iter().map(|p| p.host.clone()))
            .collect();
        names.sort();
        names.dedup();
        let kept = lock(&self.kept);
        let host = |name: HostName| {
            let mut view = match kept.peer_views.get(&name) {
                Some((view, seen_at)) => wire::HostView {
                    seen_at_ms: Some(shown::millis(*seen_at)),
                    ..view.clone()
                },
                None => shown::unknown_host(&name),
            };
            view.me = false;
            view.reachable = connected.contains(&name);
            if let Some(trouble) = troubles.get(&name).filter(|_| !view.reachable) {
                view.alerts.push(format!("not connected: {trouble}"));
            }
            view
        };
        names.into_iter().map(host).collect()
    }
}

impl Audience for Publisher {
    fn line(&self, peers: &dyn Links, line: &JournalLine) {
        let line = shown::journal_line(&self.me, line);
        if let Ok(json) = serde_json::to_value(&line) {
            for host in peers.connected() {
                peers.send(&host, Frame::JournalLine(json.clone()));
            }
        }
        // Nobody may be watching.
        let _ = self.feed.send(line);
    }

    fn catch_up(&self, peers: &dyn Links, host: &HostName, lines: &[JournalLine]) {
        for line in lines {
            if let Ok(json) = serde_json::to_value(shown::journal_line(&self.me, line)) {
                peers.send(host, Frame::JournalLine(json));
            }
        }
    }

    fn peer_line(&self, host: &HostName, json: serde_json::Value) {
        let line: wire::JournalLine = match serde_json::from_value(json) {
            Ok(line) => line,
            Err(error) => return warn!(%host, %error, "a peer's journal line can't be read"),
        };
        if line.host != host.as_str() {
            return warn!(%host, claims = line.host, "a peer told a journal line of another host");
        }
        {
            let mut kept = lock(&self.kept);
            let lines = kept.peer_lines.entry(host.clone()).or_default();
            if lines.iter().any(|known| known.seq == line.seq) {
                return;
            }
            let place = lines.partition_point(|known| known.seq < line.seq);
            lines.insert(place, line.clone());
            if lines.len() > PEER_LINES {
                lines.pop_front();
            }
        }
        let _ = self.peer_feed.send(line);
    }

    fn peer_view(&self, host: &HostName, json: serde_json::Value) {
        match serde_json::from_value::<wire::HostView>(json) {
            Ok(view) if view.host == host.as_str() => {
                lock(&self.kept).peer_views.insert(host.clone(), (view, wall_ms()));
            }
            Ok(view) => warn!(%host, claims = view.host, "a peer told the view of another host"),
            Err(error) => warn!(%host, %error, "a peer's view can't be read"),
        }
    }

    fn store_failed(&self, service: &ServiceName, error: String) {
        lock(&self.kept).store_troubles.insert(service.clone(), error);
    }

    fn store_works(&self, service: &ServiceName) {
        lock(&self.kept).store_troubles.remove(service);
    }

    fn publish(&self, peers: &dyn Links, services: Vec<(ServiceView, Arc<Context>)>) {
        let now = wall_ms();
        let shown: Vec<_> = services
            .iter()
            .filter_map(|(view, context)| self.service(view, context))
            .collect();
        let mine = self.my_view(shown, now);
        if let Ok(json) = serde_json::to_value(&mine) {
            for host in peers.connected() {
                peers.send(&host, Frame::HostView(json.clone()));
            }
        }
        let mut all = vec![mine];
        all.extend(self.peer_hosts(peers, &services));
        self.view.send_replace(Arc::new(all));
    }
}
