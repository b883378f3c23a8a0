//! What this host would do, as the holder or as a candidate: its machine's own answer, and what its plugin sees.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use understudy_api::wire::{Blocker, CandidateAnswer, CandidateForecast, Refusal, RequestForecast};
use understudy_protocol::{
    HostName, Machine, OfferRehearsed, OrderRehearsed, RequestState, RequestStatus, ServiceName, Term, Time,
};

use super::{Rehearser, Wish};
use crate::driver::{Input, Look, wall_ms};
use crate::effects;
use crate::shown::millis;

/// What the holder says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HolderWord {
    /// Why it would refuse.
    pub(super) refusal: Option<Refusal>,
    /// Whom it would ask first.
    pub(super) would_ask: Option<String>,
    /// The highest term it knows to be held.
    pub(super) known: u64,
    /// What it would wait for, or why that can't be said.
    pub(super) requests: Result<RequestForecast, String>,
}

impl Rehearser {
    pub(super) async fn as_holder(&self, wish: &Wish) -> Result<HolderWord, String> {
        let order = wish.order();
        let looked = self
            .look(&wish.service, move |machine, now| {
                (machine.rehearse_order(now, &order), machine.durable().known)
            })
            .await?;
        let (refusal, would_ask) = match looked.0 {
            OrderRehearsed::Refused(refusal) => (Some(Refusal::from(&refusal)), None),
            OrderRehearsed::Asks(host) => (None, Some(host.to_string())),
            OrderRehearsed::PassedOn(host) => {
                return Err(format!("it does not hold the service any more: {host} does"));
            }
            OrderRehearsed::Nothing(role) => return Err(format!("nothing would come of it: it is {role}")),
        };
        Ok(HolderWord {
            refusal,
            would_ask,
            known: looked.1.0,
            requests: self.requests(&wish.service).await,
        })
    }

    pub(super) async fn as_candidate(
        &self,
        holder: &HostName,
        known: Term,
        wish: &Wish,
    ) -> Result<CandidateForecast, String> {
        let context = self.contexts.get(&wish.service).ok_or("it does not know the service")?;
        let played = |assessed| {
            let (holder, cause) = (holder.clone(), wish.cause());
            self.look(&wish.service, move |machine, now| {
                machine.rehearse_offer(now, &holder, known, &cause, assessed)
            })
        };
        let mut outcome = played(None).await?;
        if outcome == OfferRehearsed::Assesses {
            let answer = effects::assess(context, &wish.cause()).await;
            outcome = played(Some(answer)).await?;
        }
        let (answer, refusal, because) = match outcome {
            OfferRehearsed::Accepts(_) => (CandidateAnswer::Accepts, None, None),
            OfferRehearsed::Declines(reason) => (CandidateAnswer::Declines, Some(Refusal::from(&reason)), None),
            OfferRehearsed::Silent(role) => (
                CandidateAnswer::Silent,
                None,
                Some(format!("it would not answer: it is {role}")),
            ),
            OfferRehearsed::Assesses => (
                CandidateAnswer::Silent,
                None,
                Some("its assessment was overtaken".to_owned()),
            ),
        };
        let view = self.view(&wish.service);
        Ok(CandidateForecast {
            host: self.me.to_string(),
            answer,
            refusal,
            verdict: view.as_ref().map(|view| view.verdict),
            ready: view.as_ref().map(|view| view.ready),
            because,
        })
    }

    /// Asks the driver, who alone sees the machine; nothing comes of it.
    async fn look<T: Send + 'static>(
        &self,
        service: &ServiceName,
        look: impl FnOnce(&Machine, Time) -> T + Send + 'static,
    ) -> Result<T, String> {
        let (answer, answered) = oneshot::channel();
        let look = Look::new(move |machine, now| drop(answer.send(look(machine, now))));
        let input = Input::Look(service.clone(), look);
        let ends = "the daemon is ending, or does not know the service";
        self.inputs.send(input).await.map_err(|_| ends)?;
        answered.await.map_err(|_| ends.to_owned())
    }

    async fn requests(&self, service: &ServiceName) -> Result<RequestForecast, String> {
        let context = self.contexts.get(service).ok_or("it does not know the service")?;
        let listed = context.list_requests().await?;
        Ok(counted(listed.values(), millis(wall_ms())))
    }
}

fn counted<'a>(listed: impl Iterator<Item = &'a RequestStatus>, now_ms: u64) -> RequestForecast {
    let (mut all, mut under_way) = (0, Vec::new());
    for request in listed {
        all += 1;
        if matches!(request.state, RequestState::Queued | RequestState::Running) {
            under_way.push(request);
        }
    }
    // Zero is not known.
    under_way.sort_by_key(|request| {
        if request.started_at_ms == 0 {
            u64::MAX
        } else {
            request.started_at_ms
        }
    });
    let age =
        |request: &RequestStatus| (request.started_at_ms > 0).then(|| now_ms.saturating_sub(request.started_at_ms));
    let blocker = |request: &&RequestStatus| Blocker {
        client: request.client.clone(),
        operation: request.operation.clone(),
        for_ms: age(request),
    };
    RequestForecast {
        listed: all,
        under_way: under_way.len() as u64,
        longest_ms: under_way.first().and_then(|request| age(request)),
        blockers: under_way.iter().take(BLOCKERS).map(blocker).collect(),
    }
}

/// As many as a person reads.
const BLOCKERS: usize = 5;
