//! The probe: looks at Redis and at the machine under it.

use understudy_plugin::prelude::*;

use crate::Redis;
use crate::config::Config;
use crate::disk::Machine;
use crate::findings::{self, Seen};
use crate::info::Info;
use crate::memory::{FORMAT, Memory};
use crate::server::{Server, Trouble};

impl Probe for Redis {
    fn check(call: &Call, config: &Config) -> Result<Report, PluginError> {
        let machine = machine(config)?;
        if call.expected() == Expectation::Down && config.disk_path.is_some() && machine.disk.is_none() {
            // Without a reading nobody may call the cause cured.
            return Err(PluginError::retryable(
                "no-disk-reading",
                "the host reports no disk above `disk-path`: name it for the target",
            ));
        }
        let memory = Memory::of(call);
        let seen = Seen {
            config,
            host: call.host(),
            active_host: call.active_host(),
            machine: &machine,
            memory: &memory,
        };
        let answer = Server::connect(config).and_then(|mut server| server.info());
        let report = match &answer {
            Ok(info) => findings::of_running(&seen, call.expected(), info),
            Err(Trouble::Error(message)) if message.starts_with("LOADING") => {
                findings::of_running(&seen, call.expected(), &Info::parse("loading:1"))
            }
            Err(trouble @ (Trouble::Gone(_) | Trouble::Silent(_) | Trouble::NotRedis(_))) => {
                findings::of_unreachable(&seen, call.expected(), &trouble.describe())
            }
            // A wrong password or a right that was not granted says nothing about Redis.
            Err(trouble) => return Err(trouble.clone().into()),
        };
        Ok(finish(report, &machine, &memory, answer.ok()))
    }
}

/// The readings, and what the next look compares with.
fn finish(report: Report, machine: &Machine, memory: &Memory, info: Option<Info>) -> Report {
    let mut report = report;
    if let Some(disk) = &machine.disk {
        report = report.reading("disk.available", disk.available_bytes, "B");
    }
    if let Some(free) = machine.memory_free {
        report = report.reading("memory.free", free, "1");
    }
    let Some(info) = info else { return report };
    const READINGS: [(&str, &str, &str); 7] = [
        ("used_memory", "redis.memory.used", "B"),
        ("maxmemory", "redis.memory.max", "B"),
        ("connected_clients", "redis.clients", "1"),
        ("blocked_clients", "redis.clients.blocked", "1"),
        ("connected_slaves", "redis.replicas", "1"),
        ("instantaneous_ops_per_sec", "redis.operations", "1/s"),
        ("rdb_changes_since_last_save", "redis.unsaved-changes", "1"),
    ];
    for (key, name, unit) in READINGS {
        if let Some(value) = info.number(key) {
            report = report.reading(name, value as f64, unit);
        }
    }
    if let Some(offset) = info.offset() {
        report = report.reading("redis.offset", offset as f64, "B");
        for replica in info.replicas() {
            report = report.reading("redis.replica-lag", offset.saturating_sub(replica.offset) as f64, "B");
        }
    }
    let memory = Memory {
        rejected_connections: info.count("rejected_connections"),
        ..memory.clone()
    };
    report.keep(FORMAT, &memory)
}

/// What the host says of disk and memory; nothing where the operator granted no look at them.
pub(crate) fn machine(config: &Config) -> Result<Machine, PluginError> {
    let mut readings = Vec::new();
    for prefix in ["disk.", "memory."] {
        match system::read(prefix) {
            Ok(found) => readings.extend(found),
            Err(error) if understudy_plugin::host::is_absent(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Machine::of(&readings, config))
}
