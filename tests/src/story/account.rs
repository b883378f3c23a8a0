//! Compares what a host says was under way when it drained with what the clients themselves wrote down.
//!
//! A request that was sent before the drain began and that ended after the first listing was surely under way: it must
//! be in the compilation, found by its client's address, with a disposition. So must every request whose client got no answer.
//! The other way round nothing is claimed: a request that ended in the drain's first moments may be listed or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result};

use crate::cluster::{Cluster, Compilation, HOSTS, JournalLine, RequestLine};
use crate::load::{Outcome, Recorder, Request, Service};

/// What happens within this time of a step can't be told apart: clocks are read to the millisecond, and a step is written
/// down a little after it happened.
const MARGIN_US: u64 = 20_000;

/// The comparison for one takeover.
#[derive(Debug, Clone)]
pub struct Account {
    /// The service.
    pub service: String,
    /// Whose requests.
    pub first: String,
    /// How many requests the compilation lists.
    pub listed: usize,
    /// How many its seal says.
    pub sealed: u64,
    /// The listed requests by what became of them.
    pub outcomes: BTreeMap<String, usize>,
    /// Listed requests without a disposition.
    pub undisposed: usize,
    /// Requests that were surely under way by the clients' record.
    pub under_way: usize,
    /// Of those, the ones that the compilation does not list: the client, and when it asked and had its answer.
    pub unlisted: Vec<String>,
    /// What the compilation lists of clients that are not the load's: the hosts' own probes, and mistakes.
    pub strangers: Vec<String>,
    /// Requests that ended without an answer in the time of this takeover.
    pub unanswered: usize,
    /// Of those that the first had received, the ones that the compilation does not list.
    pub unanswered_unlisted: Vec<String>,
}

impl Account {
    /// Whether every request is accounted for.
    pub fn is_complete(&self) -> bool {
        self.listed as u64 == self.sealed
            && self.undisposed == 0
            && self.unlisted.is_empty()
            && self.unanswered_unlisted.is_empty()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes: Vec<String> = self
            .outcomes
            .iter()
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        write!(
            f,
            "{}, drained by {}: {} requests listed ({}); {} were surely under way by the clients' own record, {} of them not listed; {} ended without an answer, {} of them not listed",
            self.service,
            self.first,
            self.listed,
            if outcomes.is_empty() {
                "none".to_owned()
            } else {
                outcomes.join(", ")
            },
            self.under_way,
            self.unlisted.len(),
            self.unanswered,
            self.unanswered_unlisted.len(),
        )?;
        self.unlisted
            .iter()
            .try_for_each(|client| write!(f, "; {client} was not listed"))
    }
}

/// The moments of a drain, in milliseconds since the Unix epoch, as the first's journal has them.
#[derive(Debug, Clone, Copy)]
struct Drain {
    began_ms: u64,
    /// By then the first listing was complete.
    listed_ms: u64,
    stopped_ms: u64,
}

/// Compares the second's copy of a released round's compilation with the clients' record: it is what is left when the
/// first is gone.
pub async fn account_for(
    cluster: &Cluster,
    lines: &[JournalLine],
    service: &str,
    round: &str,
    recorder: &Recorder,
) -> Result<Account> {
    let of_round = |step: &str| {
        let is = |l: &&JournalLine| l.service == service && l.round.as_deref() == Some(round) && l.step == step;
        lines
            .iter()
            .find(is)
            .with_context(|| format!("no host wrote `{step}` of round {round} of {service}"))
    };
    let (began, listed) = (of_round("drain-started")?, of_round("admission-stopped")?);
    let stopped = of_round("server-stopped")?;
    let drain = Drain {
        began_ms: began.at_ms,
        listed_ms: listed.at_ms,
        stopped_ms: stopped.at_ms,
    };
    let second = if began.host == HOSTS[0] { HOSTS[1] } else { HOSTS[0] };
    let rest = &cluster.host(second).rest;
    let compilations = rest.compilations(service).await?;
    let compilation = compilations.iter().find(|c| c.round == round);
    let compilation = compilation.with_context(|| format!("{second} has no compilation of round {round}"))?;
    Ok(account_of(compilation, &rest.requests(round).await?, drain, recorder))
}

fn account_of(compilation: &Compilation, requests: &[RequestLine], drain: Drain, recorder: &Recorder) -> Account {
    let service = if compilation.service == "redis" {
        Service::Redis
    } else {
        Service::Web
    };
    let listed: BTreeSet<&str> = requests.iter().map(|r| r.client.as_str()).collect();
    let (began, stopped) = (
        recorder.from_wall_ms(drain.began_ms),
        recorder.from_wall_ms(drain.stopped_ms),
    );
    let first_listing = recorder.from_wall_ms(drain.listed_ms);
    let record = recorder.requests();
    let of_service = || record.iter().filter(|r| r.service == service);
    let surely = |r: &&Request| r.sent + MARGIN_US < began && r.end > first_listing + MARGIN_US;
    let under_way: Vec<&Request> = of_service().filter(surely).collect();
    // Sent to the first, or to nobody yet, when its server stopped; and then no answer.
    let caught = |r: &&Request| r.outcome != Outcome::Answered && r.sent < stopped && r.end + MARGIN_US > began;
    let unanswered: Vec<&Request> = of_service().filter(caught).collect();
    let unlisted = |among: &[&Request]| -> Vec<String> {
        let missing = among
            .iter()
            .filter(|r| r.client.is_some() && !listed.contains(client_of(r).as_str()));
        missing.map(|r| tell(r, began)).collect()
    };
    let known: BTreeSet<String> = of_service()
        .flat_map(|r| [r.client, r.retried_from])
        .flatten()
        .map(|c| c.to_string())
        .collect();
    let strange = requests.iter().filter(|r| !known.contains(&r.client));
    let strangers = strange
        .map(|r| format!("{} {} ({})", r.id, r.operation, r.state))
        .collect();
    let mut outcomes = BTreeMap::new();
    for disposition in requests.iter().filter_map(|r| r.disposition.as_ref()) {
        *outcomes.entry(disposition.outcome.clone()).or_insert(0) += 1;
    }
    Account {
        service: compilation.service.clone(),
        first: compilation.first.clone(),
        listed: requests.len(),
        sealed: compilation.count,
        outcomes,
        undisposed: requests.iter().filter(|r| r.disposition.is_none()).count(),
        under_way: under_way.len(),
        unlisted: unlisted(&under_way),
        strangers,
        unanswered: unanswered.len(),
        unanswered_unlisted: unlisted(&unanswered),
    }
}

/// Who asked the first: with a request that was asked again, the connection that was closed under it.
fn client_of(request: &Request) -> String {
    request
        .retried_from
        .or(request.client)
        .map(|c| c.to_string())
        .unwrap_or_default()
}

fn tell(request: &Request, began: u64) -> String {
    let relative = |at: u64| (at as f64 - began as f64) / 1e3;
    let (sent, ended) = (relative(request.sent), relative(request.end));
    let client = client_of(request);
    format!(
        "{client} ({:?}, sent at {sent:.0} ms of the drain, ended at {ended:.0} ms)",
        request.kind
    )
}
