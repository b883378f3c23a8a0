//! Kills a daemon at every row of the protocol's table that a real run takes, and sees the pair recover.
//!
//! - `pair` is two hosts on a link of their own, with a watch over both, and the way back to the beginning.
//! - `story` drives a pair so that as many rows as possible are taken; `plot` is what stories are made of,
//!   `scenes` are the longer ones.
//! - `case` plays one story with one crash point, and judges what becomes of it; `fault` is what strikes there.
//! - `plan` makes the list: a survey plays every story and writes down which rows it took on which host; each row that
//!   somebody took is a case, twice; each row that nobody took must be excused by name. Along the way of a takeover each
//!   row is a case for every other fault, too, and in every role the configuration is read again.
//! - `page` writes `docs/faults.md` from what was seen, in the words of `told`.
//! - `pool` plays cases on a few pairs at once.
//!
//! Invariant: the list is made from the table that runs; a row that is neither taken nor excused is an error.

mod case;
mod fault;
mod page;
mod pair;
mod plan;
mod plot;
mod pool;
mod scenes;
mod story;
mod told;

pub use case::{Case, Moment, Verdict};
pub use fault::Fault;
pub use page::page;
pub use pair::Pair;
pub use plan::{EXCUSED, Excuse, Plan, Survey, Taken, judge_survey, record, recorded};
pub use pool::{play_all, survey_all, workers};
pub use story::{STORIES, Story};
