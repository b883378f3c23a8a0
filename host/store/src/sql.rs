//! The boundary between the protocol's words and SQL's columns: nothing else turns one into the other. Words, names
//! and numbers are here; each record has a file of its own below.
//!
//! Invariant: no `_` arm over an enum of the protocol, and no `..` over a struct of it: a new variant or field does
//! not compile until it has its column. What SQL holds is read back exactly, or refused; nothing is guessed.
//!
//! Numbers: SQLite's integers are signed. A `u64` is stored bit for bit, so that every value comes back; beyond
//! 2^63, which no honest term or count reaches, it looks negative to a person.

mod fault;
mod pause;
mod request;
mod state;

use serde_json::json;
use understudy_protocol::{
    CompilationSeal, Digest, DownPhase, FaultKind, HostName, Outcome, PauseScope, RequestState, RoleName, RoundId,
    ServiceName, Severity, Step, StoreId, Term, Verdict,
};

pub(crate) use fault::{FaultRow, Found};
pub(crate) use pause::PauseRow;
pub(crate) use request::{RequestRow, disposition_from_sql, dispositions_to_sql, requests_to_sql};
pub(crate) use state::StateRow;

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
words!(PauseScope, pause_scope_to_sql, pause_scope_from_sql:
    Cluster = "cluster", Service = "service", Host = "host", Flapping = "flapping");
words!(Step, step_to_sql, step_from_sql:
    Admission = "admission", Server = "server", Address = "address", Arm = "arm", WarmUp = "warm-up");
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
    Parked = "parked", Released = "released", Yielded = "yielded",
    Forcing = "forcing",
    StandingDown = "standing-down");

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

/// Rounds as one parameter.
pub(crate) fn rounds_to_sql<'a>(rounds: impl IntoIterator<Item = &'a RoundId>) -> String {
    let rounds: Vec<_> = rounds.into_iter().map(|round| round_to_sql(*round)).collect();
    json!(rounds).to_string()
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
    if pairs.is_empty() {
        NO_PAIRS.to_owned()
    } else {
        json!(pairs).to_string()
    }
}

pub(crate) fn pairs_from_sql(text: &str) -> Decoded<Vec<(String, String)>> {
    if text == NO_PAIRS {
        return Ok(Vec::new());
    }
    serde_json::from_str(text).or_else(|_| not_a("list of pairs", text))
}

/// What most requests have: not worth a parser.
const NO_PAIRS: &str = "[]";
