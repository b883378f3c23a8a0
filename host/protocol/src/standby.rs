//! A host without the token: staying down, being cured, coming back, and being ready.
//!
//! Invariant: without `held` the server never serves. What it may do is up to its plugin (a replica, or nothing) once
//! no stay-down order is held; under the order no process of it runs.

use crate::role::Role;
use crate::turn::Turn;
use crate::{
    Alert, Cause, DownPhase, Finish, HostName, Message, Order, Refusal, ServerState, Step, StopPurpose, TimerName,
    Verdict, Work, sync, undo,
};

/// Becomes a standby and begins whatever is left to do on the way back.
pub(crate) fn enter(t: &mut Turn) {
    t.become_role(Role::Standby);
    t.m.ready = false;
    sync::watch_server(t);
    t.clear(&["redirect-fails", "compilation-unconfirmed", "overlap-lasts"]);
    watch_holder(t);
    undo::begin(t);
    match t.m.durable.stay_down.as_ref().map(|order| order.phase) {
        None => come_back(t),
        Some(DownPhase::Faulty) => hold_if_healthy(t),
        Some(DownPhase::Cured) => ask_to_come_back(t),
        // The reboot may have been this machine's: what is left is to come back.
        Some(DownPhase::Rebooting) => {
            t.m.durable.stay_down = None;
            come_back(t);
        }
    }
}

/// A standby again after an offer came to nothing: what was done for it is undone.
pub(crate) fn leave_offer(t: &mut Turn) {
    t.become_role(Role::Standby);
    undo::begin(t);
}

fn holder(t: &Turn) -> Option<HostName> {
    t.m.active()
        .map(|(host, _)| host.clone())
        .filter(|host| *host != t.m.plan.me)
}

fn watch_holder(t: &mut Turn) {
    let bound = t.m.plan.timing.silence;
    t.start_timer(TimerName::Silence, bound);
}

pub(crate) fn come_back_if_free(t: &mut Turn) {
    if free_to_stand_by(t) && matches!(t.m.role, Role::Standby) {
        t.m.ready = false;
        come_back(t);
        let after = t.m.plan.timing.retry;
        t.start_timer(TimerName::Retry, after);
    }
}

/// What is left of a round is undone first.
fn come_back(t: &mut Turn) {
    if undo::of_second(t).is_some() {
        return;
    }
    if let Some(active) = holder(t) {
        t.note(format_args!("standing by for {active}"));
        t.work(Work::StandBy { active });
    }
}

// ---- the stay-down order ------------------------------------------------------------------------------------------

pub(crate) fn obey(t: &mut Turn) {
    sync::learn_term(t);
    watch_holder(t);
    t.clear(&["holder-silent", "orphaned"]);
    acknowledge(t);
    let idle = t.m.durable.stay_down.is_none() && !t.m.ready && !t.m.timers.runs(TimerName::Retry);
    if matches!(t.m.role, Role::Standby) && idle {
        // Repeating the work is harmless: it is idempotent, and the effector runs one at a time.
        come_back(t);
        let after = t.m.plan.timing.retry;
        t.start_timer(TimerName::Retry, after);
    }
}

fn acknowledge(t: &mut Turn) {
    let down_for = t.m.durable.stay_down.as_ref().map(|order| order.fault.clone());
    let (held, ready) = (t.m.durable.known, t.m.ready);
    if let Some((from, _)) = t.received() {
        t.send(from, Message::StayingDown { held, ready, down_for });
    } else if let Some(host) = holder(t) {
        t.send(&host, Message::StayingDown { held, ready, down_for });
    }
    if let Some(host) = holder(t) {
        crate::guard::repeat(t, Some(&host));
    }
}

pub(crate) fn holder_silent(t: &mut Turn) {
    watch_holder(t);
    if let Some(host) = holder(t) {
        t.note(&host);
        t.raise(Alert::HolderSilent { host });
    } else if sync::nobody_holds(t) {
        t.raise(Alert::Orphaned);
    }
}

pub(crate) fn look(t: &mut Turn) {
    undo::begin_if_idle(t);
    t.work(Work::Observe);
    sync::watch_server(t);
}

fn observed(t: &Turn) -> Option<ServerState> {
    match t.finished() {
        Some((Work::Observe, Finish::Observed(state))) => Some(*state),
        _ => None,
    }
}

fn rebooting(t: &Turn) -> bool {
    t.m.durable
        .stay_down
        .as_ref()
        .is_some_and(|order| order.phase == DownPhase::Rebooting)
}

