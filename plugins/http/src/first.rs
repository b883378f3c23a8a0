//! The first host's side: refuse what is new, watch the rest end, stop.

use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::connections;
use crate::process::{self, Left};
use crate::server;

/// At most so many requests at once: a page of the host is 4096.
const PAGE: usize = 1024;

pub(crate) fn stop_admitting(config: &Config) -> Result<Step, PluginError> {
    if let Some(action) = &config.stop_admitting {
        server::act(config, action, Vec::new())?;
    }
    Ok(Step::done())
}

pub(crate) fn list_requests(config: &Config, into: &ledger::RequestSink) -> Result<(), PluginError> {
    let requests = match server::requests(config)? {
        Some(requests) => requests,
        None => {
            let now_ms = clock::now_ms();
            let connections = server::connections()?.unwrap_or_default();
            connections::held(&connections)
                .map(|connection| connections::entry(connection, now_ms))
                .collect()
        }
    };
    for page in requests.chunks(PAGE) {
        into.push(page)?;
    }
    Ok(())
}

/// The server's own number is the best, then its list, then its connections.
pub(crate) fn settle(config: &Config) -> Result<Step, PluginError> {
    let unfinished = |request: &&RequestStatus| matches!(request.state, RequestState::Queued | RequestState::Running);
    if let Some(count) = server::in_flight(config)? {
        return Ok(waiting(count, "requests in progress".to_owned()));
    }
    if let Some(requests) = server::requests(config)? {
        let left: Vec<_> = requests.iter().filter(unfinished).collect();
        let first = left
            .first()
            .map(|first| format!("{} of {}", first.operation, first.client));
        return Ok(waiting(left.len() as u64, first.unwrap_or_default()));
    }
    let connections = server::connections()?.unwrap_or_default();
    let awaiting: Vec<_> = connections::held(&connections)
        .filter(|it| connections::is_awaiting(it))
        .collect();
    let first = awaiting
        .first()
        .map(|first| format!("{} awaits an answer", connections::client(first)));
    Ok(waiting(awaiting.len() as u64, first.unwrap_or_default()))
}

fn waiting(left: u64, blocker: String) -> Step {
    if left == 0 {
        Step::done()
    } else {
        Step::working(blocker, 50).remaining(left)
    }
}

pub(crate) fn shut_down(manner: Manner) -> Result<Step, PluginError> {
    match (process::left()?, manner) {
        (Left::Nothing, _) => return Ok(Step::done()),
        // It has been told already.
        (Left::Connections(..) | Left::Process, Manner::Graceful) => {}
        (Left::Listening, Manner::Graceful) => process::run("stop")?,
        (_, Manner::Forced) => {
            if !process::run_if_declared("kill")? {
                process::run("stop")?;
            }
        }
    }
    process::until_gone()
}

pub(crate) fn resume(config: &Config) -> Result<Step, PluginError> {
    process::until_serving(config)
}
