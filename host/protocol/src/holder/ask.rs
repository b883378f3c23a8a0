//! Opening a round and waiting for a candidate's answer.
//!
//! Invariants: one round at a time, with one candidate; its number is durable before its first message; whatever ends
//! it before a drain leaves the holder as it was: serving, or parked.

use std::collections::BTreeSet;
use std::time::Duration;

use super::drain::begin_drain;
use super::{current_fault, go_on, parked_state, watch_shutdown_within};

use crate::role::{Ask, Parked, Role};
use crate::turn::Turn;
use crate::{Alert, Cancel, Cause, Fault, Finish, HostName, Message, Mode, RoundId, TimerName, Work};

pub(crate) fn ask_for_fault(t: &mut Turn) {
    let fault = current_fault(t);
    t.note(format_args!("{}: {}", fault.code, fault.message));
    watch_shutdown_within(t);
    let parked = parked_state(t);
    open_round(t, Cause::Fault(fault), None, BTreeSet::new(), parked);
}

/// Opens a round with the next candidate that was not tried; with nobody left, goes on as it was.
pub(super) fn open_round(
    t: &mut Turn,
    cause: Cause,
    only: Option<HostName>,
    tried: BTreeSet<HostName>,
    parked: Option<Parked>,
) {
    if tried.is_empty() {
        t.m.declined.clear();
    }
    let Some(to) = next_candidate(t, only.as_ref(), &tried) else {
        return nobody_left(t, cause, parked);
    };
    t.m.durable.round_counter += 1;
    let round = RoundId {
        store: t.m.store,
        counter: t.m.durable.round_counter,
    };
    t.note(format_args!("to {to}"));
    t.send(&to, Message::FaultIndicated { round });
    let reported = match &cause {
        Cause::Fault(fault) => {
            t.work(Work::Diagnose {
                round,
                fault: fault.clone(),
            });
            let bound = t.m.plan.timing.diagnosis;
            t.start_timer(TimerName::Diagnosis, bound);
            false
        }
        Cause::Requested { .. } | Cause::Giveback { .. } => {
            t.send(
                &to,
                Message::FaultReported {
                    round,
                    cause: cause.clone(),
                },
            );
            true
        }
    };
    let bound = answer_bound(t);
    t.start_timer(TimerName::Answer, bound);
    t.become_role(Role::Asking(Ask {
        round,
        to,
        cause,
        only,
        tried,
        reported,
        parked,
    }));
}

/// A candidate that must run its server first needs the time for it.
fn answer_bound(t: &Turn) -> Duration {
    let timing = t.m.plan.timing;
    match t.m.plan.mode {
        Mode::Exclusive => timing.answer,
        Mode::Overlap => timing.answer + timing.serve,
    }
}

/// Candidates that can be reached, those known to be ready first, each group in the configured order.
pub(super) fn next_candidate(t: &Turn, only: Option<&HostName>, tried: &BTreeSet<HostName>) -> Option<HostName> {
    let reachable = |host: &&HostName| {
        only.is_none_or(|o| o == *host)
            && !tried.contains(*host)
            && t.m.peers.get(*host).is_some_and(|peer| peer.connected && peer.heard)
    };
    let ready = |host: &&HostName| {
        t.m.peers
            .get(*host)
            .and_then(|peer| peer.standing.as_ref())
            .is_some_and(|s| s.down_for.is_none() && !s.fresh)
    };
    let mut ready_first: Vec<_> = t.m.plan.others().filter(reachable).collect();
    ready_first.sort_by_key(|host| !ready(host));
    ready_first.first().map(|host| (*host).clone())
}

fn nobody_left(t: &mut Turn, cause: Cause, parked: Option<Parked>) {
    t.note("no candidate is left");
    t.stop_timers(&[TimerName::Answer, TimerName::Diagnosis]);
    if matches!(cause, Cause::Fault(_)) || parked.is_some() {
        t.raise(Alert::NobodyTakesOver);
        let after = t.m.plan.timing.retry;
        t.start_timer(TimerName::Retry, after);
    }
    go_on(t, parked);
}

pub(crate) fn report_diagnosis(t: &mut Turn) {
    let found = match t.finished() {
        Some((_, Finish::Diagnosed(fault))) => Some(fault.clone()),
        _ => None,
    };
    let Role::Asking(ask) = &mut t.m.role else { return };
    if let Some(fault) = found {
        ask.cause = Cause::Fault(fault);
    }
    ask.reported = true;
    let (to, round, cause) = (ask.to.clone(), ask.round, ask.cause.clone());
    if let Cause::Fault(fault) = &cause {
        t.note(format_args!("{}: {}", fault.code, fault.message));
    }
    t.stop_timers(&[TimerName::Diagnosis]);
    t.send(&to, Message::FaultReported { round, cause });
}

pub(crate) fn diagnosis_is_current(t: &Turn) -> bool {
    match (&t.m.role, t.finished()) {
        (Role::Asking(ask), Some((Work::Diagnose { round, .. }, _))) => ask.round == *round && !ask.reported,
        (Role::Asking(ask), None) => !ask.reported,
        _ => false,
    }
}

