//! The stream of events: the view when it changes, the journal line by line.
//!
//! `journal` events carry their `seq` as id; `view` and `peer-journal` events carry none, so a browser's `Last-Event-ID`
//! always is the last line of this host's journal that it has. Who comes back with it gets every line it missed from the
//! store, then the live ones.
//!
//! Invariant: no line of this host is skipped and none is sent twice. The live feed is joined before the store is read,
//! and a reader too slow for the feed goes on from the store. Peers' lines are passed on as they are told; where some
//! were missed, the reader is told so.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use crate::extract::Params;
use crate::host::{Host, HostError, JournalFilter};
use crate::overview;
use crate::problem::Answer;
use crate::router::Shared;
use crate::serve::Closing;
use crate::wire::{HostView, JournalLine, Problem};

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventQuery {
    /// Send every journal line after this number first; 0: all of them. The header `Last-Event-ID` goes before it.
    last_event_id: Option<u64>,
}

/// The stream of events. `view`: all hosts, as of `/api/v1/hosts`, at once and on every change. `journal`: a line, as of
/// `/api/v1/journal`. `peer-journal`: a line of a peer's journal, without an id (`seq` is the peer's own), as of
/// `/api/v1/journal?host=…`; `peer-reset`: some of them were missed, load them again. `reset`: this host's journal is not
/// the one that was read before, load it again.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventQuery, ("Last-Event-ID" = Option<u64>, Header)), responses(
    (status = 200, description = "Events: `view` (Vec<HostView>), `journal` and `peer-journal` (JournalLine), `reset`, `peer-reset`", content_type = "text/event-stream"),
    (status = 503, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn stream(
    State(shared): State<Shared>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
    Params(query): Params<EventQuery>,
) -> Answer<impl IntoResponse> {
    let too_many = |_| {
        Box::new(Problem::unavailable(format!(
            "{MAX_STREAMS} streams are open already; close one"
        )))
    };
    let slot = shared.streams.clone().try_acquire_owned().map_err(too_many)?;
    let from = last_event_id(&headers)?.or(query.last_event_id);
    let (events, queue) = mpsc::channel(QUEUE);
    let closing = closing.map(|Extension(Closing(closing))| closing);
    let reader = Reader {
        host: shared.host,
        events,
        closing,
        _slot: slot,
    };
    tokio::spawn(reader.run(from));
    let stream = ReceiverStream::new(queue).map(Ok::<Event, Infallible>);
    let sse = Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // Asks proxies not to collect events before they pass them on.
    Ok(([("x-accel-buffering", "no")], sse))
}

fn last_event_id(headers: &HeaderMap) -> Answer<Option<u64>> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let problem = || {
        Box::new(Problem::invalid(
            "last-event-id",
            "Last-Event-ID is the number of a journal line",
        ))
    };
    number.map(Some).ok_or_else(problem)
}

/// One open stream.
struct Reader {
    host: Arc<dyn Host>,
    events: mpsc::Sender<Event>,
    closing: Option<watch::Receiver<bool>>,
    _slot: OwnedSemaphorePermit,
}

/// Why a stream ends.
enum End {
    ReaderGone,
    Store(HostError),
}

impl From<HostError> for End {
    fn from(error: HostError) -> Self {
        End::Store(error)
    }
}

impl Reader {
    async fn run(self, from: Option<u64>) {
        let gone = self.events.clone();
        let closing = self.closing.clone();
        let ended = tokio::select! {
            ended = self.feed(from) => ended,
            () = gone.closed() => Err(End::ReaderGone),
            () = closed(closing) => Ok(()),
        };
        if let Err(End::Store(error)) = ended {
            tracing::warn!(%error, "a stream of events ends; its reader will come back");
        }
    }

