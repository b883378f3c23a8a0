//! The probes of one service: one task each, checking at their interval for as long as the daemon runs.
//!
//! Invariants: a probe that hangs, traps or floods is `unknown` with evidence and delays nobody else; an answer that
//! was asked for under another expectation than the present one is thrown away; the driver hears of changes only.

mod health;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};
use understudy_protocol::{Event, Fault, Verdict};
use understudy_runtime::{BreakerState, CallContext, CallFailure, Reading, Report, SavedState};

use crate::driver::Input;
use crate::edges::Named;
use crate::effects::Context;
use crate::effects::lock;
pub(crate) use health::Counts;
use health::Opinion;

/// How long the probes get for a diagnosis: less than the machine waits for one.
const DIAGNOSIS: Duration = Duration::from_millis(1500);

/// How the probes of a service are run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProbeSettings {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) counts: Counts,
}

/// What one probe saw last.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) plugin: Named,
    pub(crate) opinion: Opinion,
    pub(crate) checked_at_ms: Option<i64>,
    pub(crate) took: Option<Duration>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) readings: Vec<Reading>,
    pub(crate) error: Option<String>,
    pub(crate) breaker: Option<BreakerState>,
}

impl Seen {
    pub(crate) fn nothing(plugin: Named) -> Self {
        Seen {
            plugin,
            opinion: Opinion::none(),
            checked_at_ms: None,
            took: None,
            faults: Vec::new(),
            readings: Vec::new(),
            error: None,
            breaker: None,
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.opinion.verdict()
    }
}

/// Starts one task for each probe; each ends with its handle.
pub(crate) fn start(context: &Arc<Context>) -> impl Iterator<Item = AbortOnDropHandle<()>> {
    let places = 0..context.parts.probes.len();
    places.map(|place| AbortOnDropHandle::new(tokio::spawn(watch(context.clone(), place))))
}

async fn watch(context: Arc<Context>, place: usize) {
    let clock = &context.parts.clock;
    let mut next = clock.now();
    let mut stance = context.stance.clone();
    let mut expected = stance.borrow().expected;
    let mut state = None;
    loop {
        tokio::select! {
            biased;
            () = clock.until(next) => next = clock.now() + lock(&context.probing).interval,
            changed = stance.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = stance.borrow_and_update().expected;
                if now == expected {
                    continue;
                }
                expected = now;
                forget(&context, place);
            }
        }
        let Some(asked) = expected else { continue };
        let begun = Instant::now();
        let answer = check(&context, place, state.clone()).await;
        if context.stance.borrow().expected != Some(asked) {
            debug!(service = %context.parts.service, "a check's answer came too late for what is expected now");
            continue;
        }
        if let Ok(Report { state: Some(kept), .. }) = &answer {
            state = Some(kept.clone());
        }
        note(&context, place, begun.elapsed(), answer).await;
    }
}

fn forget(context: &Context, place: usize) {
    if let Some(seen) = lock(&context.seen).get_mut(place) {
        seen.opinion = Opinion::none();
    }
    *lock(&context.told) = None;
}

async fn check(context: &Context, place: usize, state: Option<SavedState>) -> Result<Report, CallFailure> {
    let stance = context.stance.borrow().clone();
    let expected = stance.expected.unwrap_or(understudy_runtime::Expectation::Serving);
    let timeout = lock(&context.probing).timeout;
    let mut call = CallContext::new(stance.term, expected, timeout);
    call.state = state;
    if let Some(active) = stance.active.filter(|host| *host != context.parts.me) {
        call.attributes.push(("active-host".to_owned(), active.to_string()));
    }
    context.parts.probes[place].check(call).await
}

/// Takes an answer in, and tells the driver when the opinion of all probes together has changed.
async fn note(context: &Context, place: usize, took: Duration, answer: Result<Report, CallFailure>) {
    let together = {
        let mut all = lock(&context.seen);
        if let Some(seen) = all.get_mut(place) {
            seen.checked_at_ms = Some(context.parts.clock.wall_ms());
            seen.took = Some(took);
            seen.breaker = Some(context.parts.probes[place].breaker(&context.parts.service));
            take(seen, context, answer);
        }
        // Before every probe has come to an opinion there is nothing to tell.
        if all.iter().any(|seen| !seen.opinion.is_formed()) {
            return;
        }
        health::together(all.iter().map(|seen| &seen.opinion))
    };
    let key = (
        together.0,
        together.1.as_ref().map(|fault| (fault.code.clone(), fault.severity)),
    );
    let changed = {
        let mut told = lock(&context.told);
        let changed = told.as_ref() != Some(&key);
        *told = Some(key);
        changed
    };
    if changed {
        record(context, &together).await;
        context
            .report(Event::Health {
                verdict: together.0,
                fault: together.1,
            })
            .await;
    } else {
        let _ = context.parts.inputs.try_send(Input::Shown);
    }
}

fn take(seen: &mut Seen, context: &Context, answer: Result<Report, CallFailure>) {
    let counts = lock(&context.probing).counts;
    match answer {
        Ok(report) => {
            seen.opinion.take(counts, report.verdict, health::worst(&report.faults));
            seen.faults = report.faults;
            seen.readings = report.readings;
            seen.error = None;
        }
        Err(failure) => {
            warn!(service = %context.parts.service, plugin = seen.plugin.name, code = failure.code(), %failure,
                "a probe could not find out: unknown");
            seen.opinion.take(counts, Verdict::Unknown, None);
            seen.faults = Vec::new();
            seen.error = Some(describe(&failure));
        }
    }
}

fn describe(failure: &CallFailure) -> String {
    let evidence: Vec<_> = failure
        .evidence()
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if evidence.is_empty() {
        failure.to_string()
    } else {
        format!("{failure} ({})", evidence.join(", "))
    }
}

async fn record(context: &Context, (verdict, fault): &(Verdict, Option<Fault>)) {
    let parts = &context.parts;
    let recorded = match fault {
        Some(fault) => {
            parts
                .store
                .record_fault(&parts.service, &parts.me, fault, *verdict, parts.clock.wall_ms())
                .await
        }
        None => {
            parts
                .store
                .end_faults(&parts.service, &parts.me, parts.clock.wall_ms())
                .await
        }
    };
    if let Err(error) = recorded {
        warn!(service = %parts.service, %error, "a fault could not be recorded");
    }
}

/// All probes once more, now: the same fault with fresh evidence, and what the others say.
pub(crate) async fn diagnose(context: &Context, known: &Fault) -> Fault {
    let checks = (0..context.parts.probes.len()).map(|place| async move {
        let name = context.parts.probes[place].named().name;
        (
            name,
            context.parts.clock.within(DIAGNOSIS, check(context, place, None)).await,
        )
    });
    let mut fault = known.clone();
    for (name, answer) in futures_util::future::join_all(checks).await {
        match answer {
            Some(Ok(report)) => {
                if let Some(fresh) = report.faults.iter().find(|found| found.code == known.code) {
                    fault = fresh.clone();
                }
                let others = report.faults.iter().filter(|found| found.code != known.code);
                fault
                    .evidence
                    .extend(others.map(|other| (format!("also.{}", other.code), other.message.clone())));
            }
            Some(Err(failure)) => fault.evidence.push((format!("probe.{name}"), failure.to_string())),
            None => fault
                .evidence
                .push((format!("probe.{name}"), format!("no answer within {DIAGNOSIS:?}"))),
        }
    }
    fault
}
