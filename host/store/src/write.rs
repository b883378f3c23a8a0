//! One write transaction: everything in it is durable when [`Write::commit`] has answered, or nothing is.
//!
//! Invariant: a connection on which a transaction did not end well is closed, never used again. SQLite ends a
//! transaction by itself when the disk is full; a driver that counts transactions would from then on be wrong.
//! So this counts nothing: it says BEGIN and COMMIT itself, and a closed connection has rolled back by definition.

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection};

use crate::{Store, StoreError};

pub(crate) struct Write<'a> {
    store: &'a Store,
    connection: Option<PoolConnection<Sqlite>>,
}

impl Store {
    /// Begins; waits for the one write connection.
    pub(crate) async fn write(&self) -> Result<Write<'_>, StoreError> {
        let connection = self.writer().acquire().await.map_err(|e| self.broken(e))?;
        // Before BEGIN is sent: a caller that goes away while it is under way must not leave a connection in the pool
        // on which a transaction is open.
        let mut write = Write {
            store: self,
            connection: Some(connection),
        };
        sqlx::query("BEGIN IMMEDIATE")
            .execute(write.on())
            .await
            .map_err(|e| self.broken(e))?;
        Ok(write)
    }
}

impl Write<'_> {
    /// The connection, for the statements of this transaction.
    pub(crate) fn on(&mut self) -> &mut SqliteConnection {
        self.connection
            .as_mut()
            .expect("present until commit, which consumes the transaction")
    }

    /// Ends it; durable once this answers.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let committed = sqlx::query("COMMIT").execute(self.on()).await;
        committed.map_err(|e| self.store.broken(e))?;
        // Only a transaction that ended well gives its connection back.
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}
