//! The second's side: assessing, offering, taking the token, and serving.
//!
//! ```text
//!  standby ──FaultIndicated──► preparing ──assessed: can──► offered ──Released──► activating ──address taken──► active
//!     ▲                           │ can't: Declined            │ forgotten, cancelled     │ can't start
//!     └───────────────────────────┴────────────────────────────┘                         parked
//! ```
//!
//! Invariants: an offer is volatile and never stored; a grant counts although the offer was forgotten; `held` is
//! durable before the server starts, the address is taken or anything is acknowledged.

use std::time::Duration;

use crate::role::{Activation, ActivationStep, Offer, OfferStep, Role};
use crate::turn::Turn;
use crate::{
    Cause, Decline, DownPhase, Finish, Grant, HostName, Message, RoundId, Tenure, TimerName, Work, guard, holder,
    overlap, standby, sync, veto,
};

pub(crate) use crate::resolving::*;

/// How often a start is tried before the host parks.
const SERVE_ATTEMPTS: u32 = 3;

fn indicated_round(t: &Turn) -> Option<(HostName, RoundId)> {
    let (from, message) = t.received()?;
    match message {
        Message::FaultIndicated { round } | Message::FaultReported { round, .. } => Some((from.clone(), *round)),
        _ => None,
    }
}

/// Whether the sender knows as much of terms as this host: otherwise its round is history.
pub(crate) fn sender_is_current(t: &Turn) -> bool {
    match t.event {
        crate::Event::Received(envelope) => envelope.known >= t.m.durable.known,
        _ => false,
    }
}

/// Whether a first indication is worth getting ready for.
pub(crate) fn may_prepare(t: &Turn) -> bool {
    sender_is_current(t) && t.m.durable.stay_down.is_none()
}

pub(crate) fn prepare(t: &mut Turn) {
    let Some((first, round)) = indicated_round(t) else {
        return;
    };
    t.note(format_args!("from {first}"));
    t.abandon_offer();
    let (remaining, blocker, extended) = (None, None, Duration::ZERO);
    t.become_role(Role::Preparing(Offer {
        round,
        first,
        cause: None,
        step: OfferStep::Warned,
        remaining,
        blocker,
        extended,
        accepted_until: None,
    }));
    t.keep_offer();
}

impl Turn<'_> {
    pub(crate) fn keep_offer(&mut self) {
        let timing = self.m.plan.timing;
        let accepted = match &self.m.role {
            Role::Preparing(offer) => offer.accepted_until,
            _ => None,
        };
        // What was accepted stands until the drain must be over and its last word has had time to arrive.
        let promised = accepted.map_or(Duration::ZERO, |until| self.now.until(until) + timing.answer);
        self.start_timer(TimerName::Offer, timing.offer.max(promised));
    }

    fn abandon_offer(&mut self) {
        let busy = [OfferStep::Assessing, OfferStep::Arming, OfferStep::WarmingUp];
        if matches!(&self.m.role, Role::Preparing(offer) if busy.contains(&offer.step)) {
            self.abandon();
        }
        self.stop_timers(&[TimerName::Offer, TimerName::Assessment]);
    }
}

pub(crate) fn objects(t: &Turn) -> bool {
    veto::objection(t).is_some()
}

pub(crate) fn decline_at_once(t: &mut Turn) {
    let (Some((from, round)), Some(reason)) = (indicated_round(t), veto::objection(t)) else {
        return;
    };
    decline(t, &from, round, reason);
    if matches!(t.m.role, Role::Preparing(_)) {
        t.abandon_offer();
        standby::leave_offer(t);
    }
}

pub(crate) fn decline_busy(t: &mut Turn) {
    if let Some((from, round)) = indicated_round(t) {
        decline(t, &from, round, Decline::Busy);
    }
}

fn decline(t: &mut Turn, to: &HostName, round: RoundId, reason: Decline) {
    t.round = Some(round);
    t.note(&reason);
    t.send(to, Message::Declined { round, reason });
}

