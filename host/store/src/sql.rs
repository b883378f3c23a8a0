//! The boundary between the protocol's words and SQL's columns: the only file that turns one into the other.
//!
//! Invariant: no `_` arm over an enum of the protocol, and no `..` over a struct of it: a new variant or field does
//! not compile until it has its column. What SQL holds is read back exactly, or refused; nothing is guessed.
//!
//! Numbers: SQLite's integers are signed. A `u64` is stored bit for bit, so that every value comes back; beyond
//! 2^63, which no honest term or count reaches, it looks negative to a person.

use understudy_protocol::{
    CompilationSeal, Digest, Disposition, DownPhase, Durable, FaultKind, Grant, HostName, Outcome, Progress,
    RequestState, RequestStatus, RoleName, RoundId, ServiceName, Severity, StayDown, StoreId, Tenure, Term, Verdict,
};

type Decoded<T> = Result<T, sqlx::Error>;

/// A value that this version can't have written.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a {kind}")]
struct NotA {
    kind: &'static str,
    text: String,
}

fn not_a<T>(kind: &'static str, text: &str) -> Decoded<T> {
    let text = text.chars().take(80).collect();
    Err(sqlx::Error::Decode(Box::new(NotA { kind, text })))
}

/// Both directions from one list: the first is an exhaustive match, so a missing variant does not compile, and the
/// second can't differ from it.
macro_rules! words {
    ($kind:ident, $to:ident, $from:ident: $($variant:ident = $word:literal),+ $(,)?) => {
        pub(crate) fn $to(value: $kind) -> &'static str {
            match value { $($kind::$variant => $word),+ }
        }
        pub(crate) fn $from(word: &str) -> Decoded<$kind> {
            match word { $($word => Ok($kind::$variant),)+ other => not_a(stringify!($kind), other) }
        }
    };
}

words!(RequestState, request_state_to_sql, request_state_from_sql:
    Queued = "queued", Running = "running", Completed = "completed", Failed = "failed", Cut = "cut",
    Refused = "refused");
words!(Outcome, outcome_to_sql, outcome_from_sql:
    Completed = "completed", Resumed = "resumed", Replayed = "replayed", ClientRetries = "client-retries",
    Refused = "refused", Lost = "lost");
words!(DownPhase, down_phase_to_sql, down_phase_from_sql:
    Faulty = "faulty", Cured = "cured", Rebooting = "rebooting");
words!(Verdict, verdict_to_sql, verdict_from_sql:
    Healthy = "healthy", Impaired = "impaired", Failing = "failing", Unknown = "unknown");
words!(Severity, severity_to_sql, severity_from_sql:
    Impaired = "impaired", ShutdownRequired = "shutdown-required");
words!(FaultKind, fault_kind_to_sql, fault_kind_from_sql:
    Hardware = "hardware", Storage = "storage", Memory = "memory", Network = "network", Power = "power",
    Software = "software", Dependency = "dependency", Capacity = "capacity", Operator = "operator", Other = "other");
words!(RoleName, role_to_sql, role_from_sql:
    Fresh = "fresh", Unsynced = "unsynced", Standby = "standby", Preparing = "preparing",
    Activating = "activating", Active = "active", Asking = "asking", Draining = "draining", Stopped = "stopped",
    Parked = "parked", Released = "released", Forcing = "forcing");

pub(crate) fn u64_to_sql(value: u64) -> i64 {
    value.cast_signed()
}

pub(crate) fn u64_from_sql(value: i64) -> u64 {
    value.cast_unsigned()
}

fn term_from_sql(value: i64) -> Term {
    Term(u64_from_sql(value))
}

pub(crate) fn service_from_sql(text: &str) -> Decoded<ServiceName> {
    ServiceName::new(text).or_else(|_| not_a("service name", text))
}

pub(crate) fn host_from_sql(text: &str) -> Decoded<HostName> {
    HostName::new(text).or_else(|_| not_a("host name", text))
}

fn store_id_to_sql(store: StoreId) -> String {
    format!("{:032x}", store.0)
}

