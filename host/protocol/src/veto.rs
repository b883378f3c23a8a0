//! Vetoes: what speaks against taking a service over, where it comes from, and whether an operator may pass over it.
//!
//! Invariants: a hard veto is about safety (who may hold the token, what is durable) and nobody passes over it; a soft
//! one is about how well it would go, and an operator may, in their name and with a reason. What nobody ordered passes
//! over nothing. A candidate that objects says everything it objects to, not the first thing.

use crate::turn::Turn;
use crate::{Cause, Decline, Giveback, Message, Verdict, guard};

impl Decline {
    /// Whether no operator may pass over it.
    pub fn is_hard(&self) -> bool {
        match self {
            Decline::Fresh
            | Decline::NotSynced { .. }
            | Decline::StayingDown { .. }
            | Decline::Busy
            | Decline::StoreFailing
            | Decline::AssessmentFailed { .. }
            | Decline::AssessmentTimedOut { .. }
            | Decline::NotWarm { .. }
            | Decline::Unfamiliar => true,
            Decline::ServerFailing { .. }
            | Decline::ServerUnknown
            | Decline::TooManyAttempts { .. }
            | Decline::Paused { .. } => false,
            Decline::Plugin(refusal) => refusal.hard,
            Decline::Several(reasons) => reasons.iter().any(Decline::is_hard),
        }
    }

    /// Where it comes from: `probe`, `plugin`, `operator` or `protocol`.
    pub fn source(&self) -> &'static str {
        match self {
            Decline::ServerFailing { .. } | Decline::ServerUnknown => "probe",
            Decline::Plugin(_) => "plugin",
            Decline::Paused { .. } => "operator",
            Decline::AssessmentTimedOut { .. }
            | Decline::NotWarm { .. }
            | Decline::AssessmentFailed { .. }
            | Decline::StayingDown { .. }
            | Decline::NotSynced { .. }
            | Decline::Fresh
            | Decline::TooManyAttempts { .. }
            | Decline::Busy
            | Decline::StoreFailing
            | Decline::Several(_)
            | Decline::Unfamiliar => "protocol",
        }
    }
}

impl Cause {
    /// Whether an operator passes over soft vetoes.
    pub fn overrides_vetoes(&self) -> bool {
        match self {
            Cause::Fault(_) => false,
            Cause::Requested { override_vetoes, .. } | Cause::Giveback { override_vetoes, .. } => *override_vetoes,
        }
    }
}

fn reported<'t>(t: &Turn<'t>) -> Option<&'t Cause> {
    match t.received() {
        Some((_, Message::FaultReported { cause, .. })) => Some(cause),
        _ => None,
    }
}

/// Everything that speaks against beginning to assess.
fn vetoes(t: &Turn) -> Vec<Decline> {
    let durable = &t.m.durable;
    if !durable.adopted {
        return vec![Decline::Fresh];
    }
    let mut vetoes = Vec::new();
    if !t.m.synced() {
        let missing = t.m.unheard();
        vetoes.push(Decline::NotSynced { missing });
    }
    if let Some(order) = &durable.stay_down {
        let fault = order.fault.clone();
        vetoes.push(Decline::StayingDown { fault });
    }
    if let Some(cause) = reported(t) {
        vetoes.extend(too_many_givebacks(t, cause));
        vetoes.extend(guard::objection(t, cause));
    }
    match (t.m.verdict, &t.m.fault) {
        (Verdict::Failing, Some(fault)) => vetoes.push(Decline::ServerFailing {
            fault: fault.code.clone(),
            message: fault.message.clone(),
        }),
        (Verdict::Failing, None) | (Verdict::Unknown, _) => vetoes.push(Decline::ServerUnknown),
        (Verdict::Healthy | Verdict::Impaired, _) => {}
    }
    vetoes
}

fn too_many_givebacks(t: &Turn, cause: &Cause) -> Option<Decline> {
    let Giveback::Auto { attempts, .. } = t.m.plan.giveback else {
        return None;
    };
    let used_up = matches!(cause, Cause::Giveback { .. }) && cause.is_automatic() && t.m.durable.givebacks >= attempts;
    used_up.then_some(Decline::TooManyAttempts {
        attempts: t.m.durable.givebacks,
    })
}

fn one(mut vetoes: Vec<Decline>) -> Option<Decline> {
    if vetoes.len() > 1 {
        return Some(Decline::Several(vetoes));
    }
    vetoes.pop()
}

/// Why this host can't even begin to assess.
pub(crate) fn objection(t: &Turn) -> Option<Decline> {
    let insists = reported(t).is_some_and(Cause::overrides_vetoes);
    let all = vetoes(t);
    if insists && !all.iter().any(Decline::is_hard) {
        return None;
    }
    one(all)
}

/// What an operator passes over.
pub(crate) fn overridden(t: &Turn) -> Option<Decline> {
    reported(t).filter(|cause| cause.overrides_vetoes())?;
    one(vetoes(t))
}
