//! A changed configuration while the daemon runs (SIGHUP, `systemctl reload understudy`).
//!
//! Invariants: nothing is taken over unless the whole configuration is good; a takeover under way is not disturbed: a
//! timer that runs keeps its end, and every later one has the new length. What can't change in a running daemon is
//! named, and stays as it was until a restart.

use std::path::Path;
use std::sync::Arc;

use tracing::{error, info, warn};
use understudy_protocol::{Plan, ServiceName};
use understudy_store::{Deed, Store};

use crate::assemble;
use crate::config::{Config, Service};
use crate::driver::wall_ms;
use crate::probes::ProbeSettings;

/// A service's settings, as far as they can change while it runs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) service: ServiceName,
    pub(crate) plan: Arc<Plan>,
    pub(crate) probing: ProbeSettings,
}

/// What a new configuration brings.
#[derive(Debug, PartialEq)]
pub(crate) struct Changes {
    /// The services whose settings change now.
    pub(crate) now: Vec<Service>,
    /// What waits for a restart, in words.
    pub(crate) at_restart: Vec<String>,
}

/// Reads the configuration again. What can change at once is in the answer, and in `running` from now on; none where the
/// configuration is wrong.
pub(crate) async fn read_again(path: &Path, running: &mut Config, store: &Store) -> Option<Changes> {
    let outcome = match Config::load(path) {
        Ok(wanted) => Ok(changes(running, &wanted)),
        Err(errors) => Err(errors.to_string()),
    };
    let result = match &outcome {
        Ok(changes) => changes.in_words(),
        Err(_) => "refused: the configuration is wrong; see the log".to_owned(),
    };
    match &outcome {
        Ok(changes) if changes.at_restart.is_empty() => info!("{result}"),
        Ok(_) => warn!("{result}"),
        Err(errors) => error!("the configuration is wrong, the old one stays in force:\n{errors}"),
    }
    let deed = Deed {
        at_ms: wall_ms(),
        who: "SIGHUP".to_owned(),
        what: "reload".to_owned(),
        service: None,
        reason: format!("{} was read again", path.display()),
        result,
    };
    if let Err(error) = store.audit(&deed).await {
        // As for an operator's order: what can't be written down is not done.
        error!(%error, "the reload can't be written down, the old configuration stays in force");
        return None;
    }
    let changes = outcome.ok()?;
    for service in &changes.now {
        let known = running.services.iter_mut().find(|known| known.name == service.name);
        if let Some(known) = known {
            known.plan = service.plan.clone();
            known.probe = service.probe;
        }
    }
    Some(changes)
}

/// What differs, and when it can change.
fn changes(running: &Config, wanted: &Config) -> Changes {
    let mut changes = Changes {
        now: Vec::new(),
        at_restart: Vec::new(),
    };
    let mut sections = vec![
        ("[host]", running.host != wanted.host),
        ("[api]", running.api != wanted.api),
        ("[cluster]", running.cluster != wanted.cluster),
    ];
    sections.retain(|(_, differs)| *differs);
    changes
        .at_restart
        .extend(sections.iter().map(|(name, _)| (*name).to_owned()));
    for service in &wanted.services {
        match running.services.iter().find(|known| known.name == service.name) {
            None => changes
                .at_restart
                .push(format!("service {}, which is new", service.name)),
            Some(known) => compare(known, service, &mut changes),
        }
    }
    for gone in &running.services {
        if !wanted.services.iter().any(|service| service.name == gone.name) {
            let what = format!("service {}, which is not in it any more", gone.name);
            changes.at_restart.push(what);
        }
    }
    changes
}

fn compare(known: &Service, wanted: &Service, into: &mut Changes) {
    // What a running machine may not be given another of stays as it is.
    let plan = Plan {
        service: known.plan.service.clone(),
        me: known.plan.me.clone(),
        candidates: known.plan.candidates.clone(),
        reboot: known.plan.reboot,
        ..wanted.plan.clone()
    };
    let live = Service {
        plan,
        probe: wanted.probe,
        ..known.clone()
    };
    if live != *wanted {
        let what = format!(
            "the candidates, address, ports, plugins or reboot of service {}",
            known.name
        );
        into.at_restart.push(what);
    }
    if live != *known {
        into.now.push(live);
    }
}

impl Changes {
    /// For the driver.
    pub(crate) fn settings(&self) -> Vec<Settings> {
        let of = |service: &Service| Settings {
            service: service.name.clone(),
            plan: Arc::new(service.plan.clone()),
            probing: assemble::probe_settings(&service.probe),
        };
        self.now.iter().map(of).collect()
    }

    fn in_words(&self) -> String {
        let names: Vec<&str> = self.now.iter().map(|service| service.name.as_str()).collect();
        let now = match names.is_empty() {
            true => "nothing changes now".to_owned(),
            false => format!("in force now: the settings of {}", names.join(", ")),
        };
        match self.at_restart.is_empty() {
            true => format!("the configuration was read again; {now}"),
            false => format!(
                "the configuration was read again; {now}; only after a restart: {}",
                self.at_restart.join("; ")
            ),
        }
    }
}
