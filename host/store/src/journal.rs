//! The journal, and the durable record of each service that a journal line may carry.
//!
//! Invariant: a line and the record it carries are one transaction; when [`Store::append`] has answered, both are on
//! the disk.

use understudy_protocol::{Durable, Entry, RoleName, RoundId, ServiceName, Term};

use crate::sql::{
    StateRow, role_from_sql, role_to_sql, round_from_sql, round_to_sql, service_from_sql, u64_from_sql, u64_to_sql,
};
use crate::write::Write;
use crate::{Store, StoreError};

/// One line of the journal, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalLine {
    /// Rises with every line of this store and is never used twice; gaps are possible.
    pub seq: i64,
    /// When it was written, in milliseconds since the Unix epoch by this host's clock.
    pub at_ms: i64,
    /// Whose.
    pub service: ServiceName,
    /// The transition's name.
    pub step: String,
    /// Why, in the table's words.
    pub reason: String,
    /// What it was about.
    pub detail: String,
    /// The role before.
    pub from: RoleName,
    /// The role after.
    pub to: RoleName,
    /// The term in force after it.
    pub term: Term,
    /// The round it belongs to.
    pub round: Option<RoundId>,
}

/// Which lines, in which order. The default is the newest of all services.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalFilter {
    /// Of this service only.
    pub service: Option<ServiceName>,
    /// Of this round only.
    pub round: Option<RoundId>,
    /// Only lines after this one.
    pub after_seq: Option<i64>,
    /// Only lines before this one.
    pub before_seq: Option<i64>,
    /// Which end first.
    pub order: Order,
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest.
    #[default]
    NewestFirst,
    /// The oldest.
    OldestFirst,
}

impl Store {
    /// What this host must not forget about a service; none where it never wrote anything.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn durable(&self, service: &ServiceName) -> Result<Option<Durable>, StoreError> {
        let name = service.as_str();
        let row = sqlx::query_as!(
            StateRow,
            r#"SELECT adopted AS "adopted: bool", known_term, promised_term, held_term, tenure_from, tenure_round,
                      tenure_served AS "tenure_served: bool", tenure_resolved AS "tenure_resolved: bool",
                      grant_term, grant_to, grant_round, grant_requests, grant_digest, round_counter,
                      stay_down_released_term, stay_down_fault, stay_down_phase, givebacks,
                      grant_yielded AS "grant_yielded: bool", tenure_overlaps AS "tenure_overlaps: bool",
                      begun_round, begun_step
               FROM service_state WHERE service = ?1"#,
            name
        )
        .fetch_optional(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let Some(row) = row else { return Ok(None) };
        let pauses = self.pauses(service).await?;
        row.into_durable(pauses).map(Some).map_err(|e| self.broken(e))
    }

    /// Writes one line and, where it carries one, the service's durable record; both are on the disk when this
    /// answers. `at_ms` is this host's wall clock, in milliseconds since the Unix epoch.
    ///
    /// Run it to its end: a dropped call leaves open whether the line was written.
    ///
    /// # Errors
    /// When the store can't be written. Then it is unknown whether the line is there after a restart.
    pub async fn append(&self, entry: &Entry, at_ms: i64) -> Result<JournalLine, StoreError> {
        self.append_with(entry, &[], at_ms).await
    }

    /// The line and the record, within a transaction that somebody else commits.
    pub(crate) async fn append_in(
        &self,
        write: &mut Write<'_>,
        entry: &Entry,
        at_ms: i64,
    ) -> Result<JournalLine, StoreError> {
        let line = self.insert_line(write, entry, at_ms).await?;
        if let Some(durable) = &entry.durable {
            self.replace_state(write, &entry.service, durable, at_ms).await?;
            self.replace_pauses(write, &entry.service, &durable.pauses).await?;
        }
        Ok(line)
    }

