//! Starting, and hearing each other: hello, its answer, and what a host is after it has heard everybody
//! (PROTOCOL, "After a restart").
//!
//! Invariant: a host that holds a term serves only once every other candidate answered in this boot and none holds
//! more; except a daemon that finds its server still serving under that term.

use crate::role::{Activation, ActivationStep, Role};
use crate::turn::Turn;
use crate::{Action, Alert, Event, Message, Term, TimerName, Work};

pub(crate) use crate::descent::stand_down;

pub(crate) fn still_serving(t: &Turn) -> bool {
    matches!(t.event, Event::Started { still_serving: true }) && t.m.durable.held.is_some()
}

/// It was told before the restart that somebody holds a higher term than it does.
pub(crate) fn is_superseded(t: &Turn) -> bool {
    t.m.durable.held.is_some_and(|mine| mine < t.m.durable.known)
}

pub(crate) fn has_grant(t: &Turn) -> bool {
    t.m.durable.grant.is_some()
}

pub(crate) fn is_fresh(t: &Turn) -> bool {
    !t.m.durable.adopted
}

/// Says hello to everybody, and keeps looking after the server in the meantime.
pub(crate) fn introduce(t: &mut Turn) {
    let hello = Message::Hello(t.m.standing());
    t.send_all(&hello);
    let every = t.m.plan.timing.hello;
    t.start_timer(TimerName::Hello, every);
    let floor = t.m.durable.known.max(t.m.durable.promised);
    t.actions.push(Action::Fence(floor));
}

pub(crate) fn start_fresh(t: &mut Turn) {
    introduce(t);
    t.become_role(Role::Fresh);
}

pub(crate) fn start_released(t: &mut Turn) {
    introduce(t);
    crate::holder::enter_released(t);
}

pub(crate) fn start_superseded(t: &mut Turn) {
    introduce(t);
    stand_down(t);
}

pub(crate) fn start_serving(t: &mut Turn) {
    introduce(t);
    begin_serving(t);
}

pub(crate) fn start_unsynced(t: &mut Turn) {
    introduce(t);
    t.become_role(Role::Unsynced);
    if t.m.durable.held.is_none() {
        watch_server(t);
    }
    if t.m.synced() {
        settle_after_sync(t);
    }
}

/// Looks regularly whether the server does what a host without the token may do.
pub(crate) fn watch_server(t: &mut Turn) {
    let every = t.m.plan.timing.observe;
    t.start_timer(TimerName::Observe, every);
}

pub(crate) fn greet(t: &mut Turn) {
    if let Event::PeerConnected(host) = t.event {
        let hello = Message::Hello(t.m.standing());
        t.send(host, hello);
    }
}

pub(crate) fn hello_again(t: &mut Turn) {
    let hello = Message::Hello(t.m.standing());
    let unheard = t.m.unheard();
    unheard.iter().for_each(|host| t.send(host, hello.clone()));
    if !unheard.is_empty() {
        let every = t.m.plan.timing.hello;
        t.start_timer(TimerName::Hello, every);
    }
}

/// Answers a hello, and asks nothing back: whoever was not heard is asked as its connection is made and by the timer,
/// while two hosts that can't store what they hear would ask each other without end.
pub(crate) fn reply(t: &mut Turn) {
    t.owes_reply = matches!(t.received(), Some((_, Message::Hello(_))));
}

/// The highest term the sender of this turn's message says it holds.
fn sender_holds(t: &Turn) -> Option<Term> {
    let (from, message) = t.received()?;
    match message {
        Message::TookOver { held } | Message::StayDown { held } => Some(*held),
        Message::Hello(_) | Message::HelloReply { .. } => t.m.peers.get(from)?.standing.as_ref()?.held,
        _ => None,
    }
}

pub(crate) fn sender_holds_more(t: &Turn) -> bool {
    sender_holds(t).is_some_and(|theirs| theirs > t.m.durable.held.unwrap_or(t.m.durable.known))
}

pub(crate) fn sender_supersedes(t: &Turn) -> bool {
    sender_holds(t).is_some_and(|theirs| t.m.durable.held.is_some_and(|mine| theirs > mine))
}

