//! The proof bundle of a takeover: what each host recorded, signed by each with its cluster key, so that anybody with
//! the cluster's authority can check without the hosts that the service moved as the protocol says.
//!
//! ```text
//! record.rs     this host's statement, out of the store          canonical.rs  the exact bytes that are signed
//! assemble.rs   the halves of all hosts that took part, together  keys.rs       signing, and what a signature proves
//! verify/       the checks, one file a subject, and the report
//! ```
//! Invariants: a host states only what it recorded itself; a statement is signed as a whole; verifying needs nothing but
//! the document and the authority's certificate, and never asks a daemon. `docs/proof-bundle.md` is the format's text.

mod assemble;
mod canonical;
mod keys;
mod record;
mod statement;
mod verify;

pub(crate) use assemble::{NotProven, Prover};
pub(crate) use verify::{Trusted, verify};

/// Names the form of the document and of what is signed: another form gets another number.
const FORM: &str = "understudy proof bundle 1";
