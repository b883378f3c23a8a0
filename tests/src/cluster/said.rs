//! What hosts say over REST: only what the demo and the tests look at. Written down a second time on purpose: a field
//! that is renamed by mistake breaks these, as it would break an operator's scripts.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A fencing number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Term {
    /// To compare.
    pub value: u64,
    /// To show.
    pub text: String,
}

/// One host and its services.
#[derive(Debug, Clone, Deserialize)]
pub struct HostView {
    /// Its name.
    pub host: String,
    /// Its services, as it sees them.
    pub services: Vec<ServiceView>,
    /// Alerts about the host itself.
    pub alerts: Vec<String>,
}

/// One service as one host sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct ServiceView {
    /// The service.
    pub service: String,
    /// The host's role.
    pub role: String,
    /// Whether it admits clients.
    pub serves: bool,
    /// The term it holds.
    pub held_term: Option<Term>,
    /// The highest term it knows to be held.
    pub known_term: Term,
    /// Who is active, as far as it knows.
    pub active: Option<String>,
    /// What the probes say.
    pub verdict: String,
    /// The worst fault.
    pub fault: Option<Fault>,
    /// The held stay-down order.
    pub stay_down: Option<StayDown>,
    /// Whether the local server could take over.
    pub ready: bool,
    /// Who or what is waited for.
    pub waiting_for: Option<String>,
    /// The other candidates.
    pub peers: Vec<Peer>,
    /// Standing alerts.
    pub alerts: Vec<String>,
}

impl ServiceView {
    /// Whether every other candidate answered since the daemon started.
    pub fn heard_all(&self) -> bool {
        self.peers.iter().all(|p| p.heard && p.connected)
    }
}

/// Another candidate as a host sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct Peer {
    /// Its name.
    pub host: String,
    /// Whether there is a connection to it.
    pub connected: bool,
    /// Whether it answered.
    pub heard: bool,
}

/// A fault.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// Its code.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A held stay-down order.
#[derive(Debug, Clone, Deserialize)]
pub struct StayDown {
    /// The fault's code.
    pub fault: String,
    /// How far the host got on its way back.
    pub phase: String,
}

/// One line of a journal.
#[derive(Debug, Clone, Deserialize)]
pub struct JournalLine {
    /// Its number.
    pub seq: u64,
    /// When it was stored, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Whose transition.
    pub host: String,
    /// Of which service.
    pub service: String,
    /// Its name.
    pub step: String,
    /// Why.
    pub reason: String,
    /// What it was about.
    pub detail: String,
    /// The role before.
    pub from: String,
    /// The role after.
    pub to: String,
    /// The term after it.
    pub term: Term,
    /// The round it belongs to.
    pub round: Option<String>,
}

/// A takeover as an operation.
#[derive(Debug, Clone, Deserialize)]
pub struct Takeover {
    /// Its id.
    pub id: String,
    /// The service.
    pub service: String,
    /// Who gives.
    pub first: Option<String>,
    /// Who takes.
    pub second: Option<String>,
    /// How far it got.
    pub state: String,
    /// How long nobody served.
    pub outage_ms: Option<u64>,
    /// Why it did not come about.
    pub refusal: Option<Refusal>,
}

/// A refusal as data.
#[derive(Debug, Clone, Deserialize)]
pub struct Refusal {
    /// Its code.
    pub code: String,
    /// For people.
    pub message: String,
    /// What another host said.
    pub because: Option<Box<Refusal>>,
}

/// The account of one takeover's requests.
#[derive(Debug, Clone, Deserialize)]
pub struct Compilation {
    /// The round.
    pub round: String,
    /// The service.
    pub service: String,
    /// Whose requests.
    pub first: String,
    /// Whether it is complete.
    pub sealed: bool,
    /// How many requests.
    pub count: u64,
    /// Over all of them.
    pub digest: Option<String>,
    /// How many by state.
    pub states: BTreeMap<String, u64>,
    /// How many by outcome.
    pub outcomes: BTreeMap<String, u64>,
}

/// One request of a compilation.
#[derive(Debug, Clone, Deserialize)]
pub struct RequestLine {
    /// Its id.
    pub id: String,
    /// Who asked.
    pub client: String,
    /// What.
    pub operation: String,
    /// How far it got.
    pub state: String,
    /// What became of it.
    pub disposition: Option<Disposition>,
}

/// What became of a request.
#[derive(Debug, Clone, Deserialize)]
pub struct Disposition {
    /// In a word.
    pub outcome: String,
    /// For people.
    pub message: String,
}

/// One page of a list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}
