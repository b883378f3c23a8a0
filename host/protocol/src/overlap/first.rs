//! The first: yields admission, completes what it has, and goes down.

use std::time::Duration;

use crate::holder::{self, announce_seal, drain, drain_mut, hand_over};
use crate::role::{Drain, DrainStep, Role, Yielded};
use crate::turn::Turn;
use crate::{
    Alert, Cause, DrainPolicy, Fault, FaultKind, FenceRefusal, Finish, Message, Severity, TimerName, Work, sync,
};

pub(crate) fn prepares_yield(t: &Turn) -> bool {
    drain(t).is_some_and(|drain| drain.step == DrainStep::PrepareYield)
}

/// The token moves: from the record on only the second may admit.
pub(crate) fn yield_admission(t: &mut Turn) {
    let Some(drain) = drain(t).cloned() else { return };
    let within = t.m.timers.at(TimerName::ShutdownWithin);
    if !hand_over(t, &drain, None) {
        return;
    }
    if let Some(at) = within {
        t.m.timers.set(TimerName::ShutdownWithin, at);
    }
    enter(t, drain, false);
}

fn enter(t: &mut Turn, drain: Drain, server_gone: bool) {
    let (round, to) = (drain.round, drain.to.clone());
    let yielded = Yielded {
        server_gone,
        ..Yielded::default()
    };
    t.m.ready = false;
    t.become_role(Role::Yielded(Drain {
        step: DrainStep::Redirect,
        yielded,
        ..drain
    }));
    if let Some((to, _)) = to {
        t.work(Work::Redirect { round, to });
    }
    let timing = t.m.plan.timing;
    t.start_timer(TimerName::Release, timing.release);
    t.start_timer(TimerName::Drain, timing.drain);
}

pub(crate) fn has_yielded(t: &Turn) -> bool {
    t.m.durable.completes()
}

pub(crate) fn start_yielded(t: &mut Turn) {
    sync::introduce(t);
    let serving = matches!(t.event, crate::Event::Started { still_serving: true });
    enter_again(t, !serving);
}

/// Goes on from the record: what was volatile begins anew.
pub(crate) fn enter_again(t: &mut Turn, server_gone: bool) {
    let Some(grant) = t.m.durable.grant.clone() else { return };
    let cause = match &t.m.durable.stay_down {
        Some(order) => Cause::Fault(Fault {
            code: order.fault.clone(),
            kind: FaultKind::Other,
            severity: Severity::ShutdownRequired,
            message: "it was reported before the restart".to_owned(),
            shutdown_within: None,
            evidence: Vec::new(),
        }),
        None => Cause::Requested {
            by: "an operator".to_owned(),
            reason: "before the restart".to_owned(),
            override_vetoes: false,
        },
    };
    let drain = Drain {
        round: grant.round,
        to: Some((grant.to, grant.new_term)),
        cause,
        step: DrainStep::Redirect,
        forced: server_gone,
        seal: None,
        yielded: Yielded::default(),
        parked: None,
        remaining: None,
        blocker: None,
        extended: Duration::ZERO,
    };
    enter(t, drain, server_gone);
}

// ---- telling the second -------------------------------------------------------------------------------------------

/// New flows go to the second: now it may be told.
pub(crate) fn redirected(t: &mut Turn) {
    t.clear(&["redirect-fails"]);
    let deadline = t.m.plan.timing.drain;
    let Some(drain) = drain_mut(t) else { return };
    drain.yielded.redirected = true;
    let (round, gone) = (drain.round, drain.yielded.server_gone);
    tell(t);
    if gone {
        holder::seal(t);
    } else if let Some(drain) = drain_mut(t) {
        drain.step = DrainStep::EndFlows;
        t.work(Work::EndFlows { round, deadline });
    }
}

fn tell(t: &mut Turn) {
    let every = t.m.plan.timing.release;
    t.start_timer(TimerName::Release, every);
    if let Some(grant) = t.m.durable.grant.clone() {
        t.send(&grant.to.clone(), Message::AdmissionYielded(grant));
    }
}

pub(crate) fn redirect_fails_anew(t: &Turn) -> bool {
    holder::work_is_current(t) && !t.m.alerts.contains_key("redirect-fails")
}

pub(crate) fn redirect_failed(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.raise(Alert::RedirectFails { error });
}

/// Until the second has the term: redirect again where that failed, and say it again where it was not heard.
pub(crate) fn repeat(t: &mut Turn) {
    let Some(drain) = drain(t) else { return };
    let (round, to, step) = (drain.round, drain.to.clone(), drain.step);
    let taken =
        t.m.durable
            .grant
            .as_ref()
            .is_some_and(|grant| grant.new_term <= t.m.durable.known);
    match (step, to) {
        (DrainStep::Redirect, Some((to, _))) => {
            let every = t.m.plan.timing.release;
            t.start_timer(TimerName::Release, every);
            t.work(Work::Redirect { round, to });
        }
        _ if taken => {}
        _ if drain.yielded.redirected => tell(t),
        _ => {
            let every = t.m.plan.timing.release;
            t.start_timer(TimerName::Release, every);
        }
    }
}

/// The second has the token, or somebody after it: nothing is to be said again before the end.
pub(crate) fn taken(t: &mut Turn) {
    sync::reply(t);
    sync::learn_known(t);
    if !matches!(drain(t), Some(drain) if drain.step == DrainStep::Redirect) {
        t.stop_timers(&[TimerName::Release]);
    }
}

pub(crate) fn reissue(t: &mut Turn) {
    holder::raise_grant(t);
    let new_term = t.m.durable.grant.as_ref().map(|grant| grant.new_term);
    if let (Some(drain), Some(new_term)) = (drain_mut(t), new_term)
        && let Some((_, offered)) = &mut drain.to
    {
        *offered = new_term;
    }
    tell(t);
}

