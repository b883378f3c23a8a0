//! The holder's side: opening rounds, draining, releasing, and keeping the others down.
//!
//! ```text
//!  active ──fault──► asking ──ShutdownCommanded──► draining ──server stopped──► stopped ──address dropped──► released
//!    ▲                  │ declined, silent            │ abort                      │
//!    └──────────────────┴────────────────────────────┴── before the release every error means: resume
//! ```
//!
//! Invariants: only the holder opens rounds; the round counter is durable before a round's first message; the release
//! needs the matching `CompilationStored`, a stopped server and a dropped address, in this order.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::role::{Activation, ActivationStep, Ask, Drain, DrainStep, Parked, Role};
use crate::sync;
use crate::turn::Turn;
use crate::{
    Alert, Cancel, Cause, DownPhase, DrainPolicy, Event, Fault, FaultKind, Finish, Giveback, Grant, HostName, Message,
    OnUnknown, Order, Refusal, RoundId, Severity, StayDown, StopPurpose, TimerName, Verdict, Work,
};

/// How often a release is sent before the operator is told that nobody answers.
const RELEASES_BEFORE_ALERT: u32 = 10;

// ---- what the probes say --------------------------------------------------------------------------------------

pub(crate) fn shutdown_required(t: &Turn) -> bool {
    t.m.verdict == Verdict::Failing && t.m.fault.as_ref().is_some_and(|f| f.severity == Severity::ShutdownRequired)
}

/// A new fault; while the candidates are not to be asked again yet, an old one is no news.
pub(crate) fn must_ask(t: &Turn) -> bool {
    shutdown_required(t) && !t.m.timers.runs(TimerName::Retry)
}

pub(crate) fn unknown_means_takeover(t: &Turn) -> bool {
    t.m.plan.on_unknown == OnUnknown::TakeOver && !t.m.timers.runs(TimerName::Retry)
}

pub(crate) fn tell_impaired(t: &mut Turn) {
    if let Some(fault) = t.m.fault.clone() {
        t.note(format_args!("{}: {}", fault.code, fault.message));
        t.raise(Alert::Impaired(fault));
    }
}

pub(crate) fn tell_unknown(t: &mut Turn) {
    t.raise(Alert::Unknown);
}

pub(crate) fn well_again(t: &mut Turn) {
    t.clear(&["impaired", "unknown", "nobody-takes-over"]);
    t.stop_timers(&[TimerName::Retry, TimerName::ShutdownWithin]);
}

fn current_fault(t: &Turn) -> Fault {
    t.m.fault.clone().unwrap_or_else(|| Fault {
        code: "unknown".to_owned(),
        kind: FaultKind::Other,
        severity: Severity::ShutdownRequired,
        message: "the probes do not know how the server is".to_owned(),
        shutdown_within: None,
        evidence: Vec::new(),
    })
}

// ---- opening a round ------------------------------------------------------------------------------------------

pub(crate) fn ask_for_fault(t: &mut Turn) {
    let fault = current_fault(t);
    t.note(format_args!("{}: {}", fault.code, fault.message));
    if let Some(within) = fault.shutdown_within
        && !t.m.timers.runs(TimerName::ShutdownWithin)
    {
        t.start_timer(TimerName::ShutdownWithin, within);
    }
    let parked = parked(t);
    open_round(t, Cause::Fault(fault), None, BTreeSet::new(), parked);
}

fn parked(t: &Turn) -> Option<Parked> {
    match &t.m.role {
        Role::Parked(parked) => Some(parked.clone()),
        Role::Asking(ask) => ask.parked.clone(),
        _ => None,
    }
}

