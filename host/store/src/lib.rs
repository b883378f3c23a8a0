//! What a host must not forget, in one SQLite file: the journal with what hosts said to each other, the durable record of
//! every service, compilations with what became of each request, faults with their evidence, plugins' state, audit.
//!
//! Start with [`Store::open`]. `open.rs` owns the file, its lock and its connections; `write.rs` is the only way to
//! change more than one row at once; `sql.rs` (with its folder) is the only place that turns the protocol's words into columns and back.
//! The other modules are one subject each. The tables are in `migrations/` at the root, each headed by why it exists.
//!
//! Invariants:
//! - what a call has answered `Ok` to is on the disk (write-ahead log, `synchronous = FULL`);
//! - an error after a write began means *unknown*, not *undone*: the caller must not act as if nothing was written
//!   until the store was opened again;
//! - one daemon per store: a lock file next to it is held for as long as it is open.
//!
//! This crate must not know: the machine's decisions, the wire, REST, plugins' interfaces.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod audit;
mod compilation;
mod dispositions;
mod error;
mod faults;
mod idempotency;
mod identity;
mod journal;
mod messages;
mod open;
mod pauses;
mod plugins;
mod requests;
mod retention;
mod seal;
mod sql;
mod work;
mod write;

pub use audit::{AuditFilter, AuditLine, Deed};
pub use compilation::{CompilationSummary, Sealed};
pub use error::StoreError;
pub use faults::{FaultFilter, FaultLine};
pub use idempotency::{Repetition, StoredResponse};
pub use identity::Start;
pub use journal::{JournalFilter, JournalLine, Order};
pub use messages::{AddressLine, ClockOffset, Direction, MessageLine, Said};
pub use open::Store;
pub use plugins::{KnownPlugin, PluginGrant};
pub use requests::{OutcomeFilter, RequestFilter, RequestLine, RequestPages};
pub use retention::{Keep, Pruned, Retention};
pub use seal::{Sealer, seal_of};
pub use work::WorkLine;