    async fn feed(&self, from: Option<u64>) -> Result<(), End> {
        let mut live = self.host.journal_feed();
        let mut peers = self.host.peer_journal_feed();
        let mut view = self.host.view();
        let hosts = view.borrow_and_update().clone();
        self.send(Event::default().retry(RETRY).event("view"), &overview::aged(&hosts))
            .await?;
        let mut last = self.catch_up(from).await?;
        let mut next_view = Instant::now() + VIEW_PAUSE;
        loop {
            tokio::select! {
                changed = changed_after(&mut view, next_view) => match changed {
                    Some(hosts) => {
                        self.send(Event::default().event("view"), &overview::aged(&hosts)).await?;
                        next_view = Instant::now() + VIEW_PAUSE;
                    }
                    None => return Ok(()),
                },
                line = peers.recv() => match line {
                    Ok(line) => self.send(Event::default().event("peer-journal"), &line).await?,
                    // What was missed is in `/journal?host=…`; the live lines go on.
                    Err(RecvError::Lagged(_)) => self.send(Event::default().event("peer-reset"), &json!({})).await?,
                    Err(RecvError::Closed) => return Ok(()),
                },
                line = live.recv() => match self.on_line(line, last).await? {
                    Some(seq) => last = seq,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Brings the reader to the present, and says up to which line it is there.
    async fn catch_up(&self, from: Option<u64>) -> Result<u64, End> {
        let newest = self
            .host
            .journal(JournalFilter {
                limit: 1,
                ..JournalFilter::default()
            })
            .await?;
        let newest = newest.last().map_or(0, |line| line.seq);
        match from {
            None => Ok(newest),
            Some(from) if from > newest => {
                self.send(Event::default().event("reset"), &json!({ "newest": newest }))
                    .await?;
                Ok(newest)
            }
            Some(from) => self.replay(from).await,
        }
    }

    async fn replay(&self, mut last: u64) -> Result<u64, End> {
        loop {
            let filter = JournalFilter {
                after: Some(last),
                limit: REPLAY_PAGE,
                ..JournalFilter::default()
            };
            let lines = self.host.journal(filter).await?;
            if lines.is_empty() {
                return Ok(last);
            }
            for line in lines {
                last = line.seq;
                self.send_line(&line).await?;
            }
        }
    }

    /// A line of the feed; none when there will be no more.
    async fn on_line(&self, line: Result<JournalLine, RecvError>, last: u64) -> Result<Option<u64>, End> {
        match line {
            Ok(line) if line.seq <= last => Ok(Some(last)),
            Ok(line) => {
                self.send_line(&line).await?;
                Ok(Some(line.seq))
            }
            Err(RecvError::Lagged(_)) => self.replay(last).await.map(Some),
            Err(RecvError::Closed) => Ok(None),
        }
    }

    async fn send_line(&self, line: &JournalLine) -> Result<(), End> {
        self.send(Event::default().event("journal").id(line.seq.to_string()), line)
            .await
    }

    async fn send(&self, event: Event, data: &(impl Serialize + Sync)) -> Result<(), End> {
        match event.json_data(data) {
            Ok(event) => self.events.send(event).await.map_err(|_| End::ReaderGone),
            Err(error) => {
                tracing::error!(%error, "an event can't be written as JSON");
                Ok(())
            }
        }
    }
}

/// The next view, not before `earliest`; none when there will be no more.
async fn changed_after(
    view: &mut watch::Receiver<Arc<Vec<HostView>>>,
    earliest: Instant,
) -> Option<Arc<Vec<HostView>>> {
    tokio::time::sleep_until(earliest).await;
    view.changed().await.ok()?;
    Some(view.borrow_and_update().clone())
}

/// Ready once the daemon ends.
async fn closed(closing: Option<watch::Receiver<bool>>) {
    match closing {
        Some(mut closing) => drop(closing.wait_for(|closing| *closing).await),
        None => std::future::pending().await,
    }
}

/// Streams at one time: each open page has one.
pub(crate) const MAX_STREAMS: usize = 64;

/// The view is sent at most ten times a second: people see no more.
const VIEW_PAUSE: Duration = Duration::from_millis(100);

/// Proxies and browsers give up on silent connections after a minute or less.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// When a browser comes back after a broken stream.
const RETRY: Duration = Duration::from_secs(1);

/// Events that wait for a slow reader; then its stream waits, and goes on from the store.
const QUEUE: usize = 32;

/// Lines read from the store at once.
const REPLAY_PAGE: u32 = 500;
