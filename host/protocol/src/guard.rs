//! What keeps the service from moving by itself: pauses, and the flap guard that sets one.
//!
//! Invariants: a pause keeps rounds from being begun, it ends none that is under way; an operator's own orders are
//! never paused; a fault that says when the server must be down is obeyed all the same, because that is about data
//! and not about who serves.

use std::time::Duration;

use crate::turn::Turn;
use crate::{Alert, Cause, Decline, HostName, Message, Order, Pause, PauseScope, Refusal, RoundId, TimerName, holder};

/// How long a word is repeated after it was said, with every stay-down order: long enough for a peer to come back
/// from a short break.
const REPEATED: Duration = Duration::from_secs(60);

impl Cause {
    /// Whether nobody ordered it.
    pub fn is_automatic(&self) -> bool {
        match self {
            Cause::Fault(_) => true,
            Cause::Requested { .. } => false,
            Cause::Giveback { by, .. } => by == POLICY,
        }
    }
}

/// In whose name an automatic giveback is done.
pub(crate) const POLICY: &str = "policy";

fn flaps(t: &Turn) -> bool {
    let guard = t.m.plan.flap;
    guard.takeovers > 0 && t.m.durable.pauses.moves_within(guard.window, t.now) >= guard.takeovers
}

/// Whether nothing may be begun here by itself now.
pub(crate) fn withheld(t: &Turn) -> bool {
    t.m.durable.pauses.in_force(t.now).next().is_some() || flaps(t)
}

/// Why this host does not take part in what nobody ordered. `cause` is what it is asked for.
pub(crate) fn objection(t: &Turn, cause: &Cause) -> Option<Decline> {
    let pauses = &t.m.durable.pauses;
    let in_force = pauses.in_force(t.now);
    // An operator may well move a paused service; a paused host is another matter: somebody works on it.
    let counts = |(scope, _): &(PauseScope, &Pause)| cause.is_automatic() || *scope == PauseScope::Host;
    if let Some((scope, pause)) = in_force.into_iter().find(counts) {
        return Some(Decline::Paused {
            scope,
            by: pause.by.clone(),
            reason: pause.reason.clone(),
        });
    }
    (cause.is_automatic() && flaps(t)).then_some(Decline::TooManyAttempts {
        attempts: t.m.plan.flap.takeovers,
    })
}

// ---- withholding -------------------------------------------------------------------------------------------------

pub(crate) fn withholds_fault(t: &Turn) -> bool {
    holder::must_ask(t) && withheld(t)
}

pub(crate) fn withholds_unknown(t: &Turn) -> bool {
    holder::unknown_means_takeover(t) && withheld(t)
}

pub(crate) fn withholds_retry(t: &Turn) -> bool {
    holder::move_required(t) && withheld(t)
}

pub(crate) fn withholds_parked(t: &Turn) -> bool {
    holder::somebody_is_ready(t) && !holder::fault_is_gone(t) && !holder::start_failed(t) && withheld(t)
}

/// A move is called for and not begun: the operator is told, and it is looked at again.
pub(crate) fn withhold(t: &mut Turn) {
    trip(t);
    holder::watch_shutdown_within(t);
    let first = t.m.durable.pauses.in_force(t.now).next();
    if let Some((scope, pause)) = first.map(|(scope, pause)| (scope, pause.clone())) {
        t.note(format_args!("{scope} paused by {}: {}", pause.by, pause.reason));
        t.raise(Alert::MovesWithheld {
            scope,
            by: pause.by,
            reason: pause.reason,
        });
    }
    let after = t.m.plan.timing.retry;
    t.start_timer(TimerName::Retry, after);
}

/// The flap guard's own pause: it stands until somebody looks at what is wrong and ends it.
fn trip(t: &mut Turn) {
    let tripped = |(scope, _)| scope == PauseScope::Flapping;
    if !flaps(t) || t.m.durable.pauses.in_force(t.now).any(tripped) {
        return;
    }
    let guard = t.m.plan.flap;
    let moves = t.m.durable.pauses.moves_within(guard.window, t.now);
    let pause = Pause {
        by: "the flap guard".to_owned(),
        reason: format!("moved {moves} times by itself within {:?}", guard.window),
        since: t.now,
        until: None,
    };
    say(t, PauseScope::Flapping, Some(pause));
}

pub(crate) fn giveback_withheld(t: &Turn) -> bool {
    withheld(t) || crate::candidate::has_unresolved(t)
}

/// Home is asked about again with its next word.
pub(crate) fn withhold_giveback(t: &mut Turn) {
    trip(t);
    let first = t.m.durable.pauses.in_force(t.now).next();
    match first.map(|(scope, pause)| format!("{scope} paused by {}: {}", pause.by, pause.reason)) {
        Some(text) => t.note(text),
        None => t.note("requests of the last takeover have no disposition yet"),
    }
}

/// A move that nobody ordered has happened.
pub(crate) fn count_move(t: &mut Turn, round: RoundId) {
    let now = t.now;
    t.m.durable.pauses.count(round, now);
}

// ---- orders ------------------------------------------------------------------------------------------------------

fn say(t: &mut Turn, scope: PauseScope, pause: Option<Pause>) {
    let (me, now) = (t.m.plan.me.clone(), t.now);
    t.m.durable.pauses.say(scope, &me, now, pause);
    watch(t);
    if scope != PauseScope::Host {
        tell_all(t);
    }
}

