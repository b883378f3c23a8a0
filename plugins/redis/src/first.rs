//! The first host's side: hold the writes, let the second have every one of them. How it stops is in `stop`.

use std::collections::HashMap;

use understudy_plugin::prelude::*;

use crate::clients::{self, Client};
use crate::config::Config;
use crate::info::{Info, Role};
use crate::memory::{Copy, FORMAT, Memory};
use crate::process;
use crate::readiness::{self, Copies};
use crate::server::{Server, Trouble};

/// A hold lasts for the whole step and this much longer. Every call renews it, and the shut-down looks again whether the copies are
/// complete, so that a hold which ran out between two calls costs time and no write.
const HOLD_MARGIN_MS: u64 = 30_000;
/// The shortest hold, where the host names no deadline.
const HOLD_MS: u64 = 60_000;
/// At most so many requests at once: a page of the host is 4096.
const PAGE: usize = 1024;
/// A replica acknowledges once a second; waiting a little longer in one call saves a round of calls.
const ACKNOWLEDGEMENT_MS: u64 = 1_200;

pub(crate) fn stop_admitting(call: &Call, config: &Config) -> Result<Step, PluginError> {
    match held(call, config) {
        Ok(_) => Ok(Step::done()),
        Err(Trouble::Gone(_)) => Ok(Step::done()),
        Err(trouble) => Err(trouble.into()),
    }
}

/// A connection to Redis, which begins no write any more.
pub(crate) fn held(call: &Call, config: &Config) -> Result<Server, Trouble> {
    let mut server = Server::connect(config)?;
    server.hold_writes(
        call.deadline_ms()
            .map_or(HOLD_MS, |ms| (ms + HOLD_MARGIN_MS).max(HOLD_MS)),
    )?;
    Ok(server)
}

pub(crate) fn list_requests(config: &Config, into: &ledger::RequestSink) -> Result<(), PluginError> {
    let connections = connections()?;
    let listed = Server::connect(config).and_then(|mut server| clients(&mut server));
    let requests = match listed {
        Ok(clients) => {
            let now_ms = clock::now_ms();
            clients
                .iter()
                .map(|client| client.request(now_ms, connections.get(&client.address)))
                .collect()
        }
        Err(Trouble::Gone(_)) => Vec::new(),
        // It hangs: what the kernel knows is all that anybody knows.
        Err(Trouble::Silent(_)) => connections
            .iter()
            .map(|(address, seen)| unheard(address, seen))
            .collect(),
        Err(trouble) => return Err(trouble.into()),
    };
    for page in requests.chunks(PAGE) {
        into.push(page)?;
    }
    Ok(())
}

fn clients(server: &mut Server) -> Result<Vec<Client>, Trouble> {
    let answer = server.command(&["CLIENT", "LIST"])?;
    Ok(clients::parse(&answer.text().unwrap_or_default()))
}

/// What the host knows of each connection, by the client's address; nothing where the operator granted no look at them.
fn connections() -> Result<HashMap<String, Attributes>, PluginError> {
    let listing = match sockets::list_connections() {
        Ok(listing) => listing,
        Err(error) if understudy_plugin::host::is_absent(&error) => return Ok(HashMap::new()),
        Err(error) => return Err(error.into()),
    };
    let mut connections = HashMap::new();
    loop {
        let page = listing.next(PAGE as u32);
        if page.is_empty() {
            return Ok(connections);
        }
        connections.extend(
            page.into_iter()
                .map(|connection| (connection.remote, connection.attributes)),
        );
    }
}

fn unheard(address: &str, seen: &Attributes) -> RequestStatus {
    RequestStatus {
        id: format!("connection-{address}"),
        client: seen.value("client").unwrap_or(address).to_owned(),
        operation: "(Redis does not answer: its command is unknown)".to_owned(),
        state: RequestState::Running,
        started_at_ms: 0,
        progress: None,
        idempotency_key: None,
        resume: None,
        attributes: Attributes::new().with("kind", "unheard").with("address", address),
    }
}

