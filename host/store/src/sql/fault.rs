//! `faults`: a fault with its evidence.

use std::time::Duration;

use understudy_protocol::{Fault, Verdict};

use super::{
    Decoded, fault_kind_from_sql, fault_kind_to_sql, host_from_sql, not_a, pairs_from_sql, pairs_to_sql,
    service_from_sql, severity_from_sql, severity_to_sql, verdict_from_sql, verdict_to_sql,
};
use crate::FaultLine;

/// The columns of `faults` that a probe fills.
pub(crate) struct Found {
    pub(crate) code: String,
    pub(crate) kind: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) verdict: &'static str,
    pub(crate) message: String,
    pub(crate) shutdown_within_ms: Option<i64>,
    pub(crate) evidence: String,
}

impl Found {
    pub(crate) fn new(fault: &Fault, verdict: Verdict) -> Self {
        let Fault {
            code,
            kind,
            severity,
            message,
            shutdown_within,
            evidence,
        } = fault;
        Found {
            code: code.clone(),
            kind: fault_kind_to_sql(*kind),
            severity: severity_to_sql(*severity),
            verdict: verdict_to_sql(verdict),
            message: message.clone(),
            // Three hundred million years are long enough for a server that can go on for longer.
            shutdown_within_ms: shutdown_within.map(|within| i64::try_from(within.as_millis()).unwrap_or(i64::MAX)),
            evidence: pairs_to_sql(evidence),
        }
    }
}

/// A row of `faults`.
pub(crate) struct FaultRow {
    pub(crate) id: i64,
    pub(crate) service: String,
    pub(crate) host: String,
    pub(crate) code: String,
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) verdict: String,
    pub(crate) message: String,
    pub(crate) shutdown_within_ms: Option<i64>,
    pub(crate) evidence: String,
    pub(crate) first_seen_at_ms: i64,
    pub(crate) last_seen_at_ms: i64,
    pub(crate) ended_at_ms: Option<i64>,
}

impl FaultRow {
    pub(crate) fn into_line(self) -> Decoded<FaultLine> {
        let fault = Fault {
            code: self.code,
            kind: fault_kind_from_sql(&self.kind)?,
            severity: severity_from_sql(&self.severity)?,
            message: self.message,
            shutdown_within: self.shutdown_within_ms.map(within).transpose()?,
            evidence: pairs_from_sql(&self.evidence)?,
        };
        Ok(FaultLine {
            id: self.id,
            service: service_from_sql(&self.service)?,
            host: host_from_sql(&self.host)?,
            verdict: verdict_from_sql(&self.verdict)?,
            fault,
            first_seen_at_ms: self.first_seen_at_ms,
            last_seen_at_ms: self.last_seen_at_ms,
            ended_at_ms: self.ended_at_ms,
        })
    }
}

/// Not bit for bit, as counts are: what is written is never negative.
fn within(ms: i64) -> Decoded<Duration> {
    let ms = u64::try_from(ms).or_else(|_| not_a("length of time", &ms.to_string()))?;
    Ok(Duration::from_millis(ms))
}
