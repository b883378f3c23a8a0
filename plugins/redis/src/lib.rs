//! Looks after Redis: a probe and a drain in one component.
//!
//! What it must never do: let a write that was acknowledged get lost. So the first host's Redis stops only when a replica has
//! every write, or when nothing else is possible and the host was told to force it; and the second's becomes the master only
//! when its copy was complete at some time since its process started.
//!
//! Pure, and tested on any machine: `resp`, `info`, `clients`, `disk`, `memory`, `findings`, `readiness`, `dispositions`. `server` speaks to Redis,
//! `process` starts it and sees it end; `probe`, `first`, `stop` and `second` are the calls of the host.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clients;
mod config;
mod disk;
mod dispositions;
mod findings;
mod first;
mod info;
mod memory;
mod probe;
mod process;
mod readiness;
mod resp;
mod second;
mod server;
mod stop;

use understudy_plugin::prelude::*;

/// The plugin.
pub struct Redis;

impl Plugin for Redis {
    type Config = config::Config;

    fn describe() -> Description {
        Description::new(
            "redis",
            env!("CARGO_PKG_VERSION"),
            "Probes, drains and takes over a Redis with one or more replicas",
        )
        .looks_after("redis")
        .looks_after("valkey")
        .asks("endpoint:server")
        .asks("endpoint:peer")
        .asks("command:start")
        .asks("command:start-replica")
        .asks("command:stop")
        .asks("command:status")
        .asks("secret:password")
        .asks("system")
        .asks("sockets")
    }

    fn check_config(config: &config::Config) -> Vec<Diagnostic> {
        config.check()
    }
}

impl Drain for Redis {
    fn stop_admitting(call: &Call, config: &config::Config) -> Result<Step, PluginError> {
        first::stop_admitting(call, config)
    }

    fn list_requests(_call: &Call, config: &config::Config, into: &ledger::RequestSink) -> Result<(), PluginError> {
        first::list_requests(config, into)
    }

    fn settle(call: &Call, config: &config::Config) -> Result<Step, PluginError> {
        first::settle(call, config)
    }

    fn shut_down(call: &Call, config: &config::Config, manner: Manner) -> Result<Step, PluginError> {
        stop::shut_down(call, config, manner)
    }

    fn resume(call: &Call, config: &config::Config) -> Result<Step, PluginError> {
        first::resume(call, config)
    }

    fn assess(call: &Call, config: &config::Config, fault: &Fault) -> Result<Assessment, PluginError> {
        second::assess(call, config, fault)
    }

    fn take_over(call: &Call, config: &config::Config) -> Result<Step, PluginError> {
        second::take_over(call, config)
    }

    fn resolve_requests(
        _call: &Call,
        _config: &config::Config,
        requests: &ledger::RequestSource,
        into: &ledger::DispositionSink,
    ) -> Result<Step, PluginError> {
        second::resolve_requests(requests, into)
    }

    fn observe(_call: &Call, config: &config::Config) -> Result<ServerState, PluginError> {
        second::observe(config)
    }

    fn stand_by(call: &Call, config: &config::Config) -> Result<Step, PluginError> {
        second::stand_by(call, config)
    }
}

understudy_plugin::export!(server: Redis);
