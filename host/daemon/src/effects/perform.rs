//! What each piece of work means on this machine.

use std::time::Duration;

use tokio::sync::mpsc;
use understudy_protocol::{
    Cause, Disposition, Fault, FaultKind, Finish, HostName, Outcome, RoundId, Severity, StopPurpose, Term, Work,
};
use understudy_runtime::{Assessment, Manner, RequestPages, Status, Step};

use super::steps::{CALL, StepName, may_pass, pause};
use super::{Context, overlap};

/// How often the compilation is brought up to date while the server settles.
const LIST_EVERY: Duration = Duration::from_millis(250);
/// How long idle connections get to come to rest in one round of settling.
const QUIESCE: Duration = Duration::from_millis(200);
/// Pages on their way to or from the plugin.
const PAGES: usize = 2;

/// Does the work. Must be safe to drop at any await.
pub(super) async fn perform(context: &Context, work: &Work) -> Finish {
    context.must_end(
        if let Work::Settle { deadline, .. } | Work::EndFlows { deadline, .. } = work {
            Some(*deadline)
        } else {
            None
        },
    );
    let done = match work {
        Work::Diagnose { fault, .. } => return Finish::Diagnosed(crate::probes::diagnose(context, fault).await),
        Work::Assess { cause, .. } => return assess(context, cause).await,
        Work::Observe => return observe(context).await,
        Work::SealCompilation { round, to, kept } => return seal(context, *round, to.as_ref(), *kept).await,
        Work::PrepareYield { round, to } => overlap::prepare_yield(context, *round, to).await,
        Work::Redirect { to, .. } => overlap::redirect(context, to).await,
        Work::EndFlows { round, .. } => overlap::end_flows(context, work, *round).await,
        Work::Arm { from, .. } => overlap::arm(context, from).await,
        Work::WarmUp { .. } => {
            context
                .until_done(work, StepName::TakeOver, context.fencing_term())
                .await
        }
        Work::Disarm { .. } => text(context.parts.address.disarm().await),
        Work::Appear { from, .. } => overlap::appear(context, from).await,
        Work::StopAdmitting { round, to } => stop_admitting(context, work, *round, to.as_ref()).await,
        Work::Settle { round, .. } => settle(context, work, *round).await,
        Work::ResendCompilation { round, to } => context.resend(*round, to).await,
        Work::StopServer { forced, purpose } => {
            if *purpose == StopPurpose::Release && !*forced {
                // A dialogue whose answer had paused may have gone on since the drain.
                context.parts.address.quiesce(QUIESCE).await;
            }
            let manner = if *forced { Manner::Forced } else { Manner::Graceful };
            let stopped = context
                .until_done(work, StepName::ShutDown(manner), context.fencing_term())
                .await;
            match stopped {
                Ok(()) if !*forced => overlap::let_flows_end(context).await,
                stopped => stopped,
            }
        }
        Work::DropAddress { .. } => drop_address(context).await,
        Work::Resume { term } => resume(context, work, *term).await,
        Work::Serve { term, .. } => {
            context.succeeded_by(None);
            context.until_done(work, StepName::TakeOver, *term).await
        }
        Work::TakeAddress { .. } => take_address(context).await,
        Work::ResolveRequests { term, round } => resolve(context, *term, *round).await,
        Work::StandBy { .. } => {
            context
                .until_done(work, StepName::StandBy, context.fencing_term())
                .await
        }
        Work::Reboot { .. } => match &context.parts.reboot {
            Some(command) => command.run().await,
            None => Ok(()),
        },
        Work::StoreCompilation { .. } => Err("the ledger does this".to_owned()),
    };
    match done {
        Ok(()) => Finish::Done,
        Err(error) => Finish::Failed { error },
    }
}

