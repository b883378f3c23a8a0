//! The requests of a compilation: written in pages as the first host knows more, and read in pages.
//!
//! Invariants: a page is one transaction; a million requests are never in memory at once; no transaction is longer
//! than a page, so that the journal is never kept waiting. A page goes to SQLite as one JSON array and one statement:
//! a statement a row costs ten times as much, most of it between threads.

use sqlx::SqliteConnection;
use understudy_protocol::{Disposition, Outcome, RequestState, RequestStatus, RoundId};

use crate::sql::{RequestRow, disposition_from_sql, outcome_to_sql, request_state_to_sql, requests_to_sql};
use crate::{Store, StoreError};

/// A request with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// As the first host wrote it down.
    pub status: RequestStatus,
    /// What became of it on the second, once that was said.
    pub disposition: Option<Disposition>,
}

/// Which requests. The default is all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestFilter {
    /// In this state only.
    pub state: Option<RequestState>,
    /// With this outcome only.
    pub outcome: Option<OutcomeFilter>,
    /// Only where the client contains this text; upper and lower case differ.
    pub client: Option<String>,
}

/// A choice by what became of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeFilter {
    /// Nothing was said yet.
    Unresolved,
    /// This was said.
    Is(Outcome),
}

/// Walks over all requests of a compilation, ordered by id, a page at a time.
#[derive(Debug)]
pub struct RequestPages {
    store: Store,
    compilation: i64,
    from: String,
    done: bool,
}

impl Store {
    /// Adds requests, or replaces what was known of them. One transaction: pass pages of some thousands, not more.
    /// A page that says nothing new changes nothing; one that does takes the seal away.
    ///
    /// # Errors
    /// [`StoreError::NoCompilation`], or when the store can't be written.
    pub async fn put_requests(&self, round: RoundId, page: &[RequestStatus]) -> Result<(), StoreError> {
        let compilation = self.compilation_id(round).await?;
        let mut write = self.write().await?;
        let changed = self.put_page(write.on(), compilation, page).await?;
        if changed > 0 {
            self.unseal(write.on(), compilation).await?;
        }
        write.commit().await
    }

    /// Forgets all requests of a compilation, so that it can be sent anew from its first page.
    ///
    /// # Errors
    /// [`StoreError::NoCompilation`], or when the store can't be written.
    pub async fn clear_requests(&self, round: RoundId) -> Result<(), StoreError> {
        let compilation = self.compilation_id(round).await?;
        self.delete_all_requests(compilation).await
    }

    /// One page of requests, ordered by id, after the request `after`. An empty page is the end.
    ///
    /// # Errors
    /// [`StoreError::NoCompilation`], or when the store can't be read.
    pub async fn requests(
        &self,
        round: RoundId,
        filter: &RequestFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RequestLine>, StoreError> {
        let compilation = self.compilation_id(round).await?;
        self.request_lines(compilation, filter, after, limit).await
    }

    /// All requests, for a resend, a digest or the second's work. Nothing is locked meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NoCompilation`], or when the store can't be read.
    pub async fn all_requests(&self, round: RoundId) -> Result<RequestPages, StoreError> {
        let compilation = self.compilation_id(round).await?;
        Ok(RequestPages {
            store: self.clone(),
            compilation,
            from: String::new(),
            done: false,
        })
    }

    /// In pages; the seal goes first, so that a rest is never taken for the whole.
    pub(crate) async fn delete_all_requests(&self, compilation: i64) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        self.unseal(write.on(), compilation).await?;
        write.commit().await?;
        while self.delete_requests(compilation).await? > 0 {}
        Ok(())
    }

