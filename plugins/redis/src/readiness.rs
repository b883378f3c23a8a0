//! Who has which writes: whether the first host may let go, and whether the second's copy may be promoted. Pure.

use std::net::IpAddr;

use understudy_plugin::prelude::*;

use crate::config::{Address, Config};
use crate::disk::Machine;
use crate::info::{Info, Replica, Role};

/// Whether those who may take over have every write up to an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Copies {
    Complete,
    /// Connected and on its way.
    Behind {
        bytes: u64,
        who: String,
    },
    /// Not connected, or still in its first copy.
    Missing {
        who: String,
    },
}

/// The master's replicas against `offset`. The successor, where it is known and has an address; else every other host that has one,
/// because any of them may be chosen; else every replica there is.
pub(crate) fn copies(
    config: &Config,
    host: &str,
    successor: Option<&str>,
    replicas: &[Replica],
    offset: u64,
) -> Copies {
    let heirs = heirs(config, host, successor);
    if heirs.is_empty() {
        let online: Vec<_> = replicas.iter().filter(|replica| replica.online).collect();
        let slowest = online.iter().min_by_key(|replica| replica.offset);
        return match slowest {
            None => Copies::Missing {
                who: "any replica".into(),
            },
            Some(replica) => compare(replica.offset, offset, format!("{}:{}", replica.ip, replica.port)),
        };
    }
    let each = heirs.into_iter().map(|(name, address)| {
        let who = format!("{name} ({address})");
        match find(address, replicas) {
            Some(replica) if replica.online => compare(replica.offset, offset, who),
            _ => Copies::Missing {
                who: format!("{who}, of the replicas {}", names(replicas)),
            },
        }
    });
    each.max_by_key(gravity).unwrap_or(Copies::Complete)
}

/// The hosts whose copy must be complete, with their addresses.
pub(crate) fn heirs<'a>(config: &'a Config, host: &'a str, successor: Option<&str>) -> Vec<(&'a str, &'a Address)> {
    let others: Vec<_> = config.others(host).collect();
    match successor.and_then(|wanted| others.iter().find(|(name, _)| *name == wanted)) {
        Some(only) => vec![*only],
        None => others,
    }
}

fn compare(has: u64, offset: u64, who: String) -> Copies {
    match offset.saturating_sub(has) {
        0 => Copies::Complete,
        bytes => Copies::Behind { bytes, who },
    }
}

fn names(replicas: &[Replica]) -> String {
    let names: Vec<_> = replicas
        .iter()
        .map(|replica| format!("{}:{}", replica.ip, replica.port))
        .collect();
    if names.is_empty() {
        "(there is none)".to_owned()
    } else {
        names.join(", ")
    }
}

fn gravity(copies: &Copies) -> u64 {
    match copies {
        Copies::Complete => 0,
        Copies::Behind { bytes, .. } => *bytes,
        Copies::Missing { .. } => u64::MAX,
    }
}

/// By the whole address and nothing less: taking another replica for the heir would lose what the heir lacks.
fn find<'a>(address: &Address, replicas: &'a [Replica]) -> Option<&'a Replica> {
    replicas
        .iter()
        .find(|replica| replica.port == address.port && is_same_host(&replica.ip, &address.host))
}

/// `::ffff:10.0.0.2` and `10.0.0.2` are one host, and so are two ways to write an IPv6 address.
fn is_same_host(a: &str, b: &str) -> bool {
    let ip = |text: &str| text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    a == b || ip(a).is_some_and(|a| Some(a) == ip(b))
}

/// What the second looked at.
pub(crate) struct Candidate<'a> {
    pub(crate) config: &'a Config,
    /// The host that has the fault.
    pub(crate) first: Option<&'a str>,
    pub(crate) info: &'a Info,
    pub(crate) machine: &'a Machine,
    /// Where the first's stream of writes ends, where anybody knows.
    pub(crate) first_offset: Option<u64>,
    /// Whether the first's server is gone, so that a broken link is no wonder.
    pub(crate) first_is_gone: bool,
}

/// Whether this replica could serve.
pub(crate) fn assess(candidate: &Candidate<'_>) -> Assessment {
    let refusals = [copy, lag, memory, disk];
    refusals
        .iter()
        .find_map(|refuses| refuses(candidate))
        .map_or(Assessment::Can, Assessment::Cannot)
}

