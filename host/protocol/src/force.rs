//! The forced takeover: an operator vouches that some hosts are stopped, every other one must promise a term. The
//! service's first start is the same, with fresh hosts promising (PROTOCOL, "Forced takeover").
//!
//! Invariants: a forcer serves only after everybody was listed or has promised in its current boot; nobody promises
//! while a server runs for a move; of two forcers the later wins (its term says when), and terms are unique by host; a
//! forcer that restarts has forgotten.

use std::collections::BTreeSet;

use crate::role::{Force, Role};
use crate::turn::Turn;
use crate::{FenceRefusal, HostName, Message, Order, Refusal, Tenure, Term, TimerName, overlap, sync, undo};

fn highest_known(t: &Turn) -> Term {
    let durable = &t.m.durable;
    let granted = durable.grant.as_ref().map_or(Term::NONE, |grant| grant.new_term);
    let peers = t.m.peers.values().filter_map(|peer| peer.standing.as_ref());
    let theirs = peers
        .map(|s| s.known.max(s.promised).max(s.held.unwrap_or_default()))
        .max()
        .unwrap_or_default();
    durable.known.max(durable.promised).max(granted).max(theirs)
}

/// The highest term anybody is known to have held; a promise alone was never held.
fn highest_held(t: &Turn) -> Term {
    let peers = t.m.peers.values().filter_map(|peer| peer.standing.as_ref());
    peers
        .map(|s| s.known.max(s.held.unwrap_or_default()))
        .max()
        .unwrap_or_default()
        .max(t.m.durable.known)
}

fn objection(t: &Turn) -> Option<Refusal> {
    let (stopped, bootstrap, stays_down) = match t.order()? {
        Order::Force {
            stopped,
            override_stay_down,
            ..
        } => (stopped.clone(), false, !override_stay_down),
        Order::Bootstrap { .. } => (Vec::new(), true, true),
        _ => return None,
    };
    if let Some(order) = &t.m.durable.stay_down
        && order.phase == crate::DownPhase::Faulty
        && stays_down
    {
        let fault = order.fault.clone();
        return Some(Refusal::StayingDown { fault });
    }
    let known = highest_held(t);
    if bootstrap && known > Term::NONE {
        return Some(Refusal::AlreadyBootstrapped { known });
    }
    if let Some(host) = stopped.iter().find(|host| !t.m.peers.contains_key(*host)) {
        return Some(Refusal::NotACandidate { host: host.clone() });
    }
    if let Some(host) = stopped
        .iter()
        .find(|host| t.m.peers.get(*host).is_some_and(|peer| peer.connected))
    {
        return Some(Refusal::Alive { host: host.clone() });
    }
    let missing: Vec<HostName> = unlisted(t, &stopped).filter(|host| !is_live(t, host)).collect();
    (!missing.is_empty()).then_some(Refusal::NotHeard { hosts: missing })
}

fn is_live(t: &Turn, host: &HostName) -> bool {
    t.m.peers.get(host).is_some_and(|peer| peer.connected && peer.heard)
}

fn unlisted<'t>(t: &'t Turn, stopped: &'t [HostName]) -> impl Iterator<Item = HostName> + 't {
    t.m.plan.others().filter(|host| !stopped.contains(host)).cloned()
}

pub(crate) fn objects(t: &Turn) -> bool {
    objection(t).is_some()
}

pub(crate) fn refuse_order(t: &mut Turn) {
    if let Some(refusal) = objection(t) {
        t.answer(Err(refusal));
    }
}

pub(crate) fn begin(t: &mut Turn) {
    let Some(order) = t.order().cloned() else { return };
    let ordinal = t.m.plan.ordinal();
    let (term, stopped, bootstrap) = match &order {
        Order::Bootstrap { by, at, .. } => {
            t.note(format_args!("first start, by {by}"));
            // Nobody knows any term yet: small ones, unique by host; unless an attempt has left a promise behind.
            let term = match highest_known(t) {
                Term::NONE => Term(u64::from(ordinal) + 1),
                promised => Term::forced_above(promised, ordinal, *at),
            };
            (term, BTreeSet::new(), true)
        }
        Order::Force {
            stopped,
            by,
            reason,
            at,
            ..
        } => {
            let names: Vec<_> = stopped.iter().map(HostName::as_str).collect();
            if let Some(order) = &t.m.durable.stay_down {
                let text = format!("the order to stay down for {} is overridden", order.fault);
                t.note(text);
            }
            let vouched = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            t.note(format_args!("{by} vouches that these are stopped: {vouched}; {reason}"));
            (
                Term::forced_above(highest_known(t), ordinal, *at),
                stopped.iter().cloned().collect(),
                false,
            )
        }
        _ => return,
    };
    t.stop_timers(&[
        TimerName::Release,
        TimerName::Offer,
        TimerName::Assessment,
        TimerName::Retry,
        TimerName::Drain,
        TimerName::Compilation,
        TimerName::CompilationResend,
        TimerName::Stop,
        TimerName::ShutdownWithin,
        TimerName::Undo,
    ]);
    t.become_role(Role::Forcing(Force {
        term,
        stopped,
        acked: BTreeSet::new(),
        bootstrap,
        order,
    }));
    let bound = t.m.plan.timing.fence;
    t.start_timer(TimerName::Fence, bound);
    send_fences(t);
    if complete(t) {
        win(t);
    }
}

