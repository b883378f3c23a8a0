//! Holding the term with a stopped server: down in order with nobody to take over, or a server that can't be started.
//!
//! Invariant: a parked host always runs its retry timer: it looks for somebody who can serve, or tries itself again.

use std::collections::BTreeSet;

use super::ask::open_round;
use super::drain::drain;
use super::orders::not_ready;
use crate::role::{Parked, Role};
use crate::turn::Turn;
use crate::{Alert, Cause, Fault, FaultKind, Severity, StopPurpose, TimerName, Verdict, Work};

pub(crate) fn park(t: &mut Turn) {
    let Some(drain) = drain(t).cloned() else { return };
    t.stop_timers(&[TimerName::Stop, TimerName::ShutdownWithin]);
    t.round = Some(drain.round);
    t.become_role(Role::Parked(Parked {
        cause: drain.cause,
        kept: Some(drain.round),
        start_failed: false,
        declined: false,
    }));
    t.start_retry();
}

pub(crate) fn park_unstartable(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.raise(Alert::ServeFails { error: error.clone() });
    t.stop_timers(&[TimerName::ShutdownWithin, TimerName::Serve]);
    t.abandon();
    let fault = Fault {
        code: "serve-failed".to_owned(),
        kind: FaultKind::Software,
        severity: Severity::ShutdownRequired,
        message: error,
        shutdown_within: None,
        evidence: Vec::new(),
    };
    if crate::overlap::overlaps(t) {
        // The first sends new clients here already: what they have begun is listed before the server is stopped.
        return super::ask::drain_alone(t, fault);
    }
    t.work(Work::StopServer {
        purpose: StopPurpose::Park,
        forced: true,
    });
    if let Some(term) = t.m.durable.held {
        t.work(Work::DropAddress { term });
    }
    let kept = t.m.durable.tenure.as_ref().and_then(|tenure| tenure.round);
    t.become_role(Role::Parked(Parked {
        cause: Cause::Fault(fault),
        kept,
        start_failed: true,
        declined: false,
    }));
    t.start_retry();
}

pub(crate) fn may_ask_the_ready(t: &Turn) -> bool {
    somebody_is_ready(t) && !crate::guard::withheld(t)
}

pub(crate) fn somebody_is_ready(t: &Turn) -> bool {
    let my_turn = matches!(&t.m.role, Role::Parked(parked) if parked.start_failed && parked.declined);
    !my_turn && t.m.plan.others().any(|host| not_ready(t, host).is_none())
}

/// The fault is gone, by what the probes say: they say it once, and may have said it before the server was down.
pub(crate) fn fault_is_gone(t: &Turn) -> bool {
    t.m.verdict == Verdict::Healthy && !start_failed(t)
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
