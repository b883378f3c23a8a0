//! Repeated REST requests: the second of the same key gets the first one's answer, also after a restart.
//!
//! Invariant: a key is taken before its change begins, so that two at once can't both begin.

use crate::sql::{pairs_from_sql, pairs_to_sql};
use crate::{Store, StoreError};

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers that matter, for example `content-type` and `location`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repetition {
    /// It was not known; it is taken now, and the caller goes on.
    First,
    /// The first request of this key has not been answered yet; or the daemon died over it, and nobody can say how far
    /// it got.
    UnderWay,
    /// The answer of the first.
    Answered(StoredResponse),
    /// The key was used with another body.
    OtherBody,
}

impl Store {
    /// Takes a key, or says what it stands for. `body_digest` is over whatever makes the request what it is: method,
    /// path and body.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn take_idempotency_key(
        &self,
        key: &str,
        body_digest: &str,
        at_ms: i64,
    ) -> Result<Repetition, StoreError> {
        let mut write = self.write().await?;
        let taken = sqlx::query!(
            "INSERT INTO idempotency_keys (key, body_digest, begun_at_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            key,
            body_digest,
            at_ms
        )
        .execute(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        let known = sqlx::query!(
            r#"SELECT body_digest, status AS "status: u16", headers, body FROM idempotency_keys WHERE key = ?1"#,
            key
        )
        .fetch_one(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        write.commit().await?;
        if taken.rows_affected() == 1 {
            return Ok(Repetition::First);
        }
        if known.body_digest != body_digest {
            return Ok(Repetition::OtherBody);
        }
        let (Some(status), Some(headers), Some(body)) = (known.status, known.headers, known.body) else {
            return Ok(Repetition::UnderWay);
        };
        let headers = pairs_from_sql(&headers).map_err(|e| self.broken(e))?;
        Ok(Repetition::Answered(StoredResponse { status, headers, body }))
    }

    /// What a key stands for, without taking it: the digest of its first request, and the answer. None when it is not
    /// known or not answered.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn stored_response(&self, key: &str) -> Result<Option<(String, StoredResponse)>, StoreError> {
        let known = sqlx::query!(
            r#"SELECT body_digest, status AS "status: u16", headers, body FROM idempotency_keys WHERE key = ?1"#,
            key
        )
        .fetch_optional(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        let Some(known) = known else { return Ok(None) };
        let (Some(status), Some(headers), Some(body)) = (known.status, known.headers, known.body) else {
            return Ok(None);
        };
        let headers = pairs_from_sql(&headers).map_err(|e| self.broken(e))?;
        Ok(Some((known.body_digest, StoredResponse { status, headers, body })))
    }

    /// Keeps the answer for repetitions.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn keep_response(&self, key: &str, response: &StoredResponse) -> Result<(), StoreError> {
        let StoredResponse { status, headers, body } = response;
        let headers = pairs_to_sql(headers);
        sqlx::query!(
            "UPDATE idempotency_keys SET status = ?2, headers = ?3, body = ?4 WHERE key = ?1",
            key,
            status,
            headers,
            body
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }

    /// Frees a key whose request changed nothing (refused, or malformed), so that it can be tried again.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn free_idempotency_key(&self, key: &str) -> Result<(), StoreError> {
        sqlx::query!("DELETE FROM idempotency_keys WHERE key = ?1 AND status IS NULL", key)
            .execute(self.writer())
            .await
            .map_err(|e| self.broken(e))?;
        Ok(())
    }
}
