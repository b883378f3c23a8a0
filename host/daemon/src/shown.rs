//! From the daemon's own types to the API's JSON: one place, no decisions.

use understudy_address::AddressConfig;
use understudy_api::{FaultFilter, KeptAnswer, wire};
use understudy_protocol::HostName;
use understudy_store::{CompilationSummary, FaultLine, JournalLine, Store, StoreError, StoredResponse};

use crate::config;
use crate::driver::ServiceInfo;
use crate::edges::Door;
use crate::effects::{Context, lock};
use crate::probes::Seen;

/// Times before 1970 are a broken clock's; they are shown as 0.
pub(crate) fn millis(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or_default()
}

pub(crate) fn journal_line(host: &HostName, line: &JournalLine) -> wire::JournalLine {
    wire::JournalLine {
        seq: millis(line.seq),
        at_ms: millis(line.at_ms),
        host: host.to_string(),
        service: line.service.to_string(),
        step: line.step.clone(),
        reason: line.reason.clone(),
        detail: line.detail.clone(),
        from: line.from.into(),
        to: line.to.into(),
        term: line.term.into(),
        round: line.round.map(|round| round.to_string()),
    }
}

pub(crate) fn unknown_host(name: &HostName) -> wire::HostView {
    wire::HostView {
        host: name.to_string(),
        me: false,
        version: None,
        started_at_ms: None,
        now_ms: None,
        seen_at_ms: None,
        age_ms: None,
        reachable: false,
        services: Vec::new(),
        alerts: Vec::new(),
    }
}

impl ServiceInfo {
    /// What the configuration says.
    pub(crate) fn of(service: &config::Service) -> Self {
        let nothing = wire::AddressView {
            mode: wire::AddressMode::Proxy,
            listen: Vec::new(),
            server: None,
            addresses: Vec::new(),
            interface: None,
            state: String::new(),
            detail: None,
        };
        let address = match &service.address {
            AddressConfig::Proxy(proxy) => wire::AddressView {
                listen: proxy.listen.iter().map(ToString::to_string).collect(),
                server: Some(proxy.server.to_string()),
                ..nothing
            },
            AddressConfig::Vip(vip) => wire::AddressView {
                mode: wire::AddressMode::Vip,
                addresses: vip.addresses.iter().map(ToString::to_string).collect(),
                interface: Some(vip.interface.clone()),
                ..nothing
            },
        };
        ServiceInfo {
            server_type: service.server_type.clone(),
            address,
        }
    }
}

pub(crate) fn address(configured: &wire::AddressView, address: &dyn Door) -> wire::AddressView {
    let state = address.holding().as_str().to_owned();
    let flows = address.flows().len();
    let detail = (flows > 0).then(|| format!("{flows} connections"));
    wire::AddressView {
        state,
        detail,
        ..configured.clone()
    }
}

pub(crate) fn probes(context: &Context) -> Vec<wire::ProbeView> {
    lock(&context.seen).iter().map(probe).collect()
}

fn probe(seen: &Seen) -> wire::ProbeView {
    let breaker = seen.breaker;
    let retry_in = breaker.and_then(|breaker| breaker.retry_in);
    wire::ProbeView {
        plugin: seen.plugin.name.clone(),
        version: Some(seen.plugin.version.clone()),
        digest: format!("sha256:{}", seen.plugin.digest),
        verdict: seen.verdict().into(),
        checked_at_ms: seen.checked_at_ms.map(millis),
        duration_us: seen
            .took
            .map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        faults: seen.faults.iter().map(wire::Fault::from).collect(),
        readings: seen.readings.iter().map(reading).collect(),
        error: seen.error.clone(),
        breaker: wire::Breaker {
            state: if retry_in.is_some() {
                wire::BreakerState::Open
            } else {
                wire::BreakerState::Closed
            },
            failures: breaker.map_or(0, |breaker| breaker.failures),
            retry_in_ms: retry_in.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        },
    }
}

