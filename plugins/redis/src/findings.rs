//! From what was seen to what is wrong. Pure: every fault of this plugin is decided here, and listed in the README.

use understudy_plugin::prelude::*;

use crate::config::{Config, PersistenceFailure};
use crate::disk::Machine;
use crate::info::{Info, Role};
use crate::memory::Memory;

/// A Redis uses nearly all the memory it may use from here on.
const NEARLY_ALL_MEMORY: f64 = 0.95;

/// Everything that one look gave.
pub(crate) struct Seen<'a> {
    pub(crate) config: &'a Config,
    pub(crate) host: &'a str,
    /// The host that serves, where it is another.
    pub(crate) active_host: Option<&'a str>,
    pub(crate) machine: &'a Machine,
    pub(crate) memory: &'a Memory,
}

/// Of a Redis that answered.
pub(crate) fn of_running(seen: &Seen<'_>, expected: Expectation, info: &Info) -> Report {
    match expected {
        Expectation::Serving => of_serving(seen, info),
        Expectation::StandingBy => of_standing_by(seen, info),
        // That it runs at all is seen by `observe`, and the host stops it; only the causes are looked for here.
        Expectation::Down => of_stopped(seen),
    }
}

/// Of one that does not answer, and why.
pub(crate) fn of_unreachable(seen: &Seen<'_>, expected: Expectation, why: &str) -> Report {
    let message = format!("Redis does not answer: {why}");
    match expected {
        Expectation::Serving => {
            let fault =
                Fault::shutdown_required("redis-unreachable", FaultKind::Software, message).evidence("error", why);
            let mut faults = vec![with_machine(fault, seen.machine)];
            faults.extend(machine_faults(seen));
            Report::of(faults)
        }
        Expectation::StandingBy => {
            Report::failing(Fault::impaired("redis-unreachable", FaultKind::Software, message).evidence("error", why))
        }
        Expectation::Down => of_stopped(seen),
    }
}

/// It is ordered to stay down: is what brought it down still there?
fn of_stopped(seen: &Seen<'_>) -> Report {
    let mut faults = Vec::new();
    if let Some(disk) = seen.machine.disk.as_ref().filter(|disk| disk.is_full(seen.config)) {
        let code = disk.code("redis-disk-full", "redis-disk-silent");
        let fault = Fault::shutdown_required(code, FaultKind::Storage, sentence(&disk.describe()));
        faults.push(with_machine(fault, seen.machine));
    }
    faults.extend(memory_of_machine(seen));
    Report::of(faults)
}

fn of_serving(seen: &Seen<'_>, info: &Info) -> Report {
    let mut faults = Vec::new();
    if info.is_loading() {
        let message = format!("Redis is reading its data, {} so far", info.loaded());
        faults.push(Fault::impaired("redis-loading", FaultKind::Software, message));
    } else if info.role() == Some(Role::Replica) {
        faults.push(serves_as_a_replica(info));
    }
    faults.extend(persistence(seen, info, seen.config.persistence_failure));
    faults.extend(machine_faults(seen));
    faults.extend(own_memory(info));
    faults.extend(rejected(seen, info));
    if info.role() == Some(Role::Master) && !info.is_loading() {
        faults.extend(replicas(seen, info));
    }
    Report::of(faults)
}

fn serves_as_a_replica(info: &Info) -> Fault {
    let master = info
        .master()
        .map_or_else(|| "?".into(), |(host, port)| format!("{host}:{port}"));
    let message = format!("Redis should serve and is a replica of {master}: it takes no writes");
    Fault::shutdown_required("redis-role-wrong", FaultKind::Operator, message).evidence("master", master)
}

fn of_standing_by(seen: &Seen<'_>, info: &Info) -> Report {
    if info.role() == Some(Role::Master) {
        let message = "Redis should stand by and is a master: it would take writes that nobody else has";
        return Report::failing(Fault::impaired("redis-role-wrong", FaultKind::Operator, message));
    }
    let mut faults = Vec::new();
    if let Some(link) = link(seen, info) {
        faults.push(link);
    }
    faults.extend(persistence(seen, info, PersistenceFailure::Impaired));
    faults.extend(machine_faults(seen));
    let mut report = Report::of(faults);
    if report
        .faults
        .iter()
        .any(|fault| fault.code == "redis-link-down" || fault.code == "redis-replica-of-another")
    {
        report.verdict = Verdict::Failing;
    }
    report
}

/// What is wrong with a standby's link to its master.
fn link(seen: &Seen<'_>, info: &Info) -> Option<Fault> {
    let master = info
        .master()
        .map(|(host, port)| format!("{host}:{port}"))
        .unwrap_or_default();
    let evidence = |fault: Fault| {
        fault
            .evidence("master", &master)
            .evidence("master-link-status", info.text("master_link_status").unwrap_or("?"))
    };
    if info.is_loading() || info.flag("master_sync_in_progress") {
        let message = format!("Redis is copying the data of {master}");
        return Some(evidence(Fault::impaired("redis-syncing", FaultKind::Software, message)));
    }
    let active = seen.active_host.and_then(|host| seen.config.addresses.get(host));
    if let Some(address) = active.filter(|address| info.master() != Some((address.host.as_str(), address.port))) {
        let message = format!("Redis is a replica of {master}, and the active host's is at {address}");
        return Some(evidence(Fault::impaired(
            "redis-replica-of-another",
            FaultKind::Operator,
            message,
        )));
    }
    if !info.is_link_up() {
        let message = format!("Redis has no connection to its master {master}");
        return Some(evidence(Fault::impaired(
            "redis-link-down",
            FaultKind::Network,
            message,
        )));
    }
    let silent_ms = info
        .count("master_last_io_seconds_ago")
        .map_or(0, |seconds| seconds * 1000);
    (silent_ms > seen.config.repl_timeout_ms).then(|| {
        let message = format!(
            "Redis has heard nothing of its master {master} for {} s",
            silent_ms / 1000
        );
        evidence(Fault::impaired("redis-link-down", FaultKind::Network, message))
    })
}

