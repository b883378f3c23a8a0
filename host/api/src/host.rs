//! What the API needs of the daemon, as one trait: two feeds, one way to order, and stored records to look up.
//!
//! Invariant: no method decides anything about the protocol; `order` hands an order to the machine and brings its
//! answer back.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{broadcast, watch};
use understudy_protocol::{HostName, Order, Outcome, Refusal, RequestState, ServiceName};

use crate::wire::{
    Compilation, FaultRecord, HostView, JournalLine, Page, ProofBundle, ProofReport, Rehearsal, RequestLine, Takeover,
};

/// The daemon, as the API sees it.
#[async_trait]
pub trait Host: Send + Sync + 'static {
    /// This host's name.
    fn name(&self) -> HostName;

    /// The published view: this host first, then every peer with its last word. `age_ms` is filled in by the API.
    fn view(&self) -> watch::Receiver<Arc<Vec<HostView>>>;

    /// Journal lines as they are stored, in the order of `seq`. A line must be readable by [`Host::journal`] before it
    /// is sent here: readers that were too slow go on from the store.
    fn journal_feed(&self) -> broadcast::Receiver<JournalLine>;

    /// Lines of the peers' journals as they tell them; `seq` is the peer's own.
    fn peer_journal_feed(&self) -> broadcast::Receiver<JournalLine>;

    /// Stored journal lines, oldest first.
    async fn journal(&self, filter: JournalFilter) -> Result<Vec<JournalLine>, HostError>;

    /// Gives an order to the machine of the service and waits for its answer: accepted, or why not. Must be safe to
    /// drop, and must end by itself within seconds.
    async fn order(&self, service: ServiceName, order: Order, caller: Caller) -> Result<(), OrderError>;

    /// What would come of moving the service now; changes nothing. None where the service is not known. Asks the peers:
    /// seconds may pass.
    async fn rehearse(&self, service: ServiceName, wish: Wish) -> Result<Option<Rehearsal>, HostError>;

    /// Takeovers, newest first, without their steps.
    async fn takeovers(&self, filter: PageFilter) -> Result<Page<Takeover>, HostError>;

    /// One takeover with its steps; none when there is no such.
    async fn takeover(&self, id: &str) -> Result<Option<Takeover>, HostError>;

    /// What all hosts of a takeover recorded, signed by each; none when there is no such takeover. Asks the peers: seconds
    /// may pass.
    async fn proof_bundle(&self, id: &str) -> Result<Option<ProofBundle>, HostError>;

    /// What verifying that bundle finds; none when there is no such takeover.
    async fn proof(&self, id: &str) -> Result<Option<ProofReport>, HostError>;

    /// Compilations, newest first.
    async fn compilations(&self, filter: PageFilter) -> Result<Page<Compilation>, HostError>;

    /// One compilation; none when there is no such.
    async fn compilation(&self, round: &str) -> Result<Option<Compilation>, HostError>;

    /// The requests of a compilation, in the order in which they were listed. The round is known to exist.
    async fn requests(&self, round: &str, filter: RequestFilter) -> Result<Page<RequestLine>, HostError>;

    /// Recorded faults, newest first.
    async fn faults(&self, filter: FaultFilter) -> Result<Page<FaultRecord>, HostError>;

    /// The answer kept for an `Idempotency-Key`, if any; must survive a restart for a day.
    async fn kept_answer(&self, key: &str) -> Result<Option<KeptAnswer>, HostError>;

    /// Keeps the answer for an `Idempotency-Key`.
    async fn keep_answer(&self, key: &str, answer: KeptAnswer) -> Result<(), HostError>;

    /// Whether the daemon does its work (`/readyz`): the store can be written, the machines run; else why not.
    fn ready(&self) -> Result<(), String>;

    /// The metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// Which journal lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalFilter {
    /// Of this host: a peer's lines are those it has told. None: this host's own.
    pub host: Option<HostName>,
    /// Of this service only.
    pub service: Option<ServiceName>,
    /// Of this round only.
    pub round: Option<String>,
    /// Lines with a higher number: the first `limit` of them. Without `after`: the last `limit` lines.
    pub after: Option<u64>,
    /// Lines with a lower number: to read backwards.
    pub before: Option<u64>,
    /// Not more than this.
    pub limit: u32,
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageFilter {
    /// Of this service only.
    pub service: Option<ServiceName>,
    /// Go on from here: [`Page::next`] of the page before.
    pub cursor: Option<String>,
    /// Not more than this.
    pub limit: u32,
}

/// Which faults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultFilter {
    /// Of this service only.
    pub service: Option<ServiceName>,
    /// Only those that stand.
    pub standing: bool,
    /// Go on from here.
    pub cursor: Option<String>,
    /// Not more than this.
    pub limit: u32,
}

/// Which requests of a compilation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestFilter {
    /// That got exactly so far on the first.
    pub state: Option<RequestState>,
    /// That ended so on the second.
    pub outcome: Option<Outcome>,
    /// Whose outcome is not settled yet.
    pub unsettled: bool,
    /// Whose client begins with this text.
    pub client: Option<String>,
    /// Go on from here.
    pub cursor: Option<String>,
    /// Not more than this.
    pub limit: u32,
}

/// What is rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// To whom; none: the first candidate that can.
    pub to: Option<HostName>,
    /// Whether it would be a giveback.
    pub giveback: bool,
    /// Who would order it.
    pub by: String,
    /// Whether soft vetoes are passed over.
    pub override_vetoes: bool,
}

/// Who gives an order, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name given, or the address; also the order's `by`.
    pub by: String,
    /// From where.
    pub address: Option<SocketAddr>,
    /// The request's id, as in the log.
    pub request_id: String,
}

/// The answer kept for an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// SHA-256, in hex, of the request it answered: another request with the same key is an error.
    pub request_digest: String,
    /// The HTTP status.
    pub status: u16,
    /// `Location`, where it had one.
    pub location: Option<String>,
    /// The body's media type.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// Why records can't be read or kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The cursor is not one of this list.
    #[error("{cursor:?} is not a cursor of this list; begin again without one")]
    BadCursor {
        /// What was given.
        cursor: String,
    },
    /// This host can't sign or verify.
    #[error("the proof bundle can't be made: {error}")]
    Unproven {
        /// Why.
        error: String,
    },
    /// The store failed.
    #[error("the store can't be used: {error}; look at the disk of the state folder")]
    Store {
        /// What it said.
        error: String,
    },
}

/// Why an order was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The machine said no.
    #[error("{0}")]
    Refused(Refusal),
    /// This host knows no such service.
    #[error("there is no service of this name here")]
    UnknownService,
    /// No answer in time: it may still be carried out.
    #[error("no answer to the order yet; it may still be carried out: look at the service before you repeat it")]
    Unanswered,
    /// The daemon is starting or ending.
    #[error("this daemon takes no orders now: {because}")]
    Unavailable {
        /// Why.
        because: String,
    },
}
