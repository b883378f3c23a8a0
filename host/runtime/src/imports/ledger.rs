//! `ledger`: long lists, page by page.
//!
//! Invariant: a page is taken whole or refused whole; a slow receiver makes the guest wait, within its deadline.

use std::collections::VecDeque;

use tokio::sync::mpsc::Sender;
use understudy_protocol::RequestStatus;
use wasmtime::component::Resource;

use crate::answer;
use crate::bindings::understudy::plugin::ledger::{Host, HostDispositionSink, HostRequestSink, HostRequestSource};
use crate::bindings::understudy::plugin::types::{self, HostError};
use crate::call::{DispositionPagesSink, RequestPages, RequestPagesSink};
use crate::convert;
use crate::imports::refuse;
use crate::state::CallState;

/// Where a guest's listing goes.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct RequestSink {
    to: RequestPagesSink,
    pushed: u64,
}

impl RequestSink {
    pub(crate) fn new(to: RequestPagesSink) -> Self {
        Self { to, pushed: 0 }
    }
}

/// Where a guest's dispositions go.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct DispositionSink {
    to: DispositionPagesSink,
    pushed: u64,
}

impl DispositionSink {
    pub(crate) fn new(to: DispositionPagesSink) -> Self {
        Self { to, pushed: 0 }
    }
}

/// Where a guest reads the compilation from.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct RequestSource {
    from: RequestPages,
    ready: VecDeque<RequestStatus>,
}

impl RequestSource {
    pub(crate) fn new(from: RequestPages) -> Self {
        Self {
            from,
            ready: VecDeque::new(),
        }
    }

    /// The next entries: at most `max`, and no more bytes than a guest's memory takes lightly. Empty: the end.
    async fn next(&mut self, max: usize) -> Vec<RequestStatus> {
        while self.ready.is_empty() {
            match self.from.pages.recv().await {
                Some(page) => self.ready.extend(page),
                None => return Vec::new(),
            }
        }
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < max && bytes < PAGE_BYTES {
            let Some(request) = self.ready.pop_front() else { break };
            bytes += size(&request);
            page.push(request);
        }
        page
    }
}

impl Host for CallState {}

impl HostRequestSink for CallState {
    async fn push(
        &mut self,
        sink: Resource<RequestSink>,
        requests: Vec<types::RequestStatus>,
    ) -> wasmtime::Result<Result<(), HostError>> {
        let _entered = self.enter("ledger.request-sink.push".to_owned());
        let limit = self.limits.requests;
        let sink = self.table.get_mut(&sink)?;
        if let Err(error) = room(requests.len(), &mut sink.pushed, limit) {
            return Ok(Err(error));
        }
        let requests: Vec<_> = requests.into_iter().map(convert::request_from_guest).collect();
        if let Some(problem) = requests.iter().find_map(|request| answer::request(request).err()) {
            return Ok(Err(refuse::invalid(problem)));
        }
        Ok(hand_on(&sink.to, requests).await)
    }

    async fn drop(&mut self, sink: Resource<RequestSink>) -> wasmtime::Result<()> {
        self.table.delete(sink)?;
        Ok(())
    }
}

impl HostDispositionSink for CallState {
    async fn push(
        &mut self,
        sink: Resource<DispositionSink>,
        dispositions: Vec<types::Disposition>,
    ) -> wasmtime::Result<Result<(), HostError>> {
        let _entered = self.enter("ledger.disposition-sink.push".to_owned());
        let limit = self.limits.requests;
        let sink = self.table.get_mut(&sink)?;
        if let Err(error) = room(dispositions.len(), &mut sink.pushed, limit) {
            return Ok(Err(error));
        }
        let dispositions: Vec<_> = dispositions.into_iter().map(convert::disposition).collect();
        if let Some(problem) = dispositions
            .iter()
            .find_map(|disposition| answer::disposition(disposition).err())
        {
            return Ok(Err(refuse::invalid(problem)));
        }
        Ok(hand_on(&sink.to, dispositions).await)
    }

    async fn drop(&mut self, sink: Resource<DispositionSink>) -> wasmtime::Result<()> {
        self.table.delete(sink)?;
        Ok(())
    }
}

impl HostRequestSource for CallState {
    async fn total(&mut self, source: Resource<RequestSource>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&source)?.from.total)
    }

    async fn next(&mut self, source: Resource<RequestSource>, max: u32) -> wasmtime::Result<Vec<types::RequestStatus>> {
        let _entered = self.enter("ledger.request-source.next".to_owned());
        let max = usize::try_from(max).unwrap_or(PAGE).clamp(1, PAGE);
        let page = self.table.get_mut(&source)?.next(max).await;
        Ok(page.into_iter().map(convert::request_to_guest).collect())
    }

    async fn drop(&mut self, source: Resource<RequestSource>) -> wasmtime::Result<()> {
        self.table.delete(source)?;
        Ok(())
    }
}

/// Counts a page in, if it fits.
fn room(page: usize, pushed: &mut u64, limit: u64) -> Result<(), HostError> {
    if page > PAGE {
        return Err(refuse::too_large(format!(
            "a page may have {PAGE} entries, this one has {page}"
        )));
    }
    let total = pushed.saturating_add(page as u64);
    if total > limit {
        return Err(refuse::too_large(format!("a listing may have {limit} entries")));
    }
    *pushed = total;
    Ok(())
}

async fn hand_on<T>(to: &Sender<Vec<T>>, page: Vec<T>) -> Result<(), HostError> {
    if page.is_empty() {
        return Ok(());
    }
    to.send(page)
        .await
        .map_err(|_| refuse::closed("nobody takes the listing any more"))
}

fn size(request: &RequestStatus) -> usize {
    let attributes: usize = request
        .attributes
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let resume = request.resume.as_ref().map_or(0, Vec::len);
    request.id.len() + request.client.len() + request.operation.len() + resume + attributes + size_of::<RequestStatus>()
}

/// The size that the interface promises.
pub(crate) const PAGE: usize = 4096;
/// Requests with large `resume` blobs come in smaller pages.
const PAGE_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use understudy_protocol::RequestState;

    use super::*;

    fn request(id: usize, resume: usize) -> RequestStatus {
        RequestStatus {
            id: id.to_string(),
            client: String::new(),
            operation: String::new(),
            state: RequestState::Running,
            started_at_ms: 0,
            progress: None,
            idempotency_key: None,
            resume: Some(vec![0; resume]),
            attributes: Vec::new(),
        }
    }

    #[tokio::test]
    async fn pages_are_cut_by_number_and_by_size() {
        let mut source = RequestSource::new(RequestPages::of((0..300).map(|id| request(id, 64 << 10)).collect()));
        assert_eq!(source.next(7).await.len(), 7);
        let large = source.next(PAGE).await.len();
        assert!((1..=64).contains(&large), "{large}");
        let mut rest = 0;
        loop {
            match source.next(PAGE).await.len() {
                0 => break,
                more => rest += more,
            }
        }
        assert_eq!(7 + large + rest, 300);
    }

    #[test]
    fn a_listing_has_room_for_so_many() {
        let mut pushed = 0;
        assert!(room(PAGE, &mut pushed, 5000).is_ok());
        assert_eq!(room(PAGE, &mut pushed, 5000).unwrap_err().code, "too-large");
        assert_eq!(room(PAGE + 1, &mut pushed, 50_000).unwrap_err().code, "too-large");
        assert_eq!(pushed, PAGE as u64);
    }
}
