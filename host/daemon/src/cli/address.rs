//! `understudy address`: what services' addresses have left in this machine's kernel, seen and cleaned without a daemon.
//!
//! Invariants: nothing is removed while a daemon runs, which looks after its addresses itself, and nothing of a service
//! that this host holds by its records. The store's own lock says whether a daemon runs.

use serde::Serialize;
use understudy_address::{Address, AddressConfig, Trace, TraceKind, VipConfig, remove_strangers, traces};
use understudy_protocol::ServiceName;
use understudy_store::{Retention, Store};

use super::args::{AddressCommand, ConfigFile};
use super::failure::{Failure, Outcome};
use super::out;
use super::table::Table;
use crate::config::{Config, Service};
use crate::exit::Exit;

/// One service on this host, as JSON shows it.
#[derive(Debug, Serialize)]
struct Shown {
    service: Option<String>,
    /// `held`, `not-held`, or `unknown` while a daemon runs.
    record: &'static str,
    /// What belongs together with the record: `in-order`, `leftover`, `missing`; `unknown` while a daemon runs.
    verdict: &'static str,
    traces: Vec<ShownTrace>,
}

#[derive(Debug, Serialize)]
struct ShownTrace {
    kind: &'static str,
    place: String,
    what: String,
}

/// What this host's records say of a service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Record {
    Held,
    NotHeld,
    /// A daemon has the store.
    Unknown,
}

pub(super) async fn address(command: AddressCommand) -> Outcome {
    match command {
        AddressCommand::Show { json, file } => show(&load(&file)?, json).await,
        AddressCommand::Clean { service, json, file } => clean(&load(&file)?, service.as_ref(), json).await,
    }
}

fn load(file: &ConfigFile) -> Result<Config, Failure> {
    Config::load_text(&file.config).map_err(|errors| Failure::new(Exit::Config, errors.to_string()))
}

async fn show(config: &Config, json: bool) -> Outcome {
    let shown = look(config).await?;
    if json {
        return out::json(&shown);
    }
    if shown.is_empty() {
        return out::line("no service has mode = \"vip\", and no rules of understudy are in the kernel");
    }
    let mut table = Table::new(&["SERVICE", "RECORD", "VERDICT", "WHAT", "WHERE", "SAYS"]);
    for one in &shown {
        let head = [
            one.service.clone().unwrap_or_else(|| "?".to_owned()),
            one.record.to_owned(),
            one.verdict.to_owned(),
        ];
        if one.traces.is_empty() {
            table.row(head.clone().into_iter().chain(["nothing".to_owned()]));
        }
        for trace in &one.traces {
            let cells = [trace.kind.to_owned(), trace.place.clone(), trace.what.clone()];
            table.row(head.clone().into_iter().chain(cells));
        }
    }
    out::text(&table.render())?;
    if shown.iter().any(|one| one.verdict == "leftover") {
        return out::line("\nleftover: `understudy address clean` removes it");
    }
    Ok(())
}

async fn look(config: &Config) -> Result<Vec<Shown>, Failure> {
    let vips = vips(config);
    let services: Vec<_> = vips
        .iter()
        .map(|(service, vip)| (service.name.clone(), (*vip).clone()))
        .collect();
    let found = traces(&services).await.map_err(Failure::failed)?;
    let store = open(config).await?;
    let mut shown = Vec::new();
    for (service, vip) in &vips {
        let record = record(store.as_ref(), &service.name).await?;
        let here = found
            .iter()
            .filter(|trace| trace.service.as_ref() == Some(&service.name));
        let here: Vec<_> = here.cloned().collect();
        shown.push(Shown {
            service: Some(service.name.to_string()),
            record: record.word(),
            verdict: verdict(record, &here, vip),
            traces: here.iter().map(ShownTrace::of).collect(),
        });
    }
    let strangers: Vec<_> = found.iter().filter(|trace| trace.service.is_none()).collect();
    if !strangers.is_empty() {
        shown.push(Shown {
            service: None,
            record: "not-held",
            verdict: "leftover",
            traces: strangers.into_iter().map(ShownTrace::of).collect(),
        });
    }
    if let Some(store) = store {
        store.close().await;
    }
    Ok(shown)
}

