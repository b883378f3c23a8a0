//! Settling the requests that the first left: every one gets its disposition before the takeover is said to be done.
//!
//! Invariant: nothing is settled while the first may still complete it.

use crate::turn::Turn;
use crate::{Message, RoundId, Step, Tenure, TimerName, Work};

/// The round whose requests have no disposition yet, and can have one: the first does not work on them any more.
pub(crate) fn unresolved(t: &Turn) -> Option<RoundId> {
    let settled = |tenure: &&Tenure| !tenure.resolved && !tenure.overlaps;
    t.m.durable.tenure.as_ref().filter(settled)?.round
}

/// A move came to nothing after its server was stopped: whoever that stop cut is listed, and this host's to settle.
pub(crate) fn owe_own(t: &mut Turn) {
    let Some(begun) = t.m.durable.begun else { return };
    if !matches!(begun.step, Step::Server | Step::Address) {
        return;
    }
    if let Some(tenure) = &mut t.m.durable.tenure
        && tenure.resolved
    {
        tenure.round = Some(begun.round);
        tenure.resolved = false;
    }
}

pub(crate) fn has_unresolved(t: &Turn) -> bool {
    unresolved(t).is_some()
}

pub(crate) fn resolve(t: &mut Turn) {
    if let (Some(term), Some(round)) = (t.m.durable.held, unresolved(t)) {
        t.work(Work::ResolveRequests { term, round });
    }
}

pub(crate) fn resolve_later(t: &mut Turn) {
    let error = t.error();
    t.note(error);
    let after = t.m.plan.timing.serve;
    t.start_timer(TimerName::Serve, after);
}

pub(crate) fn resolved_current(t: &Turn) -> bool {
    match t.finished() {
        Some((Work::ResolveRequests { term, round }, _)) => {
            t.m.durable.held == Some(*term) && unresolved(t) == Some(*round)
        }
        _ => false,
    }
}

pub(crate) fn resolved(t: &mut Turn) {
    if let Some(tenure) = &mut t.m.durable.tenure {
        tenure.resolved = true;
        t.round = tenure.round;
    }
    say_took_over(t);
}

pub(crate) fn say_took_over(t: &mut Turn) {
    if let Some(held) = t.m.durable.held {
        t.send_all(&Message::TookOver { held });
    }
}