pub(crate) fn assess(t: &mut Turn) {
    let Some((first, Message::FaultReported { round, cause })) = t.received() else {
        return;
    };
    t.note(match cause {
        Cause::Fault(fault) => format!("{first}: {}: {}", fault.code, fault.message),
        Cause::Requested { by, reason, .. } => format!("{first}: requested by {by}: {reason}"),
        Cause::Giveback { by, .. } => format!("{first}: giveback by {by}"),
    });
    if let Some(overridden) = veto::overridden(t) {
        t.note(format_args!("by the operator's word, although: {overridden}"));
    }
    t.abandon_offer();
    t.become_role(Role::Preparing(Offer {
        round: *round,
        first: first.clone(),
        cause: Some(cause.clone()),
        step: OfferStep::Assessing,
        remaining: None,
        blocker: None,
        extended: Duration::ZERO,
        accepted_until: None,
    }));
    t.work(Work::Assess {
        round: *round,
        cause: cause.clone(),
    });
    t.keep_offer();
    let bound = t.m.plan.timing.assessment;
    t.start_timer(TimerName::Assessment, bound);
}

fn offer<'t>(t: &'t Turn<'_>) -> Option<&'t Offer> {
    match &t.m.role {
        Role::Preparing(offer) => Some(offer),
        _ => None,
    }
}

pub(crate) fn assessment_is_current(t: &Turn) -> bool {
    match (offer(t), t.finished()) {
        (Some(offer), Some((Work::Assess { round, .. }, _))) => {
            offer.step == OfferStep::Assessing && offer.round == *round
        }
        (Some(offer), None) => offer.step == OfferStep::Assessing,
        _ => false,
    }
}

pub(crate) fn assessed_able(t: &Turn) -> bool {
    assessment_is_current(t)
        && match t.finished() {
            Some((_, Finish::Assessed(None))) => true,
            Some((_, Finish::Assessed(Some(refusal)))) => !refusal.hard && offer(t).is_some_and(overrides),
            _ => false,
        }
}

fn overrides(offer: &Offer) -> bool {
    offer.cause.as_ref().is_some_and(Cause::overrides_vetoes)
}

pub(crate) fn command_shutdown(t: &mut Turn) {
    let new_term = t.m.durable.known.max(t.m.durable.promised).next();
    let drain_deadline = t.m.plan.timing.drain;
    let accepted_until = Some(t.now + drain_deadline);
    let Role::Preparing(offer) = &mut t.m.role else { return };
    let warm = offer.step == OfferStep::WarmingUp;
    offer.step = OfferStep::Offered;
    offer.accepted_until = accepted_until;
    let (first, round) = (offer.first.clone(), offer.round);
    t.stop_timers(&[TimerName::Assessment]);
    if let Some((_, Finish::Assessed(Some(refusal)))) = t.finished() {
        let veto = Decline::Plugin(refusal.clone());
        t.note(format_args!("by the operator's word, although: {veto}"));
    }
    t.note(format_args!(
        "{first} may shut down within {drain_deadline:?}; term {new_term} offered"
    ));
    t.send(
        &first,
        Message::ShutdownCommanded {
            round,
            new_term,
            drain_deadline,
            warm,
        },
    );
    t.keep_offer();
}

pub(crate) fn decline_assessed(t: &mut Turn) {
    let Some(Offer { first, round, .. }) = offer(t).cloned() else {
        return;
    };
    let reason = match t.finished() {
        Some((_, Finish::Assessed(Some(refusal)))) => Decline::Plugin(refusal.clone()),
        Some(_) => Decline::AssessmentFailed { error: t.error() },
        None => Decline::AssessmentTimedOut {
            after: t.m.plan.timing.assessment,
        },
    };
    t.abandon_offer();
    decline(t, &first, round, reason);
    standby::leave_offer(t);
}

// ---- while the first drains -------------------------------------------------------------------------------------

fn message_round(t: &Turn) -> Option<RoundId> {
    match t.received()?.1 {
        Message::Cancelled { round, .. }
        | Message::DrainProgressed { round, .. }
        | Message::Compilation { round, .. } => Some(*round),
        _ => None,
    }
}

