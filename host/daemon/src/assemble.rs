//! From configuration to the parts of a service: plugins loaded and checked, rights granted, the address made.
//!
//! Invariant: nothing here starts a task or changes the machine; whatever is wrong is one error that names the service,
//! the file and the mend.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, bail};
use understudy_address::Address;
use understudy_protocol::{HostName, ServiceName};
use understudy_runtime::{ClientCertificate, Plugin, Runtime, Secret, Target};

use crate::config;
use crate::edges::{Drainer, Granted};
use crate::effects::RebootCommand;
use crate::probes::{Counts, ProbeSettings};

/// A service's plugins, by what they do.
pub(crate) struct Plugins {
    pub(crate) drain: Granted,
    pub(crate) probes: Vec<Granted>,
    /// Shared with every target: the highest term this host knows of.
    pub(crate) fence: Arc<AtomicU64>,
}

/// Loads, checks and grants a service's plugins.
pub(crate) async fn plugins(
    runtime: &Runtime,
    host: &config::Host,
    service: &config::Service,
    address: &Address,
) -> anyhow::Result<Plugins> {
    let fence = Arc::new(AtomicU64::new(0));
    let (mut drain, mut probes) = (None, Vec::new());
    for wanted in &service.plugins {
        let plugin = load(runtime, host, wanted)
            .await
            .with_context(|| format!("service {}", service.name))?;
        let target = target(host, service, wanted, &plugin, &fence, address)
            .with_context(|| format!("service {}, plugin {}", service.name, wanted.name()))?;
        let granted = Granted {
            plugin,
            target: Arc::new(target),
        };
        if granted.plugin.is_probe() {
            probes.push(granted.clone());
        }
        if granted.plugin.is_drain() && drain.replace(granted).is_some() {
            bail!(
                "service {}: more than one plugin drains; keep one [[service.plugin]] that exports `drain`",
                service.name
            );
        }
    }
    let Some(drain) = drain else {
        bail!(
            "service {}: no plugin drains; add a [[service.plugin]] that exports `drain`",
            service.name
        );
    };
    Ok(Plugins { drain, probes, fence })
}

pub(crate) async fn load(
    runtime: &Runtime,
    host: &config::Host,
    wanted: &config::Plugin,
) -> anyhow::Result<Arc<Plugin>> {
    let path = wanted.path_in(&host.plugin_dir);
    let plugin = runtime.load(&path).await?;
    let digest = plugin.digest().to_string();
    if let Some(pinned) = wanted.digest.as_ref().map(|text| text.trim_start_matches("sha256:"))
        && pinned != digest
    {
        bail!(
            "{} has the digest sha256:{digest}, and the configuration pins sha256:{pinned}; if the new plugin is wanted, \
             write `digest = \"sha256:{digest}\"`",
            path.display()
        );
    }
    let json = wanted.config.to_string();
    let diagnostics = plugin
        .check_config(&json)
        .await
        .with_context(|| format!("{} can't check its configuration", path.display()))?;
    if !diagnostics.is_empty() {
        let lines: Vec<_> = diagnostics
            .iter()
            .map(|d| format!("config{}: {}", d.path, d.message))
            .collect();
        bail!(
            "{} does not accept its configuration: {}",
            path.display(),
            lines.join("; ")
        );
    }
    Ok(plugin)
}

/// Whether the plugin is for servers of this type.
pub(crate) fn looks_after(service: &config::Service, plugin: &Plugin) -> anyhow::Result<()> {
    let known = &plugin.description().server_types;
    if known.contains(&service.server_type) {
        return Ok(());
    }
    bail!(
        "it looks after {}, not after {:?}; see `server_type`",
        known.join(", "),
        service.server_type
    )
}

fn target(
    host: &config::Host,
    service: &config::Service,
    wanted: &config::Plugin,
    plugin: &Plugin,
    fence: &Arc<AtomicU64>,
    address: &Address,
) -> anyhow::Result<Target> {
    looks_after(service, plugin)?;
    let mut target = Target::new(service.name.clone(), &service.server_type, host.name.clone());
    target.attributes = wanted.attributes.clone().into_iter().collect();
    target.config = wanted.config.to_string();
    target.granted = wanted.grants.clone();
    target.commands = wanted.commands.clone();
    target.disks = wanted.disks.iter().chain(&host.data_disks).cloned().collect();
    target.ports = service.ports.clone();
    target.fence = fence.clone();
    target.annotator = Some(Arc::new(crate::flows::RealClients::of(address.clone())));
    for (name, endpoint) in &wanted.endpoints {
        target.endpoints.insert(name.clone(), endpoint_of(endpoint)?);
    }
    for (name, path) in &wanted.secrets {
        target.secrets.insert(name.clone(), Secret::new(trimmed(read(path)?)));
    }
    Ok(target)
}

fn endpoint_of(endpoint: &config::Endpoint) -> anyhow::Result<understudy_runtime::Endpoint> {
    use understudy_runtime::Endpoint as To;
    Ok(match endpoint {
        config::Endpoint::Tcp(address) => To::Tcp {
            address: address.clone(),
        },
        config::Endpoint::Unix(path) => To::Unix { path: path.clone() },
        config::Endpoint::Tls {
            address,
            server_name,
            ca_file,
            client,
        } => To::Tls {
            address: address.clone(),
            server_name: server_name.clone(),
            authorities: ca_file.as_deref().map(read).transpose()?,
            client: match client {
                Some((chain, key)) => Some(ClientCertificate {
                    chain: read(chain)?,
                    key: Secret::new(read(key)?),
                }),
                None => None,
            },
        },
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))
}

/// A secret in a file usually ends in a line break that is not part of it.
fn trimmed(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    bytes
}

/// The address of a service.
pub(crate) async fn address(service: &config::Service, me: &HostName) -> anyhow::Result<Address> {
    let made = Address::new(service.address.clone(), service.name.clone(), me.clone()).await;
    made.with_context(|| format!("service {}: its address can't be used", service.name))
}

pub(crate) fn probe_settings(probe: &config::Probe) -> ProbeSettings {
    let counts = Counts {
        rise: probe.rise,
        fall: probe.fall,
    };
    ProbeSettings {
        interval: probe.interval,
        timeout: probe.timeout,
        counts,
    }
}

pub(crate) fn reboot(service: &config::Service, timeout: Duration) -> Option<RebootCommand> {
    service.reboot.as_ref().map(|reboot| RebootCommand {
        argv: reboot.argv.clone(),
        timeout,
    })
}

/// Whether the server was found serving; asked once, before the machine starts.
pub(crate) async fn is_serving(plugins: &Plugins, service: &ServiceName) -> bool {
    use understudy_protocol::{ServerState, Term};
    use understudy_runtime::{CallContext, Expectation};
    /// An unanswered question means: it does not, start anew.
    const PATIENCE: Duration = Duration::from_secs(3);
    let call = CallContext::new(Term(u64::MAX), Expectation::Serving, PATIENCE);
    match plugins.drain.observe(call).await {
        Ok(state) => state == ServerState::Serving,
        Err(failure) => {
            tracing::warn!(%service, %failure, "could not find out whether the server still serves");
            false
        }
    }
}
