//! What the API may see and order: the published view, the stored records, and a way to hand an order to the driver.
//!
//! Invariant: nothing is decided here; an order's answer is the machine's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use understudy_api::wire::{
    Compilation, FaultRecord, HostView, JournalLine, Page, ProofBundle, ProofReport, Refusal, Rehearsal, RequestLine,
    Takeover, TakeoverState,
};
use understudy_api::{
    Caller, FaultFilter, Host, HostError, JournalFilter, KeptAnswer, OrderError, PageFilter, RequestFilter, Wish,
};
use understudy_protocol::{HostName, Order, RoundId, ServiceName};
use understudy_store::{Deed, Store, StoreError};

use crate::driver::{Input, Publisher, parse_forced_id, wall_ms};
use crate::proof::{NotProven, Prover};
use crate::rehearsal::Rehearser;
use crate::{rehearsal, shown, takeovers};

/// Longer than a fence takes, shorter than an HTTP client's patience.
const ANSWER: Duration = Duration::from_secs(8);
/// Journal lines that are read for the list of takeovers: some hundred takeovers.
const TAKEOVER_LINES: u32 = 5000;

/// The API's way into the daemon.
pub(crate) struct Surface {
    me: HostName,
    publisher: Arc<Publisher>,
    store: Store,
    inputs: mpsc::Sender<Input>,
    services: BTreeSet<ServiceName>,
    prover: Prover,
    rehearser: Rehearser,
}

impl Surface {
    pub(crate) fn new(
        me: HostName,
        publisher: Arc<Publisher>,
        store: Store,
        inputs: mpsc::Sender<Input>,
        services: BTreeSet<ServiceName>,
        (prover, rehearser): (Prover, Rehearser),
    ) -> Self {
        Surface {
            me,
            publisher,
            store,
            inputs,
            services,
            prover,
            rehearser,
        }
    }

    async fn own_lines(
        &self,
        filter: &understudy_store::JournalFilter,
        limit: u32,
    ) -> Result<Vec<JournalLine>, HostError> {
        let lines = self.store.journal(filter, limit).await.map_err(store_error)?;
        Ok(lines.iter().map(|line| shown::journal_line(&self.me, line)).collect())
    }

    /// This host's latest lines, and what the peers told of theirs.
    async fn lines_of_all(&self, service: Option<ServiceName>) -> Result<Vec<JournalLine>, HostError> {
        let wanted = understudy_store::JournalFilter {
            service: service.clone(),
            ..Default::default()
        };
        let mut lines = self.own_lines(&wanted, TAKEOVER_LINES).await?;
        for host in self.publisher.view().borrow().iter().filter(|view| !view.me) {
            if let Ok(host) = HostName::new(&host.host) {
                lines.extend(self.publisher.peer_lines(&host));
            }
        }
        if let Some(service) = service {
            lines.retain(|line| line.service == service.as_str());
        }
        Ok(lines)
    }

    /// Why the candidate of that round declined, as long as the holder remembers.
    fn refusal_of(&self, round: &str) -> Option<Refusal> {
        let view = self.publisher.view().borrow().clone();
        let services = view.iter().flat_map(|host| &host.services);
        let mut declined = services.flat_map(|service| &service.declined);
        declined
            .find(|decline| decline.takeover == round)
            .map(|decline| decline.refusal.clone())
    }

    fn peer_journal(&self, host: &HostName, filter: &JournalFilter) -> Vec<JournalLine> {
        let wanted = |line: &JournalLine| {
            filter
                .service
                .as_ref()
                .is_none_or(|service| line.service == service.as_str())
                && filter
                    .round
                    .as_ref()
                    .is_none_or(|round| line.round.as_ref() == Some(round))
                && filter.after.is_none_or(|after| line.seq > after)
                && filter.before.is_none_or(|before| line.seq < before)
        };
        let mut lines: Vec<_> = self.publisher.peer_lines(host).into_iter().filter(wanted).collect();
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        if filter.after.is_some() {
            lines.truncate(limit);
        } else {
            lines.drain(..lines.len().saturating_sub(limit));
        }
        lines
    }
}

fn store_error(error: StoreError) -> HostError {
    HostError::Store {
        error: error.to_string(),
    }
}

fn not_proven(error: NotProven) -> HostError {
    match error {
        NotProven::Store(error) => store_error(error),
        NotProven::Unsigned(error) => HostError::Unproven { error },
    }
}

fn overriding(vetoes: bool) -> &'static str {
    if vetoes { ", overriding vetoes" } else { "" }
}

