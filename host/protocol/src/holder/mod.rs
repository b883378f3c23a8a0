//! The holder's side: opening rounds, draining, releasing, and keeping the others down.
//!
//! ```text
//!  active ──fault──► asking ──ShutdownCommanded──► draining ──server stopped──► stopped ──address dropped──► released
//!    ▲                  │ declined, silent            │ abort                      │
//!    └──────────────────┴────────────────────────────┴── before the release every error means: resume
//! ```
//!
//! Here: what the probes say of a serving host, and what it says to the others as long as it holds the term. The
//! parts of a round have a file each: `orders` (who may ask for one), `ask`, `drain`, `release`, and `parked` for a
//! holder whose server is down.
//!
//! Invariants: only the holder opens rounds; the round counter is durable before a round's first message; the release
//! needs the matching `CompilationStored`, a stopped server and a dropped address, in this order.

mod ask;
mod drain;
mod orders;
mod parked;
mod release;

pub(crate) use ask::*;
pub(crate) use drain::*;
pub(crate) use orders::*;
pub(crate) use parked::*;
pub(crate) use release::*;

use crate::role::{Parked, Role};
use crate::turn::Turn;
use crate::{Alert, Fault, FaultKind, Message, OnUnknown, Refusal, Severity, TimerName, Verdict};

// ---- what the probes say --------------------------------------------------------------------------------------
pub(crate) fn shutdown_required(t: &Turn) -> bool {
    t.m.verdict == Verdict::Failing
        && t.m
            .fault
            .as_ref()
            .is_some_and(|f| f.severity == Severity::ShutdownRequired)
}

/// A new fault; while the candidates are not to be asked again yet, an old one is no news.
pub(crate) fn must_ask(t: &Turn) -> bool {
    shutdown_required(t) && !t.m.timers.runs(TimerName::Retry)
}

pub(crate) fn unknown_means_takeover(t: &Turn) -> bool {
    t.m.plan.on_unknown == OnUnknown::TakeOver && !t.m.timers.runs(TimerName::Retry)
}

/// Whether the service should move away from here, by what the probes say now.
pub(crate) fn move_required(t: &Turn) -> bool {
    shutdown_required(t) || (t.m.verdict == Verdict::Unknown && t.m.plan.on_unknown == OnUnknown::TakeOver)
}

/// When the fault says that the server must be down: counted from when it was first heard.
pub(crate) fn watch_shutdown_within(t: &mut Turn) {
    let within =
        t.m.fault
            .as_ref()
            .filter(|_| shutdown_required(t))
            .and_then(|fault| fault.shutdown_within);
    if let Some(within) = within
        && t.m.serves()
        && !t.m.timers.runs(TimerName::ShutdownWithin)
    {
        t.start_timer(TimerName::ShutdownWithin, within);
    }
}

/// The time has come, and the server still serves: a parked one is down already.
pub(crate) fn must_be_down(t: &Turn) -> bool {
    shutdown_required(t) && t.m.serves()
}

/// The time has come while the server is on its way down, or up: should it serve after all, it has come at once.
pub(crate) fn shut_down_next(t: &mut Turn) {
    let soon = t.m.plan.timing.release;
    t.start_timer(TimerName::ShutdownWithin, soon);
}

/// Serves again, or still. The probes say each thing once: what they said in the meantime is acted on from here.
pub(crate) fn serve_on(t: &mut Turn) {
    t.become_role(Role::Active);
    if t.m.verdict == Verdict::Healthy {
        t.clear(&["impaired", "unknown", "nobody-takes-over", "moves-withheld"]);
    }
    if shutdown_required(t) {
        watch_shutdown_within(t);
        if !t.m.timers.runs(TimerName::Retry) {
            t.start_retry();
        }
    }
}

/// The fault is gone while the server is on its way down, or up.
pub(crate) fn well_meanwhile(t: &mut Turn) {
    t.clear(&["impaired", "unknown", "nobody-takes-over", "moves-withheld"]);
    t.stop_timers(&[TimerName::ShutdownWithin]);
}

pub(crate) fn tell_impaired(t: &mut Turn) {
    watch_shutdown_within(t);
    if let Some(fault) = t.m.fault.clone() {
        t.note(format_args!("{}: {}", fault.code, fault.message));
        t.raise(Alert::Impaired(fault));
    }
}

pub(crate) fn tell_unknown(t: &mut Turn) {
    t.raise(Alert::Unknown);
}

pub(crate) fn well_again(t: &mut Turn) {
    t.clear(&["impaired", "unknown", "nobody-takes-over", "moves-withheld"]);
    t.stop_timers(&[TimerName::Retry, TimerName::ShutdownWithin]);
}

pub(super) fn current_fault(t: &Turn) -> Fault {
    t.m.fault.clone().unwrap_or_else(|| Fault {
        code: "unknown".to_owned(),
        kind: FaultKind::Other,
        severity: Severity::ShutdownRequired,
        message: "the probes do not know how the server is".to_owned(),
        shutdown_within: None,
        evidence: Vec::new(),
    })
}

// ---- keeping the others down ------------------------------------------------------------------------------------
pub(crate) fn repeat_stay_down(t: &mut Turn) {
    let Some(held) = t.m.durable.held else { return };
    t.send_all(&Message::StayDown { held });
    crate::guard::repeat(t, None);
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
    let Some((from, Message::Cured { fault })) = t.received() else {
        return;
    };
    let Some(held) = t.m.durable.held else { return };
    t.note(format_args!("{from}: {fault}"));
    t.send(from, Message::ComeBackPermitted { held });
}

pub(crate) fn refuse_holding(t: &mut Turn) {
    t.answer(Err(Refusal::AlreadyActive));
}

// ---- shared by the parts of a round -----------------------------------------------------------------------------

fn parked_state(t: &Turn) -> Option<Parked> {
    match &t.m.role {
        Role::Parked(parked) => Some(parked.clone()),
        Role::Asking(ask) => ask.parked.clone(),
        _ => None,
    }
}

/// A round has ended: what this host was before it, it is again.
fn go_on(t: &mut Turn, parked: Option<Parked>) {
    match parked {
        Some(parked) => {
            t.become_role(Role::Parked(Parked {
                declined: true,
                ..parked
            }));
            t.start_retry();
        }
        None => serve_on(t),
    }
}

impl Turn<'_> {
    fn start_retry(&mut self) {
        let after = self.m.plan.timing.retry;
        self.start_timer(TimerName::Retry, after);
    }
}
