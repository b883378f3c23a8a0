//! What was said in a takeover, and what the address did: the evidence beside the journal.
//!
//! Invariants: a message is in the transaction of the journal line of its turn, where the turn wrote one; a message
//! that is repeated word for word is one row that counts, so that a release that is resent for days takes one row.

use sqlx::SqliteConnection;
use understudy_protocol::{Entry, HostName, ServiceName};

use crate::sql::{host_from_sql, service_from_sql, u64_from_sql};
use crate::{JournalLine, Store, StoreError};

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The peer said it.
    Received,
    /// This host gave it out to be sent; whether it arrived, the peer knows.
    Sent,
}

/// How a peer's wall clock stands to this host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// The peer's clock less this host's, in microseconds.
    pub offset_us: i64,
    /// The true offset is not further away than this, in microseconds.
    pub uncertainty_us: i64,
}

/// A message to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The takeover: a round as text, or `forced-`, the service and the term.
    pub takeover: String,
    /// Which way.
    pub direction: Direction,
    /// The other host.
    pub peer: HostName,
    /// The message's name, as in the protocol's documents.
    pub name: &'static str,
    /// The message as JSON, as it goes over the wire.
    pub body: String,
    /// How the peer's clock stood.
    pub clock: Option<ClockOffset>,
}

/// A message as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageLine {
    /// Rises with every new message of this store.
    pub id: i64,
    /// The service.
    pub service: ServiceName,
    /// The journal line of the turn that heard or said it; of a turn that wrote none, the newest line before it.
    pub line: i64,
    /// Whether the turn wrote that line.
    pub has_line: bool,
    /// Which way.
    pub direction: Direction,
    /// The other host.
    pub peer: HostName,
    /// The message's name.
    pub name: String,
    /// The message as JSON.
    pub body: String,
    /// The first time, in milliseconds since the Unix epoch by this host's clock.
    pub at_ms: i64,
    /// The last time.
    pub last_at_ms: i64,
    /// How often.
    pub times: u64,
    /// How the peer's clock stood at the first time.
    pub clock: Option<ClockOffset>,
}

/// Something the service's address did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressLine {
    /// When it was noted, in milliseconds since the Unix epoch by this host's clock.
    pub at_ms: i64,
    /// The event's name, for example `address-held`.
    pub event: String,
    /// In words.
    pub detail: String,
}

impl Store {
    /// [`Store::append`], with what was heard and said in the turn: all of it in one transaction.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn append_with(&self, entry: &Entry, said: &[Said], at_ms: i64) -> Result<JournalLine, StoreError> {
        let mut write = self.write().await?;
        let line = self.append_in(&mut write, entry, at_ms).await?;
        for said in said {
            self.put_message(write.on(), &entry.service, Some(line.seq), said, at_ms)
                .await?;
        }
        write.commit().await?;
        Ok(line)
    }

    /// Keeps the messages of a turn that wrote no journal line.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn keep_messages(&self, service: &ServiceName, said: &[Said], at_ms: i64) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        for said in said {
            self.put_message(write.on(), service, None, said, at_ms).await?;
        }
        write.commit().await
    }

    /// What was said in a takeover, in the order in which it was first said or heard.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn messages(&self, takeover: &str, limit: u32) -> Result<Vec<MessageLine>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id, service, line, has_line AS "has_line: bool", direction, peer, name, body, at_ms, last_at_ms,
                      times, clock_offset_us, clock_uncertainty_us
               FROM messages WHERE takeover = ?1 ORDER BY id LIMIT ?2"#,
            takeover,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            lines.push(MessageLine {
                id: row.id,
                service: service_from_sql(&row.service).map_err(|e| self.broken(e))?,
                line: row.line,
                has_line: row.has_line,
                direction: direction_from_sql(&row.direction).map_err(|e| self.broken(e))?,
                peer: host_from_sql(&row.peer).map_err(|e| self.broken(e))?,
                name: row.name,
                body: row.body,
                at_ms: row.at_ms,
                last_at_ms: row.last_at_ms,
                times: u64_from_sql(row.times),
                clock: row
                    .clock_offset_us
                    .zip(row.clock_uncertainty_us)
                    .map(|(offset_us, uncertainty_us)| ClockOffset {
                        offset_us,
                        uncertainty_us,
                    }),
            });
        }
        Ok(lines)
    }

    /// Keeps what the address did.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn keep_address_event(&self, service: &ServiceName, line: &AddressLine) -> Result<(), StoreError> {
        let service = service.as_str();
        sqlx::query!(
            "INSERT INTO address_events (at_ms, service, event, detail) VALUES (?1, ?2, ?3, ?4)",
            line.at_ms,
            service,
            line.event,
            line.detail
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }

    /// What the address did between two times, both included, oldest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn address_events(
        &self,
        service: &ServiceName,
        from_ms: i64,
        until_ms: i64,
        limit: u32,
    ) -> Result<Vec<AddressLine>, StoreError> {
        let service = service.as_str();
        sqlx::query_as!(
            AddressLine,
            "SELECT at_ms, event, detail FROM address_events
             WHERE service = ?1 AND at_ms BETWEEN ?2 AND ?3 ORDER BY id LIMIT ?4",
            service,
            from_ms,
            until_ms,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))
    }

    async fn put_message(
        &self,
        connection: &mut SqliteConnection,
        service: &ServiceName,
        line: Option<i64>,
        said: &Said,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        let (service, peer, direction) = (service.as_str(), said.peer.as_str(), direction_to_sql(said.direction));
        let repeated = sqlx::query!(
            "UPDATE messages SET times = times + 1, last_at_ms = ?6
             WHERE takeover = ?1 AND service = ?2 AND direction = ?3 AND peer = ?4 AND body = ?5",
            said.takeover,
            service,
            direction,
            peer,
            said.body,
            at_ms
        )
        .execute(&mut *connection)
        .await
        .map_err(|e| self.broken(e))?;
        if repeated.rows_affected() > 0 {
            return Ok(());
        }
        let (offset, uncertainty) = (
            said.clock.map(|clock| clock.offset_us),
            said.clock.map(|clock| clock.uncertainty_us),
        );
        let has_line = line.is_some();
        sqlx::query!(
            "INSERT INTO messages (service, takeover, line, has_line, direction, peer, name, body, at_ms, last_at_ms,
                 times, clock_offset_us, clock_uncertainty_us)
             VALUES (?1, ?2, coalesce(?3, (SELECT max(seq) FROM journal), 0), ?4, ?5, ?6, ?7, ?8, ?9, ?9, 1, ?10, ?11)",
            service,
            said.takeover,
            line,
            has_line,
            direction,
            peer,
            said.name,
            said.body,
            at_ms,
            offset,
            uncertainty
        )
        .execute(connection)
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }
}

fn direction_to_sql(direction: Direction) -> &'static str {
    match direction {
        Direction::Received => "received",
        Direction::Sent => "sent",
    }
}

fn direction_from_sql(text: &str) -> Result<Direction, sqlx::Error> {
    match text {
        "received" => Ok(Direction::Received),
        "sent" => Ok(Direction::Sent),
        other => Err(sqlx::Error::Decode(format!("{other:?} is no direction").into())),
    }
}
