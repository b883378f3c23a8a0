//! The whole protocol as one list: in these roles, on this event, if this holds, do that; it ends in one of those roles,
//! and this is why. Rows are tried in order, the first that applies is taken; where none applies, nothing happens.
//!
//! Invariants: every change of role is a row here (a debug build checks each turn against it); every waiting role has
//! a row for its timer; `understudy fsm` and the README's diagram are printed from this table.

mod forced;
mod handing_over;
mod hearing;
mod moving;
mod offering;
mod overlapping;
mod policy;
mod staying_down;
mod taking_over;

use crate::RoleName;
use crate::row::Row;

use RoleName::{
    Activating, Active, Asking, Draining, Fresh, Parked, Released, Standby, StandingDown, Stopped, Unsynced, Yielded,
};

/// All rows, in the order in which they are tried.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|(_, rows)| rows.iter())
}

/// Everybody.
const ANY: &[RoleName] = &RoleName::ALL;
/// Whoever holds a term.
const HOLDERS: &[RoleName] = &[Activating, Active, Asking, Draining, Stopped, Parked];
/// Where a host is after it has heard everybody.
const SYNCED: &[RoleName] = &[Unsynced, Standby, Activating, StandingDown];
/// Where an ended force attempt leads.
const RECORDS: &[RoleName] = &[Fresh, Unsynced, Standby, Released, Yielded, Activating];

/// The rows by the part of the protocol they belong to.
pub(crate) const SECTIONS: &[(&str, &[Row])] = &[
    ("overlap: the first", overlapping::FIRST),
    ("overlap: the second", overlapping::SECOND),
    ("start", hearing::START),
    ("hearing each other", hearing::HEARING),
    ("automatic moves, held back", policy::WITHHOLD),
    ("monitor and indicate", moving::MONITOR),
    ("orders to move the service", moving::ORDERS),
    ("assess", offering::ASSESS),
    ("the candidate's answer", offering::ANSWER),
    ("a longer drain", policy::EXTEND),
    ("drain", handing_over::DRAIN),
    ("compile", handing_over::COMPILE),
    ("release", handing_over::RELEASE),
    ("take over", taking_over::TAKE_OVER),
    ("parked", taking_over::PARKED),
    ("stay down", staying_down::STAY_DOWN),
    ("undo an offer", staying_down::UNDO),
    ("cure and come back", staying_down::CURE),
    ("pauses", policy::PAUSES),
    ("force", forced::FORCE),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::TimerName;

    #[test]
    fn every_row_can_apply_and_says_why() {
        for row in rows() {
            assert!(!row.from.is_empty() && row.reason.len() > 10, "{}", row.step);
        }
    }

    #[test]
    fn every_timer_has_a_row() {
        let events: BTreeSet<_> = rows().map(|row| row.on).collect();
        for timer in TimerName::ALL {
            assert!(events.contains(timer.event()), "{} ends nothing", timer.as_str());
        }
    }

    #[test]
    fn every_role_is_entered_and_left() {
        for role in RoleName::ALL {
            assert!(
                role == Unsynced || rows().any(|row| row.to.contains(&role)),
                "{role} is never entered"
            );
            assert!(
                rows().any(|row| row.from.contains(&role) && !row.to.is_empty()),
                "{role} is never left"
            );
        }
    }
}