    async fn delete_requests(&self, compilation: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "DELETE FROM requests WHERE compilation = ?1
               AND id IN (SELECT id FROM requests WHERE compilation = ?1 ORDER BY id LIMIT ?2)",
            compilation,
            PAGE
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    /// The requests change: what was said of the whole list no longer holds.
    async fn unseal(&self, connection: &mut SqliteConnection, compilation: i64) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE compilations SET revision = revision + 1, sealed_at_ms = NULL, sealed_count = NULL,
                 sealed_digest = NULL, resolved_at_ms = NULL
             WHERE id = ?1",
            compilation
        )
        .execute(connection)
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }

    /// How many of them are new or differ from what was known.
    async fn put_page(
        &self,
        connection: &mut SqliteConnection,
        compilation: i64,
        page: &[RequestStatus],
    ) -> Result<u64, StoreError> {
        let page = requests_to_sql(page);
        let done = sqlx::query!(
            "INSERT INTO requests (compilation, id, client, operation, state, started_at_ms, progress_done,
                 progress_total, progress_unit, idempotency_key, resume, attributes)
             SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                 value ->> 7, value ->> 8, unhex(value ->> 9), value ->> 10
             FROM json_each(?2) WHERE true
             ON CONFLICT (compilation, id) DO UPDATE SET
                 client = excluded.client, operation = excluded.operation, state = excluded.state,
                 started_at_ms = excluded.started_at_ms, progress_done = excluded.progress_done,
                 progress_total = excluded.progress_total, progress_unit = excluded.progress_unit,
                 idempotency_key = excluded.idempotency_key, resume = excluded.resume,
                 attributes = excluded.attributes
             WHERE client IS NOT excluded.client OR operation IS NOT excluded.operation
                OR state IS NOT excluded.state OR started_at_ms IS NOT excluded.started_at_ms
                OR progress_done IS NOT excluded.progress_done OR progress_total IS NOT excluded.progress_total
                OR progress_unit IS NOT excluded.progress_unit OR idempotency_key IS NOT excluded.idempotency_key
                OR resume IS NOT excluded.resume OR attributes IS NOT excluded.attributes",
            compilation,
            page
        )
        .execute(connection)
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    async fn request_lines(
        &self,
        compilation: i64,
        filter: &RequestFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RequestLine>, StoreError> {
        let RequestFilter { state, outcome, client } = filter;
        let from = after.map(successor).unwrap_or_default();
        let state = state.map(request_state_to_sql);
        let (unresolved, outcome) = match outcome {
            None => (false, None),
            Some(OutcomeFilter::Unresolved) => (true, None),
            Some(OutcomeFilter::Is(outcome)) => (false, Some(outcome_to_sql(*outcome))),
        };
        let rows = sqlx::query_as!(
            LineRow,
            "SELECT id, client, operation, state, started_at_ms, progress_done, progress_total, progress_unit,
                    idempotency_key, resume, attributes, outcome, outcome_message
             FROM requests
             WHERE compilation = ?1 AND id >= ?2 AND (?3 IS NULL OR state = ?3)
               AND (?4 IS NULL OR outcome = ?4) AND (NOT ?5 OR outcome IS NULL)
               AND (?6 IS NULL OR instr(client, ?6) > 0)
             ORDER BY id LIMIT ?7",
            compilation,
            from,
            state,
            outcome,
            unresolved,
            client,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let lines: Result<Vec<_>, _> = rows.into_iter().map(LineRow::into_line).collect();
        lines.map_err(|e| self.broken(e))
    }
}

impl RequestPages {
    /// The next page; none at the end.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn next_page(&mut self) -> Result<Option<Vec<RequestStatus>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let rows = sqlx::query_as!(
            RequestRow,
            "SELECT id, client, operation, state, started_at_ms, progress_done, progress_total, progress_unit,
                    idempotency_key, resume, attributes
             FROM requests WHERE compilation = ?1 AND id >= ?2 ORDER BY id LIMIT ?3",
            self.compilation,
            self.from,
            PAGE
        )
        .fetch_all(self.store.readers())
        .await
        .map_err(|e| self.store.broken(e))?;
        let page: Result<Vec<_>, _> = rows.into_iter().map(RequestRow::into_status).collect();
        let page = page.map_err(|e| self.store.broken(e))?;
        self.done = page.len() < PAGE as usize;
        let Some(last) = page.last() else { return Ok(None) };
        self.from = successor(&last.id);
        Ok(Some(page))
    }
}

struct LineRow {
    id: String,
    client: String,
    operation: String,
    state: String,
    started_at_ms: i64,
    progress_done: Option<i64>,
    progress_total: Option<i64>,
    progress_unit: Option<String>,
    idempotency_key: Option<String>,
    resume: Option<Vec<u8>>,
    attributes: String,
    outcome: Option<String>,
    outcome_message: Option<String>,
}

impl LineRow {
    fn into_line(self) -> Result<RequestLine, sqlx::Error> {
        let disposition = disposition_from_sql(&self.id, self.outcome, self.outcome_message)?;
        let request = RequestRow {
            id: self.id,
            client: self.client,
            operation: self.operation,
            state: self.state,
            started_at_ms: self.started_at_ms,
            progress_done: self.progress_done,
            progress_total: self.progress_total,
            progress_unit: self.progress_unit,
            idempotency_key: self.idempotency_key,
            resume: self.resume,
            attributes: self.attributes,
        };
        Ok(RequestLine {
            status: request.into_status()?,
            disposition,
        })
    }
}

/// The least id after this one. A cursor is "from here", not "after this, if anything": only so can SQLite begin in the
/// middle of the tree instead of counting past everything before, and only so is the empty id not skipped.
pub(crate) fn successor(id: &str) -> String {
    format!("{id}\0")
}

/// Some milliseconds of work, about a megabyte: as the pages on the wire.
pub(crate) const PAGE: u32 = 4096;