/// An order for the audit: what, and why.
fn described(order: &Order) -> (String, String) {
    let names = |hosts: &[HostName]| hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
    match order {
        Order::TakeOver {
            to,
            reason,
            override_vetoes,
            ..
        } => {
            let to = to.as_ref().map_or(String::new(), |to| format!(" to {to}"));
            (format!("takeover{to}{}", overriding(*override_vetoes)), reason.clone())
        }
        Order::Giveback {
            reason,
            override_vetoes,
            ..
        } => (format!("giveback{}", overriding(*override_vetoes)), reason.clone()),
        Order::Cancel { reason, .. } => ("cancel".to_owned(), reason.clone()),
        Order::Cure { reason, .. } => ("cure".to_owned(), reason.clone()),
        Order::Force {
            stopped,
            reason,
            override_stay_down,
            ..
        } => {
            let stopped = if stopped.is_empty() {
                "nobody".to_owned()
            } else {
                names(stopped)
            };
            let order = if *override_stay_down {
                ", overriding the order to stay down"
            } else {
                ""
            };
            (
                format!("forced takeover, {stopped} confirmed as stopped{order}"),
                reason.clone(),
            )
        }
        Order::Bootstrap { reason, .. } => ("bootstrap".to_owned(), reason.clone()),
        Order::Pause {
            scope, reason, lasts, ..
        } => {
            let lasts = lasts.map_or(String::new(), |lasts| format!(" for {lasts:?}"));
            (format!("pause, {scope}{lasts}"), reason.clone())
        }
        Order::Unpause { scope, reason, .. } => (format!("unpause, {scope}"), reason.clone()),
    }
}

/// Cuts a page out of a list that is at hand; the cursor is a place in it.
fn page<T>(all: Vec<T>, filter: &PageFilter) -> Result<Page<T>, HostError> {
    let from = match &filter.cursor {
        None => 0usize,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| HostError::BadCursor { cursor: cursor.clone() })?,
    };
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let next = (all.len() > from.saturating_add(limit)).then(|| (from + limit).to_string());
    Ok(Page {
        items: all.into_iter().skip(from).take(limit).collect(),
        next,
    })
}

#[async_trait]
impl Host for Surface {
    fn name(&self) -> HostName {
        self.me.clone()
    }

    fn view(&self) -> watch::Receiver<Arc<Vec<HostView>>> {
        self.publisher.view()
    }

    fn journal_feed(&self) -> broadcast::Receiver<JournalLine> {
        self.publisher.feed()
    }

    fn peer_journal_feed(&self) -> broadcast::Receiver<JournalLine> {
        self.publisher.peer_feed()
    }

    async fn journal(&self, filter: JournalFilter) -> Result<Vec<JournalLine>, HostError> {
        if let Some(host) = filter.host.as_ref().filter(|host| **host != self.me) {
            return Ok(self.peer_journal(host, &filter));
        }
        let round = match &filter.round {
            None => None,
            Some(text) => match text.parse() {
                Ok(round) => Some(round),
                Err(_) => return Ok(Vec::new()),
            },
        };
        let oldest_first = filter.after.is_some();
        let number = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        let wanted = understudy_store::JournalFilter {
            service: filter.service.clone(),
            round,
            after_seq: filter.after.map(number),
            before_seq: filter.before.map(number),
            order: if oldest_first {
                understudy_store::Order::OldestFirst
            } else {
                understudy_store::Order::NewestFirst
            },
        };
        let mut lines = self.own_lines(&wanted, filter.limit).await?;
        if !oldest_first {
            lines.reverse();
        }
        Ok(lines)
    }

    async fn order(&self, service: ServiceName, order: Order, caller: Caller) -> Result<(), OrderError> {
        if !self.services.contains(&service) {
            return Err(OrderError::UnknownService);
        }
        let (answer, answered) = oneshot::channel();
        let (what, reason) = described(&order);
        let input = Input::Order {
            service: service.clone(),
            order,
            answer,
        };
        if self.inputs.send(input).await.is_err() {
            return Err(OrderError::Unavailable {
                because: "it is ending".to_owned(),
            });
        }
        let answer = match tokio::time::timeout(ANSWER, answered).await {
            Ok(Ok(answer)) => answer.map_err(OrderError::Refused),
            Ok(Err(_)) => Err(OrderError::Unavailable {
                because: "it is ending".to_owned(),
            }),
            Err(_) => Err(OrderError::Unanswered),
        };
        let outcome = answer
            .as_ref()
            .map_or_else(ToString::to_string, |()| "accepted".to_owned());
        let deed = Deed {
            at_ms: wall_ms(),
            who: caller.by,
            what,
            service: Some(service.clone()),
            reason,
            result: outcome,
        };
        if let Err(error) = self.store.audit(&deed).await {
            tracing::warn!(%service, by = deed.who, order = deed.what, %error, "an order could not be written to the audit");
        }
        answer
    }

