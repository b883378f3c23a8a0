//! A drain that needs longer than it was given, where the policy is to extend: the holder asks, the second grants.
//!
//! ```text
//!  draining ──deadline──► ExtensionAsked ──► second: budget left? ──► ExtensionAnswered {more}
//!     ▲                                                                  │
//!     └──────────────── goes on for so long ◄────────────────────────────┘  none, or silence: force or abort
//! ```
//!
//! Invariants: the drain's work goes on while the holder waits for the answer; what all extensions come to is bounded
//! by the plan, on both sides; a drain that is not extended ends as if the policy were the usual one for its cause.

use std::time::Duration;

use crate::role::{Drain, Offer, OfferStep, Role};
use crate::turn::Turn;
use crate::{Cause, DrainPolicy, Message, TimerName, holder};

/// What is left of the budget, at most one more deadline at a time.
fn next(t: &Turn, extended: Duration) -> Option<Duration> {
    let left = t.m.plan.extend_at_most.saturating_sub(extended);
    (!left.is_zero()).then(|| left.min(t.m.plan.timing.drain))
}

fn drain<'t>(t: &'t Turn) -> Option<&'t Drain> {
    match &t.m.role {
        Role::Draining(drain) if holder::policy(t) == DrainPolicy::Extend => Some(drain),
        _ => None,
    }
}

// ---- the holder ----------------------------------------------------------------------------------------------

pub(crate) fn may_ask(t: &Turn) -> bool {
    drain(t).is_some_and(|drain| drain.to.is_some() && next(t, drain.extended).is_some())
}

pub(crate) fn ask(t: &mut Turn) {
    let Some(drain) = drain(t) else { return };
    let because = drain
        .blocker
        .clone()
        .unwrap_or_else(|| format!("the step {}", drain.step.as_str()));
    let (round, to) = (drain.round, drain.to.clone());
    if let Some((to, _)) = to {
        t.note(format_args!("{to} is asked for more time, for {because}"));
        t.send(&to, Message::ExtensionAsked { round, because });
    }
    let bound = t.m.plan.timing.answer;
    t.start_timer(TimerName::Extension, bound);
}

/// With nobody to ask, the host grants it itself.
pub(crate) fn may_extend_alone(t: &Turn) -> bool {
    drain(t).is_some_and(|drain| drain.to.is_none() && next(t, drain.extended).is_some())
}

pub(crate) fn extend_alone(t: &mut Turn) {
    if let Some(more) = drain(t).and_then(|drain| next(t, drain.extended)) {
        extend(t, more);
    }
}

fn extend(t: &mut Turn, more: Duration) {
    if let Role::Draining(drain) = &mut t.m.role {
        drain.extended += more;
        let all = drain.extended;
        t.note(format_args!("{more:?} more, {all:?} in all"));
    }
    t.stop_timers(&[TimerName::Extension]);
    t.start_timer(TimerName::Drain, more);
}

fn answer_is_current(t: &Turn) -> bool {
    let (Some(drain), Some((from, Message::ExtensionAnswered { round, .. }))) = (drain(t), t.received()) else {
        return false;
    };
    t.m.timers.runs(TimerName::Extension)
        && drain.round == *round
        && drain.to.as_ref().is_some_and(|(to, _)| to == from)
}

pub(crate) fn is_granted(t: &Turn) -> bool {
    answer_is_current(t)
        && matches!(
            t.received(),
            Some((_, Message::ExtensionAnswered { more: Some(_), .. }))
        )
}

pub(crate) fn take(t: &mut Turn) {
    let extended = drain(t).map_or(Duration::ZERO, |drain| drain.extended);
    if let (Some((_, Message::ExtensionAnswered { more: Some(more), .. })), Some(most)) =
        (t.received(), next(t, extended))
    {
        let more = (*more).min(most);
        extend(t, more);
    }
}

fn for_a_fault(t: &Turn) -> bool {
    drain(t).is_some_and(|drain| matches!(drain.cause, Cause::Fault(_)))
}

pub(crate) fn refused_for_fault(t: &Turn) -> bool {
    answer_is_current(t) && for_a_fault(t)
}

pub(crate) fn refused(t: &Turn) -> bool {
    answer_is_current(t)
}

/// No more time, and a fault that does not wait.
pub(crate) fn forces(t: &Turn) -> bool {
    for_a_fault(t)
}

// ---- the second ----------------------------------------------------------------------------------------------

fn asked<'t>(t: &'t Turn) -> Option<&'t Offer> {
    match (&t.m.role, t.received()) {
        (Role::Preparing(offer), Some((from, Message::ExtensionAsked { round, .. }))) => {
            (offer.step == OfferStep::Offered && offer.round == *round && offer.first == *from).then_some(offer)
        }
        _ => None,
    }
}

pub(crate) fn may_grant(t: &Turn) -> bool {
    asked(t).is_some_and(|offer| next(t, offer.extended).is_some())
}

pub(crate) fn is_asked(t: &Turn) -> bool {
    asked(t).is_some()
}

/// Grants what is left of the budget, or says that nothing is.
pub(crate) fn answer(t: &mut Turn) {
    let Some((from, Message::ExtensionAsked { round, because })) = t.received() else {
        return;
    };
    let more = asked(t).and_then(|offer| next(t, offer.extended));
    t.note(format_args!("{from} waits for {because}"));
    let now = t.now;
    if let (Some(more), Role::Preparing(offer)) = (more, &mut t.m.role) {
        offer.extended += more;
        offer.accepted_until = Some(now + more);
        let all = offer.extended;
        t.note(format_args!("{more:?} more, {all:?} in all"));
    }
    t.send(from, Message::ExtensionAnswered { round: *round, more });
    t.keep_offer();
}
