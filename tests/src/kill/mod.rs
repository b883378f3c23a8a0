//! Kills a daemon at every row of the protocol's table that a real run takes, and sees the pair recover.
//!
//! - `pair` is two hosts on a link of their own, with a watch over both, and the way back to the beginning.
//! - `story` drives a pair so that as many rows as possible are taken; `plot` is what stories are made of.
//! - `case` plays one story with one crash point, and judges what becomes of it.
//! - `plan` makes the list: a survey plays every story once and writes down which rows it took on which host; each row
//!   that somebody took is a case, twice; each row that nobody took must be excused by name.
//! - `page` writes `docs/faults.md` from what was seen.
//! - `pool` plays cases on a few pairs at once.
//!
//! Invariant: the list is made from the table that runs; a row that is neither taken nor excused is an error.

mod case;
mod page;
mod pair;
mod plan;
mod plot;
mod pool;
mod story;

pub use case::{Case, Fault, Moment, Verdict};
pub use page::{page, steps};
pub use pair::Pair;
pub use plan::{EXCUSED, Excuse, Plan, Survey, Taken, judge_survey};
pub use pool::{play_all, survey_all, workers};
pub use story::{STORIES, Story};
