//! Compilations as wholes: begin, seal, close, list.
//!
//! Invariant: a seal is of one revision of the requests. Any change of a request raises the revision and takes the
//! seal away in the same transaction; pages that repeat what is there change nothing, so a resend keeps the seal.

use understudy_protocol::{CompilationSeal, HostName, Outcome, RequestState, RoundId, ServiceName};

use crate::seal::Sealer;
use crate::sql::{
    host_from_sql, outcome_from_sql, request_state_from_sql, round_from_sql, round_to_sql, seal_from_sql,
    service_from_sql, u64_from_sql, u64_to_sql,
};
use crate::{Store, StoreError};

/// A compilation without its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilationSummary {
    /// The round it belongs to.
    pub round: RoundId,
    /// The service.
    pub service: ServiceName,
    /// Whose server had the requests.
    pub first: HostName,
    /// Who was to go on with them; none when nobody could be found.
    pub second: Option<HostName>,
    /// When it was begun here, in milliseconds since the Unix epoch, as all times.
    pub begun_at_ms: i64,
    /// The seal, once it is complete.
    pub sealed: Option<Sealed>,
    /// When the last request got its disposition.
    pub resolved_at_ms: Option<i64>,
    /// When, and why, this host needed it no more.
    pub closed: Option<(i64, String)>,
    /// How many requests it has now.
    pub requests: u64,
    /// How many of them have no disposition yet.
    pub unresolved: u64,
    /// How many there are in each state; states that don't occur are left out.
    pub by_state: Vec<(RequestState, u64)>,
    /// How many there are of each outcome; outcomes that don't occur are left out.
    pub by_outcome: Vec<(Outcome, u64)>,
}

/// A seal and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Count and digest.
    pub seal: CompilationSeal,
    /// When it was made here.
    pub at_ms: i64,
}

impl Store {
    /// Begins a compilation, on either side. Repeating it changes at most who the second is, and otherwise
    /// writes nothing: it may be said with every page.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn begin_compilation(
        &self,
        service: &ServiceName,
        round: RoundId,
        first: &HostName,
        second: Option<&HostName>,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        let (service, round) = (service.as_str(), round_to_sql(round));
        let (first, second) = (first.as_str(), second.map(HostName::as_str));
        let mut write = self.write().await?;
        sqlx::query!(
            "INSERT INTO compilations (service, round, first_host, second_host, begun_at_ms, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, 0)
             ON CONFLICT (round) DO UPDATE SET second_host = excluded.second_host
             WHERE excluded.second_host IS NOT NULL AND excluded.second_host IS NOT second_host",
            service,
            round,
            first,
            second,
            at_ms
        )
        .execute(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        write.commit().await
    }

    /// Makes the seal of what is there now; durable, with every request in it, when this answers. Sealing an unchanged
    /// compilation again answers the same. Other writes go on meanwhile: the digest is made from pages, and holds only
    /// if nothing changed until it was written.
    ///
    /// # Errors
    /// [`StoreError::NoCompilation`], [`StoreError::StillChanging`], or when the store can't be written.
    pub async fn seal_compilation(&self, round: RoundId, at_ms: i64) -> Result<CompilationSeal, StoreError> {
        for _ in 0..SEAL_ATTEMPTS {
            let revision = self.revision(round).await?;
            let mut sealer = Sealer::new();
            let mut pages = self.all_requests(round).await?;
            while let Some(page) = pages.next_page().await? {
                page.iter().for_each(|request| sealer.add(request));
            }
            let seal = sealer.seal();
            if self.write_seal(round, revision, seal, at_ms).await? {
                return Ok(seal);
            }
        }
        Err(StoreError::StillChanging { round })
    }

    /// The seal, if the compilation is complete and unchanged since.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn sealed(&self, round: RoundId) -> Result<Option<CompilationSeal>, StoreError> {
        let round = round_to_sql(round);
        let row = sqlx::query!(
            "SELECT sealed_count, sealed_digest FROM compilations WHERE round = ?1",
            round
        )
        .fetch_optional(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let Some((Some(count), Some(digest))) = row.map(|row| (row.sealed_count, row.sealed_digest)) else {
            return Ok(None);
        };
        seal_from_sql(count, &digest).map(Some).map_err(|e| self.broken(e))
    }

    /// Says that this host needs the compilation no more (`why`: for example `taken over`, `cancelled`), so that
    /// retention may remove it even if not every request has a disposition here. Once closed it stays so.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn close_compilation(&self, round: RoundId, why: &str, at_ms: i64) -> Result<(), StoreError> {
        let round = round_to_sql(round);
        sqlx::query!(
            "UPDATE compilations SET closed_at_ms = ?2, closed_reason = ?3 WHERE round = ?1 AND closed_at_ms IS NULL",
            round,
            at_ms,
            why
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }

