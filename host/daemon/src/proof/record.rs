//! This host's statement about a takeover, put together from its own store.
//!
//! Invariants: only what this host wrote down itself goes in; the order is that of the turns: what a turn heard, the
//! line it wrote, what it then said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use understudy_protocol::{HostName, RoundId, ServiceName};
use understudy_store::{
    AddressLine, CompilationSummary, Direction, JournalFilter, JournalLine, MessageLine, Order, RequestFilter, Store,
    StoreError,
};

use super::statement::{AddressMoment, ClockReading, Compiled, Disposed, Happened, Request, Said, Step};
use super::{FORM, statement};
use crate::driver::{parse_forced_id, wall_ms};
use crate::shown::millis;
use crate::{shown, takeovers};

/// Who states it.
pub(super) struct Stater<'a> {
    pub(super) host: &'a HostName,
    /// SHA-256 of the authority's and of the host's certificate.
    pub(super) authority: &'a str,
    pub(super) certificate: &'a str,
}

/// What this host has on record about the takeover; none when it has nothing.
pub(super) async fn statement(
    store: &Store,
    stater: &Stater<'_>,
    id: &str,
) -> Result<Option<statement::Statement>, StoreError> {
    let messages = store.messages(id, MESSAGES).await?;
    let lines = lines(store, stater.host, id, &messages).await?;
    let service = lines.first().map(|line| &line.service);
    let Some(service) = service.or_else(|| messages.first().map(|message| &message.service)) else {
        return Ok(None);
    };
    let events = in_order(&lines, &messages);
    let address = address(store, service, &events).await?;
    let compilation = match id.parse::<RoundId>() {
        Ok(round) => compilation(store, round).await?,
        Err(_) => None,
    };
    Ok(Some(statement::Statement {
        form: FORM.to_owned(),
        host: stater.host.to_string(),
        service: service.to_string(),
        takeover: id.to_owned(),
        understudy: env!("CARGO_PKG_VERSION").to_owned(),
        stated_at_ms: millis(wall_ms()),
        authority: stater.authority.to_owned(),
        certificate: stater.certificate.to_owned(),
        clocks: clocks(&messages),
        events,
        address,
        compilation,
    }))
}

/// The journal's lines of a takeover, oldest first.
async fn lines(
    store: &Store,
    me: &HostName,
    id: &str,
    messages: &[MessageLine],
) -> Result<Vec<JournalLine>, StoreError> {
    if let Ok(round) = id.parse::<RoundId>() {
        let of_round = JournalFilter {
            round: Some(round),
            order: Order::OldestFirst,
            ..JournalFilter::default()
        };
        return store.journal(&of_round, LINES).await;
    }
    let Some((service, term)) = parse_forced_id(id) else {
        return Ok(Vec::new());
    };
    let of_service = JournalFilter {
        service: Some(service),
        ..JournalFilter::default()
    };
    let mut all = store.journal(&of_service, LINES).await?;
    all.reverse();
    let heard: BTreeSet<i64> = messages.iter().filter(|m| m.has_line).map(|m| m.line).collect();
    let shown: Vec<_> = all.iter().map(|line| shown::journal_line(me, line)).collect();
    let (from, until) = takeovers::forced_span(&shown, &term.into()).unwrap_or((u64::MAX, 0));
    all.retain(|line| (from..=until).contains(&millis(line.seq)) || heard.contains(&line.seq));
    Ok(all)
}

fn in_order(lines: &[JournalLine], messages: &[MessageLine]) -> Vec<Happened> {
    let mut all: Vec<((i64, u8, i64), Happened)> = Vec::with_capacity(lines.len() + messages.len());
    all.extend(lines.iter().map(|line| {
        let happened = Happened {
            n: 0,
            at_ms: millis(line.at_ms),
            step: Some(step(line)),
            message: None,
        };
        ((line.seq, 1, 0), happened)
    }));
    all.extend(messages.iter().map(|message| {
        let before_line = message.has_line && message.direction == Direction::Received;
        let happened = Happened {
            n: 0,
            at_ms: millis(message.at_ms),
            step: None,
            message: Some(said(message)),
        };
        ((message.line, if before_line { 0 } else { 2 }, message.id), happened)
    }));
    all.sort_by_key(|(place, _)| *place);
    let numbered = all.into_iter().zip(1..);
    numbered.map(|((_, happened), n)| Happened { n, ..happened }).collect()
}