// ---- to the end ---------------------------------------------------------------------------------------------------

pub(crate) fn extend(t: &mut Turn) {
    let deadline = t.m.plan.timing.drain;
    t.start_timer(TimerName::Drain, deadline);
    if let Some(drain) = drain(t)
        && drain.step == DrainStep::EndFlows
    {
        let round = drain.round;
        t.work(Work::EndFlows { round, deadline });
    }
}

/// The flows can't be brought to an end in order; the drain's timer tries again.
pub(crate) fn flows_failed(t: &mut Turn) {
    let error = t.error();
    t.note(error);
}

pub(crate) fn sealed(t: &mut Turn) {
    let Some((_, Finish::Sealed(seal))) = t.finished() else {
        return;
    };
    let Some(drain) = drain_mut(t) else { return };
    drain.seal = Some(*seal);
    let alone = drain.yielded.alone;
    t.note(format_args!("{} requests, digest {}", seal.count, seal.digest));
    if alone {
        holder::stop_server(t);
    } else {
        await_stored(t);
    }
}

fn await_stored(t: &mut Turn) {
    if let Some(drain) = drain_mut(t) {
        drain.step = DrainStep::AwaitStored;
    }
    let bound = t.m.plan.timing.compilation;
    t.start_timer(TimerName::Compilation, bound);
    announce_seal(t);
}

/// What the server says can't be had: what was listed before must do.
pub(crate) fn seal_failed(t: &mut Turn) {
    let error = t.error();
    t.note(error);
    if let Some(drain) = drain_mut(t) {
        drain.yielded.server_gone = true;
    }
    let bound = t.m.plan.timing.compilation;
    t.start_timer(TimerName::Compilation, bound);
}

/// Seals again, or tells the operator that the second does not confirm.
pub(crate) fn compilation_late(t: &mut Turn) {
    let Some(drain) = drain(t) else { return };
    let (step, to) = (drain.step, drain.to.clone());
    if let Some((to, _)) = to {
        t.raise(Alert::CompilationUnconfirmed { to });
    }
    if step == DrainStep::Seal {
        t.abandon();
        holder::seal(t);
    } else {
        let bound = t.m.plan.timing.compilation;
        t.start_timer(TimerName::Compilation, bound);
        holder::resend_compilation(t);
    }
}

/// The second holds the compilation.
pub(crate) fn stored(t: &mut Turn) {
    t.clear(&["compilation-unconfirmed"]);
    let Some(drain) = drain_mut(t) else { return };
    drain.yielded.stored = true;
    if drain.yielded.down {
        finish(t);
    } else {
        holder::stop_server(t);
    }
}

pub(crate) fn is_down(t: &Turn) -> bool {
    matches!(&t.m.role, Role::Yielded(drain) if drain.yielded.down)
}

pub(crate) fn stored_and_down(t: &Turn) -> bool {
    is_down(t) && holder::stored_matches(t)
}

pub(crate) fn dropped_and_stored(t: &Turn) -> bool {
    holder::work_is_current(t) && matches!(&t.m.role, Role::Yielded(drain) if drain.yielded.stored)
}

pub(crate) fn finish(t: &mut Turn) {
    let Role::Yielded(drain) = t.m.role.clone() else { return };
    t.round = Some(drain.round);
    if let Some(grant) = &mut t.m.durable.grant {
        grant.seal = drain.seal;
    }
    t.clear(&["stop-fails", "redirect-fails", "compilation-unconfirmed"]);
    sync::stop_holder_timers(t);
    holder::enter_released(t);
}

/// The server is down, and the second does not have the compilation yet.
pub(crate) fn down_unstored(t: &mut Turn) {
    t.clear(&["stop-fails"]);
    t.stop_timers(&[TimerName::Stop]);
    if let Some(drain) = drain_mut(t) {
        drain.yielded.down = true;
    }
    await_stored(t);
}

pub(crate) fn drop_failed(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.raise(Alert::StopFails { error });
    if t.finished().is_none() {
        holder::drop_address(t);
    }
}

pub(crate) fn dropping(t: &Turn) -> bool {
    drain(t).is_some_and(|drain| drain.step == DrainStep::DropAddress)
}

/// The server must go down, whether or not the second has the compilation: this host keeps it.
pub(crate) fn go_down(t: &mut Turn) {
    let Some(drain) = drain_mut(t) else { return };
    drain.yielded.alone = true;
    match drain.step {
        DrainStep::Redirect | DrainStep::EndFlows => holder::force_drain(t),
        DrainStep::AwaitStored if !drain.yielded.down => {
            drain.forced = true;
            holder::stop_server(t);
        }
        _ => {}
    }
}

/// Somebody forces, and says that the second is stopped: a promise needs a stopped server.
pub(crate) fn fence_must_wait(t: &Turn) -> bool {
    let Some((_, Message::Fence { stopped, .. })) = t.received() else {
        return false;
    };
    let grant = t.m.durable.grant.as_ref();
    !is_down(t) && grant.is_some_and(|grant| stopped.contains(&grant.to))
}

pub(crate) fn refuse_fence_and_go_down(t: &mut Turn) {
    if let Some((from, Message::Fence { term, .. })) = t.received() {
        let (term, reason) = (*term, FenceRefusal::StillServing);
        t.note(format_args!("{from}: {reason}"));
        t.send(from, Message::FenceRefused { term, reason });
    }
    go_down(t);
}

pub(crate) fn forces_flows(t: &Turn) -> bool {
    holder::work_is_current(t) && holder::policy(t) == DrainPolicy::Force
}