fn send_fences(t: &mut Turn) {
    let Role::Forcing(force) = t.m.role.clone() else { return };
    let stopped: Vec<HostName> = force.stopped.iter().cloned().collect();
    let ask: Vec<HostName> = unlisted(t, &stopped).collect();
    for host in ask {
        let fence = Message::Fence {
            term: force.term,
            stopped: stopped.clone(),
            bootstrap: force.bootstrap,
        };
        t.send(&host, fence);
    }
}

fn force<'t>(t: &'t Turn) -> Option<&'t Force> {
    match &t.m.role {
        Role::Forcing(force) => Some(force),
        _ => None,
    }
}

fn complete(t: &Turn) -> bool {
    force(t).is_some_and(|force| {
        t.m.plan
            .others()
            .all(|host| force.stopped.contains(host) || force.acked.contains(host))
    })
}

fn answer_term(t: &Turn) -> Option<Term> {
    match t.received()?.1 {
        Message::FenceAck { term } | Message::FenceRefused { term, .. } => Some(*term),
        _ => None,
    }
}

pub(crate) fn answer_is_current(t: &Turn) -> bool {
    force(t).map(|force| force.term) == answer_term(t)
}

pub(crate) fn note_ack(t: &mut Turn) {
    let Some((from, _)) = t.received() else { return };
    if let Role::Forcing(force) = &mut t.m.role {
        force.acked.insert(from.clone());
    }
    if complete(t) {
        win(t);
    }
}

/// Everybody is stopped or has promised: the term is this host's.
fn win(t: &mut Turn) {
    let Role::Forcing(force) = t.m.role.clone() else { return };
    t.note(format_args!("term {}", force.term));
    t.stop_timers(&[TimerName::Fence]);
    t.m.durable.adopted = true;
    t.m.durable.known = force.term;
    t.m.durable.held = Some(force.term);
    t.m.durable.grant = None;
    // What an offer had made ready is used now.
    t.m.durable.begun = None;
    t.m.durable.tenure = Some(Tenure {
        from: None,
        round: None,
        served: false,
        resolved: true,
        overlaps: false,
    });
    t.answer_order(force.order, Ok(()));
    sync::begin_serving(t);
}

/// Ends an attempt: the host is again what its records say.
fn give_up(t: &mut Turn, refusal: Refusal) {
    let Role::Forcing(force) = t.m.role.clone() else { return };
    t.stop_timers(&[TimerName::Fence]);
    t.answer_order(force.order, Err(refusal));
    back_to_records(t);
}

fn back_to_records(t: &mut Turn) {
    if !t.m.durable.adopted {
        t.become_role(Role::Fresh);
    } else if overlap::has_yielded(t) {
        overlap::enter_again(t, false);
    } else if t.m.durable.grant.is_some() {
        crate::holder::enter_released(t);
    } else if t.m.synced() {
        // Somebody who has just been promised a term will soon hold it: no reason to call the service orphaned.
        if t.m.durable.held.is_some() {
            sync::settle_after_sync(t)
        } else {
            crate::standby::enter(t)
        }
    } else {
        t.become_role(Role::Unsynced);
    }
}

pub(crate) fn lose(t: &mut Turn) {
    if let Some((host, Message::FenceRefused { reason, .. })) = t.received() {
        // The operator's next attempt exceeds what this one ran into.
        if let (FenceRefusal::Promised(term) | FenceRefusal::Granted(term), Some(standing)) =
            (reason, t.m.peers.get_mut(host).and_then(|peer| peer.standing.as_mut()))
        {
            standing.promised = standing.promised.max(*term);
        }
        give_up(
            t,
            Refusal::FenceRefused {
                host: host.clone(),
                because: *reason,
            },
        );
    }
}