    /// At most `limit` lines.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn journal(&self, filter: &JournalFilter, limit: u32) -> Result<Vec<JournalLine>, StoreError> {
        let rows = match filter.order {
            Order::NewestFirst => self.newest_lines(filter, limit).await,
            Order::OldestFirst => self.oldest_lines(filter, limit).await,
        };
        let lines: Result<Vec<_>, _> = rows
            .map_err(|e| self.broken(e))?
            .into_iter()
            .map(LineRow::into_line)
            .collect();
        lines.map_err(|e| self.broken(e))
    }

    async fn insert_line(&self, write: &mut Write<'_>, entry: &Entry, at_ms: i64) -> Result<JournalLine, StoreError> {
        let Entry {
            service,
            step,
            reason,
            detail,
            from,
            to,
            term,
            round,
            durable: _,
        } = entry;
        let (service_text, from_role, to_role) = (service.as_str(), role_to_sql(*from), role_to_sql(*to));
        let (term_number, round_text) = (u64_to_sql(term.0), round.map(round_to_sql));
        let done = sqlx::query!(
            "INSERT INTO journal (at_ms, service, step, reason, detail, from_role, to_role, term, round)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            at_ms,
            service_text,
            step,
            reason,
            detail,
            from_role,
            to_role,
            term_number,
            round_text
        )
        .execute(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(JournalLine {
            seq: done.last_insert_rowid(),
            at_ms,
            service: service.clone(),
            step: (*step).to_owned(),
            reason: (*reason).to_owned(),
            detail: detail.clone(),
            from: *from,
            to: *to,
            term: *term,
            round: *round,
        })
    }

    async fn replace_state(
        &self,
        write: &mut Write<'_>,
        service: &ServiceName,
        durable: &Durable,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        let service = service.as_str();
        let row = StateRow::from_durable(durable);
        let since_ms = row.stay_down_released_term.map(|_| at_ms);
        sqlx::query!(
            "INSERT INTO service_state (service, adopted, known_term, promised_term, held_term, tenure_from,
                 tenure_round, tenure_served, tenure_resolved, grant_term, grant_to, grant_round, grant_requests,
                 grant_digest, round_counter, stay_down_released_term, stay_down_fault, stay_down_phase,
                 stay_down_since_ms, givebacks, grant_yielded, tenure_overlaps, begun_round, begun_step,
                 updated_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                 ?22, ?23, ?24, ?25)
             ON CONFLICT (service) DO UPDATE SET
                 adopted = excluded.adopted, known_term = excluded.known_term,
                 promised_term = excluded.promised_term, held_term = excluded.held_term,
                 tenure_from = excluded.tenure_from, tenure_round = excluded.tenure_round,
                 tenure_served = excluded.tenure_served, tenure_resolved = excluded.tenure_resolved,
                 grant_term = excluded.grant_term, grant_to = excluded.grant_to,
                 grant_round = excluded.grant_round, grant_requests = excluded.grant_requests,
                 grant_digest = excluded.grant_digest, round_counter = excluded.round_counter,
                 stay_down_since_ms = CASE
                     WHEN excluded.stay_down_released_term IS stay_down_released_term THEN stay_down_since_ms
                     ELSE excluded.stay_down_since_ms END,
                 stay_down_released_term = excluded.stay_down_released_term,
                 stay_down_fault = excluded.stay_down_fault, stay_down_phase = excluded.stay_down_phase,
                 givebacks = excluded.givebacks, grant_yielded = excluded.grant_yielded,
                 tenure_overlaps = excluded.tenure_overlaps, begun_round = excluded.begun_round,
                 begun_step = excluded.begun_step, updated_at_ms = excluded.updated_at_ms",
            service,
            row.adopted,
            row.known_term,
            row.promised_term,
            row.held_term,
            row.tenure_from,
            row.tenure_round,
            row.tenure_served,
            row.tenure_resolved,
            row.grant_term,
            row.grant_to,
            row.grant_round,
            row.grant_requests,
            row.grant_digest,
            row.round_counter,
            row.stay_down_released_term,
            row.stay_down_fault,
            row.stay_down_phase,
            since_ms,
            row.givebacks,
            row.grant_yielded,
            row.tenure_overlaps,
            row.begun_round,
            row.begun_step,
            at_ms
        )
        .execute(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }

    async fn newest_lines(&self, filter: &JournalFilter, limit: u32) -> Result<Vec<LineRow>, sqlx::Error> {
        let (service, round, after, before) = filter_to_sql(filter);
        sqlx::query_as!(
            LineRow,
            "SELECT seq, at_ms, service, step, reason, detail, from_role, to_role, term, round FROM journal
             WHERE seq > ?1 AND seq < ?2 AND (?3 IS NULL OR service = ?3) AND (?4 IS NULL OR round = ?4)
             ORDER BY seq DESC LIMIT ?5",
            after,
            before,
            service,
            round,
            limit
        )
        .fetch_all(self.readers())
        .await
    }

    async fn oldest_lines(&self, filter: &JournalFilter, limit: u32) -> Result<Vec<LineRow>, sqlx::Error> {
        let (service, round, after, before) = filter_to_sql(filter);
        sqlx::query_as!(
            LineRow,
            "SELECT seq, at_ms, service, step, reason, detail, from_role, to_role, term, round FROM journal
             WHERE seq > ?1 AND seq < ?2 AND (?3 IS NULL OR service = ?3) AND (?4 IS NULL OR round = ?4)
             ORDER BY seq ASC LIMIT ?5",
            after,
            before,
            service,
            round,
            limit
        )
        .fetch_all(self.readers())
        .await
    }
}

fn filter_to_sql(filter: &JournalFilter) -> (Option<&str>, Option<String>, i64, i64) {
    let service = filter.service.as_ref().map(ServiceName::as_str);
    let round = filter.round.map(round_to_sql);
    (
        service,
        round,
        filter.after_seq.unwrap_or(i64::MIN),
        filter.before_seq.unwrap_or(i64::MAX),
    )
}

struct LineRow {
    seq: i64,
    at_ms: i64,
    service: String,
    step: String,
    reason: String,
    detail: String,
    from_role: String,
    to_role: String,
    term: i64,
    round: Option<String>,
}

impl LineRow {
    fn into_line(self) -> Result<JournalLine, sqlx::Error> {
        Ok(JournalLine {
            seq: self.seq,
            at_ms: self.at_ms,
            service: service_from_sql(&self.service)?,
            from: role_from_sql(&self.from_role)?,
            to: role_from_sql(&self.to_role)?,
            term: Term(u64_from_sql(self.term)),
            round: self.round.as_deref().map(round_from_sql).transpose()?,
            step: self.step,
            reason: self.reason,
            detail: self.detail,
        })
    }
}
