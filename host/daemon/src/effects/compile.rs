//! The first's side of the compilation: listing the requests, streaming what changed, sealing.
//!
//! Invariants: what is sent is in this host's own store first; a request that was listed is never forgotten: when the
//! server no longer lists it, it has ended and is written down as completed, and what is still under way when the
//! server must stop is written down as cut.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use understudy_protocol::{CompilationSeal, HostName, RequestState, RequestStatus, RoundId};

use super::Context;
use super::context::lock;
use super::steps::CALL;
use crate::peers::Frame;

/// Pages on their way from the plugin.
const PAGES: usize = 4;

impl Context {
    pub(super) async fn begin_compilation(&self, round: RoundId, to: Option<&HostName>) -> Result<(), String> {
        let parts = &self.parts;
        let begun = parts
            .store
            .begin_compilation(&parts.service, round, &parts.me, to, parts.clock.wall_ms());
        begun.await.map_err(|error| error.to_string())?;
        *lock(&self.listed) = Some((round, BTreeMap::new()));
        Ok(())
    }

    /// Lists the requests, keeps and sends what is new or has changed; answers how many are under way.
    pub(super) async fn update_compilation(&self, round: RoundId, to: Option<&HostName>) -> Result<u64, String> {
        let now = self.list_requests().await?;
        let under_way = now.values().filter(|request| is_under_way(request)).count();
        let changes = {
            let mut listed = lock(&self.listed);
            let before = match listed.take() {
                Some((of, before)) if of == round => before,
                _ => BTreeMap::new(),
            };
            let (after, changes) = merge(before, now);
            *listed = Some((round, after));
            changes
        };
        self.put_and_send(round, to, changes).await?;
        Ok(under_way as u64)
    }

    /// The last listing: whatever is still under way will be cut by the stop.
    pub(super) async fn seal(&self, round: RoundId, to: Option<&HostName>) -> Result<CompilationSeal, String> {
        self.admit_nobody().await?;
        self.update_compilation(round, to).await?;
        let cut: Vec<RequestStatus> = match &mut *lock(&self.listed) {
            Some((of, listed)) if *of == round => listed
                .values_mut()
                .filter(|request| is_under_way(request))
                .map(|request| {
                    request
                        .attributes
                        .push(("state-before".to_owned(), state_word(request.state).to_owned()));
                    request.state = RequestState::Cut;
                    request.clone()
                })
                .collect(),
            _ => Vec::new(),
        };
        self.put_and_send(round, to, cut).await?;
        self.parts
            .store
            .seal_compilation(round, self.parts.clock.wall_ms())
            .await
            .map_err(|error| error.to_string())
    }

    /// New clients wait already after an orderly drain. A forced one may never have got so far: who came in after the
    /// last listing would be cut without a word.
    async fn admit_nobody(&self) -> Result<(), String> {
        let address = &self.parts.address;
        let Err(held) = address.hold().await else { return Ok(()) };
        let dropped = address.drop_address().await;
        dropped.map_err(|dropped| format!("new clients can be neither held ({held}) nor turned away ({dropped})"))
    }

    /// The server is stopped: what an earlier round compiled goes into this one.
    pub(super) async fn reseal(
        &self,
        round: RoundId,
        to: Option<&HostName>,
        kept: RoundId,
    ) -> Result<CompilationSeal, String> {
        let store = &self.parts.store;
        self.begin_compilation(round, to).await?;
        let text = |error: understudy_store::StoreError| error.to_string();
        let mut pages = store.all_requests(kept).await.map_err(text)?;
        while let Some(page) = pages.next_page().await.map_err(text)? {
            self.put_and_send(round, to, page).await?;
        }
        store
            .seal_compilation(round, self.parts.clock.wall_ms())
            .await
            .map_err(text)
    }

    /// The server is gone, and what was listed of this round before is all there is.
    pub(super) async fn seal_as_listed(
        &self,
        round: RoundId,
        to: Option<&HostName>,
    ) -> Result<CompilationSeal, String> {
        if let Some(to) = to {
            self.resend(round, to).await?;
        }
        self.parts
            .store
            .seal_compilation(round, self.parts.clock.wall_ms())
            .await
            .map_err(|error| error.to_string())
    }

    pub(super) async fn resend(&self, round: RoundId, to: &HostName) -> Result<(), String> {
        let text = |error: understudy_store::StoreError| error.to_string();
        let mut pages = self.parts.store.all_requests(round).await.map_err(text)?;
        let mut sent = false;
        while let Some(page) = pages.next_page().await.map_err(text)? {
            sent = true;
            self.send_pages(round, to, page).await?;
        }
        // An empty compilation is one empty page: the second must know of it.
        if sent {
            Ok(())
        } else {
            self.send_pages(round, to, Vec::new()).await
        }
    }