/// The sender holds the granted term or a later one, or knows that somebody did: the grant is used, or void.
pub(crate) fn sender_settles_grant(t: &Turn) -> bool {
    let Some(granted) = t.m.durable.grant.as_ref().map(|grant| grant.new_term) else {
        return false;
    };
    let known = match t.event {
        Event::Received(envelope) => envelope.known,
        _ => Term::NONE,
    };
    known.max(sender_holds(t).unwrap_or_default()) >= granted
}

pub(crate) fn sender_holds_anything(t: &Turn) -> bool {
    sender_holds(t).is_some()
}

pub(crate) fn all_heard(t: &Turn) -> bool {
    t.m.synced()
}

/// Notes the sender's term as held.
pub(crate) fn learn_term(t: &mut Turn) {
    if let Some(theirs) = sender_holds(t) {
        t.m.durable.known = t.m.durable.known.max(theirs);
    }
}

/// Notes as well what the sender knows of others.
pub(crate) fn learn_known(t: &mut Turn) {
    learn_term(t);
    if let Event::Received(envelope) = t.event {
        t.m.durable.known = t.m.durable.known.max(envelope.known);
    }
}

/// A fresh host belongs to the service from now on; it becomes a standby once it has heard everybody.
pub(crate) fn adopt(t: &mut Turn) {
    reply(t);
    learn_term(t);
    t.m.durable.adopted = true;
    t.become_role(Role::Unsynced);
    if t.m.synced() {
        settle_after_sync(t);
    }
}

/// Everybody was heard: what this host is now follows from what it remembers.
pub(crate) fn settle_after_sync(t: &mut Turn) {
    let highest = t.m.peers.values().filter_map(|peer| peer.standing.as_ref()?.held).max();
    if let Some(theirs) = highest {
        t.m.durable.known = t.m.durable.known.max(theirs);
    }
    match t.m.durable.held {
        Some(mine) if mine >= t.m.durable.known => {
            reply(t);
            begin_serving(t);
        }
        Some(_) => stand_down(t),
        None => {
            reply(t);
            if nobody_holds(t) {
                t.raise(Alert::Orphaned);
            }
            crate::standby::enter(t);
        }
    }
}

/// Everybody was heard, and nobody holds the service or has released it to somebody.
pub(crate) fn nobody_holds(t: &Turn) -> bool {
    // What a peer said when it connected may have passed: nobody serves under a term below one that was held since.
    let known = t.m.durable.known;
    let idle = |peer: &crate::machine::Peer| {
        peer.standing.as_ref().is_some_and(|s| {
            s.held.is_none_or(|held| held < known) && s.grant.as_ref().is_none_or(|grant| grant.new_term <= known)
        })
    };
    t.m.durable.held.is_none() && t.m.durable.grant.is_none() && t.m.synced() && t.m.peers.values().all(idle)
}

/// Makes the server serve under the held term.
pub(crate) fn begin_serving(t: &mut Turn) {
    let Some(term) = t.m.durable.held else { return };
    t.stop_timers(&[
        TimerName::Observe,
        TimerName::Silence,
        TimerName::Hold,
        TimerName::Offer,
        TimerName::Retry,
        TimerName::Undo,
    ]);
    t.m.durable.stay_down = None;
    t.m.ready = false;
    t.become_role(Role::Activating(Activation {
        step: ActivationStep::Serve,
        failures: 0,
    }));
    t.abandon();
    t.actions.push(Action::Fence(term));
    serve(t, term);
    let every = t.m.plan.timing.stay_down;
    t.start_timer(TimerName::StayDown, every);
}

pub(crate) fn serve(t: &mut Turn, term: Term) {
    let round = t.m.durable.tenure.as_ref().and_then(|tenure| tenure.round);
    t.work(Work::Serve { term, round });
    let bound = t.m.plan.timing.serve;
    t.start_timer(TimerName::Serve, bound);
}

pub(crate) fn stop_holder_timers(t: &mut Turn) {
    t.stop_timers(&[
        TimerName::Diagnosis,
        TimerName::Answer,
        TimerName::Retry,
        TimerName::ShutdownWithin,
        TimerName::Drain,
        TimerName::Extension,
        TimerName::Compilation,
        TimerName::CompilationResend,
        TimerName::Stop,
        TimerName::Release,
        TimerName::Serve,
        TimerName::StayDown,
        TimerName::Giveback,
        TimerName::Overlap,
    ]);
}
