//! The takeover protocol, pure: `Machine::handle(now, event)` says what to store, what to do and when to be called
//! again. No clock, no I/O, no tokio, no serde, no randomness; the same machine is model-checked and run.
//!
//! Read `table/` first: the whole protocol as one list of transitions, each with its reason, a file a concern. The words
//! (messages, events, actions, durable records) each have a file of their own. The rules are from the protocol's
//! description in `docs/protocol.md`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod action;
mod candidate;
mod descent;
mod diagram;
mod durable;
mod event;
mod extension;
mod fault;
mod force;
mod guard;
mod holder;
mod ledger;
mod machine;
mod message;
mod names;
mod overlap;
mod pause;
mod plan;
mod refusal;
mod rehearse;
mod resolving;
mod role;
mod row;
mod standby;
mod sync;
mod table;
mod term;
mod time;
mod turn;
mod undo;
mod veto;
mod view;

pub use action::{Action, Alert, StopPurpose, Work};
pub use diagram::{diagram, journaled_rows, reason_of, row_names, table_text};
pub use durable::{Begun, DownPhase, Durable, Entry, Grant, StayDown, Step, Tenure};
pub use event::{Event, Finish, Order, ServerState};
pub use fault::{Fault, FaultKind, Severity, Verdict};
pub use ledger::{Disposition, Outcome, Progress, RequestState, RequestStatus};
pub use machine::{Machine, Output, Stored};
pub use message::{Cause, Envelope, Message, Standing};
pub use names::{BadName, HostName, ServiceName};
pub use pause::{Pause, PauseScope, PauseWord, Pauses};
pub use plan::{DrainPolicy, FlapGuard, Giveback, Mode, OnUnknown, Plan, Timing};
pub use refusal::{Cancel, Decline, FenceRefusal, PluginRefusal, Refusal};
pub use rehearse::{OfferRehearsed, OrderRehearsed};
pub use role::RoleName;
pub use term::{BadRound, Boot, CompilationSeal, Digest, RoundId, StoreId, Term};
pub use time::{Time, TimerName};
pub use view::{DeclineView, PauseView, PeerView, ServiceView, TakeoverView};
