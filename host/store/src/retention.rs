//! How long what is kept, and the removal of the rest.
//!
//! Invariants: what an outstanding grant, an unfinished takeover or an unresolved compilation needs is never removed,
//! however old; a removal is made of short transactions, so that the journal is never kept waiting; a compilation that
//! is removed in part has no seal any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use understudy_protocol::{RoundId, StoreId};

use crate::sql::{round_from_sql, round_to_sql, rounds_to_sql};
use crate::{Store, StoreError};

/// How long, and how much at most, of one kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Older ones go.
    pub age: Duration,
    /// Of more than this many, the oldest go.
    pub at_most: u64,
}

/// What is kept of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Journal lines, what hosts said to each other and what addresses did, and the work of the effector.
    pub journal: Keep,
    /// Compilations, with their requests.
    pub compilations: Keep,
    /// Faults that ended.
    pub faults: Keep,
    /// The audit log.
    pub audit: Keep,
    /// Answers to repeated REST requests.
    pub idempotency: Keep,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            journal: Keep {
                age: days(90),
                at_most: 200_000,
            },
            compilations: Keep {
                age: days(30),
                at_most: 100,
            },
            faults: Keep {
                age: days(90),
                at_most: 20_000,
            },
            audit: Keep {
                age: days(400),
                at_most: 200_000,
            },
            idempotency: Keep {
                age: days(1),
                at_most: 20_000,
            },
        }
    }
}

/// How many of each kind were removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Journal lines.
    pub journal: u64,
    /// Messages.
    pub messages: u64,
    /// What addresses did.
    pub address_events: u64,
    /// Pieces of work.
    pub work: u64,
    /// Compilations.
    pub compilations: u64,
    /// Faults.
    pub faults: u64,
    /// Lines of the audit log.
    pub audit: u64,
    /// Answers to repeated REST requests.
    pub idempotency: u64,
}

impl Store {
    /// Removes what retention does not keep. To be called now and then (hourly is often enough); `now_ms` is the wall
    /// clock, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When the store can't be written; what was removed until then stays removed.
    pub async fn prune(&self, now_ms: i64) -> Result<Pruned, StoreError> {
        let needed = self.needed_rounds().await?;
        let compilations = self.prune_compilations(&needed, now_ms).await?;
        let needed = rounds_to_sql(&needed);
        let mut pruned = Pruned {
            compilations,
            ..Pruned::default()
        };
        pruned.journal = self.prune_journal(&needed, now_ms).await?;
        pruned.messages = self.prune_messages(&needed, now_ms).await?;
        pruned.address_events = self.prune_address_events(now_ms).await?;
        pruned.work = self.prune_work(now_ms).await?;
        pruned.faults = self.prune_faults(now_ms).await?;
        pruned.audit = self.prune_audit(now_ms).await?;
        pruned.idempotency = self.prune_idempotency(now_ms).await?;
        self.give_space_back().await?;
        Ok(pruned)
    }

    /// The rounds that something still depends on.
    async fn needed_rounds(&self) -> Result<BTreeSet<RoundId>, StoreError> {
        let states = sqlx::query!(
            "SELECT service, held_term, grant_round, tenure_round, tenure_resolved, begun_round FROM service_state"
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let mut named = Vec::new();
        let mut held = BTreeSet::new();
        for state in states {
            named.extend(state.grant_round);
            named.extend(state.begun_round);
            named.extend(state.tenure_round.filter(|_| state.tenure_resolved == Some(0)));
            held.extend(state.held_term.map(|_| state.service));
        }
        let named: Result<BTreeSet<_>, _> = named.iter().map(|round| round_from_sql(round)).collect();
        let mut needed = named.map_err(|e| self.broken(e))?;
        needed.extend(self.unresolved_rounds(&held).await?);
        Ok(needed)
    }

    /// Rounds whose compilation is neither resolved nor closed, except where its holder has opened a later one for the
    /// same service since: it can do so only while it holds the service, so nothing came of the earlier. But a holder
    /// whose server is stopped builds the later from the earlier, as often as it has to: of the services in `held`,
    /// this host's own rounds all stay.
    async fn unresolved_rounds(&self, held: &BTreeSet<String>) -> Result<Vec<RoundId>, StoreError> {
        let own = self.store_id().await?;
        let rows = sqlx::query!("SELECT round, service, resolved_at_ms, closed_at_ms FROM compilations")
            .fetch_all(self.readers())
            .await
            .map_err(|e| self.broken(e))?;
        let mut last: BTreeMap<(String, StoreId), u64> = BTreeMap::new();
        let mut unresolved = Vec::new();
        for row in rows {
            let round = round_from_sql(&row.round).map_err(|e| self.broken(e))?;
            let holder = (row.service, round.store);
            let counter = last.entry(holder.clone()).or_default();
            *counter = round.counter.max(*counter);
            if row.resolved_at_ms.is_none() && row.closed_at_ms.is_none() {
                unresolved.push((holder, round));
            }
        }
        unresolved.retain(|(holder, round)| {
            last[holder] == round.counter || (round.store == own && held.contains(&holder.0))
        });
        Ok(unresolved.into_iter().map(|(_, round)| round).collect())
    }

    async fn prune_compilations(&self, needed: &BTreeSet<RoundId>, now_ms: i64) -> Result<u64, StoreError> {
        let keep = self.retention().compilations;
        let (before, at_most) = (before(now_ms, keep), at_most(keep));
        let needed: BTreeSet<_> = needed.iter().copied().map(round_to_sql).collect();
        let old = sqlx::query!(
            "SELECT id, round FROM compilations
             WHERE begun_at_ms < ?1 OR id <= (SELECT id FROM compilations ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            before,
            at_most
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))?;
        let mut removed = 0;
        for compilation in old
            .into_iter()
            .filter(|compilation| !needed.contains(&compilation.round))
        {
            self.remove_compilation(compilation.id, now_ms).await?;
            removed += 1;
        }
        Ok(removed)
    }

    async fn remove_compilation(&self, compilation: i64, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE compilations SET closed_at_ms = ?2, closed_reason = 'being removed: too old'
             WHERE id = ?1 AND closed_at_ms IS NULL",
            compilation,
            now_ms
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        self.delete_all_requests(compilation).await?;
        sqlx::query!("DELETE FROM compilations WHERE id = ?1", compilation)
            .execute(self.writer())
            .await
            .map_err(|e| self.broken(e))?;
        Ok(())
    }

    async fn prune_journal(&self, needed: &str, now_ms: i64) -> Result<u64, StoreError> {
        let keep = self.retention().journal;
        let (before, at_most) = (before(now_ms, keep), at_most(keep));
        let mut removed = 0;
        loop {
            let done = sqlx::query!(
                "DELETE FROM journal WHERE seq IN (
                     SELECT seq FROM journal
                     WHERE (at_ms < ?1 OR seq <= (SELECT seq FROM journal ORDER BY seq DESC LIMIT 1 OFFSET ?2))
                       AND (round IS NULL OR round NOT IN (SELECT value FROM json_each(?3)))
                     ORDER BY seq LIMIT ?4)",
                before,
                at_most,
                needed,
                PAGE
            )
            .execute(self.writer())
            .await
            .map_err(|e| self.broken(e))?;
            removed += done.rows_affected();
            if done.rows_affected() < u64::from(PAGE) {
                return Ok(removed);
            }
        }
    }

