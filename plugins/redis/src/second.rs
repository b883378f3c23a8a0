//! The second host's side: be a replica, be judged, become the master.

use understudy_plugin::prelude::*;

use crate::config::{Address, Config};
use crate::dispositions;
use crate::info::{Info, Role};
use crate::memory::{Copy, FORMAT, Memory};
use crate::probe::machine;
use crate::process;
use crate::readiness::{self, Candidate};
use crate::server::{Server, Trouble};

/// At most so many requests at once: a page of the host is 4096.
const PAGE: u32 = 1024;

pub(crate) fn assess(call: &Call, config: &Config, fault: &Fault) -> Result<Assessment, PluginError> {
    let info = match Server::connect(config).and_then(|mut server| server.info()) {
        Ok(info) => info,
        Err(trouble @ (Trouble::Gone(_) | Trouble::Silent(_))) => {
            let refusal = Refusal::new(
                "not-running",
                format!("This host's Redis does not answer: {}", trouble.describe()),
            );
            return Ok(refusal
                .unless("it runs and is a replica of the active host's Redis")
                .into());
        }
        Err(trouble) => return Err(trouble.into()),
    };
    let firsts = first(call, config);
    Ok(readiness::assess(&Candidate {
        config,
        first: call.active_host(),
        info: &info,
        machine: &machine(config)?,
        first_offset: firsts
            .offset
            .or_else(|| fault.evidence.value("master-repl-offset")?.parse().ok()),
        first_is_gone: firsts.is_gone || fault.code == "redis-unreachable",
    }))
}

/// What the first's own Redis says, where there is an endpoint to it.
#[derive(Default)]
struct First {
    offset: Option<u64>,
    is_gone: bool,
}

fn first(call: &Call, config: &Config) -> First {
    let is_the_peer = call.active_host().is_some() && call.active_host() == config.peer(call.host());
    match is_the_peer.then(|| Server::connect_to_peer(config)).flatten() {
        Some(Ok(mut server)) => match server.info() {
            Ok(info) if info.role() == Some(Role::Master) => First {
                offset: info.offset(),
                is_gone: false,
            },
            _ => First::default(),
        },
        Some(Err(Trouble::Gone(_))) => First {
            offset: None,
            is_gone: true,
        },
        Some(Err(_)) | None => First::default(),
    }
}

pub(crate) fn take_over(call: &Call, config: &Config) -> Result<Step, PluginError> {
    let memory = Memory::of(call);
    let mut server = match Server::connect(config) {
        Ok(server) => server,
        Err(Trouble::Gone(_)) => return process::start_as_master(config, &memory),
        Err(trouble) if process::is_loading(&trouble) => return Ok(Step::working("Redis is reading its data", 100)),
        Err(trouble) => return Err(trouble.into()),
    };
    let info = server.info()?;
    if info.is_loading() {
        return Ok(Step::working(
            format!("Redis is reading its data, {} so far", info.loaded()),
            100,
        ));
    }
    if info.role() == Some(Role::Replica) {
        promote(&mut server, &info, config)?;
    }
    server.release_writes()?;
    match server.info()?.role() {
        Some(Role::Master) => Ok(Step::done().keep(
            FORMAT,
            &Memory {
                copy: Copy::Own,
                shut_down_sent_at_ms: None,
                ..memory
            },
        )),
        _ => Ok(Step::working("Redis is still a replica", 50)),
    }
}

fn promote(server: &mut Server, info: &Info, config: &Config) -> Result<(), PluginError> {
    if let Some(why) = readiness::is_incomplete(info).filter(|_| !config.promote_old_copy) {
        let message = format!(
            "this host's Redis has no complete copy of the data: {why}. To serve what it has all the same, say `REPLICAOF NO ONE` \
             to it, or set `promote-old-copy`"
        );
        return Err(PluginError::retryable("copy-incomplete", message));
    }
    let seen = Attributes::new()
        .with_some("offset", info.offset())
        .with_some("master", info.text("master_host"));
    log::write(log::Level::Info, "Redis is made the master", &seen);
    server.command(&["REPLICAOF", "NO", "ONE"])?;
    Ok(())
}

pub(crate) fn resolve_requests(
    requests: &ledger::RequestSource,
    into: &ledger::DispositionSink,
) -> Result<Step, PluginError> {
    loop {
        let page = requests.next(PAGE);
        if page.is_empty() {
            return Ok(Step::done());
        }
        let dispositions: Vec<_> = page.iter().map(dispositions::of).collect();
        into.push(&dispositions)?;
    }
}

pub(crate) fn observe(config: &Config) -> Result<ServerState, PluginError> {
    match Server::connect(config).and_then(|mut server| server.info()) {
        Ok(info) => match info.role() {
            Some(Role::Replica) => Ok(ServerState::StandingBy),
            Some(Role::Master) => Ok(ServerState::Serving),
            None => Err(PluginError::permanent("not-redis", "INFO names no role")),
        },
        Err(Trouble::Gone(_)) => match process::runs()? {
            Some(true) => Ok(ServerState::StandingBy),
            Some(false) | None => Ok(ServerState::Stopped),
        },
        Err(trouble) => Err(trouble.into()),
    }
}

pub(crate) fn stand_by(call: &Call, config: &Config) -> Result<Step, PluginError> {
    let (active, address) = active(call, config)?;
    // From here on the disk has what a replica happens to have on it.
    let memory = Memory {
        copy: Copy::OfAReplica,
        shut_down_sent_at_ms: None,
        ..Memory::of(call)
    };
    let server = match Server::connect(config) {
        Ok(server) => Some(server),
        Err(Trouble::Gone(_)) => process::start_as_replica(config, address)?,
        Err(trouble) if process::is_loading(&trouble) => None,
        Err(trouble) => return Err(trouble.into()),
    };
    let step = match server {
        Some(mut server) => follow(&mut server, active, address)?,
        None => Step::working("Redis is starting", 100),
    };
    Ok(step.keep(FORMAT, &memory))
}

fn active<'a>(call: &'a Call, config: &'a Config) -> Result<(&'a str, &'a Address), PluginError> {
    let active = call.active_host().ok_or_else(|| {
        PluginError::retryable(
            "no-active-host",
            "it is not known which other host serves: nobody to be a replica of",
        )
    })?;
    let address = config.addresses.get(active).ok_or_else(|| {
        let message = format!("/addresses: `{active}` serves, and its Redis' address is not configured");
        PluginError::permanent("bad-config", message)
    })?;
    Ok((active, address))
}

/// Makes Redis a replica of `address`, and says how far its copy is.
fn follow(server: &mut Server, active: &str, address: &Address) -> Result<Step, PluginError> {
    let mut info = server.info()?;
    if info.is_loading() {
        return Ok(Step::working(
            format!("Redis is reading its data, {} so far", info.loaded()),
            100,
        ));
    }
    if info.role() != Some(Role::Replica) || info.master() != Some((address.host.as_str(), address.port)) {
        let seen = Attributes::new().with("active-host", active).with("address", address);
        log::write(log::Level::Info, "Redis is made a replica of the active host's", &seen);
        server.command(&["REPLICAOF", &address.host, &address.port.to_string()])?;
        server.release_writes()?;
        info = server.info()?;
    }
    if info.is_link_up() {
        return Ok(Step::done());
    }
    Ok(
        match info
            .count("master_sync_left_bytes")
            .filter(|_| info.flag("master_sync_in_progress"))
        {
            Some(left) => Step::working(format!("copying the data of {active} ({address})"), 200).remaining(left),
            None => Step::working(format!("no connection yet to {active}'s Redis at {address}"), 100),
        },
    )
}
