//! Web clients: some use a new connection each time, some keep theirs, some ask for an answer that takes its time.
//!
//! Like every browser, a client that finds its *kept* connection closed before a single byte of the answer asks once
//! more on a new connection; that is counted (`retried_from`), never hidden. Nothing else is asked twice.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::exchange::{Answer, Broken, WebConnection};
use super::pace::Pace;
use super::record::{Kind, Outcome, Recorder, Request, Service};
use super::{CLIENT_PATIENCE, WebPlan};
use crate::servers::{QUICK_FILE, SLOW_FILE, WebFile};

pub(crate) fn spawn(plan: &WebPlan, recorder: &Arc<Recorder>, stop: &CancellationToken, clients: &mut JoinSet<()>) {
    let asker = || Asker {
        address: plan.address,
        recorder: Arc::clone(recorder),
    };
    let fresh = |rate, kind, file| fresh_connections(asker(), Pace::new(rate, 0, 1), kind, file, stop.clone());
    clients.spawn(fresh(plan.fresh_rate, Kind::Fresh, &QUICK_FILE));
    clients.spawn(fresh(plan.slow_rate, Kind::Slow, &SLOW_FILE));
    for share in 0..plan.kept_connections {
        let pace = Pace::new(plan.kept_rate, share, plan.kept_connections);
        clients.spawn(kept_connection(asker(), pace, stop.clone()));
    }
}

#[derive(Clone)]
struct Asker {
    address: SocketAddr,
    recorder: Arc<Recorder>,
}

async fn fresh_connections(asker: Asker, mut pace: Pace, kind: Kind, file: &'static WebFile, stop: CancellationToken) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            due = pace.due() => {
                let asker = asker.clone();
                under_way.spawn(async move {
                    let mut connection = None;
                    asker.ask(due, kind, file, &mut connection).await;
                });
            }
            Some(_) = under_way.join_next() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

async fn kept_connection(asker: Asker, mut pace: Pace, stop: CancellationToken) {
    let mut connection = None;
    loop {
        let due = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            due = pace.due() => due,
        };
        asker.ask(due, Kind::Kept, &QUICK_FILE, &mut connection).await;
    }
}

impl Asker {
    /// Asks once, with all that belongs to it, and records it.
    async fn ask(&self, due: Instant, kind: Kind, file: &WebFile, connection: &mut Option<WebConnection>) {
        let mut request = Request {
            id: self.recorder.next_id(),
            service: Service::Web,
            kind,
            client: None,
            retried_from: None,
            due: self.recorder.at(due),
            sent: self.recorder.now(),
            first_byte: None,
            end: 0,
            outcome: Outcome::Answered,
            answered_by: None,
        };
        let whole = tokio::time::timeout(CLIENT_PATIENCE, self.try_twice(&mut request, file, connection)).await;
        request.outcome = whole.unwrap_or_else(|_| Outcome::Failed(format!("no answer within {CLIENT_PATIENCE:?}")));
        request.end = self.recorder.now();
        self.recorder.push(request);
    }

    async fn try_twice(&self, request: &mut Request, file: &WebFile, kept: &mut Option<WebConnection>) -> Outcome {
        if let Some(mut connection) = kept.take().filter(|c| !c.is_closed()) {
            request.client = Some(connection.local);
            match connection.get(file.path, true, request.id).await {
                Ok(answer) => return self.judge(request, file, answer, connection, kept),
                Err(Broken { first_byte: None, .. }) => request.retried_from = Some(connection.local),
                Err(broken) => return self.cut_short(request, broken),
            }
        }
        let mut connection = match WebConnection::open(self.address).await {
            Ok(connection) => connection,
            Err(e) => return Outcome::Failed(format!("could not connect: {e}")),
        };
        request.client = Some(connection.local);
        match connection.get(file.path, request.kind == Kind::Kept, request.id).await {
            Ok(answer) => self.judge(request, file, answer, connection, kept),
            Err(broken) => self.cut_short(request, broken),
        }
    }

    fn judge(
        &self,
        request: &mut Request,
        file: &WebFile,
        answer: Answer,
        connection: WebConnection,
        kept: &mut Option<WebConnection>,
    ) -> Outcome {
        request.first_byte = Some(self.recorder.at(answer.first_byte));
        request.answered_by = answer.answered_by;
        if answer.keep && request.kind == Kind::Kept {
            *kept = Some(connection);
        }
        if answer.status != 200 {
            return Outcome::Failed(format!("status {}", answer.status));
        }
        if !file.is_content(&answer.body) {
            return Outcome::Failed(format!("wrong content of {} bytes", answer.body.len()));
        }
        Outcome::Answered
    }

    fn cut_short(&self, request: &mut Request, broken: Broken) -> Outcome {
        request.first_byte = broken.first_byte.map(|at| self.recorder.at(at));
        Outcome::Failed(broken.because)
    }
}
