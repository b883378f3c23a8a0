//! The rows of the table that are about what an operator wants of it: pauses, the flap guard, and drains that may take
//! longer. They are rows like all others, and tried where `mod.rs` puts them.
//!
//! Invariant: a row that holds something back comes before the row that would begin it.

use super::ANY;
use crate::row::{Row, quiet, row};
use crate::{RoleName, extension, guard, holder};

use RoleName::{Activating, Active, Draining, Parked, Preparing};

/// Before everything that begins a move by itself.
#[rustfmt::skip]
pub(super) const WITHHOLD: &[Row] = &[
    row("move-withheld", &[Active], "verdict failing", Some(("the fault requires a shutdown, and automatic moves are paused", guard::withholds_fault)), guard::withhold, &[],
        "nothing moves by itself now: the operator is told, and the fault's own deadline still holds"),
    row("move-withheld", &[Active], "verdict unknown", Some(("the policy takes unknown for a fault, and automatic moves are paused", guard::withholds_unknown)), guard::withhold, &[],
        "nothing moves by itself now: the operator is told"),
    quiet("move-withheld", &[Active], "timer retry", Some(("the fault is still there, and automatic moves are paused", guard::withholds_retry)), guard::withhold, &[],
        "nothing moves by itself now: look again later"),
    quiet("move-withheld", &[Parked], "timer retry", Some(("somebody is ready, and automatic moves are paused", guard::withholds_parked)), guard::withhold, &[],
        "nothing moves by itself now: look again later"),
    quiet("giveback-withheld", &[Active], "timer giveback", Some(("automatic moves are paused, or requests are without a disposition", guard::giveback_withheld)), guard::withhold_giveback, &[],
        "the service does not go home by itself now"),
];

/// Before what a drain's deadline leads to otherwise.
#[rustfmt::skip]
pub(super) const EXTEND: &[Row] = &[
    row("extension-asked", &[Draining], "timer drain", Some(("the policy is to extend, and time is left to be asked for", extension::may_ask)), extension::ask, &[],
        "the deadline has passed: the second is asked for more time"),
    row("drain-extended", &[Draining], "timer drain", Some(("the policy is to extend, time is left, and nobody is to be asked", extension::may_extend_alone)), extension::extend_alone, &[],
        "the deadline has passed: go on as long as may be"),
    row("drain-forced", &[Draining], "timer drain", Some(("there is no more time, and the fault does not wait", no_more_time_for_fault)), holder::force_drain, &[],
        "the drain can't be extended any more: the requests that are left are written down as cut"),
    row("drain-extended", &[Draining], "ExtensionAnswered", Some(("it grants this round more time", extension::is_granted)), extension::take, &[],
        "the second waits longer"),
    row("drain-forced", &[Draining], "ExtensionAnswered", Some(("it refuses, and the fault does not wait", extension::refused_for_fault)), holder::force_drain, &[],
        "the second does not wait longer: the requests that are left are written down as cut"),
    row("drain-aborted", &[Draining], "ExtensionAnswered", Some(("it refuses", extension::refused)), holder::abort_at_deadline, &[Active, Activating, Parked],
        "the second does not wait longer: resume serving"),
    row("drain-forced", &[Draining], "timer extension", Some(("the fault does not wait", extension::forces)), holder::force_drain, &[],
        "the second does not answer: the requests that are left are written down as cut"),
    row("drain-aborted", &[Draining], "timer extension", None, holder::abort_at_deadline, &[Active, Activating, Parked],
        "the second does not answer: resume serving"),
    row("extension-granted", &[Preparing], "ExtensionAsked", Some(("it is this round's, and time is left to be granted", extension::may_grant)), extension::answer, &[],
        "the first needs longer: the offer stands"),
    row("extension-refused", &[Preparing], "ExtensionAsked", Some(("it is this round's", extension::is_asked)), extension::answer, &[],
        "the drain was extended as long as may be"),
];

fn no_more_time_for_fault(t: &crate::turn::Turn) -> bool {
    extension::forces(t)
}

/// Orders about pauses, and what other hosts say of them.
#[rustfmt::skip]
pub(super) const PAUSES: &[Row] = &[
    row("paused", ANY, "order pause", None, guard::pause, &[],
        "an operator wants nothing to move by itself"),
    row("order-refused", ANY, "order unpause", Some(("no such pause is in force", guard::is_not_paused)), guard::refuse_not_paused, &[],
        "there is nothing to end"),
    row("unpaused", ANY, "order unpause", None, guard::unpause, &[],
        "an operator lets the service move by itself again"),
    row("pause-ended", ANY, "timer pause", None, guard::pause_ended, &[],
        "the pause was for so long"),
    row("pauses-heard", ANY, "PausesTold", Some(("it knows something newer", guard::teaches)), guard::learn, &[],
        "another host's word about what is paused"),
    quiet("pauses-taught", ANY, "PausesTold", None, guard::teach, &[],
        "the sender may lack a word of this host"),
];
