//! One service, as one host sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Attribute, DeclineView, Fault, MovesView, PauseView, TakeoverView, Term, Verdict};

/// The roles a host can have for a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The store is empty and was never adopted.
    Fresh,
    /// Just started; has not heard every other candidate in this boot.
    Unsynced,
    /// Ready, coming back, or ordered to stay down.
    Standby,
    /// A standby that assesses, or has offered, to take over.
    Preparing,
    /// Holds the term; makes the server serve.
    Activating,
    /// Holds the term and serves.
    Active,
    /// Active; waits for a candidate's answer.
    Asking,
    /// Refuses new requests and completes the existing ones.
    Draining,
    /// The server is stopped, the release is not durable yet.
    Stopped,
    /// The server is stopped, and nobody takes over yet.
    Parked,
    /// The service is handed to another host, which has not confirmed it yet.
    Released,
    /// Admission is yielded to another host; the requests under way are completed here.
    Yielded,
    /// An operator's forced takeover is in progress.
    Forcing,
    /// Somebody holds a higher term: it stops its server before it answers anybody.
    StandingDown,
}

/// One service, as one host sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceView {
    /// Its name.
    pub service: String,
    /// What kind of server provides it, for example `redis`.
    pub server_type: String,
    /// The candidate hosts, home first.
    pub candidates: Vec<String>,
    /// Where the service belongs: the first candidate.
    pub home: String,
    /// This host's role.
    pub role: Role,
    /// Whether this host admits clients now.
    pub serves: bool,
    /// The term this host holds.
    pub held_term: Option<Term>,
    /// The highest term known to be held by anybody.
    pub known_term: Term,
    /// Who is active, as far as this host knows.
    pub active: Option<String>,
    /// What the probes say of the local server, rise and fall counts applied.
    pub verdict: Verdict,
    /// The worst fault they found.
    pub fault: Option<Fault>,
    /// The takeover under way.
    pub takeover: Option<TakeoverView>,
    /// The held stay-down order.
    pub stay_down: Option<StayDown>,
    /// Whether the local server is ready to take over.
    pub ready: bool,
    /// Who or what is waited for, one line.
    pub waiting_for: Option<String>,
    /// The timers that run.
    pub timers: Vec<TimerView>,
    /// The other candidates, as this host sees them.
    pub peers: Vec<PeerView>,
    /// How clients find the service, and whether they find this host.
    pub address: AddressView,
    /// The plugins that watch the server, with their last answers.
    pub probes: Vec<ProbeView>,
    /// Standing alerts, in words.
    pub alerts: Vec<String>,
    /// The pauses in force here, the widest first.
    #[serde(default)]
    pub pauses: Vec<PauseView>,
    /// Why candidates declined when this host last asked them.
    #[serde(default)]
    pub declined: Vec<DeclineView>,
    /// How often the service moved by itself lately, as far as this host knows.
    #[serde(default)]
    pub moves: MovesView,
}

/// A held stay-down order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StayDown {
    /// The term this host gave up.
    pub released_term: Term,
    /// The fault's code.
    pub fault: String,
    /// How far the host got on its way back.
    pub phase: DownPhase,
}

/// How far a released host got on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DownPhase {
    /// The fault is not cured.
    Faulty,
    /// Cured; waiting for the active host's permission.
    Cured,
    /// Permitted; the reboot is under way.
    Rebooting,
}

/// A timer that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimerView {
    /// Its name, kebab-case, for example `drain`.
    #[schema(example = "drain")]
    pub name: String,
    /// The time left when the view was made (the host's `now_ms`).
    pub remaining_ms: u64,
}

/// Another candidate, as this host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerView {
    /// Its name.
    pub host: String,
    /// Whether a connection to it stands.
    pub connected: bool,
    /// Whether it answered since this daemon started.
    pub heard: bool,
    /// The term it holds, as it last said.
    pub held_term: Option<Term>,
    /// Whether it is ready to take over, as it last said.
    pub ready: bool,
    /// The code of the fault it stays down for, as it last said.
    pub down_for: Option<String>,
}