pub(crate) fn round_is_current(t: &Turn) -> bool {
    offer(t).map(|offer| offer.round) == message_round(t)
}

pub(crate) fn note_progress(t: &mut Turn) {
    let Some((_, Message::DrainProgressed { remaining, blocker, .. })) = t.received() else {
        return;
    };
    let Role::Preparing(offer) = &mut t.m.role else { return };
    offer.remaining = *remaining;
    offer.blocker.clone_from(blocker);
    t.keep_offer();
}

pub(crate) fn forget_cancelled(t: &mut Turn) {
    if let Some((from, Message::Cancelled { reason, .. })) = t.received() {
        t.note(format_args!("{from}: {reason}"));
    }
    forget_offer(t);
}

pub(crate) fn forget_offer(t: &mut Turn) {
    t.round = offer(t).map(|offer| offer.round);
    t.abandon_offer();
    standby::leave_offer(t);
}

pub(crate) fn store_compilation(t: &mut Turn) {
    let Some((from, Message::Compilation { round, seal })) = t.received() else {
        return;
    };
    t.work(Work::StoreCompilation {
        round: *round,
        seal: *seal,
        from: from.clone(),
    });
    if matches!(t.m.role, Role::Preparing(_)) {
        t.keep_offer();
    }
}

pub(crate) fn confirm_compilation(t: &mut Turn) {
    let Some((Work::StoreCompilation { round, seal, from }, _)) = t.finished() else {
        return;
    };
    t.round = Some(*round);
    t.note(format_args!("{} requests, digest {}", seal.count, seal.digest));
    t.send(
        from,
        Message::CompilationStored {
            round: *round,
            seal: *seal,
        },
    );
}

pub(crate) fn note_unstored(t: &mut Turn) {
    let error = t.error();
    t.note(error);
}

// ---- the token ----------------------------------------------------------------------------------------------------

fn grant<'t>(t: &Turn<'t>) -> Option<(&'t HostName, &'t Grant)> {
    match t.received() {
        Some((from, Message::Released(grant) | Message::AdmissionYielded(grant))) => Some((from, grant)),
        _ => None,
    }
}

pub(crate) fn grant_is_usable(t: &Turn) -> bool {
    let floor = t.m.durable.known.max(t.m.durable.promised);
    t.m.durable.adopted
        && t.m.synced()
        && grant(t).is_some_and(|(_, grant)| grant.to == t.m.plan.me && grant.new_term > floor)
}

pub(crate) fn grant_is_stale(t: &Turn) -> bool {
    let floor = t.m.durable.known.max(t.m.durable.promised);
    t.m.durable.adopted
        && grant(t).is_some_and(|(_, grant)| grant.to == t.m.plan.me && grant.new_term <= floor)
        && t.m.durable.held.is_none()
}

pub(crate) fn accept_grant(t: &mut Turn) {
    let Some((from, grant)) = grant(t) else { return };
    let cause = offer(t).and_then(|offer| offer.cause.clone());
    t.round = Some(grant.round);
    t.note(format_args!("term {} from {from}", grant.new_term));
    t.abandon_offer();
    t.m.durable.held = Some(grant.new_term);
    t.m.durable.known = grant.new_term;
    match &cause {
        Some(Cause::Giveback { .. }) if cause.as_ref().is_some_and(Cause::is_automatic) => t.m.durable.givebacks += 1,
        // An operator's own giveback begins a new count, here as at the holder.
        Some(Cause::Giveback { .. }) => t.m.durable.givebacks = 0,
        Some(Cause::Fault(_) | Cause::Requested { .. }) | None => {}
    }
    // An offer that was forgotten says nothing of its cause: better counted than not.
    if cause.is_none_or(|cause| cause.is_automatic()) {
        guard::count_move(t, grant.round);
    }
    t.m.durable.begun = None;
    t.m.durable.tenure = Some(Tenure {
        from: Some(from.clone()),
        round: Some(grant.round),
        served: false,
        resolved: false,
        overlaps: grant.seal.is_none(),
    });
    if grant.seal.is_none() {
        // The first need not say it again.
        t.send(from, Message::StayDown { held: grant.new_term });
    }
    sync::begin_serving(t);
}

