//! Work of the effector: planned, started, ended; so that after a crash people can see what was under way.
//!
//! Invariant: nothing here decides anything. The machine asks for its work anew after a restart (all of it is
//! idempotent); this only says what was cut short.

use understudy_protocol::ServiceName;

use crate::sql::service_from_sql;
use crate::{Store, StoreError};

/// One piece of work that was not ended when the daemon died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkLine {
    /// Its number.
    pub id: i64,
    /// Whose.
    pub service: ServiceName,
    /// The work's name, for example `stop-server`.
    pub work: String,
    /// What it was about.
    pub detail: String,
    /// In milliseconds since the Unix epoch, as all times.
    pub planned_at_ms: i64,
    /// When it was begun; none if it never was.
    pub started_at_ms: Option<i64>,
}

impl Store {
    /// Writes down a piece of work before it begins. Answers its number.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn work_planned(
        &self,
        service: &ServiceName,
        work: &str,
        detail: &str,
        at_ms: i64,
    ) -> Result<i64, StoreError> {
        let service = service.as_str();
        let done = sqlx::query!(
            "INSERT INTO work (service, work, detail, planned_at_ms) VALUES (?1, ?2, ?3, ?4)",
            service,
            work,
            detail,
            at_ms
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.last_insert_rowid())
    }

    /// It begins.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn work_started(&self, id: i64, at_ms: i64) -> Result<(), StoreError> {
        sqlx::query!("UPDATE work SET started_at_ms = ?2 WHERE id = ?1", id, at_ms)
            .execute(self.writer())
            .await
            .map_err(|e| self.broken(e))?;
        Ok(())
    }

    /// It ended: as wanted, or with an error.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn work_ended(&self, id: i64, result: Result<(), &str>, at_ms: i64) -> Result<(), StoreError> {
        let (result, error) = match result {
            Ok(()) => ("done", None),
            Err(error) => ("failed", Some(error)),
        };
        sqlx::query!(
            "UPDATE work SET ended_at_ms = ?2, result = ?3, error = ?4 WHERE id = ?1",
            id,
            at_ms,
            result,
            error
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }

    /// At the start of the daemon: what was under way when it died, each now marked as abandoned.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn abandon_work(&self, at_ms: i64) -> Result<Vec<WorkLine>, StoreError> {
        let rows = sqlx::query!(
            "UPDATE work SET ended_at_ms = ?1, result = 'abandoned' WHERE ended_at_ms IS NULL
             RETURNING id, service, work, detail, planned_at_ms, started_at_ms",
            at_ms
        )
        .fetch_all(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            lines.push(WorkLine {
                id: row.id,
                service: service_from_sql(&row.service).map_err(|e| self.broken(e))?,
                work: row.work,
                detail: row.detail,
                planned_at_ms: row.planned_at_ms,
                started_at_ms: row.started_at_ms,
            });
        }
        lines.sort_by_key(|line| line.id);
        Ok(lines)
    }
}
