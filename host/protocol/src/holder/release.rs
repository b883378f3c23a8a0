//! The release: the one durable record that moves the token, and its repetition until it is settled.
//!
//! Invariant: the grant and the loss of the held term are one record; after it this host serves only with a higher
//! term granted to it.

use super::drain::drain;
use crate::role::{Drain, Role};
use crate::sync;
use crate::turn::Turn;
use crate::{Alert, Cause, CompilationSeal, DownPhase, Grant, Message, StayDown, TimerName};

/// How often a release is sent before the operator is told that nobody answers.
const RELEASES_BEFORE_ALERT: u32 = 10;

/// The point of no return: the grant and the loss of the term are one record.
pub(crate) fn release(t: &mut Turn) {
    let Some(drain) = drain(t).cloned() else { return };
    if let Some(seal) = drain.seal
        && hand_over(t, &drain, Some(seal))
    {
        enter_released(t);
    }
}

/// Moves the token: with a seal all of it, without one admission only. False where nobody is there to have it.
pub(crate) fn hand_over(t: &mut Turn, drain: &Drain, seal: Option<CompilationSeal>) -> bool {
    let (Some((to, offered)), Some(held)) = (drain.to.clone(), t.m.durable.held) else {
        return false;
    };
    let floor = t.m.durable.known.max(t.m.durable.promised).next();
    let new_term = offered.max(floor);
    t.round = Some(drain.round);
    t.note(format_args!("term {held} given up, term {new_term} granted to {to}"));
    t.m.durable.held = None;
    t.m.durable.tenure = None;
    t.m.durable.begun = None;
    t.m.durable.grant = Some(Grant {
        new_term,
        to,
        round: drain.round,
        seal,
    });
    t.m.durable.promised = t.m.durable.promised.max(new_term);
    if drain.cause.is_automatic() {
        crate::guard::count_move(t, drain.round);
    }
    if let Cause::Fault(fault) = &drain.cause {
        let fault = fault.code.clone();
        t.m.durable.stay_down = Some(StayDown {
            released: held,
            fault,
            phase: DownPhase::Faulty,
        });
    }
    sync::stop_holder_timers(t);
    t.clear(&[
        "impaired",
        "unknown",
        "nobody-takes-over",
        "moves-withheld",
        "stop-fails",
        "overlap-lasts",
    ]);
    t.actions.push(crate::Action::Fence(new_term));
    true
}

pub(crate) fn enter_released(t: &mut Turn) {
    t.m.ready = false;
    t.become_role(Role::Released { sent: 0 });
    sync::watch_server(t);
    crate::standby::hold_if_healthy(t);
    send_release(t);
}

pub(crate) fn send_release(t: &mut Turn) {
    let Some(grant) = t.m.durable.grant.clone() else { return };
    if let Role::Released { sent } = &mut t.m.role {
        *sent = sent.saturating_add(1);
        let sent = *sent;
        if sent > RELEASES_BEFORE_ALERT && sent.is_multiple_of(RELEASES_BEFORE_ALERT) {
            t.raise(Alert::ReleaseUnanswered {
                to: grant.to.clone(),
                sent,
            });
        }
    }
    let every = t.m.plan.timing.release;
    t.start_timer(TimerName::Release, every);
    t.send(&grant.to.clone(), Message::Released(grant));
}

pub(crate) fn refusal_is_about_grant(t: &Turn) -> bool {
    match (&t.m.durable.grant, t.received()) {
        (Some(grant), Some((from, Message::Refused { new_term, .. }))) => {
            grant.to == *from && grant.new_term == *new_term
        }
        _ => false,
    }
}

pub(crate) fn reissue(t: &mut Turn) {
    raise_grant(t);
    send_release(t);
}

/// The same host gets a term above what it refused this one for.
pub(crate) fn raise_grant(t: &mut Turn) {
    let Some((_, Message::Refused { promised, .. })) = t.received() else {
        return;
    };
    let floor = t.m.durable.promised.max(*promised).max(t.m.durable.known);
    if let Some(grant) = &mut t.m.durable.grant {
        grant.new_term = floor.next();
        t.m.durable.promised = grant.new_term;
        let text = format!("term {} to {}", grant.new_term, grant.to);
        t.note(text);
    }
}

/// The grant reached its host: this host is a standby now, or stays down.
pub(crate) fn settle_grant(t: &mut Turn) {
    sync::reply(t);
    sync::learn_known(t);
    t.m.durable.grant = None;
    t.stop_timers(&[TimerName::Release]);
    t.clear(&["release-unanswered"]);
    crate::standby::enter(t);
}
