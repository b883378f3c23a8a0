//! What a check costs in CPU time: a plugin's probe against the usual ways to ask a server the same.
//!
//! - `subjects` are the ways to ask, each with the real servers and plugins that it needs.
//! - `rounds` lets them take turns, so that whatever else the machine does meets all of them alike.
//! - `cpu` reads what was used; `report` and `table` say it, to programs and to people; `machine` says on what.
//!
//! Invariants: every check's answer is looked at, for a check that failed has measured nothing; nothing here judges by
//! time: the figures are for a reader, and no test depends on them.

mod cpu;
mod machine;
mod report;
mod rounds;
mod subjects;
mod table;

pub use report::Report;
pub use rounds::{Plan, measure};
pub use subjects::{Bench, Subject};
