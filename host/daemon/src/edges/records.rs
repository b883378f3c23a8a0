//! The store, as far as the driver and the effects write and read it.

use async_trait::async_trait;
use understudy_protocol::{
    CompilationSeal, Disposition, Entry, Fault, HostName, Outcome, RequestStatus, RoundId, ServiceName, Verdict,
};
use understudy_store::{CompilationSummary, JournalFilter, JournalLine, RequestPages, Said, Store, StoreError};

/// What must not be forgotten. Every call means what the method of [`Store`] with its name means; after an error it is
/// unknown whether the write took effect.
#[async_trait]
pub(crate) trait Records: Send + Sync {
    async fn append(&self, entry: &Entry, at_ms: i64) -> Result<JournalLine, StoreError>;
    /// [`Records::append`], with what was said in the turn. What stands in for a disk may do without evidence.
    async fn append_with(&self, entry: &Entry, _said: &[Said], at_ms: i64) -> Result<JournalLine, StoreError> {
        self.append(entry, at_ms).await
    }
    async fn keep_messages(&self, _service: &ServiceName, _said: &[Said], _at_ms: i64) -> Result<(), StoreError> {
        Ok(())
    }
    async fn journal(&self, filter: &JournalFilter, limit: u32) -> Result<Vec<JournalLine>, StoreError>;
    async fn begin_compilation(
        &self,
        service: &ServiceName,
        round: RoundId,
        first: &HostName,
        second: Option<&HostName>,
        at_ms: i64,
    ) -> Result<(), StoreError>;
    async fn put_requests(&self, round: RoundId, page: &[RequestStatus]) -> Result<(), StoreError>;
    async fn all_requests(&self, round: RoundId) -> Result<Box<dyn StoredPages>, StoreError>;
    async fn seal_compilation(&self, round: RoundId, at_ms: i64) -> Result<CompilationSeal, StoreError>;
    async fn close_compilation(&self, round: RoundId, why: &str, at_ms: i64) -> Result<(), StoreError>;
    async fn compilation(&self, round: RoundId) -> Result<Option<CompilationSummary>, StoreError>;
    async fn record_dispositions(
        &self,
        round: RoundId,
        page: &[Disposition],
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError>;
    async fn resolve_rest(
        &self,
        round: RoundId,
        outcome: Outcome,
        message: &str,
        at_ms: i64,
    ) -> Result<u64, StoreError>;
    async fn plugin_state(&self, service: &ServiceName, plugin: &str) -> Result<Option<Vec<u8>>, StoreError>;
    async fn put_plugin_state(&self, service: &ServiceName, plugin: &str, state: &[u8]) -> Result<(), StoreError>;
    async fn record_fault(
        &self,
        service: &ServiceName,
        host: &HostName,
        fault: &Fault,
        verdict: Verdict,
        at_ms: i64,
    ) -> Result<(), StoreError>;
    async fn end_faults(&self, service: &ServiceName, host: &HostName, at_ms: i64) -> Result<(), StoreError>;
}

/// A compilation's requests, read page by page.
#[async_trait]
pub(crate) trait StoredPages: Send {
    /// None after the last.
    async fn next_page(&mut self) -> Result<Option<Vec<RequestStatus>>, StoreError>;
}

#[async_trait]
impl Records for Store {
    async fn append(&self, entry: &Entry, at_ms: i64) -> Result<JournalLine, StoreError> {
        Store::append(self, entry, at_ms).await
    }

    async fn append_with(&self, entry: &Entry, said: &[Said], at_ms: i64) -> Result<JournalLine, StoreError> {
        Store::append_with(self, entry, said, at_ms).await
    }

    async fn keep_messages(&self, service: &ServiceName, said: &[Said], at_ms: i64) -> Result<(), StoreError> {
        Store::keep_messages(self, service, said, at_ms).await
    }

    async fn journal(&self, filter: &JournalFilter, limit: u32) -> Result<Vec<JournalLine>, StoreError> {
        Store::journal(self, filter, limit).await
    }

    async fn begin_compilation(
        &self,
        service: &ServiceName,
        round: RoundId,
        first: &HostName,
        second: Option<&HostName>,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        Store::begin_compilation(self, service, round, first, second, at_ms).await
    }

    async fn put_requests(&self, round: RoundId, page: &[RequestStatus]) -> Result<(), StoreError> {
        Store::put_requests(self, round, page).await
    }

    async fn all_requests(&self, round: RoundId) -> Result<Box<dyn StoredPages>, StoreError> {
        Ok(Box::new(Store::all_requests(self, round).await?))
    }

    async fn seal_compilation(&self, round: RoundId, at_ms: i64) -> Result<CompilationSeal, StoreError> {
        Store::seal_compilation(self, round, at_ms).await
    }

    async fn close_compilation(&self, round: RoundId, why: &str, at_ms: i64) -> Result<(), StoreError> {
        Store::close_compilation(self, round, why, at_ms).await
    }

    async fn compilation(&self, round: RoundId) -> Result<Option<CompilationSummary>, StoreError> {
        Store::compilation(self, round).await
    }

    async fn record_dispositions(
        &self,
        round: RoundId,
        page: &[Disposition],
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        Store::record_dispositions(self, round, page, at_ms).await
    }

    async fn resolve_rest(
        &self,
        round: RoundId,
        outcome: Outcome,
        message: &str,
        at_ms: i64,
    ) -> Result<u64, StoreError> {
        Store::resolve_rest(self, round, outcome, message, at_ms).await
    }

    async fn plugin_state(&self, service: &ServiceName, plugin: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Store::plugin_state(self, service, plugin).await
    }

    async fn put_plugin_state(&self, service: &ServiceName, plugin: &str, state: &[u8]) -> Result<(), StoreError> {
        Store::put_plugin_state(self, service, plugin, state).await
    }

    async fn record_fault(
        &self,
        service: &ServiceName,
        host: &HostName,
        fault: &Fault,
        verdict: Verdict,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        Store::record_fault(self, service, host, fault, verdict, at_ms)
            .await
            .map(drop)
    }

    async fn end_faults(&self, service: &ServiceName, host: &HostName, at_ms: i64) -> Result<(), StoreError> {
        Store::end_fault(self, service, host, None, at_ms).await.map(drop)
    }
}

#[async_trait]
impl StoredPages for RequestPages {
    async fn next_page(&mut self) -> Result<Option<Vec<RequestStatus>>, StoreError> {
        RequestPages::next_page(self).await
    }
}
