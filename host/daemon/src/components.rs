//! `config check` opens the plugins: what only the components themselves can say, before a daemon starts with them.
//!
//! Invariant: nothing is called but what a plugin answers at install, where nothing is granted; nothing is changed on this
//! machine but the cache of compiled components.

use std::collections::BTreeSet;

use understudy_runtime::{Limits, Runtime, RuntimeConfig, grant_line};

use crate::assemble;
use crate::config::{Config, Service};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// With these the daemon would not start.
    pub(crate) errors: Vec<String>,
    /// With these it would, and something would be missing.
    pub(crate) notes: Vec<String>,
}

/// Opens every component of the configuration.
///
/// # Errors
/// When components can't be opened at all on this machine.
pub(crate) async fn check(config: &Config) -> anyhow::Result<Found> {
    let runtime = Runtime::new(RuntimeConfig {
        cache_dir: config.host.state_dir.join("compiled"),
        limits: Limits::default(),
    })?;
    let mut found = Found::default();
    for service in &config.services {
        check_service(config, service, &runtime, &mut found).await;
    }
    Ok(found)
}

async fn check_service(config: &Config, service: &Service, runtime: &Runtime, found: &mut Found) {
    let (mut drains, mut opened) = (0, 0);
    for wanted in &service.plugins {
        let at = format!("service {}, plugin {}", service.name, wanted.name());
        let plugin = match assemble::load(runtime, &config.host, wanted).await {
            Ok(plugin) => plugin,
            Err(error) => {
                found.errors.push(format!("{at}: {error:#}"));
                continue;
            }
        };
        opened += 1;
        drains += usize::from(plugin.is_drain());
        if let Err(error) = assemble::looks_after(service, &plugin) {
            found.errors.push(format!("{at}: {error:#}"));
        }
        let asks = &plugin.description().asks;
        let name = &plugin.description().name;
        let missing: BTreeSet<_> = asks.difference(&wanted.grants).cloned().collect();
        if !missing.is_empty() {
            let all = asks.union(&wanted.grants).filter(|ask| asks.contains(*ask)).cloned();
            let line = grant_line(service.name.as_str(), name, &all.collect());
            let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
            found.notes.push(format!(
                "{at} asks for {} and is not granted it: {line}",
                list.join(", ")
            ));
        }
        for ask in wanted.grants.difference(asks) {
            found.notes.push(format!(
                "{at}: {ask} is granted, and it never asks for it; remove it from `grants`"
            ));
        }
    }
    if opened == service.plugins.len() && drains != 1 {
        found.errors.push(format!(
            "service {}: {drains} plugins drain; exactly one [[service.plugin]] must export `drain`",
            service.name
        ));
    }
}
