//! Who may ask the holder to move the service, and the automatic giveback.
//!
//! Invariant: a refusal says why and what would change it; only the holder turns a wish into a round.

use std::collections::BTreeSet;

use super::ask::{next_candidate, open_round};
use super::parked_state;

use crate::turn::Turn;
use crate::{Alert, Cause, Giveback, HostName, Message, Order, Refusal, TimerName};

/// What an operator's order, or a peer's request, asks the holder for.
fn wanted(t: &Turn) -> Option<(Cause, Option<HostName>)> {
    match (t.order(), t.received()) {
        (
            Some(Order::TakeOver {
                to,
                by,
                reason,
                override_vetoes,
            }),
            _,
        ) => Some((
            Cause::Requested {
                by: by.clone(),
                reason: reason.clone(),
                override_vetoes: *override_vetoes,
            },
            to.clone(),
        )),
        (
            Some(Order::Giveback {
                by,
                reason,
                override_vetoes,
            }),
            _,
        ) => Some((
            Cause::Giveback {
                by: by.clone(),
                reason: reason.clone(),
                override_vetoes: *override_vetoes,
            },
            Some(t.m.plan.home().clone()),
        )),
        (_, Some((_, Message::TakeoverAsked { to, cause }))) => Some((cause.clone(), Some(to.clone()))),
        _ => None,
    }
}

/// Why the holder will not open the wanted round.
fn objection(t: &Turn) -> Option<Refusal> {
    let (cause, to) = wanted(t)?;
    let me = &t.m.plan.me;
    if crate::overlap::overlaps(t) {
        return Some(Refusal::UnderWay { role: "overlapping" });
    }
    if matches!(cause, Cause::Giveback { .. }) {
        let home = t.m.plan.home().clone();
        if home == *me {
            return Some(Refusal::AtHome { home });
        }
        if let Some(because) = not_ready(t, &home) {
            return Some(Refusal::HomeNotReady { home, because });
        }
    }
    if let Some(round) = crate::candidate::unresolved(t).filter(|_| !cause.overrides_vetoes()) {
        return Some(Refusal::CompilationUnresolved { round });
    }
    match to {
        Some(host) if host == *me => Some(Refusal::AlreadyActive),
        Some(host) if !t.m.plan.candidates.contains(&host) => Some(Refusal::NotACandidate { host }),
        Some(host) if next_candidate(t, Some(&host), &BTreeSet::new()).is_none() => {
            Some(Refusal::NotHeard { hosts: vec![host] })
        }
        None if t.m.plan.others().next().is_none() => Some(Refusal::NobodyElse),
        None if next_candidate(t, None, &BTreeSet::new()).is_none() => Some(Refusal::NotHeard {
            hosts: t.m.plan.others().cloned().collect(),
        }),
        _ => None,
    }
}

pub(super) fn not_ready(t: &Turn, host: &HostName) -> Option<String> {
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
    if let Cause::Requested { by, reason, .. } = &cause {
        t.note(format_args!("{by}: {reason}"));
    }
    t.answer(Ok(()));
    let parked = parked_state(t);
    open_round(t, cause, to, BTreeSet::new(), parked);
}

// ---- automatic giveback --------------------------------------------------------------------------------
pub(crate) fn home_is_ready(t: &Turn) -> bool {
    let home = t.m.plan.home();
    matches!(t.m.plan.giveback, Giveback::Auto { .. }) && *home != t.m.plan.me && not_ready(t, home).is_none()
}

pub(crate) fn plan_giveback(t: &mut Turn) {
    let Giveback::Auto { delay, attempts } = t.m.plan.giveback else {
        return;
    };
    if t.m.durable.givebacks >= attempts {
        t.raise(Alert::GivebacksExhausted { attempts });
    } else if !t.m.timers.runs(TimerName::Giveback) {
        t.start_timer(TimerName::Giveback, delay);
    }
}

pub(crate) fn give_back(t: &mut Turn) {
    t.m.durable.givebacks += 1;
    let home = t.m.plan.home().clone();
    open_round(
        t,
        Cause::Giveback {
            by: crate::guard::POLICY.to_owned(),
            reason: "home is ready again".to_owned(),
            override_vetoes: false,
        },
        Some(home),
        BTreeSet::new(),
        None,
    );
}
