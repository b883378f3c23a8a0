//! The drain: stop admitting, settle, seal the compilation, have it stored, stop the server, drop the address.
//!
//! Invariants: the steps come in this order; the server is not stopped for a second before that second has stored the
//! compilation of this round; before the release every error means: resume.

use std::time::Duration;

use crate::role::{Ask, Drain, DrainStep, Role, Yielded};
use crate::turn::Turn;
use crate::{
    Alert, Cancel, Cause, DrainPolicy, Event, Finish, HostName, Message, Mode, Step, StopPurpose, TimerName, Work, undo,
};

pub(crate) fn drain<'t>(t: &'t Turn<'_>) -> Option<&'t Drain> {
    match &t.m.role {
        Role::Draining(drain) | Role::Stopped(drain) | Role::Yielded(drain) => Some(drain),
        _ => None,
    }
}

pub(crate) fn drain_mut<'t>(t: &'t mut Turn<'_>) -> Option<&'t mut Drain> {
    match &mut t.m.role {
        Role::Draining(drain) | Role::Stopped(drain) | Role::Yielded(drain) => Some(drain),
        _ => None,
    }
}

/// `warm`: the second's server runs already, so that admission may move first where this host's plan allows it.
pub(super) fn begin_drain(t: &mut Turn, ask: Ask, to: Option<(HostName, crate::Term)>, deadline: Duration, warm: bool) {
    let Ask {
        round, cause, parked, ..
    } = ask;
    let stopped = parked.is_some();
    let step = if stopped {
        DrainStep::Seal
    } else if warm && t.m.plan.mode == Mode::Overlap {
        DrainStep::PrepareYield
    } else {
        DrainStep::StopAdmitting
    };
    let (remaining, blocker) = (None, None);
    let extended = Duration::ZERO;
    let drain = Drain {
        round,
        to,
        cause,
        step,
        forced: false,
        seal: None,
        yielded: Yielded::default(),
        parked,
        remaining,
        blocker,
        extended,
    };
    t.start_timer(TimerName::Drain, deadline);
    let to = drain.to.as_ref().map(|(host, _)| host.clone());
    t.become_role(Role::Draining(drain));
    match (step, to) {
        (DrainStep::Seal, _) => seal(t),
        (DrainStep::PrepareYield, Some(to)) => t.work(Work::PrepareYield { round, to }),
        (_, to) => {
            undo::reached(t, Step::Admission);
            t.work(Work::StopAdmitting { round, to });
        }
    }
}

/// Whether the ended work is what the drain waits for.
pub(crate) fn work_is_current(t: &Turn) -> bool {
    let (Some(drain), Some((work, _))) = (drain(t), t.finished()) else {
        return false;
    };
    match work {
        Work::PrepareYield { round, .. } => drain.step == DrainStep::PrepareYield && *round == drain.round,
        Work::Redirect { round, .. } => drain.step == DrainStep::Redirect && *round == drain.round,
        Work::EndFlows { round, .. } => drain.step == DrainStep::EndFlows && *round == drain.round,
        Work::StopAdmitting { round, .. } => drain.step == DrainStep::StopAdmitting && *round == drain.round,
        Work::Settle { round, .. } => drain.step == DrainStep::Settle && *round == drain.round,
        Work::SealCompilation { round, .. } => drain.step == DrainStep::Seal && *round == drain.round,
        Work::ResendCompilation { round, .. } => drain.step == DrainStep::AwaitStored && *round == drain.round,
        Work::StopServer {
            purpose: StopPurpose::Release,
            ..
        } => drain.step == DrainStep::StopServer,
        Work::DropAddress { .. } => drain.step == DrainStep::DropAddress,
        _ => false,
    }
}

pub(crate) fn settle(t: &mut Turn) {
    let deadline = t.m.plan.timing.drain;
    let Some(drain) = drain_mut(t) else { return };
    drain.step = DrainStep::Settle;
    let round = drain.round;
    t.work(Work::Settle { round, deadline });
}

