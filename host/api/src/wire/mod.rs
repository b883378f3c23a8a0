//! The JSON of `/api/v1`, one file a subject. The daemon fills these types, the CLI and the UI read them.
//!
//! Conventions, the same everywhere:
//! - fields are `snake_case`, words of a closed list are `kebab-case`;
//! - instants are whole milliseconds since the Unix epoch and end in `_ms` (`at_ms`, `seen_at_ms`), lengths of time
//!   say so (`remaining_ms`, `duration_us`, `age_ms`);
//! - what is not known is `null`, never an invented zero;
//! - answers may grow fields: readers ignore what they don't know. Request bodies are strict: an unknown field is an error.
//!
//! Invariant: no type of the protocol crate is serialised directly; `from_protocol.rs` and `from_refusal.rs` alone convert.

mod fault;
mod from_protocol;
mod from_refusal;
mod host;
mod journal;
mod ledger;
mod order;
mod pause;
mod problem;
mod proof;
mod rehearsal;
mod service;
mod takeover;
mod term;

pub use fault::{Attribute, Fault, FaultKind, FaultRecord, Severity, Verdict};
pub use host::HostView;
pub use journal::JournalLine;
pub use ledger::{
    Compilation, Disposition, Outcome, OutcomeCounts, Page, Progress, RequestLine, RequestState, StateCounts,
};
pub use order::{
    Accepted, ActiveAnswer, BootstrapRequest, CancelRequest, CureRequest, GivebackRequest, OrderKind, TakeoverRequest,
};
pub use pause::{
    DeclineView, MovesView, PauseAnswer, PauseRequest, PauseScope, PauseView, ServicePaused, UnpauseRequest,
};
pub use problem::{Problem, Refusal};
pub use proof::{
    ProofAbsence, ProofAssembly, ProofBundle, ProofCheck, ProofHalf, ProofOutage, ProofReport, ProofResult,
    ProofVerdict,
};
pub use rehearsal::{
    Blocker, CandidateAnswer, CandidateForecast, OutageForecast, OutageSource, Rehearsal, RequestForecast, StepForecast,
};
pub use service::{
    AddressMode, AddressView, Breaker, BreakerState, DownPhase, PeerView, ProbeView, Reading, Role, ServiceOnHost,
    ServiceOverview, ServiceView, StayDown, Surroundings, TimerView,
};
pub use takeover::{Cause, Takeover, TakeoverState, TakeoverView};
pub use term::Term;
