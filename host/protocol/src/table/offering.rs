//! The second's assessment, and what the first makes of its answer.

use super::HOLDERS;
use crate::row::{Row, quiet, row};
use crate::{RoleName, candidate, holder};

use RoleName::{Active, Asking, Draining, Forcing, Fresh, Parked, Preparing, Released, Standby, Unsynced, Yielded};

#[rustfmt::skip]
pub(super) const ASSESS: &[Row] = &[
    row("fault-heard", &[Standby], "FaultIndicated", Some(("the sender knows the present term, and no stay-down order is held", candidate::may_prepare)), candidate::prepare, &[Preparing],
        "the first indication: get ready, nothing is known yet"),
    row("fault-heard", &[Preparing], "FaultIndicated", Some(("the sender knows the present term", candidate::sender_is_current)), candidate::prepare, &[],
        "a newer round replaces the older"),
    row("declined", &[Preparing], "FaultReported", Some(("this host objects", candidate::objects)), candidate::decline_at_once, &[Standby],
        "this host can't take over any more, and says why and what would change it"),
    row("declined", &[Fresh, Unsynced, Standby, Released], "FaultReported", Some(("this host objects", candidate::objects)), candidate::decline_at_once, &[],
        "this host can't take over, and says why and what would change it"),
    row("assessing", &[Standby, Preparing], "FaultReported", Some(("the sender knows the present term", candidate::sender_is_current)), candidate::assess, &[Preparing],
        "the second indication: find out whether this host can back the service up"),
    row("declined", &[Released, Yielded, Forcing], "FaultReported", None, candidate::decline_busy, &[],
        "this host is busy with the same service"),
    quiet("own-term-told", HOLDERS, "FaultReported", None, holder::answer_with_own_term, &[],
        "somebody acts under an older term"),
    row("shutdown-commanded", &[Preparing], "assess done", Some(("the server can, and it is this round's", candidate::assessed_able)), candidate::command_shutdown, &[],
        "this host can back the service up: the first may shut down"),
    row("declined", &[Preparing], "assess done", Some(("it is this round's", candidate::assessment_is_current)), candidate::decline_assessed, &[Standby],
        "the plugin's assessment says no, and what would change it"),
    row("declined", &[Preparing], "assess failed", Some(("it is this round's", candidate::assessment_is_current)), candidate::decline_assessed, &[Standby],
        "without an assessment there is no offer"),
    row("declined", &[Preparing], "timer assessment", Some(("it is still assessing", candidate::assessment_is_current)), candidate::decline_assessed, &[Standby],
        "the assessment takes too long: the first asks the next one"),
    quiet("drain-heard", &[Preparing], "DrainProgressed", Some(("it is this round's", candidate::round_is_current)), candidate::note_progress, &[],
        "the first still drains: the offer stands"),
    row("offer-cancelled", &[Preparing], "Cancelled", Some(("it is this round's", candidate::round_is_current)), candidate::forget_cancelled, &[Standby],
        "the holder ended the round"),
    row("offer-forgotten", &[Preparing], "timer offer", None, candidate::forget_offer, &[Standby],
        "the holder says nothing more; a release would still count"),
];

#[rustfmt::skip]
pub(super) const ANSWER: &[Row] = &[
    row("drain-started", &[Asking], "ShutdownCommanded", Some(("it answers this round with a higher term", holder::command_is_valid)), holder::start_drain, &[Draining],
        "the second commands the shutdown: refuse new requests, complete the existing ones"),
    row("offer-stale", &[Asking], "ShutdownCommanded", Some(("it answers this round", holder::answer_is_current)), holder::next_after_stale_term, &[Asking, Active, Parked],
        "the offered term is not above what this host knows"),
    row("candidate-declined", &[Asking], "Declined", Some(("it answers this round", holder::answer_is_current)), holder::next_after_decline, &[Asking, Active, Parked],
        "the candidate can't: ask the next one, or go on serving as long as the fault lets it"),
    row("candidate-silent", &[Asking], "timer answer", None, holder::next_after_silence, &[Asking, Active, Parked],
        "the candidate did not answer: ask the next one, or go on serving as long as the fault lets it"),
];