pub(crate) fn settle(call: &Call, config: &Config) -> Result<Step, PluginError> {
    let mut server = match held(call, config) {
        Ok(server) => server,
        Err(Trouble::Gone(_)) => return Ok(Step::done()),
        Err(trouble) => return Err(trouble.into()),
    };
    let info = server.info()?;
    if info.role() != Some(Role::Master) {
        return Ok(Step::done());
    }
    if let Some(waiting) = answers_not_taken(&clients(&mut server)?) {
        return Ok(waiting);
    }
    Ok(match copies(call, config, &mut server, &info)? {
        Copies::Complete => Step::done(),
        Copies::Behind { bytes, who } => {
            Step::working(format!("the replica {who} lacks {bytes} bytes of writes"), 50).remaining(bytes)
        }
        Copies::Missing { who } => Step::working(format!("no complete copy: not connected as a replica is {who}"), 500),
    })
}

/// Clients that have an answer to take; one that never takes it is named, and the step's deadline decides.
fn answers_not_taken(clients: &[Client]) -> Option<Step> {
    let waiting: Vec<_> = clients.iter().filter(|client| client.unsent_bytes > 0).collect();
    let first = waiting.first()?;
    let blocker = format!(
        "client {} has not taken {} bytes of its answer",
        first.address, first.unsent_bytes
    );
    Some(Step::working(blocker, 20).remaining(waiting.len() as u64))
}

/// Whether those who may take over have every write up to now; writes must be held. Waits for one acknowledgement at the most.
pub(crate) fn copies(call: &Call, config: &Config, server: &mut Server, info: &Info) -> Result<Copies, PluginError> {
    let offset = info
        .offset()
        .ok_or_else(|| PluginError::permanent("not-redis", "INFO has no replication offset"))?;
    let successor = call.attribute("successor-host");
    let judge = |info: &Info| readiness::copies(config, call.host(), successor, &info.replicas(), offset);
    let seen = judge(info);
    if seen == Copies::Complete || peer_has_everything(call, config, info, offset) {
        return Ok(Copies::Complete);
    }
    let online = info.replicas().iter().filter(|replica| replica.online).count();
    if online == 0 {
        return Ok(seen);
    }
    server.wait_for_replicas(online, ACKNOWLEDGEMENT_MS)?;
    Ok(judge(&server.info()?))
}

/// Asks the successor's own Redis, where there is an endpoint to it: it knows at once what it would acknowledge within a second.
fn peer_has_everything(call: &Call, config: &Config, info: &Info, offset: u64) -> bool {
    let peer = config.peer(call.host());
    let heirs = readiness::heirs(config, call.host(), call.attribute("successor-host"));
    let is_the_only_heir = matches!(heirs.as_slice(), [(heir, _)] if Some(*heir) == peer);
    if !is_the_only_heir {
        return false;
    }
    let Some(Ok(mut peer)) = Server::connect_to_peer(config) else {
        return false;
    };
    let Ok(theirs) = peer.info() else { return false };
    let is_our_stream =
        theirs.text("master_replid").is_some() && theirs.text("master_replid") == info.text("master_replid");
    theirs.role() == Some(Role::Replica) && is_our_stream && theirs.is_link_up() && theirs.offset() >= Some(offset)
}

pub(crate) fn resume(call: &Call, config: &Config) -> Result<Step, PluginError> {
    let memory = Memory::of(call);
    match Server::connect(config) {
        Ok(mut server) => {
            server.release_writes()?;
            Ok(Step::done().keep(
                FORMAT,
                &Memory {
                    copy: Copy::Own,
                    shut_down_sent_at_ms: None,
                    ..memory
                },
            ))
        }
        Err(Trouble::Gone(_)) => process::start_as_master(config, &memory),
        Err(trouble) => Err(trouble.into()),
    }
}
