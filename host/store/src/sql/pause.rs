//! `pauses`: the last word about one scope, a column a field.

use understudy_protocol::{Pause, PauseScope, PauseWord, Time};

use super::{Decoded, host_from_sql, pause_scope_from_sql, pause_scope_to_sql, u64_from_sql, u64_to_sql};

/// The columns of `pauses`, without the service.
pub(crate) struct PauseRow {
    pub(crate) scope: String,
    pub(crate) stamp: i64,
    pub(crate) said_by: String,
    pub(crate) said_at_ms: i64,
    pub(crate) paused_by: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) since_ms: Option<i64>,
    pub(crate) until_ms: Option<i64>,
}

impl PauseRow {
    pub(crate) fn from_word(scope: PauseScope, word: &PauseWord) -> Self {
        let PauseWord { stamp, from, at, pause } = word.clone();
        let (paused_by, reason, since_ms, until_ms) = match pause {
            None => (None, None, None, None),
            Some(Pause {
                by,
                reason,
                since,
                until,
            }) => (
                Some(by),
                Some(reason),
                Some(u64_to_sql(since.0)),
                until.map(|until| u64_to_sql(until.0)),
            ),
        };
        PauseRow {
            scope: pause_scope_to_sql(scope).to_owned(),
            stamp: u64_to_sql(stamp),
            said_by: from.to_string(),
            said_at_ms: u64_to_sql(at.0),
            paused_by,
            reason,
            since_ms,
            until_ms,
        }
    }

    pub(crate) fn into_word(self) -> Decoded<(PauseScope, PauseWord)> {
        let time = |ms| Time(u64_from_sql(ms));
        let pause = match (self.paused_by, self.reason, self.since_ms) {
            (Some(by), Some(reason), Some(since)) => Some(Pause {
                by,
                reason,
                since: time(since),
                until: self.until_ms.map(time),
            }),
            _ => None,
        };
        let word = PauseWord {
            stamp: u64_from_sql(self.stamp),
            from: host_from_sql(&self.said_by)?,
            at: time(self.said_at_ms),
            pause,
        };
        Ok((pause_scope_from_sql(&self.scope)?, word))
    }
}