fn step(line: &JournalLine) -> Step {
    Step {
        seq: millis(line.seq),
        name: line.step.clone(),
        reason: line.reason.clone(),
        detail: line.detail.clone(),
        from: line.from.to_string(),
        to: line.to.to_string(),
        term: line.term.0,
        round: line.round.map(|round| round.to_string()),
    }
}

fn said(message: &MessageLine) -> Said {
    Said {
        direction: match message.direction {
            Direction::Received => statement::Direction::Received,
            Direction::Sent => statement::Direction::Sent,
        },
        peer: message.peer.to_string(),
        name: message.name.clone(),
        // It was JSON when it was written; what became unreadable is stated as the text that is there.
        body: serde_json::from_str(&message.body).unwrap_or_else(|_| Value::String(message.body.clone())),
        times: message.times,
        last_at_ms: millis(message.last_at_ms),
    }
}

fn clocks(messages: &[MessageLine]) -> Vec<ClockReading> {
    let mut best: BTreeMap<&str, ClockReading> = BTreeMap::new();
    for message in messages {
        let Some(clock) = message.clock else { continue };
        let reading = ClockReading {
            peer: message.peer.to_string(),
            at_ms: millis(message.at_ms),
            offset_us: clock.offset_us,
            uncertainty_us: clock.uncertainty_us,
        };
        let known = best.entry(message.peer.as_str()).or_insert_with(|| reading.clone());
        if reading.uncertainty_us < known.uncertainty_us {
            *known = reading;
        }
    }
    best.into_values().collect()
}

async fn address(store: &Store, service: &ServiceName, events: &[Happened]) -> Result<Vec<AddressMoment>, StoreError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Ok(Vec::new());
    };
    let end = events.iter().map(|event| event.at_ms).max().unwrap_or(last.at_ms);
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let (from, until) = (signed(first.at_ms) - AROUND_MS, signed(end).saturating_add(AROUND_MS));
    let lines = store.address_events(service, from, until, MOMENTS).await?;
    let moment = |line: AddressLine| AddressMoment {
        at_ms: millis(line.at_ms),
        event: line.event,
        detail: line.detail,
    };
    Ok(lines.into_iter().map(moment).collect())
}

async fn compilation(store: &Store, round: RoundId) -> Result<Option<Compiled>, StoreError> {
    let Some(summary) = store.compilation(round).await? else {
        return Ok(None);
    };
    let requests = if summary.requests <= LISTED {
        Some(requests(store, &summary).await?)
    } else {
        None
    };
    Ok(Some(Compiled {
        first: summary.first.to_string(),
        second: summary.second.as_ref().map(ToString::to_string),
        count: summary.requests,
        digest: summary.sealed.map(|sealed| sealed.seal.digest.to_string()),
        requests,
    }))
}

async fn requests(store: &Store, summary: &CompilationSummary) -> Result<Vec<Request>, StoreError> {
    let (all, mut listed): (_, Vec<Request>) = (RequestFilter::default(), Vec::new());
    let mut after: Option<String> = None;
    loop {
        let page = store.requests(summary.round, &all, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(listed);
        };
        after = Some(last.status.id.clone());
        listed.extend(page.iter().map(|line| Request {
            request: understudy_wire::request_json(&line.status),
            disposition: line.disposition.as_ref().map(|disposition| Disposed {
                outcome: disposition.outcome.into(),
                message: disposition.message.clone(),
            }),
        }));
    }
}

/// More than any takeover has: a round that ran for months with a declined candidate each time is many rounds.
const LINES: u32 = 10_000;
const MESSAGES: u32 = 10_000;
const MOMENTS: u32 = 1000;
/// The address is held a moment before the journal says so, and its listener passed on a moment after.
const AROUND_MS: i64 = 2000;
/// A longer list is not put into a bundle: its digest stands for it.
const LISTED: u64 = 20_000;
const PAGE: u32 = 1000;