/// How a service's clients find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AddressMode {
    /// Addresses on an interface move from host to host.
    Vip,
    /// The daemon listens and forwards to the local server.
    Proxy,
    /// A drain plugin moves it.
    Plugin,
}

/// The service's address on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressView {
    /// What moves.
    pub mode: AddressMode,
    /// `proxy`: where clients connect, `ip:port`.
    pub listen: Vec<String>,
    /// `proxy`: the local server, `ip:port`.
    pub server: Option<String>,
    /// `vip`: the addresses, `ip/prefix`.
    pub addresses: Vec<String>,
    /// `vip`: the interface they are put on.
    pub interface: Option<String>,
    /// `admitting`: clients are admitted here; `held`: new clients wait; `dropped`: the address is not here.
    #[schema(example = "admitting")]
    pub state: String,
    /// One line for people, where there is more to say.
    pub detail: Option<String>,
}

/// A plugin that watches the server, with its last answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProbeView {
    /// The plugin's name.
    pub plugin: String,
    /// Its version, as it says.
    pub version: Option<String>,
    /// `sha256:…` of the component.
    pub digest: String,
    /// Its last answer.
    pub verdict: Verdict,
    /// When it was last called; null before the first call.
    pub checked_at_ms: Option<u64>,
    /// How long that call took, in microseconds.
    pub duration_us: Option<u64>,
    /// The faults it found, worst first.
    pub faults: Vec<Fault>,
    /// What it measured.
    pub readings: Vec<Reading>,
    /// Why the last call failed (time-out, trap, denial); null when it did not.
    pub error: Option<String>,
    /// Whether it is still called.
    pub breaker: Breaker,
}

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    /// What was measured.
    #[schema(example = "replication.lag")]
    pub key: String,
    /// The value.
    pub value: f64,
    /// The unit, for example `s`, `B`, `1`, `Cel`.
    pub unit: String,
    /// Which of several.
    pub attributes: Vec<Attribute>,
}

/// What keeps a broken plugin from being called without end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Breaker {
    /// Whether calls go through.
    pub state: BreakerState,
    /// Failed calls in a row.
    pub failures: u32,
    /// When the next call is tried, while it is open.
    pub retry_in_ms: Option<u64>,
}

/// Whether calls to a plugin go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are not made for a while.
    Open,
    /// One call is tried.
    HalfOpen,
}

/// What only the daemon knows about a service, beside the protocol's own view: together they make a [`ServiceView`].
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// What kind of server provides it.
    pub server_type: String,
    /// The service's address on this host.
    pub address: AddressView,
    /// The plugins with their last answers.
    pub probes: Vec<ProbeView>,
    /// When the takeover under way began, if one is.
    pub takeover_started_at_ms: Option<u64>,
}

/// One service over all hosts, as far as they are known to the host that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceOverview {
    /// Its name.
    pub service: String,
    /// What kind of server provides it.
    pub server_type: String,
    /// The candidate hosts, home first.
    pub candidates: Vec<String>,
    /// Where the service belongs.
    pub home: String,
    /// The host that says it is active with the highest term; null when none says so.
    pub active: Option<String>,
    /// The highest term known to any host.
    pub term: Term,
    /// Where the hosts' words differ, one line; null when they agree.
    pub disagreement: Option<String>,
    /// The takeover under way, as the host that gives the service sees it, else as the one that takes it.
    pub takeover: Option<TakeoverView>,
    /// Each host's own view, the answering host's first.
    pub hosts: Vec<ServiceOnHost>,
}

/// One host's word about one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceOnHost {
    /// Whose word.
    pub host: String,
    /// Whether the answering host has a connection to it now.
    pub reachable: bool,
    /// How old the word is.
    pub age_ms: Option<u64>,
    /// The word.
    pub view: ServiceView,
}
