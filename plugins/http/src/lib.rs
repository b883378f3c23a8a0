//! Looks after any server that speaks HTTP and says a few things of itself: a probe and a drain in one component.
//!
//! Every part but the health path is optional: what the server can't say is seen at its connections, and what it can't do is
//! done by the operator's commands.
//!
//! Pure, and tested on any machine: `config`, `document`, `connections`, `findings`. `server` asks the server, `process` starts and stops
//! it, `probe`, `first` and `second` are the calls of the host.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod connections;
mod document;
mod findings;
mod first;
mod probe;
mod process;
mod second;
mod server;

use understudy_plugin::prelude::*;

use config::Config;

/// The plugin.
pub struct Http;

impl Plugin for Http {
    type Config = Config;

    fn describe() -> Description {
        Description::new(
            "http",
            env!("CARGO_PKG_VERSION"),
            "Probes, drains and takes over any server that speaks HTTP",
        )
        .looks_after("http")
        .asks("endpoint:server")
        .asks("endpoint:admin")
        .asks("command:start")
        .asks("command:stop")
        .asks("command:kill")
        .asks("command:status")
        .asks("command:test")
        .asks("secret:token")
        .asks("system")
        .asks("sockets")
    }

    fn check_config(config: &Config) -> Vec<Diagnostic> {
        config.check()
    }
}

impl Drain for Http {
    fn stop_admitting(_call: &Call, config: &Config) -> Result<Step, PluginError> {
        first::stop_admitting(config)
    }

    fn list_requests(_call: &Call, config: &Config, into: &ledger::RequestSink) -> Result<(), PluginError> {
        first::list_requests(config, into)
    }

    fn settle(_call: &Call, config: &Config) -> Result<Step, PluginError> {
        first::settle(config)
    }

    fn shut_down(_call: &Call, _config: &Config, manner: Manner) -> Result<Step, PluginError> {
        first::shut_down(manner)
    }

    fn resume(_call: &Call, config: &Config) -> Result<Step, PluginError> {
        first::resume(config)
    }

    fn assess(_call: &Call, config: &Config, _fault: &Fault) -> Result<Assessment, PluginError> {
        second::assess(config)
    }

    fn take_over(_call: &Call, config: &Config) -> Result<Step, PluginError> {
        process::until_serving(config)
    }

    fn resolve_requests(
        _call: &Call,
        config: &Config,
        requests: &ledger::RequestSource,
        into: &ledger::DispositionSink,
    ) -> Result<Step, PluginError> {
        second::resolve_requests(config, requests, into)
    }

    fn observe(_call: &Call, _config: &Config) -> Result<ServerState, PluginError> {
        second::observe()
    }

    fn stand_by(_call: &Call, config: &Config) -> Result<Step, PluginError> {
        second::stand_by(config)
    }
}

understudy_plugin::export!(server: Http);