    /// One compilation.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn compilation(&self, round: RoundId) -> Result<Option<CompilationSummary>, StoreError> {
        let round = round_to_sql(round);
        let row = sqlx::query_as!(CompilationRow, "SELECT * FROM compilations WHERE round = ?1", round)
            .fetch_optional(self.readers())
            .await
            .map_err(|e| self.broken(e))?;
        match row {
            Some(row) => Ok(Some(self.summary(row).await?)),
            None => Ok(None),
        }
    }

    /// The newest compilations, of one service or of all.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn compilations(
        &self,
        service: Option<&ServiceName>,
        limit: u32,
    ) -> Result<Vec<CompilationSummary>, StoreError> {
        let service = service.map(ServiceName::as_str);
        let rows = sqlx::query_as!(
            CompilationRow,
            "SELECT * FROM compilations WHERE ?1 IS NULL OR service = ?1 ORDER BY id DESC LIMIT ?2",
            service,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let mut summaries = Vec::with_capacity(rows.len());
        for row in rows {
            summaries.push(self.summary(row).await?);
        }
        Ok(summaries)
    }

    /// The row number of a compilation.
    pub(crate) async fn compilation_id(&self, round: RoundId) -> Result<i64, StoreError> {
        let text = round_to_sql(round);
        sqlx::query_scalar!("SELECT id FROM compilations WHERE round = ?1", text)
            .fetch_optional(self.readers())
            .await
            .map_err(|e| self.broken(e))?
            .ok_or(StoreError::NoCompilation { round })
    }

    async fn revision(&self, round: RoundId) -> Result<i64, StoreError> {
        let text = round_to_sql(round);
        sqlx::query_scalar!("SELECT revision FROM compilations WHERE round = ?1", text)
            .fetch_optional(self.readers())
            .await
            .map_err(|e| self.broken(e))?
            .ok_or(StoreError::NoCompilation { round })
    }

    /// False if the requests have changed since `revision`.
    async fn write_seal(
        &self,
        round: RoundId,
        revision: i64,
        seal: CompilationSeal,
        at_ms: i64,
    ) -> Result<bool, StoreError> {
        let (round, count, digest) = (round_to_sql(round), u64_to_sql(seal.count), seal.digest.to_string());
        let mut write = self.write().await?;
        let done = sqlx::query!(
            "UPDATE compilations
             SET sealed_count = ?3, sealed_digest = ?4, sealed_at_ms = coalesce(sealed_at_ms, ?5)
             WHERE round = ?1 AND revision = ?2",
            round,
            revision,
            count,
            digest,
            at_ms
        )
        .execute(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn summary(&self, row: CompilationRow) -> Result<CompilationSummary, StoreError> {
        let counts = sqlx::query_as!(
            CountRow,
            "SELECT outcome, state, requests FROM request_counts WHERE compilation = ?1 AND requests > 0",
            row.id
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        row.into_summary(counts).map_err(|e| self.broken(e))
    }
}

struct CompilationRow {
    id: i64,
    round: String,
    service: String,
    first_host: String,
    second_host: Option<String>,
    begun_at_ms: i64,
    #[expect(dead_code, reason = "part of the row; only sealing looks at it")]
    revision: i64,
    sealed_at_ms: Option<i64>,
    sealed_count: Option<i64>,
    sealed_digest: Option<String>,
    resolved_at_ms: Option<i64>,
    closed_at_ms: Option<i64>,
    closed_reason: Option<String>,
}

struct CountRow {
    /// Empty: not said yet.
    outcome: String,
    state: String,
    requests: i64,
}

impl CompilationRow {
    fn into_summary(self, counts: Vec<CountRow>) -> Result<CompilationSummary, sqlx::Error> {
        let sealed = match (self.sealed_at_ms, self.sealed_count, self.sealed_digest) {
            (Some(at_ms), Some(count), Some(digest)) => Some(Sealed {
                seal: seal_from_sql(count, &digest)?,
                at_ms,
            }),
            _ => None,
        };
        let mut summary = CompilationSummary {
            round: round_from_sql(&self.round)?,
            service: service_from_sql(&self.service)?,
            first: host_from_sql(&self.first_host)?,
            second: self.second_host.as_deref().map(host_from_sql).transpose()?,
            begun_at_ms: self.begun_at_ms,
            sealed,
            resolved_at_ms: self.resolved_at_ms,
            closed: self.closed_at_ms.zip(self.closed_reason),
            requests: 0,
            unresolved: 0,
            by_state: Vec::new(),
            by_outcome: Vec::new(),
        };
        for count in counts {
            summary.count(&count)?;
        }
        summary.by_state.sort();
        summary.by_outcome.sort();
        Ok(summary)
    }
}

impl CompilationSummary {
    fn count(&mut self, row: &CountRow) -> Result<(), sqlx::Error> {
        let requests = u64_from_sql(row.requests);
        self.requests += requests;
        add(&mut self.by_state, request_state_from_sql(&row.state)?, requests);
        match row.outcome.as_str() {
            "" => self.unresolved += requests,
            outcome => add(&mut self.by_outcome, outcome_from_sql(outcome)?, requests),
        }
        Ok(())
    }
}

fn add<T: PartialEq>(counts: &mut Vec<(T, u64)>, key: T, number: u64) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += number,
        None => counts.push((key, number)),
    }
}

/// The caller seals after the last page, so the first attempt holds; a second one is for a page that was still under
/// way, and more than that is a caller that does not wait for its pages.
const SEAL_ATTEMPTS: u32 = 4;
