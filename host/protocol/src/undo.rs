//! Undoing what was done for a round that came to nothing, in reverse order, as [`crate::Begun`] remembers it.
//!
//! ```text
//!  first:  drop-address, stop-server, stop-admitting   ──►  serve, take-address, resume
//!  second: warm-up, arm                                ──►  stop-server, disarm
//! ```
//!
//! Invariants: a step is written down before it is begun and forgotten after it is undone, so that a restart in between
//! begins the undoing again; each piece is idempotent, has a timer, and failing is retried and told.

use crate::role::{Activation, ActivationStep, Role};
use crate::turn::Turn;
use crate::{Alert, Begun, HostName, Step, StopPurpose, TimerName, Work, holder, standby, sync};

// ---- the first ----------------------------------------------------------------------------------------------------

/// What the first has begun.
pub(crate) fn of_first(t: &Turn) -> Option<Step> {
    let begun = t.m.durable.begun?.step;
    matches!(begun, Step::Admission | Step::Server | Step::Address).then_some(begun)
}

pub(crate) fn reached(t: &mut Turn, step: Step) {
    if let Role::Draining(drain) | Role::Stopped(drain) = &t.m.role {
        let round = drain.round;
        t.m.durable.begun = Some(Begun { round, step });
    }
}

/// The server serves again once everything is undone.
pub(crate) fn serve_again(t: &mut Turn) {
    let Some(term) = t.m.durable.held else { return };
    match of_first(t) {
        None => holder::serve_on(t),
        Some(Step::Admission) => {
            t.become_role(Role::Activating(Activation {
                step: ActivationStep::Resume,
                failures: 0,
            }));
            resume(t);
        }
        Some(_) => {
            t.become_role(Role::Activating(Activation {
                step: ActivationStep::Serve,
                failures: 0,
            }));
            sync::serve(t, term);
        }
    }
}

/// The address is here, and admission was stopped before.
pub(crate) fn owes_resume(t: &Turn) -> bool {
    crate::candidate::activation_is_current(t) && of_first(t).is_some()
}

pub(crate) fn resume(t: &mut Turn) {
    if let Role::Activating(activation) = &mut t.m.role {
        activation.step = ActivationStep::Resume;
    }
    if let Some(term) = t.m.durable.held {
        t.work(Work::Resume { term });
    }
    let bound = t.m.plan.timing.serve;
    t.start_timer(TimerName::Serve, bound);
}

// ---- the second ---------------------------------------------------------------------------------------------------

/// What the second has begun.
pub(crate) fn of_second(t: &Turn) -> Option<Step> {
    let begun = t.m.durable.begun?.step;
    matches!(begun, Step::Arm | Step::WarmUp).then_some(begun)
}

/// New flows come here already, by a yield that this host has not heard of: it will be said again.
fn a_yield_is_coming(t: &Turn) -> bool {
    yielding(t).next().is_some()
}

/// Who yielded to this host, as far as it has heard.
fn yielding<'t>(t: &'t Turn) -> impl Iterator<Item = &'t HostName> + 't {
    t.m.peers.iter().filter_map(|(host, peer)| {
        let grant = peer.standing.as_ref()?.grant.as_ref()?;
        let coming = grant.to == t.m.plan.me && grant.seal.is_none() && grant.new_term > t.m.durable.known;
        coming.then_some(host)
    })
}

/// For whom this host got ready, and would stay so.
pub(crate) fn would_wait_for<'t>(t: &'t Turn) -> impl Iterator<Item = &'t HostName> + 't {
    let first = match &t.m.role {
        Role::Preparing(offer) => Some(&offer.first),
        _ => None,
    };
    first.into_iter().chain(yielding(t))
}

/// Begins to undo, unless what was made ready is still of use.
pub(crate) fn begin(t: &mut Turn) {
    if !a_yield_is_coming(t) {
        go_on(t);
    }
}

/// Nobody for whom it was made ready will use it any more.
pub(crate) fn make_way(t: &mut Turn) {
    if matches!(t.m.role, Role::Preparing(_)) {
        t.stop_timers(&[TimerName::Offer, TimerName::Assessment]);
        t.abandon();
        t.become_role(Role::Standby);
    }
    if !t.m.timers.runs(TimerName::Undo) {
        go_on(t);
    }
}

fn go_on(t: &mut Turn) {
    let (Some(begun), Role::Standby) = (t.m.durable.begun, &t.m.role) else {
        return;
    };
    if of_second(t).is_none() {
        return;
    }
    t.work(match begun.step {
        Step::WarmUp => Work::StopServer {
            purpose: StopPurpose::Undo,
            forced: t.m.alerts.contains_key("undo-fails"),
        },
        _ => Work::Disarm { round: begun.round },
    });
    let bound = t.m.plan.timing.stop;
    t.start_timer(TimerName::Undo, bound);
}

/// Begins where nothing is being undone.
pub(crate) fn begin_if_idle(t: &mut Turn) {
    if !t.m.timers.runs(TimerName::Undo) {
        begin(t);
    }
}

pub(crate) fn is_current(t: &Turn) -> bool {
    match (t.finished(), of_second(t)) {
        (
            Some((
                Work::StopServer {
                    purpose: StopPurpose::Undo,
                    ..
                },
                _,
            )),
            Some(step),
        ) => step == Step::WarmUp,
        (Some((Work::Disarm { round }, _)), Some(step)) => {
            step == Step::Arm && t.m.durable.begun.is_some_and(|begun| begun.round == *round)
        }
        (None, Some(_)) => true,
        _ => false,
    }
}

pub(crate) fn server_cooled(t: &mut Turn) {
    if let Some(begun) = &mut t.m.durable.begun {
        begun.step = Step::Arm;
    }
    go_on(t);
}

pub(crate) fn disarmed(t: &mut Turn) {
    t.m.durable.begun = None;
    t.stop_timers(&[TimerName::Undo]);
    t.clear(&["undo-fails"]);
    standby::come_back_if_free(t);
}

/// The next attempt waits for the timer.
pub(crate) fn failed(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.raise(Alert::UndoFails { error });
}

pub(crate) fn again(t: &mut Turn) {
    failed(t);
    t.abandon();
    go_on(t);
}
