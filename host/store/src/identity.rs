//! Which store this is, how often its daemon was started, and whether it can be written now.
//!
//! Invariant: the store's id is made once and never changes; a boot number is durable before it is used.

use understudy_protocol::{Boot, StoreId};

use crate::sql::{store_id_from_sql, u64_from_sql};
use crate::{Store, StoreError};

/// A start of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The number of this start, from 1.
    pub boot: Boot,
    /// Whether the machine has not been rebooted since the last start; false at the first.
    pub same_machine_boot: bool,
}

impl Store {
    /// The identity of this store; another disk has another one.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn store_id(&self) -> Result<StoreId, StoreError> {
        let text = sqlx::query_scalar!("SELECT store_id FROM store_identity")
            .fetch_one(self.readers())
            .await
            .map_err(|e| self.broken(e))?;
        store_id_from_sql(&text).map_err(|e| self.broken(e))
    }

    /// Counts one more start, durably. `machine_boot_id` is the content of `/proc/sys/kernel/random/boot_id`.
    ///
    /// # Errors
    /// When the store can't be written; the daemon must not send anything then.
    pub async fn next_boot(&self, machine_boot_id: &str) -> Result<Start, StoreError> {
        let machine = machine_boot_id.trim();
        let mut write = self.write().await?;
        let last = sqlx::query_scalar!("SELECT machine_boot_id FROM store_identity")
            .fetch_one(write.on())
            .await;
        let last = last.map_err(|e| self.broken(e))?;
        let boot = sqlx::query_scalar!(
            "UPDATE store_identity SET boot = boot + 1, machine_boot_id = ?1 RETURNING boot",
            machine
        )
        .fetch_one(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        write.commit().await?;
        Ok(Start {
            boot: Boot(u64_from_sql(boot)),
            same_machine_boot: last.as_deref() == Some(machine),
        })
    }

    /// Proves that the store can be written, by writing durably: what a host must know before it offers to serve.
    ///
    /// # Errors
    /// What is wrong with the store.
    pub async fn prove_writable(&self, now_ms: i64) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query!("UPDATE store_identity SET written_at_ms = ?1", now_ms)
            .execute(write.on())
            .await
            .map_err(|e| self.broken(e))?;
        write.commit().await
    }

    pub(crate) async fn establish_identity(&self) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query!(
            "INSERT INTO store_identity (only_row, store_id, boot, created_at_ms, written_at_ms)
             VALUES (1, lower(hex(randomblob(16))), 0, unixepoch() * 1000, unixepoch() * 1000)
             ON CONFLICT DO NOTHING"
        )
        .execute(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        write.commit().await
    }
}