fn tell_all(t: &mut Turn) {
    let told = t.m.durable.pauses.told();
    t.send_all(&Message::PausesTold { pauses: told });
}

pub(crate) fn pause(t: &mut Turn) {
    let Some(Order::Pause {
        scope,
        by,
        reason,
        lasts,
    }) = t.order()
    else {
        return;
    };
    let pause = Pause {
        by: by.clone(),
        reason: reason.clone(),
        since: t.now,
        until: lasts.map(|lasts| t.now + lasts),
    };
    t.note(format_args!("{scope}, by {by}: {reason}"));
    if let Some(lasts) = lasts {
        t.note(format_args!("for {lasts:?}"));
    }
    say(t, *scope, Some(pause));
    t.answer(Ok(()));
}

/// Which of the pauses in force the order ends: the flap guard's goes with the service's.
fn ended(t: &Turn) -> Vec<PauseScope> {
    let Some(Order::Unpause { scope, .. }) = t.order() else {
        return Vec::new();
    };
    let meant = |in_force: &PauseScope| {
        in_force == scope || (*scope == PauseScope::Service && *in_force == PauseScope::Flapping)
    };
    let in_force = t.m.durable.pauses.in_force(t.now).map(|(scope, _)| scope);
    in_force.filter(meant).collect()
}

pub(crate) fn is_not_paused(t: &Turn) -> bool {
    ended(t).is_empty()
}

pub(crate) fn refuse_not_paused(t: &mut Turn) {
    let scopes = t.m.durable.pauses.in_force(t.now).map(|(scope, _)| scope).collect();
    t.answer(Err(Refusal::NotPaused { in_force: scopes }));
}

pub(crate) fn unpause(t: &mut Turn) {
    let Some(Order::Unpause { by, reason, .. }) = t.order() else {
        return;
    };
    for scope in ended(t) {
        t.note(format_args!("{scope}, by {by}: {reason}"));
        say(t, scope, None);
    }
    after_end(t);
    t.answer(Ok(()));
}

/// A pause is over: what was withheld is looked at again at once.
fn after_end(t: &mut Turn) {
    if t.m.durable.pauses.in_force(t.now).next().is_some() {
        return;
    }
    t.clear(&["moves-withheld"]);
    if t.m.timers.runs(TimerName::Retry) && t.m.durable.held.is_some() {
        let soon = t.m.plan.timing.release;
        t.start_timer(TimerName::Retry, soon);
    }
}

// ---- time and peers ----------------------------------------------------------------------------------------------

/// Sets the timer for the next pause that ends by itself.
pub(crate) fn watch(t: &mut Turn) {
    t.stop_timers(&[TimerName::Pause]);
    if let Some(end) = t.m.durable.pauses.next_end(t.now) {
        t.start_timer(TimerName::Pause, t.now.until(end));
    }
}

pub(crate) fn pause_ended(t: &mut Turn) {
    watch(t);
    after_end(t);
}

pub(crate) fn started(t: &mut Turn) {
    let now = t.now;
    t.m.durable.pauses.not_after(now);
    watch(t);
}

/// A host that was just met may have missed a word.
pub(crate) fn tell(t: &mut Turn, to: &HostName) {
    let pauses = t.m.durable.pauses.told();
    if !pauses.is_empty() {
        t.send(to, Message::PausesTold { pauses });
    }
}

/// Said again with what is said anyway, as long as somebody may have missed it.
pub(crate) fn repeat(t: &mut Turn, to: Option<&HostName>) {
    if t.m.durable.pauses.worth_repeating(t.now, REPEATED) {
        match to {
            Some(host) => tell(t, host),
            None => tell_all(t),
        }
    }
}

fn heard<'t>(t: &Turn<'t>) -> Option<(&'t HostName, &'t crate::Pauses)> {
    match t.received() {
        Some((from, Message::PausesTold { pauses })) => Some((from, pauses)),
        _ => None,
    }
}

pub(crate) fn teaches(t: &Turn) -> bool {
    heard(t).is_some_and(|(_, theirs)| t.m.durable.pauses.clone().learn(theirs))
}

pub(crate) fn learn(t: &mut Turn) {
    let Some((from, theirs)) = heard(t) else { return };
    let before: Vec<_> = t.m.durable.pauses.in_force(t.now).map(|(scope, _)| scope).collect();
    t.m.durable.pauses.learn(theirs);
    let now: Vec<_> =
        t.m.durable
            .pauses
            .in_force(t.now)
            .map(|(scope, pause)| (scope, format!("{scope} paused by {}: {}", pause.by, pause.reason)))
            .collect();
    t.note(format_args!("from {from}"));
    now.iter()
        .filter(|(scope, _)| !before.contains(scope))
        .for_each(|(_, text)| t.note(text));
    watch(t);
    if !before.is_empty() {
        after_end(t);
    }
    teach(t);
}

/// Whoever lacks a word of this host is told it.
pub(crate) fn teach(t: &mut Turn) {
    if let Some((from, theirs)) = heard(t)
        && t.m.durable.pauses.told().knows_more_than(theirs)
    {
        tell(t, from);
    }
}
