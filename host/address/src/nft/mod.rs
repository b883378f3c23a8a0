//! The kernel's packet filter (nftables), written to directly over netlink: no program is started on the way of a
//! takeover, and a change is one transaction of the kernel, wholly there or not at all.
//!
//! Files: `batch` puts tables, chains, sets and rules into one transaction; `expression` is what rules are made of;
//! `attribute` lays bytes out; `link` speaks with the kernel; `found` reads back what is there.
//!
//! Invariant: pure apart from `link`. It must not know what the rules are for.

mod attribute;
mod batch;
mod expression;
mod found;
mod link;

pub(crate) use batch::{Batch, Family, Hook, KeyPart, Place, Set};
pub(crate) use expression::Expression;
pub(crate) use link::{Link, Refused};