    async fn rehearse(&self, service: ServiceName, wish: Wish) -> Result<Option<Rehearsal>, HostError> {
        let lines = self.lines_of_all(Some(service.clone())).await?;
        let history = takeovers::all(lines.clone(), |_| None);
        let Wish {
            to,
            giveback,
            by,
            override_vetoes,
        } = wish;
        let wish = rehearsal::Wish {
            service,
            to,
            giveback,
            by,
            override_vetoes,
        };
        Ok(self.rehearser.rehearse(&wish, &history, &lines).await)
    }

    async fn takeovers(&self, filter: PageFilter) -> Result<Page<Takeover>, HostError> {
        let lines = self.lines_of_all(filter.service.clone()).await?;
        let mut all = takeovers::all(lines, |round| self.publisher.cause(round));
        all.iter_mut().for_each(|takeover| takeover.steps.clear());
        page(all, &filter)
    }

    async fn takeover(&self, id: &str) -> Result<Option<Takeover>, HostError> {
        if let Some((service, _)) = parse_forced_id(id) {
            let lines = self.lines_of_all(Some(service)).await?;
            return Ok(takeovers::forced(&lines).into_iter().find(|takeover| takeover.id == id));
        }
        let mut lines = self.publisher.peer_lines_of_round(id);
        if let Ok(round) = id.parse() {
            let wanted = understudy_store::JournalFilter {
                round: Some(round),
                ..Default::default()
            };
            lines.extend(self.own_lines(&wanted, TAKEOVER_LINES).await?);
        }
        let mut found = takeovers::of_round(id, lines, self.publisher.cause(id));
        if let Some(takeover) = &mut found
            && takeover.state == TakeoverState::Declined
        {
            takeover.refusal = self.refusal_of(id);
        }
        Ok(found)
    }

    async fn proof_bundle(&self, id: &str) -> Result<Option<ProofBundle>, HostError> {
        self.prover.bundle(id).await.map_err(not_proven)
    }

    async fn proof(&self, id: &str) -> Result<Option<ProofReport>, HostError> {
        let Some(bundle) = self.proof_bundle(id).await? else {
            return Ok(None);
        };
        let report = self.prover.verify(&bundle);
        report.map(Some).map_err(|error| HostError::Unproven { error })
    }

    async fn compilations(&self, filter: PageFilter) -> Result<Page<Compilation>, HostError> {
        /// More are found by naming the service.
        const NEWEST: u32 = 1000;
        let all = self
            .store
            .compilations(filter.service.as_ref(), NEWEST)
            .await
            .map_err(store_error)?;
        page(all.iter().map(shown::compilation).collect(), &filter)
    }

    async fn compilation(&self, round: &str) -> Result<Option<Compilation>, HostError> {
        let Ok(round) = round.parse::<RoundId>() else {
            return Ok(None);
        };
        let found = self.store.compilation(round).await.map_err(store_error)?;
        Ok(found.as_ref().map(shown::compilation))
    }

    async fn requests(&self, round: &str, filter: RequestFilter) -> Result<Page<RequestLine>, HostError> {
        use understudy_store::OutcomeFilter;
        let Ok(round) = round.parse() else {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        };
        let outcome = match (filter.outcome, filter.unsettled) {
            (Some(outcome), _) => Some(OutcomeFilter::Is(outcome)),
            (None, true) => Some(OutcomeFilter::Unresolved),
            (None, false) => None,
        };
        let wanted = understudy_store::RequestFilter {
            state: filter.state,
            outcome,
            client: filter.client,
        };
        let found = self
            .store
            .requests(round, &wanted, filter.cursor.as_deref(), filter.limit)
            .await
            .map_err(store_error)?;
        let full = u32::try_from(found.len()).is_ok_and(|found| found >= filter.limit);
        let next = found.last().filter(|_| full).map(|line| line.status.id.clone());
        let items = found
            .iter()
            .map(|line| RequestLine::new(&line.status, line.disposition.as_ref()))
            .collect();
        Ok(Page { items, next })
    }

    async fn faults(&self, filter: FaultFilter) -> Result<Page<FaultRecord>, HostError> {
        shown::faults(&self.store, &filter).await.map_err(store_error)
    }

    async fn kept_answer(&self, key: &str) -> Result<Option<KeptAnswer>, HostError> {
        let kept = self.store.stored_response(key).await.map_err(store_error)?;
        Ok(kept.map(|(digest, response)| shown::kept_answer(digest, response)))
    }

    async fn keep_answer(&self, key: &str, answer: KeptAnswer) -> Result<(), HostError> {
        self.store
            .take_idempotency_key(key, &answer.request_digest, wall_ms())
            .await
            .map_err(store_error)?;
        self.store
            .keep_response(key, &shown::stored_response(answer))
            .await
            .map_err(store_error)
    }

    fn ready(&self) -> Result<(), String> {
        match self.publisher.store_trouble() {
            Some(error) => Err(format!("the store can't be written: {error}")),
            None => Ok(()),
        }
    }

    fn metrics(&self) -> String {
        crate::metrics::text(&self.publisher.view().borrow())
    }
}