pub(crate) fn give_up_waiting(t: &mut Turn) {
    let missing = force(t).map(|force| {
        let known = |host: &&HostName| !force.stopped.contains(*host) && !force.acked.contains(*host);
        t.m.plan.others().filter(known).cloned().collect::<Vec<_>>()
    });
    give_up(
        t,
        Refusal::NotHeard {
            hosts: missing.unwrap_or_default(),
        },
    );
}

pub(crate) fn cancel(t: &mut Turn) {
    t.answer(Ok(()));
    give_up(
        t,
        Refusal::Cancelled {
            because: crate::Cancel::Operator,
        },
    );
}

/// A listed host is alive, or one that promised has restarted and forgotten.
pub(crate) fn hello_disturbs(t: &Turn) -> bool {
    let (Some(force), Some((from, Message::Hello(_)))) = (force(t), t.received()) else {
        return false;
    };
    force.stopped.contains(from) || force.acked.contains(from)
}

pub(crate) fn disturbed(t: &mut Turn) {
    sync::reply(t);
    if let Some((host, _)) = t.received() {
        give_up(t, Refusal::Alive { host: host.clone() });
    }
}

// ---- being fenced ---------------------------------------------------------------------------------------------------

fn fence<'t>(t: &Turn<'t>) -> Option<(&'t HostName, Term, &'t [HostName], bool)> {
    match t.received() {
        Some((
            from,
            Message::Fence {
                term,
                stopped,
                bootstrap,
            },
        )) => Some((from, *term, stopped, *bootstrap)),
        _ => None,
    }
}

fn fence_objection(t: &Turn) -> Option<FenceRefusal> {
    let (from, term, stopped, bootstrap) = fence(t)?;
    let durable = &t.m.durable;
    let completes = overlap::has_yielded(t) && !overlap::is_down(t);
    if completes || undo::of_second(t).is_some() {
        return Some(FenceRefusal::StillServing);
    }
    if let Some(held) = durable.held {
        return Some(FenceRefusal::Holds(held));
    }
    // Terms are unique by host: the same one again is the same host's.
    if durable.promised > term || durable.known >= term {
        return Some(FenceRefusal::Promised(durable.promised.max(durable.known)));
    }
    if let Some(force) = force(t)
        && force.term > term
    {
        return Some(FenceRefusal::Promised(force.term));
    }
    if let Some(grant) = &durable.grant
        && (grant.new_term > term || !(stopped.contains(&grant.to) || grant.to == *from))
    {
        return Some(FenceRefusal::Granted(grant.new_term));
    }
    if bootstrap {
        return (durable.known > Term::NONE).then_some(FenceRefusal::Promised(durable.known));
    }
    if !durable.adopted {
        return Some(FenceRefusal::Fresh);
    }
    // The hosts that the operator vouches for need not be heard; they can't be.
    let unheard = t.m.unheard().into_iter().any(|host| !stopped.contains(&host));
    unheard.then_some(FenceRefusal::NotSynced)
}

pub(crate) fn fence_is_acceptable(t: &Turn) -> bool {
    fence_objection(t).is_none()
}

pub(crate) fn promise(t: &mut Turn) {
    let Some((from, term, _, _)) = fence(t) else { return };
    if let Role::Forcing(force) = t.m.role.clone() {
        let because = FenceRefusal::Promised(term);
        t.answer_order(
            force.order,
            Err(Refusal::FenceRefused {
                host: from.clone(),
                because,
            }),
        );
    }
    t.note(format_args!("term {term} to {from}"));
    t.stop_timers(&[
        TimerName::Fence,
        TimerName::Release,
        TimerName::Offer,
        TimerName::Assessment,
        TimerName::Compilation,
        TimerName::CompilationResend,
    ]);
    t.m.durable.promised = term;
    t.m.durable.adopted = true;
    t.m.durable.grant = None;
    t.abandon();
    t.actions.push(crate::Action::Fence(term));
    t.send(from, Message::FenceAck { term });
    back_to_records(t);
}

pub(crate) fn refuse_fence(t: &mut Turn) {
    let (Some((from, term, _, _)), Some(reason)) = (fence(t), fence_objection(t)) else {
        return;
    };
    t.note(format_args!("{from}: {reason}"));
    t.send(from, Message::FenceRefused { term, reason });
}

/// This host got ready for another that is listed as stopped.
pub(crate) fn must_make_way(t: &Turn) -> bool {
    let vouched = |host: &HostName| fence(t).is_some_and(|(_, _, stopped, _)| stopped.contains(host));
    undo::of_second(t).is_some() && undo::would_wait_for(t).all(vouched)
}

pub(crate) fn refuse_fence_and_make_way(t: &mut Turn) {
    refuse_fence(t);
    undo::make_way(t);
}
