//! `requests`: what the first host says of a request, and what became of it on the second.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use understudy_protocol::{Disposition, Progress, RequestStatus};

use super::{
    Decoded, outcome_from_sql, outcome_to_sql, pairs_from_sql, pairs_to_sql, request_state_from_sql,
    request_state_to_sql, u64_from_sql, u64_to_sql,
};

/// A page of requests as one parameter: a JSON array with an array of columns for each, as `put_page` takes them apart.
pub(crate) fn requests_to_sql(page: &[RequestStatus]) -> String {
    let rows: Vec<_> = page.iter().map(request_to_sql).collect();
    Value::Array(rows).to_string()
}

fn request_to_sql(status: &RequestStatus) -> Value {
    let RequestStatus {
        id,
        client,
        operation,
        state,
        started_at_ms,
        progress,
        idempotency_key,
        resume,
        attributes,
    } = status;
    let (progress_done, progress_total, progress_unit) = match progress {
        None => (None, None, None),
        Some(Progress { done, total, unit }) => (Some(u64_to_sql(*done)), total.map(u64_to_sql), Some(unit)),
    };
    json!([
        id,
        client,
        operation,
        request_state_to_sql(*state),
        u64_to_sql(*started_at_ms),
        progress_done,
        progress_total,
        progress_unit,
        idempotency_key,
        resume.as_deref().map(hexadecimal),
        pairs_to_sql(attributes)
    ])
}

/// JSON has no bytes.
fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .collect()
}

/// A page of dispositions as one parameter. Of two for one request the last counts.
pub(crate) fn dispositions_to_sql(page: &[Disposition]) -> String {
    let last: BTreeMap<_, _> = page.iter().map(|disposition| (&disposition.id, disposition)).collect();
    let row = |Disposition { id, outcome, message }: &Disposition| json!([id, outcome_to_sql(*outcome), message]);
    Value::Array(last.into_values().map(row).collect()).to_string()
}

/// What became of a request, where it was said.
pub(crate) fn disposition_from_sql(
    id: &str,
    outcome: Option<String>,
    message: Option<String>,
) -> Decoded<Option<Disposition>> {
    let Some(outcome) = outcome else { return Ok(None) };
    let outcome = outcome_from_sql(&outcome)?;
    Ok(Some(Disposition {
        id: id.to_owned(),
        outcome,
        message: message.unwrap_or_default(),
    }))
}

/// The columns of `requests` that the first host fills.
pub(crate) struct RequestRow {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) operation: String,
    pub(crate) state: String,
    pub(crate) started_at_ms: i64,
    pub(crate) progress_done: Option<i64>,
    pub(crate) progress_total: Option<i64>,
    pub(crate) progress_unit: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) resume: Option<Vec<u8>>,
    pub(crate) attributes: String,
}

impl RequestRow {
    pub(crate) fn into_status(self) -> Decoded<RequestStatus> {
        let progress = match (self.progress_done, self.progress_unit) {
            (Some(done), Some(unit)) => Some(Progress {
                done: u64_from_sql(done),
                total: self.progress_total.map(u64_from_sql),
                unit,
            }),
            _ => None,
        };
        Ok(RequestStatus {
            id: self.id,
            client: self.client,
            operation: self.operation,
            state: request_state_from_sql(&self.state)?,
            started_at_ms: u64_from_sql(self.started_at_ms),
            progress,
            idempotency_key: self.idempotency_key,
            resume: self.resume,
            attributes: pairs_from_sql(&self.attributes)?,
        })
    }
}
