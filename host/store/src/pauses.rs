//! What keeps a service from moving by itself: a part of its durable record, with tables of its own because there can
//! be several.
//!
//! Invariant: written in the transaction of the journal line that carries the record, and replaced as a whole.

use understudy_protocol::{Pauses, ServiceName, Time};

use crate::sql::{PauseRow, round_from_sql, round_to_sql, u64_from_sql, u64_to_sql};
use crate::write::Write;
use crate::{Store, StoreError};

impl Store {
    pub(crate) async fn pauses(&self, service: &ServiceName) -> Result<Pauses, StoreError> {
        let service = service.as_str();
        let rows = sqlx::query_as!(
            PauseRow,
            "SELECT scope, stamp, said_by, said_at_ms, paused_by, reason, since_ms, until_ms
             FROM pauses WHERE service = ?1",
            service
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let moves = sqlx::query!("SELECT round, at_ms FROM automatic_moves WHERE service = ?1", service)
            .fetch_all(self.readers())
            .await
            .map_err(|e| self.broken(e))?;
        let words: Result<_, _> = rows.into_iter().map(PauseRow::into_word).collect();
        let moves: Result<_, sqlx::Error> = moves
            .into_iter()
            .map(|row| Ok((round_from_sql(&row.round)?, Time(u64_from_sql(row.at_ms)))))
            .collect();
        Ok(Pauses {
            words: words.map_err(|e| self.broken(e))?,
            moves: moves.map_err(|e| self.broken(e))?,
        })
    }

    pub(crate) async fn replace_pauses(
        &self,
        write: &mut Write<'_>,
        service: &ServiceName,
        pauses: &Pauses,
    ) -> Result<(), StoreError> {
        let Pauses { words, moves } = pauses;
        let service = service.as_str();
        sqlx::query!("DELETE FROM pauses WHERE service = ?1", service)
            .execute(write.on())
            .await
            .map_err(|e| self.broken(e))?;
        sqlx::query!("DELETE FROM automatic_moves WHERE service = ?1", service)
            .execute(write.on())
            .await
            .map_err(|e| self.broken(e))?;
        for (scope, word) in words {
            let row = PauseRow::from_word(*scope, word);
            sqlx::query!(
                "INSERT INTO pauses (service, scope, stamp, said_by, said_at_ms, paused_by, reason, since_ms, until_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                service,
                row.scope,
                row.stamp,
                row.said_by,
                row.said_at_ms,
                row.paused_by,
                row.reason,
                row.since_ms,
                row.until_ms
            )
            .execute(write.on())
            .await
            .map_err(|e| self.broken(e))?;
        }
        for (round, at) in moves {
            let (round, at_ms) = (round_to_sql(*round), u64_to_sql(at.0));
            sqlx::query!(
                "INSERT INTO automatic_moves (service, round, at_ms) VALUES (?1, ?2, ?3)",
                service,
                round,
                at_ms
            )
            .execute(write.on())
            .await
            .map_err(|e| self.broken(e))?;
        }
        Ok(())
    }
}