fn reading(reading: &understudy_runtime::Reading) -> wire::Reading {
    let attributes = reading.attributes.iter();
    wire::Reading {
        key: reading.key.clone(),
        value: reading.value,
        unit: reading.unit.clone(),
        attributes: attributes
            .map(|(key, value)| wire::Attribute {
                key: key.clone(),
                value: value.clone(),
            })
            .collect(),
    }
}

pub(crate) fn compilation(summary: &CompilationSummary) -> wire::Compilation {
    use understudy_protocol::{Outcome as O, RequestState as S};
    let (mut states, mut outcomes) = (wire::StateCounts::default(), wire::OutcomeCounts::default());
    for (state, count) in &summary.by_state {
        match state {
            S::Queued => states.queued = *count,
            S::Running => states.running = *count,
            S::Completed => states.completed = *count,
            S::Failed => states.failed = *count,
            S::Cut => states.cut = *count,
            S::Refused => states.refused = *count,
        }
    }
    for (outcome, count) in &summary.by_outcome {
        match outcome {
            O::Completed => outcomes.completed = *count,
            O::Resumed => outcomes.resumed = *count,
            O::Replayed => outcomes.replayed = *count,
            O::ClientRetries => outcomes.client_retries = *count,
            O::Refused => outcomes.refused = *count,
            O::Lost => outcomes.lost = *count,
        }
    }
    outcomes.unsettled = summary.unresolved;
    wire::Compilation {
        round: summary.round.to_string(),
        service: summary.service.to_string(),
        first: summary.first.to_string(),
        second: summary.second.as_ref().map(ToString::to_string),
        sealed: summary.sealed.is_some(),
        count: summary.requests,
        digest: summary.sealed.as_ref().map(|sealed| sealed.seal.digest.to_string()),
        started_at_ms: millis(summary.begun_at_ms),
        sealed_at_ms: summary.sealed.as_ref().map(|sealed| millis(sealed.at_ms)),
        states,
        outcomes,
    }
}

/// A page of recorded faults; the cursor is the last one's number.
pub(crate) async fn faults(store: &Store, filter: &FaultFilter) -> Result<wire::Page<wire::FaultRecord>, StoreError> {
    let wanted = understudy_store::FaultFilter {
        service: filter.service.clone(),
        host: None,
        open: filter.standing,
        before_id: filter.cursor.as_ref().and_then(|cursor| cursor.parse().ok()),
    };
    let found = store.faults(&wanted, filter.limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|found| found >= filter.limit);
    let next = found.last().filter(|_| full).map(|line| line.id.to_string());
    Ok(wire::Page {
        items: found.iter().map(fault).collect(),
        next,
    })
}

fn fault(line: &FaultLine) -> wire::FaultRecord {
    wire::FaultRecord {
        id: millis(line.id),
        at_ms: millis(line.first_seen_at_ms),
        cleared_at_ms: line.ended_at_ms.map(millis),
        host: line.host.to_string(),
        service: line.service.to_string(),
        plugin: None,
        fault: (&line.fault).into(),
    }
}

const CONTENT_TYPE: &str = "content-type";
const LOCATION: &str = "location";

/// An answer kept for an `Idempotency-Key`, as the API wants it.
pub(crate) fn kept_answer(request_digest: String, kept: StoredResponse) -> KeptAnswer {
    let header = |name: &str| {
        kept.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    KeptAnswer {
        request_digest,
        status: kept.status,
        location: header(LOCATION),
        content_type: header(CONTENT_TYPE).unwrap_or_default(),
        body: String::from_utf8_lossy(&kept.body).into_owned(),
    }
}

pub(crate) fn stored_response(answer: KeptAnswer) -> StoredResponse {
    let mut headers = vec![(CONTENT_TYPE.to_owned(), answer.content_type)];
    headers.extend(answer.location.map(|location| (LOCATION.to_owned(), location)));
    StoredResponse {
        status: answer.status,
        headers,
        body: answer.body.into_bytes(),
    }
}
