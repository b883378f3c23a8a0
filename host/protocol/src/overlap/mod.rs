//! Overlap: both servers may run, so admission moves first and requests under way stay where they are.
//!
//! ```text
//!  first   asking ──warm ShutdownCommanded──► draining ──record──► yielded ──flows ended, sealed, stored, stopped──► released
//!                                                                    │ new flows are redirected, AdmissionYielded
//!  second  preparing: arm, warm up, offer ─────────────────────────► activating ──► active ──Released──► address whole
//! ```
//!
//! Invariants: the record of the yield is the token, in one transaction as a release; the second is told only when new
//! flows go to it; after the record the first can't resume by itself; its server is stopped only after the second has
//! stored the compilation, unless the fault allows no more waiting; the second settles requests only when the first is
//! down.

mod first;
mod second;

pub(crate) use first::*;
pub(crate) use second::*;
