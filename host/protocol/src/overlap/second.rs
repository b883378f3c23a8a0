//! The second: runs its server before it offers, admits with the token, and settles requests when the first is down.

use crate::role::{OfferStep, Role};
use crate::turn::Turn;
use crate::{Alert, Begun, Decline, HostName, Message, Mode, Order, Step, TimerName, Work, candidate, standby};

// ---- before the offer ---------------------------------------------------------------------------------------------

/// Assessed as able, in a service whose servers may both run.
pub(crate) fn able_to_overlap(t: &Turn) -> bool {
    t.m.plan.mode == Mode::Overlap && candidate::assessed_able(t)
}

pub(crate) fn arm(t: &mut Turn) {
    let Some((round, from)) = offered(t) else { return };
    step_to(t, OfferStep::Arming, Step::Arm);
    t.work(Work::Arm { round, from });
}

fn offered(t: &Turn) -> Option<(crate::RoundId, HostName)> {
    match &t.m.role {
        Role::Preparing(offer) => Some((offer.round, offer.first.clone())),
        _ => None,
    }
}

/// Written down before it is begun.
fn step_to(t: &mut Turn, to: OfferStep, step: Step) {
    let Role::Preparing(offer) = &mut t.m.role else { return };
    offer.step = to;
    let round = offer.round;
    t.m.durable.begun = Some(Begun { round, step });
    t.keep_offer();
    let bound = t.m.plan.timing.serve;
    t.start_timer(TimerName::Assessment, bound);
}

/// Whether the ended work, or the time that has passed, is what this offer waits for.
pub(crate) fn warming_is_current(t: &Turn) -> bool {
    let Role::Preparing(offer) = &t.m.role else {
        return false;
    };
    match t.finished() {
        Some((Work::Arm { round, .. }, _)) => offer.step == OfferStep::Arming && offer.round == *round,
        Some((Work::WarmUp { round }, _)) => offer.step == OfferStep::WarmingUp && offer.round == *round,
        Some(_) => false,
        None => matches!(offer.step, OfferStep::Arming | OfferStep::WarmingUp),
    }
}

pub(crate) fn warm_up(t: &mut Turn) {
    let Some((round, _)) = offered(t) else { return };
    step_to(t, OfferStep::WarmingUp, Step::WarmUp);
    t.work(Work::WarmUp { round });
}

pub(crate) fn decline_not_warm(t: &mut Turn) {
    let Some((round, first)) = offered(t) else { return };
    let error = t.error();
    t.round = Some(round);
    let reason = Decline::NotWarm { error };
    t.note(&reason);
    t.send(&first, Message::Declined { round, reason });
    t.stop_timers(&[TimerName::Offer, TimerName::Assessment]);
    t.abandon();
    standby::leave_offer(t);
}

// ---- until the first is down --------------------------------------------------------------------------------------

/// The host that still completes requests, where this one has its token.
fn first(t: &Turn) -> Option<HostName> {
    let tenure = t.m.durable.tenure.as_ref().filter(|tenure| tenure.overlaps)?;
    tenure.from.clone()
}

pub(crate) fn overlaps(t: &Turn) -> bool {
    first(t).is_some()
}

pub(crate) fn watch_first(t: &mut Turn) {
    if overlaps(t) {
        let bound = t.m.plan.timing.drain + t.m.plan.timing.stop;
        t.start_timer(TimerName::Overlap, bound);
    }
}

/// The first releases what it yielded, or acknowledges the stay-down order: hosts whose server runs do neither.
pub(crate) fn first_is_down(t: &Turn) -> bool {
    let said = match t.received() {
        Some((from, Message::Released(_) | Message::StayingDown { .. })) => Some(from.clone()),
        _ => None,
    };
    said.is_some() && said == first(t)
}

/// What the order lists, or the sender of this turn, is the first: make the address wholly this host's. It is said again
/// by everybody until this is done.
pub(crate) fn take_whole(t: &mut Turn) {
    if let (Some((from, Message::Released(_))), Some(held)) = (t.received(), t.m.durable.held) {
        t.send(from, Message::StayDown { held });
    }
    t.answer(Ok(()));
    if let (Some(term), from @ Some(_)) = (t.m.durable.held, first(t)) {
        t.work(Work::TakeAddress { term, from });
    }
}

pub(crate) fn first_is_vouched_for(t: &Turn) -> bool {
    matches!((t.order(), first(t)), (Some(Order::Force { stopped, .. }), Some(first)) if stopped.contains(&first))
}

pub(crate) fn whole_is_current(t: &Turn) -> bool {
    overlaps(t) && matches!(t.finished(), Some((Work::TakeAddress { term, .. }, _)) if t.m.durable.held == Some(*term))
}

pub(crate) fn end_overlap(t: &mut Turn) {
    t.stop_timers(&[TimerName::Overlap]);
    t.clear(&["overlap-lasts", "serve-fails"]);
    if let Some(tenure) = &mut t.m.durable.tenure {
        tenure.overlaps = false;
        t.round = tenure.round;
    }
    if candidate::has_unresolved(t) {
        candidate::resolve(t);
    } else {
        candidate::say_took_over(t);
    }
}

pub(crate) fn not_whole(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.raise(Alert::ServeFails { error });
}

pub(crate) fn overlap_lasts(t: &mut Turn) {
    watch_first(t);
    if let Some(host) = first(t) {
        t.note(&host);
        t.raise(Alert::OverlapLasts { host });
    }
}
