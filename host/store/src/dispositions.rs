//! What became of each request of a compilation: said by the second host, page by page, until none is left.
//!
//! Invariant: a compilation counts as resolved only when every request has its disposition; the last word on each holds.

use understudy_protocol::{Disposition, Outcome, RoundId};

use crate::requests::{PAGE, successor};
use crate::sql::{dispositions_to_sql, outcome_to_sql, round_to_sql};
use crate::{Store, StoreError};

impl Store {
    /// Writes down what became of requests; the last word on each holds. Answers the ids that the compilation does
    /// not have, which are not written. One transaction: pass pages of some thousands, not more.
    ///
    /// # Errors
    /// [`StoreError::NoCompilation`], or when the store can't be written.
    pub async fn record_dispositions(
        &self,
        round: RoundId,
        page: &[Disposition],
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        let compilation = self.compilation_id(round).await?;
        let page = dispositions_to_sql(page);
        let mut write = self.write().await?;
        sqlx::query!(
            // Materialized, or SQLite would read the whole page again for each request of the compilation.
            "WITH said AS MATERIALIZED (
                 SELECT value ->> 0 AS id, value ->> 1 AS outcome, value ->> 2 AS message FROM json_each(?2)
             )
             UPDATE requests SET outcome = said.outcome, outcome_message = said.message, outcome_at_ms = ?3
             FROM said WHERE compilation = ?1 AND requests.id = said.id",
            compilation,
            page,
            at_ms
        )
        .execute(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        let unknown = sqlx::query_scalar!(
            r#"SELECT value ->> 0 AS "id!: String" FROM json_each(?2)
               WHERE NOT EXISTS (SELECT 1 FROM requests r WHERE r.compilation = ?1 AND r.id = value ->> 0)"#,
            compilation,
            page
        )
        .fetch_all(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        write.commit().await?;
        Ok(unknown)
    }

    /// Gives every request without a disposition this one, and marks the compilation as resolved. Answers how many
    /// there were. Can be repeated after a crash.
    ///
    /// # Errors
    /// [`StoreError::NoCompilation`], or when the store can't be written.
    pub async fn resolve_rest(
        &self,
        round: RoundId,
        outcome: Outcome,
        message: &str,
        at_ms: i64,
    ) -> Result<u64, StoreError> {
        let compilation = self.compilation_id(round).await?;
        let mut resolved = 0;
        let mut from = String::new();
        while let Some(last) = self.last_unresolved(compilation, &from).await? {
            resolved += self
                .resolve_range(compilation, (&from, &last), (outcome, message), at_ms)
                .await?;
            from = successor(&last);
        }
        let round = round_to_sql(round);
        sqlx::query!(
            "UPDATE compilations SET resolved_at_ms = ?2 WHERE round = ?1 AND resolved_at_ms IS NULL
               AND NOT EXISTS (SELECT 1 FROM request_counts c
                               WHERE c.compilation = compilations.id AND c.outcome = '' AND c.requests > 0)",
            round,
            at_ms
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(resolved)
    }

    /// The last id of the next page of requests without a disposition; none when there are none from `from` on.
    async fn last_unresolved(&self, compilation: i64, from: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT max(id) AS "id: String" FROM (
                   SELECT id FROM requests WHERE compilation = ?1 AND id >= ?2 AND outcome IS NULL ORDER BY id LIMIT ?3)"#,
            compilation,
            from,
            PAGE
        )
        .fetch_one(self.readers())
        .await
        .map_err(|e| self.broken(e))
    }

    async fn resolve_range(
        &self,
        compilation: i64,
        (from, last): (&str, &str),
        (outcome, message): (Outcome, &str),
        at_ms: i64,
    ) -> Result<u64, StoreError> {
        let outcome = outcome_to_sql(outcome);
        let done = sqlx::query!(
            "UPDATE requests SET outcome = ?4, outcome_message = ?5, outcome_at_ms = ?6
             WHERE compilation = ?1 AND id >= ?2 AND id <= ?3 AND outcome IS NULL",
            compilation,
            from,
            last,
            outcome,
            message,
            at_ms
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }
}