// ---- answers ------------------------------------------------------------------------------------------
pub(crate) fn answer_is_current(t: &Turn) -> bool {
    let (Role::Asking(ask), Some((from, message))) = (&t.m.role, t.received()) else {
        return false;
    };
    let round = match message {
        Message::ShutdownCommanded { round, .. } | Message::Declined { round, .. } => round,
        _ => return false,
    };
    ask.round == *round && ask.to == *from
}

fn offered_term_is_high_enough(t: &Turn) -> bool {
    let floor = t.m.durable.known.max(t.m.durable.promised);
    matches!(t.received(), Some((_, Message::ShutdownCommanded { new_term, .. })) if *new_term > floor)
}

pub(crate) fn command_is_valid(t: &Turn) -> bool {
    answer_is_current(t) && offered_term_is_high_enough(t)
}

pub(crate) fn start_drain(t: &mut Turn) {
    let Some((
        from,
        Message::ShutdownCommanded {
            new_term,
            drain_deadline,
            warm,
            ..
        },
    )) = t.received()
    else {
        return;
    };
    let Role::Asking(ask) = t.m.role.clone() else { return };
    t.note(format_args!(
        "{from} takes over with term {new_term}, drain within {drain_deadline:?}"
    ));
    t.stop_timers(&[TimerName::Answer, TimerName::Diagnosis, TimerName::Retry]);
    begin_drain(t, ask, Some((from.clone(), *new_term)), *drain_deadline, *warm);
}

pub(crate) fn next_after_decline(t: &mut Turn) {
    let Some((from, Message::Declined { reason, .. })) = t.received() else {
        return;
    };
    t.note(format_args!("{from}: {reason}"));
    if let Role::Asking(ask) = &t.m.role {
        let round = ask.round;
        t.m.declined.insert(from.clone(), (round, reason.clone()));
    }
    try_next(t);
}

pub(crate) fn next_after_stale_term(t: &mut Turn) {
    let Some((_, Message::ShutdownCommanded { new_term, .. })) = t.received() else {
        return;
    };
    let floor = t.m.durable.known.max(t.m.durable.promised);
    cancel_ask(
        t,
        Cancel::StaleTerm {
            offered: *new_term,
            floor,
        },
    );
    try_next(t);
}

pub(crate) fn next_after_silence(t: &mut Turn) {
    let after = answer_bound(t);
    cancel_ask(t, Cancel::NoAnswer { after });
    try_next(t);
}

fn try_next(t: &mut Turn) {
    let Role::Asking(ask) = t.m.role.clone() else { return };
    t.round = Some(ask.round);
    let mut tried = ask.tried;
    tried.insert(ask.to);
    open_round(t, ask.cause, ask.only, tried, ask.parked);
}

fn cancel_ask(t: &mut Turn, reason: Cancel) {
    let Role::Asking(ask) = &t.m.role else { return };
    let (to, round) = (ask.to.clone(), ask.round);
    t.note(format_args!("{to}: {reason}"));
    t.send(&to, Message::Cancelled { round, reason });
}

pub(crate) fn asked_for_fault(t: &Turn) -> bool {
    matches!(&t.m.role, Role::Asking(ask) if matches!(ask.cause, Cause::Fault(_)) && ask.parked.is_none())
}

fn end_ask(t: &mut Turn, reason: Cancel) {
    cancel_ask(t, reason);
    t.stop_timers(&[
        TimerName::Answer,
        TimerName::Diagnosis,
        TimerName::Retry,
        TimerName::ShutdownWithin,
    ]);
    let parked = parked_state(t);
    go_on(t, parked);
}

pub(crate) fn fault_gone(t: &mut Turn) {
    t.clear(&["impaired", "unknown", "nobody-takes-over", "moves-withheld"]);
    end_ask(t, Cancel::FaultGone);
}

pub(crate) fn cancel_asking(t: &mut Turn) {
    t.answer(Ok(()));
    end_ask(t, Cancel::Operator);
}

/// The fault allows no more waiting: shut down in order, with nobody to take over.
pub(crate) fn shut_down_alone(t: &mut Turn) {
    let fault = current_fault(t);
    if let Role::Asking(ask) = &t.m.role {
        let after = t.m.plan.timing.answer;
        let (to, round) = (ask.to.clone(), ask.round);
        t.send(
            &to,
            Message::Cancelled {
                round,
                reason: Cancel::NoAnswer { after },
            },
        );
    }
    drain_alone(t, fault);
}

/// Lists the requests, stops the server, and parks, with nobody to take over.
pub(super) fn drain_alone(t: &mut Turn, fault: Fault) {
    t.m.durable.round_counter += 1;
    let round = RoundId {
        store: t.m.store,
        counter: t.m.durable.round_counter,
    };
    t.raise(Alert::NobodyTakesOver);
    t.stop_timers(&[TimerName::Answer, TimerName::Diagnosis, TimerName::Retry]);
    let to = t.m.plan.me.clone();
    let cause = Cause::Fault(fault);
    let ask = Ask {
        round,
        to,
        cause,
        only: None,
        tried: BTreeSet::new(),
        reported: true,
        parked: None,
    };
    let deadline = t.m.plan.timing.drain;
    begin_drain(t, ask, None, deadline, false);
}
