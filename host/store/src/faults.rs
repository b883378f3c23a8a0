//! Faults with their evidence, on whichever host they were found.
//!
//! Invariant: a fault that goes on is one fault, however often it is seen: at most one is open for a service, a host
//! and a code.

use understudy_protocol::{Fault, HostName, ServiceName, Verdict};

use crate::sql::{FaultRow, Found};
use crate::{Store, StoreError};

/// A fault from its first sight to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultLine {
    /// Rises with every new fault of this store; the newest has the highest.
    pub id: i64,
    /// The service.
    pub service: ServiceName,
    /// Whose server has it.
    pub host: HostName,
    /// What the probe last said of the server.
    pub verdict: Verdict,
    /// The fault, as it was last seen.
    pub fault: Fault,
    /// In milliseconds since the Unix epoch, as all times.
    pub first_seen_at_ms: i64,
    /// When it was last reported.
    pub last_seen_at_ms: i64,
    /// When it was found to be gone.
    pub ended_at_ms: Option<i64>,
}

/// Which faults. The default is all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultFilter {
    /// Of this service only.
    pub service: Option<ServiceName>,
    /// Found on this host only.
    pub host: Option<HostName>,
    /// Only those that have not ended.
    pub open: bool,
    /// Only those with a lower id: the next page.
    pub before_id: Option<i64>,
}

impl Store {
    /// Writes down a fault, or that one is still there, with what is known of it now. Answers its id.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn record_fault(
        &self,
        service: &ServiceName,
        host: &HostName,
        fault: &Fault,
        verdict: Verdict,
        at_ms: i64,
    ) -> Result<i64, StoreError> {
        let (service, host) = (service.as_str(), host.as_str());
        let found = Found::new(fault, verdict);
        sqlx::query_scalar!(
            "INSERT INTO faults (service, host, code, kind, severity, verdict, message, shutdown_within_ms, evidence,
                 first_seen_at_ms, last_seen_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)
             ON CONFLICT (service, host, code) WHERE ended_at_ms IS NULL DO UPDATE SET
                 kind = excluded.kind, severity = excluded.severity, verdict = excluded.verdict,
                 message = excluded.message, shutdown_within_ms = excluded.shutdown_within_ms,
                 evidence = excluded.evidence, last_seen_at_ms = excluded.last_seen_at_ms
             RETURNING id",
            service,
            host,
            found.code,
            found.kind,
            found.severity,
            found.verdict,
            found.message,
            found.shutdown_within_ms,
            found.evidence,
            at_ms
        )
        .fetch_one(self.writer())
        .await
        .map_err(|e| self.broken(e))
    }

    /// Says that a fault is gone; without a code, that all of this service on this host are. Answers how many were
    /// open.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn end_fault(
        &self,
        service: &ServiceName,
        host: &HostName,
        code: Option<&str>,
        at_ms: i64,
    ) -> Result<u64, StoreError> {
        let (service, host) = (service.as_str(), host.as_str());
        let done = sqlx::query!(
            "UPDATE faults SET ended_at_ms = ?4
             WHERE ended_at_ms IS NULL AND service = ?1 AND host = ?2 AND (?3 IS NULL OR code = ?3)",
            service,
            host,
            code,
            at_ms
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    /// At most `limit` faults, the newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn faults(&self, filter: &FaultFilter, limit: u32) -> Result<Vec<FaultLine>, StoreError> {
        let FaultFilter {
            service,
            host,
            open,
            before_id,
        } = filter;
        let (service, host) = (
            service.as_ref().map(ServiceName::as_str),
            host.as_ref().map(HostName::as_str),
        );
        let before = before_id.unwrap_or(i64::MAX);
        let rows = sqlx::query_as!(
            FaultRow,
            "SELECT id, service, host, code, kind, severity, verdict, message, shutdown_within_ms, evidence,
                    first_seen_at_ms, last_seen_at_ms, ended_at_ms
             FROM faults
             WHERE id < ?1 AND (?2 IS NULL OR service = ?2) AND (?3 IS NULL OR host = ?3)
               AND (NOT ?4 OR ended_at_ms IS NULL)
             ORDER BY id DESC LIMIT ?5",
            before,
            service,
            host,
            open,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let lines: Result<Vec<_>, _> = rows.into_iter().map(FaultRow::into_line).collect();
        lines.map_err(|e| self.broken(e))
    }
}