/// What went wrong with the address, in words.
pub(super) fn text(result: Result<(), understudy_address::AddressError>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

async fn take_address(context: &Context) -> Result<(), String> {
    context.parts.address.take().await.map_err(|error| error.to_string())?;
    context.parts.mark.set();
    Ok(())
}

/// The mark goes first: a server whose mark is gone is never taken for one that still serves by right.
async fn drop_address(context: &Context) -> Result<(), String> {
    context.parts.mark.remove()?;
    context
        .parts
        .address
        .drop_address()
        .await
        .map_err(|error| error.to_string())
}

/// Asks the drain plugin whether its server can take over; it only looks.
pub(crate) async fn assess(context: &Context, cause: &Cause) -> Finish {
    let plugin = &context.parts.drain;
    let fault = cause_as_fault(cause);
    match plugin
        .assess(context.call(context.fencing_term(), 1, CALL), &fault)
        .await
    {
        Ok(Assessment::Can) => Finish::Assessed(None),
        Ok(Assessment::Cannot { refusal, .. }) => Finish::Assessed(Some(refusal)),
        Err(failure) => Finish::Failed {
            error: failure.to_string(),
        },
    }
}

/// Plugins are asked about faults only: an operator's wish is one of kind `operator`.
fn cause_as_fault(cause: &Cause) -> Fault {
    let (code, message) = match cause {
        Cause::Fault(fault) => return fault.clone(),
        Cause::Requested { by, reason, .. } => ("operator-request", format!("{by}: {reason}")),
        Cause::Giveback { by, .. } => ("giveback", format!("by {by}")),
    };
    Fault {
        code: code.to_owned(),
        kind: FaultKind::Operator,
        severity: Severity::ShutdownRequired,
        message,
        shutdown_within: None,
        evidence: Vec::new(),
    }
}

pub(super) async fn observe(context: &Context) -> Finish {
    let plugin = &context.parts.drain;
    match plugin.observe(context.call(context.fencing_term(), 1, CALL)).await {
        Ok(state) => Finish::Observed(state),
        Err(failure) => Finish::Failed {
            error: failure.to_string(),
        },
    }
}

async fn stop_admitting(context: &Context, work: &Work, round: RoundId, to: Option<&HostName>) -> Result<(), String> {
    context.succeeded_by(to);
    context.begin_compilation(round, to).await?;
    context.parts.address.hold().await.map_err(|error| error.to_string())?;
    // Listed before the server is told: whatever was accepted is written down, whatever comes later waits.
    context.update_compilation(round, to).await?;
    context
        .until_done(work, StepName::StopAdmitting, context.fencing_term())
        .await
}

/// Waits for what must finish, and keeps the compilation up to date meanwhile.
pub(super) async fn settle(context: &Context, work: &Work, round: RoundId) -> Result<(), String> {
    let to = match context.stance_second(round).await {
        Some(to) => to,
        None => return Err("the compilation of this round was not begun".to_owned()),
    };
    let (mut attempt, mut failures) = (0, 0);
    loop {
        attempt += 1;
        let quiet = context.parts.address.quiesce(QUIESCE).await;
        let under_way = context.update_compilation(round, to.as_ref()).await?;
        match context.step(StepName::Settle, context.fencing_term(), attempt).await {
            Ok(Step {
                status: Status::Done,
                state,
            }) => {
                context.keep(state).await;
                return Ok(());
            }
            Ok(Step {
                status:
                    Status::Working {
                        remaining,
                        blocker,
                        retry_in,
                    },
                state,
            }) => {
                context.keep(state).await;
                failures = 0;
                let blocker = blocker.or_else(|| quiet.busy.first().map(|flow| flow.client.to_string()));
                context.progress(work, remaining.or(Some(under_way)), blocker).await;
                context.parts.clock.sleep(pause(retry_in).min(LIST_EVERY)).await;
            }
            Err(failure) => {
                failures += 1;
                if failures >= 3 || !may_pass(&failure) {
                    return Err(failure.to_string());
                }
                context.parts.clock.sleep(LIST_EVERY).await;
            }
        }
    }
}

impl Context {
    /// Who the compilation of this round is for; the outer none: there is no such compilation.
    async fn stance_second(&self, round: RoundId) -> Option<Option<HostName>> {
        let compilation = self.parts.store.compilation(round).await.ok()??;
        Some(compilation.second)
    }
}

async fn seal(context: &Context, round: RoundId, to: Option<&HostName>, kept: Option<RoundId>) -> Finish {
    let sealed = match kept {
        Some(kept) if kept == round => context.seal_as_listed(round, to).await,
        Some(kept) => context.reseal(round, to, kept).await,
        None => context.seal(round, to).await,
    };
    match sealed {
        Ok(seal) => Finish::Sealed(seal),
        Err(error) => Finish::Failed { error },
    }
}

async fn resume(context: &Context, work: &Work, term: Term) -> Result<(), String> {
    context.succeeded_by(None);
    context.until_done(work, StepName::Resume, term).await?;
    // Taking undoes a hold, and a drop that was not followed by a release.
    context.parts.address.take().await.map_err(|error| error.to_string())
}

/// Every request of the compilation gets its disposition; what the plugin does not say is lost, and said so.
async fn resolve(context: &Context, term: Term, round: RoundId) -> Result<(), String> {
    let plugin = &context.parts.drain;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let requests = read_requests(context, round).await?;
        let (sink, said) = mpsc::channel::<Vec<Disposition>>(PAGES);
        let call = plugin.resolve_requests(context.call(term, attempt, CALL), requests, sink);
        let (called, written) = tokio::join!(call, write_dispositions(context, round, said));
        written?;
        match called.map_err(|failure| failure.to_string())? {
            Step {
                status: Status::Done,
                state,
            } => {
                context.keep(state).await;
                break;
            }
            Step {
                status: Status::Working { retry_in, .. },
                state,
            } => {
                context.keep(state).await;
                context.parts.clock.sleep(pause(retry_in)).await;
            }
        }
    }
    let rest = context.parts.store.resolve_rest(
        round,
        Outcome::Lost,
        "the plugin said nothing of it",
        context.parts.clock.wall_ms(),
    );
    rest.await.map(drop).map_err(|error| error.to_string())
}

async fn read_requests(context: &Context, round: RoundId) -> Result<RequestPages, String> {
    let text = |error: understudy_store::StoreError| error.to_string();
    let summary = context.parts.store.compilation(round).await.map_err(text)?;
    let total = summary.map_or(0, |compilation| compilation.requests);
    let mut source = context.parts.store.all_requests(round).await.map_err(text)?;
    let (sink, pages) = mpsc::channel(PAGES);
    tokio::spawn(async move {
        while let Ok(Some(page)) = source.next_page().await {
            if sink.send(page).await.is_err() {
                return;
            }
        }
    });
    Ok(RequestPages { total, pages })
}

async fn write_dispositions(
    context: &Context,
    round: RoundId,
    mut said: mpsc::Receiver<Vec<Disposition>>,
) -> Result<(), String> {
    while let Some(page) = said.recv().await {
        let written = context
            .parts
            .store
            .record_dispositions(round, &page, context.parts.clock.wall_ms())
            .await;
        written.map_err(|error| error.to_string())?;
    }
    Ok(())
}