pub(crate) fn note_progress(t: &mut Turn) {
    let Event::Progressed { remaining, blocker, .. } = t.event else {
        return;
    };
    let Some(drain) = drain_mut(t) else { return };
    drain.remaining = *remaining;
    drain.blocker.clone_from(blocker);
    let round = drain.round;
    if let Some((to, _)) = drain.to.clone() {
        t.send(
            &to,
            Message::DrainProgressed {
                round,
                remaining: *remaining,
                blocker: blocker.clone(),
            },
        );
    }
}

pub(crate) fn seal(t: &mut Turn) {
    let Some(drain) = drain_mut(t) else { return };
    drain.step = DrainStep::Seal;
    drain.blocker = None;
    let (round, to) = (drain.round, drain.to.as_ref().map(|(host, _)| host.clone()));
    let gone = drain.yielded.server_gone.then_some(round);
    let kept = drain.parked.as_ref().and_then(|parked| parked.kept).or(gone);
    t.stop_timers(&[TimerName::Drain, TimerName::Extension]);
    t.work(Work::SealCompilation { round, to, kept });
    let bound = t.m.plan.timing.compilation;
    t.start_timer(TimerName::Compilation, bound);
}

pub(crate) fn policy(t: &Turn) -> DrainPolicy {
    match drain(t).map(|drain| &drain.cause) {
        Some(Cause::Fault(_)) | None => t.m.plan.on_deadline_fault,
        Some(Cause::Requested { .. } | Cause::Giveback { .. }) => t.m.plan.on_deadline_request,
    }
}

pub(crate) fn policy_forces(t: &Turn) -> bool {
    policy(t) == DrainPolicy::Force
}

pub(crate) fn failed_step_is_forced(t: &Turn) -> bool {
    work_is_current(t) && policy_forces(t)
}

pub(crate) fn force_drain(t: &mut Turn) {
    t.abandon();
    if let Event::Finished {
        result: Finish::Failed { error },
        ..
    } = t.event
    {
        t.note(error);
    }
    if let Some(drain) = drain_mut(t) {
        drain.forced = true;
    }
    seal(t);
}

/// Before the release, every error means: resume serving.
fn abort(t: &mut Turn, reason: Cancel) {
    let Some(drain) = drain(t).cloned() else { return };
    t.round = Some(drain.round);
    t.note(&reason);
    if let Some((to, _)) = &drain.to {
        t.send(
            to,
            Message::Cancelled {
                round: drain.round,
                reason,
            },
        );
    }
    t.abandon();
    t.stop_timers(&[
        TimerName::Drain,
        TimerName::Extension,
        TimerName::Compilation,
        TimerName::CompilationResend,
        TimerName::Stop,
    ]);
    if let Some(parked) = drain.parked {
        t.start_retry();
        t.become_role(Role::Parked(parked));
        return;
    }
    if matches!(drain.cause, Cause::Fault(_)) {
        t.start_retry();
    }
    undo::serve_again(t);
}

pub(crate) fn abort_at_deadline(t: &mut Turn) {
    abort(t, Cancel::DrainDeadline);
}

pub(crate) fn abort_unstored(t: &mut Turn) {
    abort(t, Cancel::CompilationNotStored);
}

pub(crate) fn abort_failed(t: &mut Turn) {
    let step = t.finished().map_or("step", |(work, _)| work.name()).to_owned();
    let error = t.error();
    abort(t, Cancel::StepFailed { step, error });
}

pub(crate) fn abort_by_operator(t: &mut Turn) {
    t.answer(Ok(()));
    abort(t, Cancel::Operator);
}

pub(crate) fn nobody_takes_over(t: &Turn) -> bool {
    work_is_current(t) && drain(t).is_some_and(|drain| drain.to.is_none())
}

