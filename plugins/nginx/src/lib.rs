//! Looks after nginx: a probe and a drain in one component.
//!
//! nginx itself knows how to stop without cutting a request (`quit`), so the drain is mostly watching: which requests were under
//! way, and whether they have ended.
//!
//! Pure, and tested on any machine: `status_page`, `requests`, `findings`. `look` asks the host, `process` starts and stops nginx,
//! `probe`, `first` and `second` are the calls of the host.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod findings;
mod first;
mod look;
mod probe;
mod process;
mod requests;
mod second;
mod status_page;

use understudy_plugin::prelude::*;

use config::Config;

/// The plugin.
pub struct Nginx;

impl Plugin for Nginx {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "nginx",
            env!("CARGO_PKG_VERSION"),
            "Probes, drains and takes over an nginx",
        )
        .looks_after("nginx")
        .asks("endpoint:server")
        .asks("endpoint:status")
        .asks("command:test")
        .asks("command:start")
        .asks("command:quit")
        .asks("command:stop")
        .asks("command:kill")
        .asks("command:status")
        .asks("system")
        .asks("sockets")
    }

    fn check_config(config: &Config) -> Vec<Diagnostic> {
        config.check()
    }
}

impl Drain for Nginx {
    fn stop_admitting(_call: &Call, _config: &Config) -> Result<Step, PluginError> {
        // nginx has no way to refuse and go on; the host's address holds what is new.
        Ok(Step::done())
    }

    fn list_requests(_call: &Call, config: &Config, into: &ledger::RequestSink) -> Result<(), PluginError> {
        first::list_requests(config, into)
    }

    fn settle(call: &Call, config: &Config) -> Result<Step, PluginError> {
        first::settle(call, config)
    }

    fn shut_down(call: &Call, _config: &Config, manner: Manner) -> Result<Step, PluginError> {
        first::shut_down(call, manner)
    }

    fn resume(_call: &Call, config: &Config) -> Result<Step, PluginError> {
        first::resume(config)
    }

    fn assess(_call: &Call, config: &Config, _fault: &Fault) -> Result<Assessment, PluginError> {
        second::assess(config)
    }

    fn take_over(_call: &Call, config: &Config) -> Result<Step, PluginError> {
        second::take_over(config)
    }

    fn resolve_requests(
        _call: &Call,
        _config: &Config,
        requests: &ledger::RequestSource,
        into: &ledger::DispositionSink,
    ) -> Result<Step, PluginError> {
        second::resolve_requests(requests, into)
    }

    fn observe(_call: &Call, _config: &Config) -> Result<ServerState, PluginError> {
        second::observe()
    }

    fn stand_by(_call: &Call, config: &Config) -> Result<Step, PluginError> {
        second::stand_by(config)
    }
}

understudy_plugin::export!(server: Nginx);
