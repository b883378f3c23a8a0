//! The second's side of the compilation: writing down the pages as they come, and proving that all are there.
//!
//! Invariant: pages and the seal are taken in the order in which the peer sent them; `Finished(StoreCompilation)` is
//! `Done` only if what is durable here has exactly the announced count and digest; once it was, no page changes it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::warn;
use understudy_protocol::{CompilationSeal, Event, Finish, HostName, RequestStatus, RoundId, Work};
use understudy_store::StoreError;

use super::Context;

pub(super) enum Job {
    Page {
        first: HostName,
        round: RoundId,
        requests: Vec<RequestStatus>,
    },
    Seal {
        round: RoundId,
        seal: CompilationSeal,
        from: HostName,
    },
}

pub(super) async fn run(context: Arc<Context>, mut jobs: mpsc::Receiver<Job>) {
    // The first may release the service as soon as it hears of it: a page of before that comes late is history.
    let mut proven = None;
    while let Some(job) = jobs.recv().await {
        match job {
            Job::Page { round, .. } if proven == Some(round) => {}
            Job::Page { first, round, requests } => {
                if let Err(error) = keep(&context, &first, round, &requests).await {
                    // Not the end: the seal will not match, and the first sends the pages again.
                    warn!(service = %context.parts.service, %round, %error, "a page could not be kept");
                }
            }
            Job::Seal { round, seal, from } => {
                let result = match prove(&context, round, seal, &from).await {
                    Ok(()) => {
                        proven = Some(round);
                        Finish::Done
                    }
                    Err(error) => Finish::Failed { error },
                };
                let work = Work::StoreCompilation { round, seal, from };
                context.report(Event::Finished { work, result }).await;
            }
        }
    }
}

async fn keep(context: &Context, first: &HostName, round: RoundId, page: &[RequestStatus]) -> Result<(), StoreError> {
    let parts = &context.parts;
    parts
        .store
        .begin_compilation(&parts.service, round, first, Some(&parts.me), parts.clock.wall_ms())
        .await?;
    parts.store.put_requests(round, page).await
}

async fn prove(context: &Context, round: RoundId, seal: CompilationSeal, first: &HostName) -> Result<(), String> {
    let text = |error: StoreError| error.to_string();
    keep(context, first, round, &[]).await.map_err(text)?;
    let mine = context
        .parts
        .store
        .seal_compilation(round, context.parts.clock.wall_ms())
        .await
        .map_err(text)?;
    if mine == seal {
        return Ok(());
    }
    Err(format!(
        "{} requests with digest {} are here, {} with {} were announced",
        mine.count, mine.digest, seal.count, seal.digest
    ))
}