/// A snapshot or an append-only file that can't be written. The usual cause is a full disk.
fn persistence(seen: &Seen<'_>, info: &Info, means: PersistenceFailure) -> Option<Fault> {
    let failures = info.persistence_failures();
    if failures.is_empty() {
        return None;
    }
    let disk = seen.machine.disk.as_ref().filter(|disk| disk.is_full(seen.config));
    let because = disk.map_or_else(String::new, |disk| format!(": {}", disk.describe()));
    let message = format!("Redis can't write its data to disk{because}");
    let mut fault = match means {
        PersistenceFailure::ShutdownRequired => {
            Fault::shutdown_required("redis-persistence-failing", FaultKind::Storage, message)
        }
        PersistenceFailure::Impaired => Fault::impaired("redis-persistence-failing", FaultKind::Storage, message),
    };
    for (key, value) in failures {
        fault = fault.evidence(&key.replace('_', "-"), value);
    }
    for key in ["rdb_last_save_time", "rdb_changes_since_last_save", "aof_enabled"] {
        if let Some(value) = info.text(key) {
            fault = fault.evidence(&key.replace('_', "-"), value);
        }
    }
    Some(with_machine(with_offset(fault, info), seen.machine))
}

fn machine_faults(seen: &Seen<'_>) -> Vec<Fault> {
    let full = seen
        .machine
        .disk
        .as_ref()
        .filter(|disk| disk.is_full(seen.config))
        .map(|disk| {
            let code = disk.code("redis-disk-full-soon", "redis-disk-silent");
            let fault = Fault::impaired(code, FaultKind::Storage, sentence(&disk.describe()));
            with_machine(fault, seen.machine)
        });
    full.into_iter().chain(memory_of_machine(seen)).collect()
}

fn memory_of_machine(seen: &Seen<'_>) -> Option<Fault> {
    let free = seen.machine.memory_free?;
    seen.machine.is_memory_short(seen.config).then(|| {
        let message = format!("The machine has {:.1} % of its memory left", free * 100.0);
        Fault::impaired("redis-memory", FaultKind::Memory, message).evidence("memory-free-ratio", format!("{free:.4}"))
    })
}

/// A Redis that may use no more memory and may not evict refuses writes.
fn own_memory(info: &Info) -> Option<Fault> {
    let max = info.count("maxmemory").filter(|max| *max > 0)?;
    let used = info.count("used_memory")?;
    let policy = info.text("maxmemory_policy").unwrap_or("noeviction");
    (policy == "noeviction" && used as f64 >= max as f64 * NEARLY_ALL_MEMORY).then(|| {
        let message = format!("Redis uses {used} of the {max} bytes it may use, and may not evict");
        Fault::impaired("redis-memory", FaultKind::Capacity, message)
            .evidence("used-memory", used)
            .evidence("maxmemory", max)
            .evidence("maxmemory-policy", policy)
    })
}

fn rejected(seen: &Seen<'_>, info: &Info) -> Option<Fault> {
    let now = info.count("rejected_connections")?;
    let before = seen.memory.rejected_connections.filter(|before| *before <= now)?;
    (now > before).then(|| {
        let message = format!(
            "Redis turned {} connections away since the last look: `maxclients` is reached",
            now - before
        );
        Fault::impaired("redis-connections-rejected", FaultKind::Capacity, message)
            .evidence("rejected-connections", now)
    })
}

/// A master without a copy elsewhere could not be backed up.
fn replicas(seen: &Seen<'_>, info: &Info) -> Vec<Fault> {
    let replicas = info.replicas();
    if replicas.iter().all(|replica| !replica.online) {
        let wanted = seen.config.others(seen.host).count();
        let message = "No replica has a copy of the data: nobody could take over";
        return (wanted > 0)
            .then(|| Fault::impaired("redis-no-replica", FaultKind::Dependency, message))
            .into_iter()
            .collect();
    }
    let offset = info.offset().unwrap_or(0);
    let late = |replica: &&crate::info::Replica| offset.saturating_sub(replica.offset) > seen.config.max_lag_bytes;
    let late = replicas
        .iter()
        .filter(|replica| replica.online)
        .filter(late)
        .map(|replica| {
            let behind = offset.saturating_sub(replica.offset);
            let message = format!("The replica {}:{} is {behind} bytes behind", replica.ip, replica.port);
            Fault::impaired("redis-replica-lagging", FaultKind::Capacity, message)
                .evidence("replica", format!("{}:{}", replica.ip, replica.port))
                .evidence("lag-bytes", behind)
        });
    late.collect()
}

/// With where the stream of writes ends: the second measures its own lag against it.
fn with_offset(fault: Fault, info: &Info) -> Fault {
    let online = info.replicas().iter().filter(|replica| replica.online).count();
    match info.offset() {
        Some(offset) => fault
            .evidence("master-repl-offset", offset)
            .evidence("replicas-online", online),
        None => fault,
    }
}

fn with_machine(fault: Fault, machine: &Machine) -> Fault {
    match &machine.disk {
        Some(disk) => fault
            .evidence("disk-path", &disk.path)
            .evidence("disk-available-bytes", disk.available_bytes)
            .evidence("disk-read-only", disk.is_read_only),
        None => fault,
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