/// Whether the server runs although it must not: at all under a stay-down order or an open grant, as a serving one
/// otherwise.
pub(crate) fn runs_unordered(t: &Turn) -> bool {
    // A server that was run for an offer is used by it, or being stopped.
    if undo::of_second(t) == Some(Step::WarmUp) {
        return false;
    }
    let strict = t.m.durable.stay_down.is_some() || t.m.durable.grant.is_some();
    match observed(t) {
        Some(ServerState::Serving) => !rebooting(t),
        Some(ServerState::StandingBy) => strict && !rebooting(t),
        Some(ServerState::Stopped) | None => false,
    }
}

/// Seen for the first time; while it is being stopped, seeing it again is no news.
pub(crate) fn runs_unordered_anew(t: &Turn) -> bool {
    runs_unordered(t) && !t.m.timers.runs(TimerName::Stop)
}

/// It was told that the server runs, and it does not any more, whoever stopped it.
pub(crate) fn stopped_meanwhile(t: &Turn) -> bool {
    let told = ["started-by-hand", "stop-fails"]
        .iter()
        .any(|kind| t.m.alerts.contains_key(kind));
    told && observed(t).is_some() && !runs_unordered(t)
}

/// By force: what such a server would still do in order could only be done twice.
pub(crate) fn stop_again(t: &mut Turn) {
    t.raise(Alert::StartedByHand);
    t.m.ready = false;
    t.work(Work::StopServer {
        purpose: StopPurpose::StayDown,
        forced: true,
    });
    let bound = t.m.plan.timing.stop;
    t.start_timer(TimerName::Stop, bound);
}

pub(crate) fn stopped_again(t: &mut Turn) {
    t.stop_timers(&[TimerName::Stop]);
    t.clear(&["started-by-hand", "stop-fails"]);
    if t.m.durable.stay_down.is_none() && matches!(t.m.role, Role::Standby) {
        come_back(t);
    }
}

/// Nothing helped: the operator must, and the next look tries again.
pub(crate) fn tell_stop_fails(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.stop_timers(&[TimerName::Stop]);
    t.abandon();
    t.raise(Alert::StopFails { error });
}

pub(crate) fn stopped_for_stay_down(t: &Turn) -> bool {
    matches!(
        t.finished(),
        Some((
            Work::StopServer {
                purpose: StopPurpose::StayDown,
                ..
            },
            _
        ))
    )
}

// ---- the cure -------------------------------------------------------------------------------------------------------

pub(crate) fn down_and_faulty(t: &Turn) -> bool {
    t.m.durable
        .stay_down
        .as_ref()
        .is_some_and(|order| order.phase == DownPhase::Faulty)
}

pub(crate) fn down_and_cured(t: &Turn) -> bool {
    t.m.durable
        .stay_down
        .as_ref()
        .is_some_and(|order| order.phase == DownPhase::Cured)
}

pub(crate) fn hold(t: &mut Turn) {
    if !t.m.timers.runs(TimerName::Hold) {
        let bound = t.m.plan.timing.hold;
        t.start_timer(TimerName::Hold, bound);
    }
}

/// The probes say each thing once, and may have said it before the order was there.
pub(crate) fn hold_if_healthy(t: &mut Turn) {
    if t.m.verdict == Verdict::Healthy && down_and_faulty(t) {
        hold(t);
    }
}

pub(crate) fn not_yet_cured(t: &mut Turn) {
    t.stop_timers(&[TimerName::Hold]);
}

pub(crate) fn cured(t: &mut Turn) {
    match t.order() {
        Some(Order::Cure { by, reason }) => t.note(format_args!("by the word of {by}: {reason}")),
        _ => {
            let held = t.m.plan.timing.hold;
            t.note(format_args!("the probes were healthy for {held:?}"));
        }
    }
    t.answer(Ok(()));
    t.stop_timers(&[TimerName::Hold]);
    if let Some(order) = &mut t.m.durable.stay_down {
        order.phase = DownPhase::Cured;
    }
    if matches!(t.m.role, Role::Standby) {
        ask_to_come_back(t);
    }
}

pub(crate) fn ask_to_come_back(t: &mut Turn) {
    if let (Some(order), Some(host)) = (t.m.durable.stay_down.clone(), holder(t)) {
        t.send(&host, Message::Cured { fault: order.fault });
    }
    let after = t.m.plan.timing.stay_down;
    t.start_timer(TimerName::Retry, after);
}

pub(crate) fn reboots(t: &Turn) -> bool {
    down_and_cured(t) && t.m.plan.reboot
}

