//! A loaded plugin and the calls it answers, one function each.
//!
//! Invariants: every call has a store of its own (`guest.rs`); nothing a plugin does is an error of the host; a plugin
//! that keeps failing is left alone per service and per side (probe, drain).

mod calling;
mod drain;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use understudy_protocol::{Digest, ServiceName};
use wasmtime::component::InstancePre;

use crate::answer;
use crate::bindings::exports::understudy::plugin::{drainer, manifest, probe};
use crate::breaker::{Breaker, BreakerState};
use crate::call::{CallContext, Cancellation, Diagnostic, Report};
use crate::capability::Rights;
use crate::convert;
use crate::description::Description;
use crate::failure::CallFailure;
use crate::guest::{self, Entry};
use crate::runtime::Shared;
use crate::state::{CallState, Purpose};
use crate::target::Target;
use calling::Job;

/// Which of a plugin's worlds a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum World {
    /// `fault-probe`.
    Probe,
    /// `drain`.
    Drain,
}

/// A loaded plugin. Share it in its [`Arc`].
pub struct Plugin {
    shared: Arc<Shared>,
    digest: Digest,
    name: Arc<str>,
    description: Description,
    instance: InstancePre<CallState>,
    exports: Exports,
    breakers: Mutex<HashMap<(ServiceName, World), Breaker>>,
}

/// Where a component's functions are.
pub(crate) struct Exports {
    pub(crate) manifest: manifest::GuestIndices,
    pub(crate) probe: Option<probe::GuestIndices>,
    pub(crate) drainer: Option<drainer::GuestIndices>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    pub(crate) fn new(
        shared: Arc<Shared>,
        digest: Digest,
        description: Description,
        instance: InstancePre<CallState>,
        exports: Exports,
    ) -> Self {
        let name = description.name.as_str().into();
        Self {
            shared,
            digest,
            name,
            description,
            instance,
            exports,
            breakers: Mutex::default(),
        }
    }

    /// SHA-256 of the component's file: what an operator's grant is pinned to.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Whether it exports `fault-probe`.
    pub fn is_probe(&self) -> bool {
        self.exports.probe.is_some()
    }

    /// Whether it exports `drain`.
    pub fn is_drain(&self) -> bool {
        self.exports.drainer.is_some()
    }

    /// What its breaker says for a service.
    pub fn breaker(&self, service: &ServiceName, world: World) -> BreakerState {
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers
            .get(&(service.clone(), world))
            .map(|breaker| breaker.state(Instant::now()))
            .unwrap_or_default()
    }

    /// Forgets a service's failures, for an operator who mended their cause.
    pub fn reset_breaker(&self, service: &ServiceName) {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.retain(|(of, _), _| of != service);
    }

    /// What the plugin has against a configuration; empty when it is good.
    ///
    /// # Errors
    /// When the plugin gave no answer.
    pub async fn check_config(&self, json: &str) -> Result<Vec<Diagnostic>, CallFailure> {
        let (manifest, json) = (self.exports.manifest.clone(), json.to_owned());
        let entry = install_entry(&self.shared, self.name.clone(), "check-config");
        let found = guest::run(&self.shared, &self.instance, entry, move |guest| {
            Box::pin(async move {
                let manifest = manifest.load(&mut guest.store, &guest.instance)?;
                manifest.call_check_config(&mut guest.store, &json).await
            })
        });
        Ok(found.await?.into_iter().map(convert::diagnostic).collect())
    }

    /// Looks at the server and changes nothing.
    ///
    /// # Errors
    /// When the plugin gave no answer: the verdict is unknown then.
    pub async fn check(&self, target: &Arc<Target>, context: CallContext) -> Result<Report, CallFailure> {
        let missing = CallFailure::NotExported {
            interface: "understudy:plugin/probe",
        };
        let probe = self.exports.probe.clone().ok_or(missing)?;
        let job = Job {
            function: "check",
            purpose: Purpose::Look,
            world: World::Probe,
        };
        let body = self.call(target, context, job, move |guest, context| {
            Box::pin(async move {
                let probe = probe.load(&mut guest.store, &guest.instance)?;
                probe.call_check(&mut guest.store, &context).await
            })
        });
        self.judge(
            target,
            World::Probe,
            body.await.and_then(|report| answer::report(convert::report(report))),
        )
    }
}

/// What a plugin is without being loaded yet: asked by the loader.
pub(crate) async fn describe(
    shared: &Arc<Shared>,
    instance: &InstancePre<CallState>,
    exports: &Exports,
) -> Result<manifest::Description, CallFailure> {
    let manifest = exports.manifest.clone();
    let entry = install_entry(shared, "not yet described".into(), "describe");
    let described = guest::run(shared, instance, entry, move |guest| {
        Box::pin(async move {
            let manifest = manifest.load(&mut guest.store, &guest.instance)?;
            manifest.call_describe(&mut guest.store).await
        })
    });
    described.await
}

/// A call with nothing granted.
fn install_entry(shared: &Shared, plugin: Arc<str>, function: &'static str) -> Entry {
    Entry {
        plugin,
        function,
        purpose: Purpose::Install,
        target: None,
        rights: Rights::nothing(),
        term: 0,
        limits: shared.limits.clone(),
        time: INSTALL_TIME.min(shared.limits.call_time),
        cancellation: Cancellation::default(),
    }
}

/// Nothing is there to wait for at install; interpreters take a second to start.
const INSTALL_TIME: Duration = Duration::from_secs(10);