pub(crate) fn refuse_grant(t: &mut Turn) {
    let Some((from, grant)) = grant(t) else { return };
    let promised = t.m.durable.known.max(t.m.durable.promised);
    t.note(format_args!("term {} is not above {promised}", grant.new_term));
    t.send(
        from,
        Message::Refused {
            new_term: grant.new_term,
            promised,
        },
    );
}

// ---- serving --------------------------------------------------------------------------------------------------------

pub(crate) fn activation_is_current(t: &Turn) -> bool {
    let Role::Activating(activation) = &t.m.role else {
        return false;
    };
    match t.finished() {
        Some((Work::Serve { term, .. }, _)) => {
            activation.step == ActivationStep::Serve && t.m.durable.held == Some(*term)
        }
        Some((Work::TakeAddress { term, .. }, _)) => {
            activation.step == ActivationStep::TakeAddress && t.m.durable.held == Some(*term)
        }
        Some((Work::Appear { term, .. }, _)) => {
            activation.step == ActivationStep::Appear && t.m.durable.held == Some(*term)
        }
        Some((Work::Resume { term }, _)) => {
            activation.step == ActivationStep::Resume && t.m.durable.held == Some(*term)
        }
        Some(_) => false,
        None => true,
    }
}

pub(crate) fn take_address(t: &mut Turn) {
    let (Role::Activating(activation), Some(term)) = (&mut t.m.role, t.m.durable.held) else {
        return;
    };
    let tenure = t.m.durable.tenure.as_ref();
    let overlaps = tenure.is_some_and(|tenure| tenure.overlaps);
    let from = tenure.and_then(|tenure| tenure.from.clone());
    let (step, work) = match from {
        Some(from) if overlaps => (ActivationStep::Appear, Work::Appear { term, from }),
        from => (ActivationStep::TakeAddress, Work::TakeAddress { term, from }),
    };
    activation.step = step;
    t.work(work);
    let bound = t.m.plan.timing.serve;
    t.start_timer(TimerName::Serve, bound);
}

pub(crate) fn may_try_again(t: &Turn) -> bool {
    activation_is_current(t)
        && matches!(&t.m.role, Role::Activating(activation) if activation.failures + 1 < SERVE_ATTEMPTS)
}

pub(crate) fn serve_again(t: &mut Turn) {
    let error = t.error();
    t.note(error);
    let Role::Activating(Activation { failures, .. }) = t.m.role else {
        return;
    };
    t.abandon();
    t.become_role(Role::Activating(Activation {
        step: ActivationStep::Serve,
        failures: failures + 1,
    }));
    if let Some(term) = t.m.durable.held {
        sync::serve(t, term);
    }
}

pub(crate) fn become_active(t: &mut Turn) {
    t.stop_timers(&[TimerName::Serve]);
    t.clear(&[
        "serve-fails",
        "orphaned",
        "nobody-takes-over",
        "moves-withheld",
        "holder-silent",
        "started-by-hand",
        "superseded",
        "stop-fails",
        "stand-by-fails",
        "release-unanswered",
        "redirect-fails",
        "compilation-unconfirmed",
        "overlap-lasts",
        "undo-fails",
    ]);
    if let Some(tenure) = &mut t.m.durable.tenure {
        tenure.served = true;
    }
    owe_own(t);
    t.m.durable.begun = None;
    holder::serve_on(t);
    if overlap::overlaps(t) {
        overlap::watch_first(t);
    } else if unresolved(t).is_some() {
        resolve(t);
    } else {
        say_took_over(t);
    }
}

/// The releaser repeats itself: it has not heard that its grant is used.
pub(crate) fn confirm_grant(t: &mut Turn) {
    if let (Some((from, _)), Some(held)) = (grant(t), t.m.durable.held) {
        t.send(from, Message::StayDown { held });
    }
}

pub(crate) fn cure_is_wanted(t: &Turn) -> bool {
    t.m.durable
        .stay_down
        .as_ref()
        .is_some_and(|order| order.phase == DownPhase::Faulty)
}