    /// What the drain plugin lists now; it only looks.
    pub(crate) async fn list_requests(&self) -> Result<BTreeMap<String, RequestStatus>, String> {
        let (sink, mut pages) = mpsc::channel::<Vec<RequestStatus>>(PAGES);
        let call = self
            .parts
            .drain
            .list_requests(self.call(self.fencing_term(), 1, CALL), sink);
        let collect = async {
            let mut all = BTreeMap::new();
            while let Some(page) = pages.recv().await {
                all.extend(page.into_iter().map(|request| (request.id.clone(), request)));
            }
            all
        };
        let (called, all) = tokio::join!(call, collect);
        called.map(|()| all).map_err(|failure| failure.to_string())
    }

    async fn put_and_send(
        &self,
        round: RoundId,
        to: Option<&HostName>,
        page: Vec<RequestStatus>,
    ) -> Result<(), String> {
        if !page.is_empty() {
            self.parts
                .store
                .put_requests(round, &page)
                .await
                .map_err(|error| error.to_string())?;
        }
        match to {
            // A page that is lost here is sent again before the seal can be confirmed.
            Some(to) => self.send_pages(round, to, page).await.or(Ok(())),
            None => Ok(()),
        }
    }

    async fn send_pages(&self, round: RoundId, to: &HostName, requests: Vec<RequestStatus>) -> Result<(), String> {
        for frame in Frame::compilation_pages(&self.parts.service, round, requests) {
            if !self.parts.peers.send_waiting(to, frame).await {
                return Err(format!("{to} is not connected"));
            }
        }
        Ok(())
    }
}

fn is_under_way(request: &RequestStatus) -> bool {
    matches!(request.state, RequestState::Queued | RequestState::Running)
}

fn state_word(state: RequestState) -> &'static str {
    match state {
        RequestState::Queued => "queued",
        RequestState::Running => "running",
        RequestState::Completed => "completed",
        RequestState::Failed => "failed",
        RequestState::Cut => "cut",
        RequestState::Refused => "refused",
    }
}

/// The listing after this one, and what is to be written down: new, changed, or ended since the last.
fn merge(
    mut before: BTreeMap<String, RequestStatus>,
    now: BTreeMap<String, RequestStatus>,
) -> (BTreeMap<String, RequestStatus>, Vec<RequestStatus>) {
    let mut changes = Vec::new();
    let mut after = BTreeMap::new();
    for (id, mut request) in now {
        let earlier = before.remove(&id);
        if let Some(earlier) = &earlier {
            // Whose it is does not change; once its client's connection has ended, a listing may no longer know it.
            request.client.clone_from(&earlier.client);
        }
        if earlier.as_ref() != Some(&request) {
            changes.push(request.clone());
        }
        after.insert(id, request);
    }
    for (id, mut ended) in before {
        if is_under_way(&ended) {
            ended.state = RequestState::Completed;
            changes.push(ended.clone());
        }
        after.insert(id, ended);
    }
    (after, changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str, state: RequestState) -> (String, RequestStatus) {
        let status = RequestStatus {
            id: id.to_owned(),
            client: String::new(),
            operation: String::new(),
            state,
            started_at_ms: 0,
            progress: None,
            idempotency_key: None,
            resume: None,
            attributes: Vec::new(),
        };
        (id.to_owned(), status)
    }

    #[test]
    fn what_is_no_longer_listed_has_ended_and_is_never_forgotten() {
        let first = BTreeMap::from([request("a", RequestState::Running), request("b", RequestState::Running)]);
        let (after, changes) = merge(BTreeMap::new(), first);
        assert_eq!((after.len(), changes.len()), (2, 2));
        let second = BTreeMap::from([request("b", RequestState::Running), request("c", RequestState::Queued)]);
        let (after, mut changes) = merge(after, second);
        changes.sort_by(|x, y| x.id.cmp(&y.id));
        let said: Vec<_> = changes.iter().map(|r| (r.id.as_str(), r.state)).collect();
        assert_eq!(said, [("a", RequestState::Completed), ("c", RequestState::Queued)]);
        assert_eq!(after.len(), 3);
    }

    #[test]
    fn a_later_listing_that_has_lost_the_client_does_not_take_it_away() {
        let with_client = |client: &str, state| {
            let (id, status) = request("a", state);
            BTreeMap::from([(
                id,
                RequestStatus {
                    client: client.to_owned(),
                    ..status
                },
            )])
        };
        let (after, _) = merge(BTreeMap::new(), with_client("192.0.2.7:5000", RequestState::Running));
        let (after, changes) = merge(after, with_client("127.0.0.1:40000", RequestState::Completed));
        assert_eq!(after["a"].client, "192.0.2.7:5000");
        assert_eq!((changes.len(), changes[0].state), (1, RequestState::Completed));
    }
}
