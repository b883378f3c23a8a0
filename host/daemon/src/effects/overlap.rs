//! What the work of a move means while both servers run.
//!
//! Invariant: from the answer to `Redirect` on, nobody new is admitted here; the second is told only then.

use std::time::Duration;

use understudy_address::Holding;
use understudy_protocol::{Finish, HostName, RoundId, ServerState, Work};

use super::Context;
use super::perform::{observe, settle, text};
use super::steps::StepName;

/// How long the server gets to accept who came before the redirection; whoever is left is listed as under way.
const ACCEPT: Duration = Duration::from_secs(5);
/// How long connections that the stopped server closed get to come to their end; longer only costs their last packets.
const CLOSE: Duration = Duration::from_secs(5);

pub(super) async fn prepare_yield(context: &Context, round: RoundId, to: &HostName) -> Result<(), String> {
    text(context.parts.address.can_overlap(to).await)?;
    context.succeeded_by(Some(to));
    context.begin_compilation(round, Some(to)).await?;
    context.update_compilation(round, Some(to)).await.map(drop)
}

pub(super) async fn redirect(context: &Context, to: &HostName) -> Result<(), String> {
    context.succeeded_by(Some(to));
    text(context.parts.address.yield_to(to).await)
}

pub(super) async fn end_flows(context: &Context, work: &Work, round: RoundId) -> Result<(), String> {
    if let Finish::Observed(ServerState::Stopped) = observe(context).await {
        return Ok(());
    }
    let address = &context.parts.address;
    address.settled(ACCEPT).await.map_err(|error| error.to_string())?;
    context
        .until_done(work, StepName::StopAdmitting, context.fencing_term())
        .await?;
    settle(context, work, round).await
}

/// After a graceful stop: the connections that it closed come to their end before the address goes.
pub(super) async fn let_flows_end(context: &Context) -> Result<(), String> {
    let address = &context.parts.address;
    if address.holding() != Holding::Yielding {
        return Ok(());
    }
    let left = address.drained(CLOSE).await.map_err(|error| error.to_string())?;
    if !left.is_empty() {
        tracing::warn!(service = %context.parts.service, left = left.len(), "connections are left after the stop");
    }
    Ok(())
}

pub(super) async fn arm(context: &Context, from: &HostName) -> Result<(), String> {
    let address = &context.parts.address;
    text(address.can_overlap(from).await)?;
    text(address.arm(from).await)
}

pub(super) async fn appear(context: &Context, from: &HostName) -> Result<(), String> {
    let address = &context.parts.address;
    text(address.arm(from).await)?;
    text(address.appear().await)?;
    context.parts.mark.set();
    Ok(())
}