async fn clean(config: &Config, only: Option<&ServiceName>, json: bool) -> Outcome {
    let Some(store) = open(config).await? else {
        return Err(Failure::failed(
            "a daemon runs here and looks after its addresses itself; stop it first (systemctl stop understudy)",
        ));
    };
    let mut removed = Vec::new();
    for (service, vip) in vips(config) {
        if only.is_some_and(|only| *only != service.name) {
            continue;
        }
        if record(Some(&store), &service.name).await? == Record::Held {
            let kept = format!("{}: held by this host, nothing removed", service.name);
            removed.push(kept);
            continue;
        }
        removed.extend(clean_one(config, service, vip).await?);
    }
    if only.is_none() {
        let known: Vec<_> = vips(config)
            .into_iter()
            .map(|(service, vip)| (service.name.clone(), vip.clone()))
            .collect();
        let strangers = remove_strangers(&known).await.map_err(Failure::failed)?;
        removed.extend(
            strangers
                .iter()
                .map(|place| format!("rules {place} of no service here removed")),
        );
    }
    store.close().await;
    if json {
        return out::json(&removed);
    }
    if removed.is_empty() {
        return out::line("nothing was left over");
    }
    removed.iter().try_for_each(|line| out::line(line))
}

/// Says what is gone.
async fn clean_one(config: &Config, service: &Service, vip: &VipConfig) -> Result<Vec<String>, Failure> {
    let services = [(service.name.clone(), vip.clone())];
    let before = traces(&services).await.map_err(Failure::failed)?;
    let made = AddressConfig::Vip(vip.clone());
    let address = Address::new(made, service.name.clone(), config.host.name.clone()).await;
    let address = address.map_err(Failure::failed)?;
    address.clear().await.map_err(Failure::failed)?;
    let after = traces(&services).await.map_err(Failure::failed)?;
    let gone = before
        .iter()
        .filter(|trace| trace.service.is_some() && !after.contains(trace));
    Ok(gone
        .map(|trace| {
            format!(
                "{}: {} {} on {} removed",
                service.name,
                trace.kind.as_str(),
                trace.what,
                trace.place
            )
        })
        .collect())
}

fn vips(config: &Config) -> Vec<(&Service, &VipConfig)> {
    let moving = config.services.iter().filter_map(|service| match &service.address {
        AddressConfig::Vip(vip) => Some((service, vip)),
        AddressConfig::Proxy(_) => None,
    });
    moving.collect()
}

/// The records; none while a daemon has them. No store at all is one that holds nothing.
async fn open(config: &Config) -> Result<Option<Store>, Failure> {
    let folder = &config.host.state_dir;
    std::fs::create_dir_all(folder).map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?;
    match Store::open(&folder.join("store.sqlite"), Retention::default()).await {
        Ok(store) => Ok(Some(store)),
        Err(understudy_store::StoreError::Locked { .. }) => Ok(None),
        Err(error) => Err(Failure::failed(error)),
    }
}

async fn record(store: Option<&Store>, service: &ServiceName) -> Result<Record, Failure> {
    let Some(store) = store else { return Ok(Record::Unknown) };
    let durable = store.durable(service).await.map_err(Failure::failed)?;
    Ok(match durable.and_then(|durable| durable.held) {
        Some(_) => Record::Held,
        None => Record::NotHeld,
    })
}

impl Record {
    fn word(self) -> &'static str {
        match self {
            Record::Held => "held",
            Record::NotHeld => "not-held",
            Record::Unknown => "unknown",
        }
    }
}

fn verdict(record: Record, here: &[Trace], vip: &VipConfig) -> &'static str {
    let shown = here.iter().filter(|trace| trace.kind == TraceKind::Address).count();
    match record {
        Record::Unknown => "unknown",
        Record::Held if shown == vip.addresses.len() => "in-order",
        Record::Held => "missing",
        Record::NotHeld if here.is_empty() => "in-order",
        Record::NotHeld => "leftover",
    }
}

impl ShownTrace {
    fn of(trace: &Trace) -> Self {
        ShownTrace {
            kind: trace.kind.as_str(),
            place: trace.place.clone(),
            what: trace.what.clone(),
        }
    }
}