fn copy(candidate: &Candidate<'_>) -> Option<Refusal> {
    let Candidate { config, info, .. } = candidate;
    let master = info
        .master()
        .map_or_else(|| "nobody".into(), |(host, port)| format!("{host}:{port}"));
    let seen = |refusal: Refusal| {
        refusal
            .seen("role", info.text("role").unwrap_or("?"))
            .seen("master", &master)
    };
    if info.is_loading() || info.flag("master_sync_in_progress") {
        let left = info.count("master_sync_left_bytes").unwrap_or(0);
        let refusal =
            Refusal::new("syncing", "The copy of the data is not complete yet").unless("the copy is complete");
        return Some(seen(refusal).seen("left-bytes", left));
    }
    if info.role() != Some(Role::Replica) {
        let refusal = Refusal::new("not-a-replica", "This host's Redis is not a replica: it has other data");
        return Some(seen(refusal.unless("it is a replica of the active host's Redis")));
    }
    let expected = candidate.first.and_then(|first| config.addresses.get(first));
    if let Some(address) = expected.filter(|address| info.master() != Some((address.host.as_str(), address.port))) {
        let message = format!("This host's Redis is a replica of {master}, not of {address}");
        return Some(seen(
            Refusal::new("replica-of-another", message).unless(format!("it is a replica of {address}")),
        ));
    }
    if !info.was_ever_linked() {
        let message = format!("This host's Redis has never had a connection to its master {master}");
        return Some(seen(
            Refusal::new("never-synced", message).unless("the copy is complete"),
        ));
    }
    if !info.is_link_up() && !candidate.first_is_gone {
        let message = format!("This host's Redis has no connection to its master {master}");
        let down_s = info.number("master_link_down_since_seconds").unwrap_or(-1);
        return Some(
            seen(Refusal::new("link-down", message).unless("the link to the master is up")).seen("down-s", down_s),
        );
    }
    None
}

fn lag(candidate: &Candidate<'_>) -> Option<Refusal> {
    let (first, own) = (candidate.first_offset?, candidate.info.offset()?);
    let max = candidate.config.max_lag_bytes;
    let behind = first.saturating_sub(own);
    (behind > max).then(|| {
        let message = format!("This host's Redis is {behind} bytes of writes behind");
        Refusal::new("replication-lag", message)
            .unless(format!("replication lag < {max} bytes"))
            .seen("lag-bytes", behind)
            .seen("offset", own)
            .seen("first-offset", first)
    })
}

fn memory(candidate: &Candidate<'_>) -> Option<Refusal> {
    let Candidate {
        config, info, machine, ..
    } = candidate;
    let (used, max) = (
        info.count("used_memory").unwrap_or(0),
        info.count("maxmemory").unwrap_or(0),
    );
    if max > 0 && used > max {
        // A replica ignores its limit; a master would have to evict, or refuse writes.
        let message = format!("The data takes {used} bytes and this host's Redis may use {max}");
        let refusal = Refusal::new("maxmemory-too-small", message).unless(format!("maxmemory >= {used}"));
        return Some(refusal.seen("used-memory", used).seen("maxmemory", max));
    }
    let free = machine.memory_free.filter(|_| machine.is_memory_short(config))?;
    let refusal = Refusal::new(
        "memory-short",
        format!("This machine has {:.1} % of its memory left", free * 100.0),
    );
    Some(
        refusal
            .unless(format!("memory free > {:.1} %", config.min_memory_free_ratio * 100.0))
            .seen("memory-free-ratio", free),
    )
}

fn disk(candidate: &Candidate<'_>) -> Option<Refusal> {
    let Candidate {
        config, info, machine, ..
    } = candidate;
    if let Some(disk) = machine.disk.as_ref().filter(|disk| disk.is_full(config)) {
        let code = disk.code("disk-full", "disk-silent");
        let refusal = Refusal::new(code, format!("On this host {}", disk.describe()));
        let refusal = refusal.unless(format!("{} bytes free, and writable", config.min_disk_free_bytes));
        return Some(
            refusal
                .seen("disk-available-bytes", disk.available_bytes)
                .seen("disk-path", &disk.path),
        );
    }
    let (key, value) = info.persistence_failures().into_iter().next()?;
    let refusal = Refusal::new(
        "persistence-failing",
        "This host's Redis can't write its data to disk either",
    );
    Some(
        refusal
            .unless("its next save succeeds")
            .seen(&key.replace('_', "-"), value),
    )
}

/// Why this replica must not be promoted, where it must not: its copy was never complete since its process started, so that
/// writes that were acknowledged long ago would be missing.
pub(crate) fn is_incomplete(info: &Info) -> Option<&'static str> {
    if info.flag("master_sync_in_progress") {
        Some("it is in the middle of copying the data")
    } else if !info.was_ever_linked() {
        Some("it has had no connection to its master since it was started")
    } else {
        None
    }
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