    async fn prune_messages(&self, needed: &str, now_ms: i64) -> Result<u64, StoreError> {
        let keep = self.retention().journal;
        let (before, at_most) = (before(now_ms, keep), at_most(keep));
        let done = sqlx::query!(
            "DELETE FROM messages
             WHERE (last_at_ms < ?1 OR id <= (SELECT id FROM messages ORDER BY id DESC LIMIT 1 OFFSET ?2))
               AND takeover NOT IN (SELECT value FROM json_each(?3))",
            before,
            at_most,
            needed
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    async fn prune_address_events(&self, now_ms: i64) -> Result<u64, StoreError> {
        let keep = self.retention().journal;
        let (before, at_most) = (before(now_ms, keep), at_most(keep));
        let done = sqlx::query!(
            "DELETE FROM address_events
             WHERE at_ms < ?1 OR id <= (SELECT id FROM address_events ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            before,
            at_most
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    async fn prune_work(&self, now_ms: i64) -> Result<u64, StoreError> {
        let keep = self.retention().journal;
        let (before, at_most) = (before(now_ms, keep), at_most(keep));
        let done = sqlx::query!(
            "DELETE FROM work WHERE ended_at_ms IS NOT NULL
               AND (ended_at_ms < ?1 OR id <= (SELECT id FROM work ORDER BY id DESC LIMIT 1 OFFSET ?2))",
            before,
            at_most
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    async fn prune_faults(&self, now_ms: i64) -> Result<u64, StoreError> {
        let keep = self.retention().faults;
        let (before, at_most) = (before(now_ms, keep), at_most(keep));
        let done = sqlx::query!(
            "DELETE FROM faults WHERE ended_at_ms IS NOT NULL
               AND (ended_at_ms < ?1 OR id <= (SELECT id FROM faults ORDER BY id DESC LIMIT 1 OFFSET ?2))",
            before,
            at_most
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    async fn prune_audit(&self, now_ms: i64) -> Result<u64, StoreError> {
        let keep = self.retention().audit;
        let (before, at_most) = (before(now_ms, keep), at_most(keep));
        let done = sqlx::query!(
            "DELETE FROM audit
             WHERE at_ms < ?1 OR id <= (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            before,
            at_most
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    async fn prune_idempotency(&self, now_ms: i64) -> Result<u64, StoreError> {
        let keep = self.retention().idempotency;
        let (before, at_most) = (before(now_ms, keep), at_most(keep));
        let done = sqlx::query!(
            "DELETE FROM idempotency_keys WHERE begun_at_ms < ?1
               OR key IN (SELECT key FROM idempotency_keys ORDER BY begun_at_ms DESC LIMIT -1 OFFSET ?2)",
            before,
            at_most
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(done.rows_affected())
    }

    /// A compilation of a million requests must not occupy the disk for ever once it is gone.
    async fn give_space_back(&self) -> Result<(), StoreError> {
        // Unchecked: a pragma has no schema to check against.
        sqlx::query("PRAGMA incremental_vacuum(4096)")
            .fetch_all(self.writer())
            .await
            .map_err(|e| self.broken(e))?;
        Ok(())
    }
}

fn before(now_ms: i64, keep: Keep) -> i64 {
    now_ms.saturating_sub(i64::try_from(keep.age.as_millis()).unwrap_or(i64::MAX))
}

fn at_most(keep: Keep) -> i64 {
    i64::try_from(keep.at_most).unwrap_or(i64::MAX)
}

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// Rows that one transaction removes.
const PAGE: u32 = 4096;