pub(crate) fn sealed(t: &mut Turn) {
    if let Some((_, Finish::Sealed(seal))) = t.finished()
        && let Some(drain) = drain_mut(t)
    {
        drain.seal = Some(*seal);
        drain.step = DrainStep::AwaitStored;
        t.note(format_args!("{} requests, digest {}", seal.count, seal.digest));
    }
    announce_seal(t);
}

pub(crate) fn announce_seal(t: &mut Turn) {
    let Some(drain) = drain(t) else { return };
    let (round, seal, to) = (drain.round, drain.seal, drain.to.clone());
    if let (Some(seal), Some((to, _))) = (seal, to) {
        t.send(&to, Message::Compilation { round, seal });
        let after = t.m.plan.timing.release;
        t.start_timer(TimerName::CompilationResend, after);
    }
}

pub(crate) fn awaits_stored(t: &Turn) -> bool {
    drain(t).is_some_and(|drain| drain.step == DrainStep::AwaitStored)
}

pub(crate) fn resend_compilation(t: &mut Turn) {
    let Some(drain) = drain(t) else { return };
    if let (round, Some((to, _))) = (drain.round, drain.to.clone()) {
        t.work(Work::ResendCompilation { round, to });
    }
}

pub(crate) fn stored_matches(t: &Turn) -> bool {
    let (Some(drain), Some((from, Message::CompilationStored { round, seal }))) = (drain(t), t.received()) else {
        return false;
    };
    drain.step == DrainStep::AwaitStored
        && drain.round == *round
        && drain.seal == Some(*seal)
        && drain.to.as_ref().is_some_and(|(to, _)| to == from)
}

pub(crate) fn stop_server(t: &mut Turn) {
    t.stop_timers(&[TimerName::Compilation, TimerName::CompilationResend]);
    if let Some((_, Finish::Sealed(seal))) = t.finished()
        && let Some(drain) = drain_mut(t)
    {
        drain.seal = Some(*seal);
    }
    undo::reached(t, Step::Server);
    let Some(drain) = drain_mut(t) else { return };
    drain.step = DrainStep::StopServer;
    let forced = drain.forced;
    t.work(Work::StopServer {
        purpose: StopPurpose::Release,
        forced,
    });
    let bound = t.m.plan.timing.stop;
    t.start_timer(TimerName::Stop, bound);
}

pub(crate) fn stopping(t: &Turn) -> bool {
    drain(t).is_some_and(|drain| drain.step == DrainStep::StopServer)
}

pub(crate) fn stop_by_force(t: &mut Turn) {
    let Some(drain) = drain_mut(t) else { return };
    let tried_force = std::mem::replace(&mut drain.forced, true);
    let error = t.error();
    t.note(&error);
    if tried_force {
        t.raise(Alert::StopFails { error });
        // A stop that fails at once would fail without end: the next attempt waits for its timer.
        if t.finished().is_some() && t.m.timers.runs(TimerName::Stop) {
            return;
        }
    }
    t.abandon();
    t.work(Work::StopServer {
        purpose: StopPurpose::Release,
        forced: true,
    });
    let bound = t.m.plan.timing.stop;
    t.start_timer(TimerName::Stop, bound);
}

pub(crate) fn drop_address(t: &mut Turn) {
    t.clear(&["stop-fails"]);
    undo::reached(t, Step::Address);
    let yielded = t.m.durable.grant.as_ref().map(|grant| grant.new_term);
    let Some(term) = t.m.durable.held.or(yielded) else {
        return;
    };
    match t.m.role.clone() {
        Role::Draining(drain) | Role::Stopped(drain) => t.become_role(Role::Stopped(Drain {
            step: DrainStep::DropAddress,
            ..drain
        })),
        Role::Yielded(drain) => t.become_role(Role::Yielded(Drain {
            step: DrainStep::DropAddress,
            ..drain
        })),
        _ => {}
    }
    t.work(Work::DropAddress { term });
    let bound = t.m.plan.timing.stop;
    t.start_timer(TimerName::Stop, bound);
}