/// Opens a round with the next candidate that was not tried; with nobody left, goes on as it was.
fn open_round(t: &mut Turn, cause: Cause, only: Option<HostName>, tried: BTreeSet<HostName>, parked: Option<Parked>) {
    let Some(to) = next_candidate(t, only.as_ref(), &tried) else {
        return nobody_left(t, cause, parked);
    };
    t.m.durable.round_counter += 1;
    let round = RoundId { store: t.m.store, counter: t.m.durable.round_counter };
    t.note(format_args!("to {to}"));
    t.send(&to, Message::FaultIndicated { round });
    let reported = match &cause {
        Cause::Fault(fault) => {
            t.work(Work::Diagnose { round, fault: fault.clone() });
            let bound = t.m.plan.timing.diagnosis;
            t.start_timer(TimerName::Diagnosis, bound);
            false
        }
        Cause::Requested { .. } | Cause::Giveback { .. } => {
            t.send(&to, Message::FaultReported { round, cause: cause.clone() });
            true
        }
    };
    let bound = t.m.plan.timing.answer;
    t.start_timer(TimerName::Answer, bound);
    t.become_role(Role::Asking(Ask { round, to, cause, only, tried, reported, parked }));
}

/// Candidates that can be reached, those known to be ready first, each group in the configured order.
fn next_candidate(t: &Turn, only: Option<&HostName>, tried: &BTreeSet<HostName>) -> Option<HostName> {
    let reachable = |host: &&HostName| {
        only.is_none_or(|o| o == *host)
            && !tried.contains(*host)
            && t.m.peers.get(*host).is_some_and(|peer| peer.connected && peer.heard)
    };
    let ready = |host: &&HostName| {
        t.m.peers.get(*host).and_then(|peer| peer.standing.as_ref()).is_some_and(|s| s.down_for.is_none() && !s.fresh)
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
    t.become_role(parked.map_or(Role::Active, Role::Parked));
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

// ---- orders to move the service ---------------------------------------------------------------------------------

/// What an operator's order, or a peer's request, asks the holder for.
fn wanted(t: &Turn) -> Option<(Cause, Option<HostName>)> {
    match (t.order(), t.received()) {
        (Some(Order::TakeOver { to, by, reason }), _) => {
            Some((Cause::Requested { by: by.clone(), reason: reason.clone() }, to.clone()))
        }
        (Some(Order::Giveback { by }), _) => Some((Cause::Giveback { by: by.clone() }, Some(t.m.plan.home().clone()))),
        (_, Some((_, Message::TakeoverAsked { to, cause }))) => Some((cause.clone(), Some(to.clone()))),
        _ => None,
    }
}

/// Why the holder will not open the wanted round.
fn objection(t: &Turn) -> Option<Refusal> {
    let (cause, to) = wanted(t)?;
    let me = &t.m.plan.me;
    if matches!(cause, Cause::Giveback { .. }) {
        let home = t.m.plan.home().clone();
        if home == *me {
            return Some(Refusal::AtHome { home });
        }
        if let Some(because) = not_ready(t, &home) {
            return Some(Refusal::HomeNotReady { home, because });
        }
    }
    match to {
        Some(host) if host == *me => Some(Refusal::AlreadyActive),
        Some(host) if !t.m.plan.candidates.contains(&host) => Some(Refusal::NotACandidate { host }),
        Some(host) if next_candidate(t, Some(&host), &BTreeSet::new()).is_none() => {
            Some(Refusal::NotHeard { hosts: vec![host] })
        }
        None if t.m.plan.others().next().is_none() => Some(Refusal::NobodyElse),
        None if next_candidate(t, None, &BTreeSet::new()).is_none() => {
            Some(Refusal::NotHeard { hosts: t.m.plan.others().cloned().collect() })
        }
        _ => None,
    }
}

fn not_ready(t: &Turn, host: &HostName) -> Option<String> {
    let Some(peer) = t.m.peers.get(host).filter(|peer| peer.connected && peer.heard) else {
        return Some("it was not heard".to_owned());
    };
    let standing = peer.standing.as_ref()?;
    if let Some(fault) = &standing.down_for {
        return Some(format!("it stays down for {fault}; cure it first (`understudy cure`)"));
    }
    (!standing.ready).then(|| "it has not come back as a standby yet".to_owned())
}

pub(crate) fn objects(t: &Turn) -> bool {
    objection(t).is_some()
}

pub(crate) fn refuse_wanted(t: &mut Turn) {
    let Some(refusal) = objection(t) else { return };
    refuse(t, refusal);
}

fn refuse(t: &mut Turn, refusal: Refusal) {
    match t.received() {
        Some((from, _)) => {
            t.note(&refusal);
            t.send(from, Message::AskRefused { refusal });
        }
        None => t.answer(Err(refusal)),
    }
}

pub(crate) fn refuse_under_way(t: &mut Turn) {
    let role = t.m.role.name().as_str();
    refuse(t, Refusal::UnderWay { role });
}

pub(crate) fn ask_as_wanted(t: &mut Turn) {
    let Some((cause, to)) = wanted(t) else { return };
    if let Cause::Giveback { .. } = cause {
        t.m.durable.givebacks = 0;
        t.clear(&["givebacks-exhausted"]);
    }
    if let Cause::Requested { by, reason } = &cause {
        t.note(format_args!("{by}: {reason}"));
    }
    t.answer(Ok(()));
    let parked = parked(t);
    open_round(t, cause, to, BTreeSet::new(), parked);
}

// ---- automatic giveback -----------------------------------------------------------------------------------------

pub(crate) fn home_is_ready(t: &Turn) -> bool {
    let home = t.m.plan.home();
    matches!(t.m.plan.giveback, Giveback::Auto { .. }) && *home != t.m.plan.me && not_ready(t, home).is_none()
}

pub(crate) fn plan_giveback(t: &mut Turn) {
    let Giveback::Auto { delay, attempts } = t.m.plan.giveback else { return };
    if t.m.durable.givebacks >= attempts {
        t.raise(Alert::GivebacksExhausted { attempts });
    } else if !t.m.timers.runs(TimerName::Giveback) {
        t.start_timer(TimerName::Giveback, delay);
    }
}

pub(crate) fn give_back(t: &mut Turn) {
    t.m.durable.givebacks += 1;
    let home = t.m.plan.home().clone();
    open_round(t, Cause::Giveback { by: "policy".to_owned() }, Some(home), BTreeSet::new(), None);
}

// ---- answers ------------------------------------------------------------------------------------------------------

pub(crate) fn answer_is_current(t: &Turn) -> bool {
    let (Role::Asking(ask), Some((from, message))) = (&t.m.role, t.received()) else { return false };
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
    let Some((from, Message::ShutdownCommanded { new_term, drain_deadline, .. })) = t.received() else { return };
    let Role::Asking(ask) = t.m.role.clone() else { return };
    t.note(format_args!("{from} takes over with term {new_term}, drain within {drain_deadline:?}"));
    t.stop_timers(&[TimerName::Answer, TimerName::Diagnosis, TimerName::Retry]);
    begin_drain(t, ask, Some((from.clone(), *new_term)), *drain_deadline);
}

fn begin_drain(t: &mut Turn, ask: Ask, to: Option<(HostName, crate::Term)>, deadline: Duration) {
    let Ask { round, cause, parked, .. } = ask;
    let stopped = parked.is_some();
    let step = if stopped { DrainStep::Seal } else { DrainStep::StopAdmitting };
    let (remaining, blocker) = (None, None);
    let drain = Drain { round, to, cause, step, forced: false, seal: None, parked, remaining, blocker };
    t.start_timer(TimerName::Drain, deadline);
    let to = drain.to.as_ref().map(|(host, _)| host.clone());
    t.become_role(Role::Draining(drain));
    if stopped { seal(t) } else { t.work(Work::StopAdmitting { round, to }) }
}

pub(crate) fn next_after_decline(t: &mut Turn) {
    let Some((from, Message::Declined { reason, .. })) = t.received() else { return };
    t.note(format_args!("{from}: {reason}"));
    try_next(t);
}

pub(crate) fn next_after_stale_term(t: &mut Turn) {
    let Some((_, Message::ShutdownCommanded { new_term, .. })) = t.received() else { return };
    let floor = t.m.durable.known.max(t.m.durable.promised);
    cancel_ask(t, Cancel::StaleTerm { offered: *new_term, floor });
    try_next(t);
}

pub(crate) fn next_after_silence(t: &mut Turn) {
    let after = t.m.plan.timing.answer;
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
    t.stop_timers(&[TimerName::Answer, TimerName::Diagnosis, TimerName::Retry, TimerName::ShutdownWithin]);
    let parked = parked(t);
    t.become_role(parked.map_or(Role::Active, Role::Parked));
}

pub(crate) fn fault_gone(t: &mut Turn) {
    t.clear(&["impaired", "unknown", "nobody-takes-over"]);
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
        t.send(&to, Message::Cancelled { round, reason: Cancel::NoAnswer { after } });
    }
    t.m.durable.round_counter += 1;
    let round = RoundId { store: t.m.store, counter: t.m.durable.round_counter };
    t.raise(Alert::NobodyTakesOver);
    t.stop_timers(&[TimerName::Answer, TimerName::Diagnosis, TimerName::Retry]);
    let to = t.m.plan.me.clone();
    let cause = Cause::Fault(fault);
    let ask = Ask { round, to, cause, only: None, tried: BTreeSet::new(), reported: true, parked: None };
    let deadline = t.m.plan.timing.drain;
    begin_drain(t, ask, None, deadline);
}

// ---- draining -------------------------------------------------------------------------------------------------------

fn drain<'t>(t: &'t Turn<'_>) -> Option<&'t Drain> {
    match &t.m.role {
        Role::Draining(drain) | Role::Stopped(drain) => Some(drain),
        _ => None,
    }
}

fn drain_mut<'t>(t: &'t mut Turn<'_>) -> Option<&'t mut Drain> {
    match &mut t.m.role {
        Role::Draining(drain) | Role::Stopped(drain) => Some(drain),
        _ => None,
    }
}

/// Whether the ended work is what the drain waits for.
pub(crate) fn work_is_current(t: &Turn) -> bool {
    let (Some(drain), Some((work, _))) = (drain(t), t.finished()) else { return false };
    match work {
        Work::StopAdmitting { round, .. } => drain.step == DrainStep::StopAdmitting && *round == drain.round,
        Work::Settle { round, .. } => drain.step == DrainStep::Settle && *round == drain.round,
        Work::SealCompilation { round, .. } => drain.step == DrainStep::Seal && *round == drain.round,
        Work::ResendCompilation { round, .. } => drain.step == DrainStep::AwaitStored && *round == drain.round,
        Work::StopServer { purpose: StopPurpose::Release, .. } => drain.step == DrainStep::StopServer,
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
    let Event::Progressed { remaining, blocker, .. } = t.event else { return };
    let Some(drain) = drain_mut(t) else { return };
    drain.remaining = *remaining;
    drain.blocker.clone_from(blocker);
    let round = drain.round;
    if let Some((to, _)) = drain.to.clone() {
        t.send(&to, Message::DrainProgressed { round, remaining: *remaining, blocker: blocker.clone() });
    }
}

pub(crate) fn seal(t: &mut Turn) {
    let Some(drain) = drain_mut(t) else { return };
    drain.step = DrainStep::Seal;
    drain.blocker = None;
    let (round, to) = (drain.round, drain.to.as_ref().map(|(host, _)| host.clone()));
    let kept = drain.parked.as_ref().and_then(|parked| parked.kept);
    t.stop_timers(&[TimerName::Drain]);
    t.work(Work::SealCompilation { round, to, kept });
    let bound = t.m.plan.timing.compilation;
    t.start_timer(TimerName::Compilation, bound);
}

fn policy(t: &Turn) -> DrainPolicy {
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

pub(crate) fn policy_extends(t: &Turn) -> bool {
    policy(t) == DrainPolicy::Extend
}

pub(crate) fn force_drain(t: &mut Turn) {
    t.abandon();
    if let Event::Finished { result: Finish::Failed { error }, .. } = t.event {
        t.note(error);
    }
    if let Some(drain) = drain_mut(t) {
        drain.forced = true;
    }
    seal(t);
}

pub(crate) fn extend_drain(t: &mut Turn) {
    let deadline = t.m.plan.timing.drain;
    t.start_timer(TimerName::Drain, deadline);
}

/// Before the release, every error means: resume serving.
fn abort(t: &mut Turn, reason: Cancel) {
    let Some(drain) = drain(t).cloned() else { return };
    t.round = Some(drain.round);
    t.note(&reason);
    if let Some((to, _)) = &drain.to {
        t.send(to, Message::Cancelled { round: drain.round, reason });
    }
    t.abandon();
    t.stop_timers(&[TimerName::Drain, TimerName::Compilation, TimerName::CompilationResend, TimerName::Stop]);
    if let Some(parked) = drain.parked {
        t.start_retry();
        t.become_role(Role::Parked(parked));
        return;
    }
    let Some(term) = t.m.durable.held else { return };
    if matches!(drain.cause, Cause::Fault(_)) {
        t.start_retry();
    }
    if matches!(drain.step, DrainStep::StopServer | DrainStep::DropAddress) {
        t.become_role(Role::Activating(Activation { step: ActivationStep::Serve, failures: 0 }));
        sync::serve(t, term);
    } else {
        t.work(Work::Resume { term });
        t.become_role(Role::Active);
    }
}

impl Turn<'_> {
    fn start_retry(&mut self) {
        let after = self.m.plan.timing.retry;
        self.start_timer(TimerName::Retry, after);
    }
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
    let Some(drain) = drain_mut(t) else { return };
    drain.step = DrainStep::StopServer;
    let forced = drain.forced;
    t.work(Work::StopServer { purpose: StopPurpose::Release, forced });
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
    }
    t.abandon();
    t.work(Work::StopServer { purpose: StopPurpose::Release, forced: true });
    let bound = t.m.plan.timing.stop;
    t.start_timer(TimerName::Stop, bound);
}

pub(crate) fn drop_address(t: &mut Turn) {
    t.clear(&["stop-fails"]);
    let Some(term) = t.m.durable.held else { return };
    if let Role::Draining(drain) | Role::Stopped(drain) = t.m.role.clone() {
        t.become_role(Role::Stopped(Drain { step: DrainStep::DropAddress, ..drain }));
    }
    t.work(Work::DropAddress { term });
    let bound = t.m.plan.timing.stop;
    t.start_timer(TimerName::Stop, bound);
}

// ---- the release ------------------------------------------------------------------------------------------------

/// The point of no return: the grant and the loss of the term are one record.
pub(crate) fn release(t: &mut Turn) {
    let Some(drain) = drain(t).cloned() else { return };
    let (Some((to, offered)), Some(seal), Some(held)) = (drain.to, drain.seal, t.m.durable.held) else { return };
    let floor = t.m.durable.known.max(t.m.durable.promised).next();
    let new_term = offered.max(floor);
    t.round = Some(drain.round);
    t.note(format_args!("term {held} given up, term {new_term} granted to {to}"));
    t.m.durable.held = None;
    t.m.durable.tenure = None;
    t.m.durable.grant = Some(Grant { new_term, to, round: drain.round, seal });
    t.m.durable.promised = t.m.durable.promised.max(new_term);
    if let Cause::Fault(fault) = drain.cause {
        let fault = fault.code;
        t.m.durable.stay_down = Some(StayDown { released: held, fault, phase: DownPhase::Faulty });
    }
    sync::stop_holder_timers(t);
    t.clear(&["impaired", "unknown", "nobody-takes-over", "stop-fails"]);
    t.actions.push(crate::Action::Fence(new_term));
    enter_released(t);
}

pub(crate) fn enter_released(t: &mut Turn) {
    t.m.ready = false;
    t.become_role(Role::Released { sent: 0 });
    sync::watch_server(t);
    send_release(t);
}

pub(crate) fn send_release(t: &mut Turn) {
    let Some(grant) = t.m.durable.grant.clone() else { return };
    if let Role::Released { sent } = &mut t.m.role {
        *sent = sent.saturating_add(1);
        let sent = *sent;
        if sent > RELEASES_BEFORE_ALERT && sent.is_multiple_of(RELEASES_BEFORE_ALERT) {
            t.raise(Alert::ReleaseUnanswered { to: grant.to.clone(), sent });
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
    let Some((_, Message::Refused { promised, .. })) = t.received() else { return };
    let floor = t.m.durable.promised.max(*promised).max(t.m.durable.known);
    if let Some(grant) = &mut t.m.durable.grant {
        grant.new_term = floor.next();
        t.m.durable.promised = grant.new_term;
        let text = format!("term {} to {}", grant.new_term, grant.to);
        t.note(text);
    }
    send_release(t);
}

/// The grant reached its host: this host is a standby now, or stays down.
pub(crate) fn settle_grant(t: &mut Turn) {
    sync::reply(t);
    sync::learn_term(t);
    t.m.durable.grant = None;
    t.stop_timers(&[TimerName::Release]);
    t.clear(&["release-unanswered"]);
    crate::standby::enter(t);
}

// ---- parked -----------------------------------------------------------------------------------------------------

pub(crate) fn park(t: &mut Turn) {
    let Some(drain) = drain(t).cloned() else { return };
    t.stop_timers(&[TimerName::Stop, TimerName::ShutdownWithin]);
    t.round = Some(drain.round);
    t.become_role(Role::Parked(Parked { cause: drain.cause, kept: Some(drain.round), start_failed: false }));
    t.start_retry();
}

pub(crate) fn park_unstartable(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.raise(Alert::ServeFails { error: error.clone() });
    t.abandon();
    t.work(Work::StopServer { purpose: StopPurpose::Park, forced: true });
    if let Some(term) = t.m.durable.held {
        t.work(Work::DropAddress { term });
    }
    let fault = Fault {
        code: "serve-failed".to_owned(),
        kind: FaultKind::Software,
        severity: Severity::ShutdownRequired,
        message: error,
        shutdown_within: None,
        evidence: Vec::new(),
    };
    let kept = t.m.durable.tenure.as_ref().and_then(|tenure| tenure.round);
    t.become_role(Role::Parked(Parked { cause: Cause::Fault(fault), kept, start_failed: true }));
    t.start_retry();
}

pub(crate) fn somebody_is_ready(t: &Turn) -> bool {
    t.m.plan.others().any(|host| not_ready(t, host).is_none())
}

pub(crate) fn start_failed(t: &Turn) -> bool {
    matches!(&t.m.role, Role::Parked(parked) if parked.start_failed)
}

pub(crate) fn ask_from_parked(t: &mut Turn) {
    let Role::Parked(parked) = t.m.role.clone() else { return };
    open_round(t, parked.cause.clone(), None, BTreeSet::new(), Some(parked));
}

pub(crate) fn wait_parked(t: &mut Turn) {
    t.raise(Alert::NobodyTakesOver);
    t.start_retry();
}

// ---- keeping the others down ------------------------------------------------------------------------------------

pub(crate) fn repeat_stay_down(t: &mut Turn) {
    let Some(held) = t.m.durable.held else { return };
    t.send_all(&Message::StayDown { held });
    let every = t.m.plan.timing.stay_down;
    t.start_timer(TimerName::StayDown, every);
}

/// Somebody acts under an older term: it is told the present one.
pub(crate) fn answer_with_own_term(t: &mut Turn) {
    if let (Some((from, _)), Some(held)) = (t.received(), t.m.durable.held) {
        t.send(from, Message::StayDown { held });
    }
}

pub(crate) fn permit_come_back(t: &mut Turn) {
    let Some((from, Message::Cured { fault })) = t.received() else { return };
    let Some(held) = t.m.durable.held else { return };
    t.note(format_args!("{from}: {fault}"));
    t.send(from, Message::ComeBackPermitted { held });
}

pub(crate) fn refuse_holding(t: &mut Turn) {
    t.answer(Err(Refusal::AlreadyActive));
}