pub(crate) fn reboot(t: &mut Turn) {
    t.stop_timers(&[TimerName::Retry]);
    let Some(order) = &mut t.m.durable.stay_down else {
        return;
    };
    order.phase = DownPhase::Rebooting;
    let fault = order.fault.clone();
    t.work(Work::Reboot { fault });
    let bound = t.m.plan.timing.reboot;
    t.start_timer(TimerName::Reboot, bound);
}

pub(crate) fn reboot_is_current(t: &Turn) -> bool {
    rebooting(t)
}

pub(crate) fn rebooted(t: &mut Turn) {
    t.stop_timers(&[TimerName::Reboot, TimerName::Retry]);
    t.m.durable.stay_down = None;
    t.clear(&["stand-by-fails"]);
    come_back(t);
}

pub(crate) fn reboot_failed(t: &mut Turn) {
    let error = format!("the reboot command: {}", t.error());
    t.note(&error);
    t.raise(Alert::StandByFails { error });
    t.stop_timers(&[TimerName::Reboot]);
    if let Some(order) = &mut t.m.durable.stay_down {
        order.phase = DownPhase::Cured;
    }
    let after = t.m.plan.timing.retry;
    t.start_timer(TimerName::Retry, after);
}

// ---- being ready ------------------------------------------------------------------------------------------------

pub(crate) fn wants_ready(t: &Turn) -> bool {
    t.m.durable.stay_down.is_none() && !t.m.ready
}

pub(crate) fn free_to_stand_by(t: &Turn) -> bool {
    t.m.durable.stay_down.is_none()
}

pub(crate) fn became_ready(t: &mut Turn) {
    t.m.ready = true;
    t.stop_timers(&[TimerName::Retry]);
    t.clear(&["stand-by-fails", "serve-fails"]);
    acknowledge(t);
}

pub(crate) fn stand_by_failed(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.m.ready = false;
    t.raise(Alert::StandByFails { error });
    let after = t.m.plan.timing.retry;
    t.start_timer(TimerName::Retry, after);
}

pub(crate) fn stand_by_again(t: &mut Turn) {
    t.m.ready = false;
    come_back(t);
    let after = t.m.plan.timing.retry;
    t.start_timer(TimerName::Retry, after);
}

// ---- orders that only the holder can carry out --------------------------------------------------------------------

pub(crate) fn pass_order_on(t: &mut Turn) {
    let Some(host) = holder(t) else {
        return t.answer(Err(Refusal::NoHolder));
    };
    if !t.m.peers.get(&host).is_some_and(|peer| peer.connected) {
        return t.answer(Err(Refusal::HolderSilent { host }));
    }
    let asked = match t.order() {
        Some(Order::TakeOver {
            to,
            by,
            reason,
            override_vetoes,
        }) => {
            let to = to.clone().unwrap_or_else(|| t.m.plan.me.clone());
            if to == host {
                return t.answer(Err(Refusal::AlreadyActive));
            }
            Message::TakeoverAsked {
                to,
                cause: Cause::Requested {
                    by: by.clone(),
                    reason: reason.clone(),
                    override_vetoes: *override_vetoes,
                },
            }
        }
        Some(Order::Giveback { .. }) if host == *t.m.plan.home() => {
            return t.answer(Err(Refusal::AtHome { home: host }));
        }
        Some(Order::Giveback {
            by,
            reason,
            override_vetoes,
        }) => Message::TakeoverAsked {
            to: t.m.plan.home().clone(),
            cause: Cause::Giveback {
                by: by.clone(),
                reason: reason.clone(),
                override_vetoes: *override_vetoes,
            },
        },
        _ => return,
    };
    t.note(format_args!("{host} is asked"));
    t.send(&host, asked);
    t.answer(Ok(()));
}

pub(crate) fn note_ask_refused(t: &mut Turn) {
    if let Some((from, Message::AskRefused { refusal })) = t.received() {
        t.note(format_args!("{from}: {refusal}"));
    }
}

pub(crate) fn refuse_unknown_holder(t: &mut Turn) {
    t.answer(Err(Refusal::NoHolder));
}

pub(crate) fn refuse_released(t: &mut Turn) {
    let to =
        t.m.durable
            .grant
            .as_ref()
            .map_or_else(|| t.m.plan.me.clone(), |grant| grant.to.clone());
    t.answer(Err(Refusal::AlreadyReleased { to }));
}

pub(crate) fn refuse_nothing_to_cure(t: &mut Turn) {
    t.answer(Err(Refusal::NothingToCure));
}

pub(crate) fn refuse_nothing_under_way(t: &mut Turn) {
    t.answer(Err(Refusal::NothingUnderWay));
}
