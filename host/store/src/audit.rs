//! The audit log: who changed what, about which service, why, and what came of it.
//!
//! Invariant: lines are added and, in time, pruned; never changed.

use understudy_protocol::ServiceName;

use crate::sql::service_from_sql;
use crate::{Store, StoreError};

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Rises with every line; given by the store.
    pub id: i64,
    /// The change.
    pub deed: Deed,
}

/// An operator's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Who: an operator's name, or a token's.
    pub who: String,
    /// What was asked for, for example `takeover`.
    pub what: String,
    /// About which service; none if about none.
    pub service: Option<ServiceName>,
    /// Why, in the operator's words.
    pub reason: String,
    /// What came of it, for example `accepted`, or the refusal.
    pub result: String,
}

/// Which lines. The default is all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// About this service only.
    pub service: Option<ServiceName>,
    /// Only those with a lower id: the next page.
    pub before_id: Option<i64>,
}

impl Store {
    /// Adds a line; durable when this answers. Answers its id.
    ///
    /// # Errors
    /// When the store can't be written; an operator's order must not be carried out then.
    pub async fn audit(&self, deed: &Deed) -> Result<i64, StoreError> {
        let Deed {
            at_ms,
            who,
            what,
            service,
            reason,
            result,
        } = deed;
        let service = service.as_ref().map(ServiceName::as_str);
        let done = sqlx::query!(
            "INSERT INTO audit (at_ms, who, what, service, reason, result) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            at_ms,
            who,
            what,
            service,
            reason,
            result
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.last_insert_rowid())
    }

    /// At most `limit` lines, the newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn audit_log(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let AuditFilter { service, before_id } = filter;
        let service = service.as_ref().map(ServiceName::as_str);
        let before = before_id.unwrap_or(i64::MAX);
        let rows = sqlx::query!(
            "SELECT id, at_ms, who, what, service, reason, result FROM audit
             WHERE id < ?1 AND (?2 IS NULL OR service = ?2) ORDER BY id DESC LIMIT ?3",
            before,
            service,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let service = row
                .service
                .as_deref()
                .map(service_from_sql)
                .transpose()
                .map_err(|e| self.broken(e))?;
            let (at_ms, who, what, reason, result) = (row.at_ms, row.who, row.what, row.reason, row.result);
            lines.push(AuditLine {
                id: row.id,
                deed: Deed {
                    at_ms,
                    who,
                    what,
                    service,
                    reason,
                    result,
                },
            });
        }
        Ok(lines)
    }
}
