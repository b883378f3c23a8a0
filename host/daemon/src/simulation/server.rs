//! A server and its clients' requests, as the world has them: a process, admission, requests in progress.
//!
//! Invariant: a request that was accepted ends in exactly one way: completed, or cut when the server stopped.

use std::collections::{BTreeMap, BTreeSet};

use understudy_address::Holding;
use understudy_protocol::{HostName, RequestState, RequestStatus, ServerState, Term, Verdict};

/// One host's server of one service.
pub(super) struct Server {
    pub(super) state: ServerState,
    /// The server itself takes new requests.
    pub(super) admits: bool,
    pub(super) address: Holding,
    /// The address is here, hidden: only clients that another host sends on get through.
    pub(super) armed: bool,
    /// Where new clients are sent on to.
    pub(super) redirects: Option<HostName>,
    /// Somebody else than the daemon started it.
    pub(super) by_hand: bool,
    /// Accepted and not ended: when each will.
    pub(super) in_progress: BTreeMap<u64, u64>,
    /// Cut by an orderly stop since it last served: each must be in the compilation.
    pub(super) cut: BTreeSet<u64>,
    pub(super) completed: u64,
    /// What the machine would tell a probe.
    pub(super) health: Health,
    /// Calls of the drain plugin that go wrong, by name.
    pub(super) trouble: BTreeMap<&'static str, Trouble>,
    /// The highest term of a change so far.
    pub(super) changed_under: Term,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) verdict: Verdict,
    /// With `Failing`: how long the server may go on.
    pub(super) shutdown_within_ms: Option<u64>,
    pub(super) shutdown_required: bool,
}

/// How a plugin's call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The plugin breaks down, nothing has happened.
    Traps,
    /// It breaks down after the server has changed.
    TrapsAfterwards,
    /// It gives no answer in its time.
    Hangs,
    /// It says that it could not; trying again may help.
    Passing,
    /// It says that it could not, for good.
    Final,
    /// It is never done.
    NeverDone,
}

impl Trouble {
    pub(super) const ALL: [Trouble; 6] = [
        Trouble::Traps,
        Trouble::TrapsAfterwards,
        Trouble::Hangs,
        Trouble::Passing,
        Trouble::Final,
        Trouble::NeverDone,
    ];
}

impl Health {
    pub(super) const GOOD: Health = Health {
        verdict: Verdict::Healthy,
        shutdown_within_ms: None,
        shutdown_required: false,
    };
}

impl Server {
    pub(super) fn new() -> Server {
        Server {
            state: ServerState::Stopped,
            admits: false,
            address: Holding::Dropped,
            armed: false,
            redirects: None,
            by_hand: false,
            in_progress: BTreeMap::new(),
            cut: BTreeSet::new(),
            completed: 0,
            health: Health::GOOD,
            trouble: BTreeMap::new(),
            changed_under: Term::NONE,
        }
    }

    /// Whether a client that comes to this host now is served.
    pub(super) fn admits_clients(&self) -> bool {
        self.takes_requests() && self.address == Holding::Admitting
    }

    /// Whether a client that another host sends on is served here.
    pub(super) fn admits_sent_on(&self) -> bool {
        self.takes_requests() && self.address == Holding::Dropped && self.armed
    }

    fn takes_requests(&self) -> bool {
        self.state == ServerState::Serving && self.admits && !self.by_hand
    }

    /// The address goes from this host without anybody's doing, with every rule of a move.
    pub(super) fn lose_address(&mut self) {
        (self.address, self.armed) = (Holding::Dropped, false);
        self.redirects = None;
    }

    /// How the address is, for the trace.
    pub(super) fn address_in_words(&self) -> String {
        let armed = if self.armed { ", armed" } else { "" };
        format!("{}{armed}", self.address.as_str())
    }

    /// Requests whose time has come are complete.
    pub(super) fn complete(&mut self, now_ms: u64) {
        if self.state == ServerState::Serving {
            let before = self.in_progress.len();
            self.in_progress.retain(|_, ends| *ends > now_ms);
            self.completed += (before - self.in_progress.len()) as u64;
        }
    }

    /// What the server lists of its requests.
    pub(super) fn list(&self) -> Vec<RequestStatus> {
        self.in_progress.keys().map(|id| request(*id)).collect()
    }

    /// Its processes end; whatever was in progress is cut, and must be accounted for where the stop was orderly.
    pub(super) fn stop(&mut self, orderly: bool) {
        let cut = std::mem::take(&mut self.in_progress);
        if orderly && !self.by_hand {
            self.cut.extend(cut.into_keys());
        }
        self.state = ServerState::Stopped;
        self.admits = false;
        self.by_hand = false;
    }

    pub(super) fn serve(&mut self) {
        self.state = ServerState::Serving;
        self.admits = true;
        self.by_hand = false;
        self.cut.clear();
    }
}

pub(super) fn request(id: u64) -> RequestStatus {
    RequestStatus {
        id: request_name(id),
        client: format!("192.0.2.{}:4000", id % 250),
        operation: "change".to_owned(),
        state: RequestState::Running,
        started_at_ms: id,
        progress: None,
        idempotency_key: None,
        resume: None,
        attributes: Vec::new(),
    }
}

pub(super) fn request_name(id: u64) -> String {
    format!("r{id:06}")
}