pub(crate) fn store_id_from_sql(text: &str) -> Decoded<StoreId> {
    match u128::from_str_radix(text, 16) {
        Ok(id) if text.len() == 32 => Ok(StoreId(id)),
        _ => not_a("store id", text),
    }
}

/// `<store id, 32 hexadecimal digits>-<counter>`; longer than the round's usual display, which can't be read back.
pub(crate) fn round_to_sql(round: RoundId) -> String {
    format!("{}-{}", store_id_to_sql(round.store), round.counter)
}

pub(crate) fn round_from_sql(text: &str) -> Decoded<RoundId> {
    let Some((store, counter)) = text.split_once('-') else {
        return not_a("round", text);
    };
    let Ok(counter) = counter.parse() else {
        return not_a("round", text);
    };
    Ok(RoundId {
        store: store_id_from_sql(store)?,
        counter,
    })
}

pub(crate) fn digest_from_sql(text: &str) -> Decoded<Digest> {
    let mut digest = [0; 32];
    let byte = |at: usize| {
        text.get(2 * at..2 * at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    for (at, place) in digest.iter_mut().enumerate() {
        let Some(byte) = byte(at) else {
            return not_a("SHA-256", text);
        };
        *place = byte;
    }
    if text.len() == 64 {
        Ok(Digest(digest))
    } else {
        not_a("SHA-256", text)
    }
}

pub(crate) fn seal_from_sql(count: i64, digest: &str) -> Decoded<CompilationSeal> {
    Ok(CompilationSeal {
        count: u64_from_sql(count),
        digest: digest_from_sql(digest)?,
    })
}

/// Key/value pairs as JSON, in their order, repetitions kept.
pub(crate) fn pairs_to_sql(pairs: &[(String, String)]) -> String {
    serde_json::json!(pairs).to_string()
}

pub(crate) fn pairs_from_sql(text: &str) -> Decoded<Vec<(String, String)>> {
    if text == NO_PAIRS {
        return Ok(Vec::new());
    }
    serde_json::from_str(text).or_else(|_| not_a("list of pairs", text))
}

/// What most requests have: not worth a parser.
const NO_PAIRS: &str = "[]";

/// The columns of `service_state`, without the service and the times.
pub(crate) struct StateRow {
    pub(crate) adopted: bool,
    pub(crate) known_term: i64,
    pub(crate) promised_term: i64,
    pub(crate) held_term: Option<i64>,
    pub(crate) tenure_from: Option<String>,
    pub(crate) tenure_round: Option<String>,
    pub(crate) tenure_served: Option<bool>,
    pub(crate) tenure_resolved: Option<bool>,
    pub(crate) grant_term: Option<i64>,
    pub(crate) grant_to: Option<String>,
    pub(crate) grant_round: Option<String>,
    pub(crate) grant_requests: Option<i64>,
    pub(crate) grant_digest: Option<String>,
    pub(crate) round_counter: i64,
    pub(crate) stay_down_released_term: Option<i64>,
    pub(crate) stay_down_fault: Option<String>,
    pub(crate) stay_down_phase: Option<String>,
    pub(crate) givebacks: i64,
}

impl StateRow {
    pub(crate) fn from_durable(durable: &Durable) -> Self {
        let Durable {
            adopted,
            known,
            promised,
            held,
            tenure,
            grant,
            round_counter,
            stay_down,
            givebacks,
        } = durable.clone();
        let (tenure_from, tenure_round, tenure_served, tenure_resolved) = match tenure {
            None => (None, None, None, None),
            Some(Tenure {
                from,
                round,
                served,
                resolved,
            }) => (
                from.map(|host| host.to_string()),
                round.map(round_to_sql),
                Some(served),
                Some(resolved),
            ),
        };
        let (grant_term, grant_to, grant_round, grant_seal) = match grant {
            None => (None, None, None, None),
            Some(Grant {
                new_term,
                to,
                round,
                seal,
            }) => (
                Some(u64_to_sql(new_term.0)),
                Some(to.to_string()),
                Some(round_to_sql(round)),
                Some(seal),
            ),
        };
        let (grant_requests, grant_digest) = match grant_seal {
            None => (None, None),
            Some(CompilationSeal { count, digest }) => (Some(u64_to_sql(count)), Some(digest.to_string())),
        };
        let (stay_down_released_term, stay_down_fault, stay_down_phase) = match stay_down {
            None => (None, None, None),
            Some(StayDown { released, fault, phase }) => (
                Some(u64_to_sql(released.0)),
                Some(fault),
                Some(down_phase_to_sql(phase).to_owned()),
            ),
        };
        StateRow {
            adopted,
            known_term: u64_to_sql(known.0),
            promised_term: u64_to_sql(promised.0),
            held_term: held.map(|term| u64_to_sql(term.0)),
            tenure_from,
            tenure_round,
            tenure_served,
            tenure_resolved,
            grant_term,
            grant_to,
            grant_round,
            grant_requests,
            grant_digest,
            round_counter: u64_to_sql(round_counter),
            stay_down_released_term,
            stay_down_fault,
            stay_down_phase,
            givebacks: i64::from(givebacks),
        }
    }

    pub(crate) fn into_durable(self) -> Decoded<Durable> {
        Ok(Durable {
            adopted: self.adopted,
            known: term_from_sql(self.known_term),
            promised: term_from_sql(self.promised_term),
            held: self.held_term.map(term_from_sql),
            tenure: self.tenure()?,
            grant: self.grant()?,
            round_counter: u64_from_sql(self.round_counter),
            stay_down: self.stay_down()?,
            givebacks: u32::try_from(self.givebacks)
                .or_else(|_| not_a("count of givebacks", &self.givebacks.to_string()))?,
        })
    }

    fn tenure(&self) -> Decoded<Option<Tenure>> {
        let (Some(served), Some(resolved)) = (self.tenure_served, self.tenure_resolved) else {
            return Ok(None);
        };
        let from = self.tenure_from.as_deref().map(host_from_sql).transpose()?;
        let round = self.tenure_round.as_deref().map(round_from_sql).transpose()?;
        Ok(Some(Tenure {
            from,
            round,
            served,
            resolved,
        }))
    }

    fn grant(&self) -> Decoded<Option<Grant>> {
        let (Some(term), Some(to), Some(round), Some(count), Some(digest)) = (
            self.grant_term,
            &self.grant_to,
            &self.grant_round,
            self.grant_requests,
            &self.grant_digest,
        ) else {
            return Ok(None);
        };
        let seal = seal_from_sql(count, digest)?;
        Ok(Some(Grant {
            new_term: term_from_sql(term),
            to: host_from_sql(to)?,
            round: round_from_sql(round)?,
            seal,
        }))
    }

    fn stay_down(&self) -> Decoded<Option<StayDown>> {
        let (Some(released), Some(fault), Some(phase)) = (
            self.stay_down_released_term,
            &self.stay_down_fault,
            &self.stay_down_phase,
        ) else {
            return Ok(None);
        };
        let phase = down_phase_from_sql(phase)?;
        Ok(Some(StayDown {
            released: term_from_sql(released),
            fault: fault.clone(),
            phase,
        }))
    }
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
    pub(crate) fn from_status(status: &RequestStatus) -> Self {
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
        } = status.clone();
        let (progress_done, progress_total, progress_unit) = match progress {
            None => (None, None, None),
            Some(Progress { done, total, unit }) => (Some(u64_to_sql(done)), total.map(u64_to_sql), Some(unit)),
        };
        RequestRow {
            id,
            client,
            operation,
            state: request_state_to_sql(state).to_owned(),
            started_at_ms: u64_to_sql(started_at_ms),
            progress_done,
            progress_total,
            progress_unit,
            idempotency_key,
            resume,
            attributes: if attributes.is_empty() {
                NO_PAIRS.to_owned()
            } else {
                pairs_to_sql(&attributes)
            },
        }
    }

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
