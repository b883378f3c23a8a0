//! The first host's side: watch the requests end, quit.

use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::findings::{FORMAT, Memory, Settling};
use crate::look;
use crate::process::{self, Left};
use crate::requests;

/// At most so many requests at once: a page of the host is 4096.
const PAGE: usize = 1024;
/// Without a look at the connections, how long the status page is watched before the rest is left to `quit`.
const WITHOUT_CONNECTIONS_MS: u64 = 5_000;

pub(crate) fn list_requests(config: &Config, into: &ledger::RequestSink) -> Result<(), PluginError> {
    let now_ms = clock::now_ms();
    // Asked before the connections are listed: a request that begins in between is listed by its own connection.
    let all_answered = nothing_under_way(config);
    let connections = look::connections()?.unwrap_or_default();
    let entries: Vec<_> = connections
        .iter()
        .filter_map(|connection| requests::entry(connection, now_ms, all_answered))
        .collect();
    for page in entries.chunks(PAGE) {
        into.push(page)?;
    }
    Ok(())
}

/// Whether nginx itself says that it has no request; where it can't be asked, nobody knows.
fn nothing_under_way(config: &Config) -> bool {
    matches!(look::status_page(config), Ok(Some(page)) if page.under_way() == 0)
}

/// Waits for the requests that were under way when it was first called. Those that came later, on connections kept alive, end in
/// nginx's own graceful `quit`.
pub(crate) fn settle(call: &Call, config: &Config) -> Result<Step, PluginError> {
    let now_ms = clock::now_ms();
    let memory: Memory = call.state(FORMAT).unwrap_or_default();
    let known = memory
        .settling
        .filter(|known| known.term == call.term() && call.attempt() > 1);
    let settling = known.unwrap_or(Settling {
        term: call.term(),
        since_ms: now_ms,
    });
    let elapsed_ms = now_ms.saturating_sub(settling.since_ms);
    let step = match look::connections()? {
        Some(connections) => {
            let mut waiting = requests::awaiting_for(&connections, elapsed_ms);
            if !nothing_under_way(config) {
                waiting.extend(requests::speaking_for(&connections, elapsed_ms));
            }
            match waiting.first() {
                None => Step::done(),
                Some(first) => {
                    let who = first.attributes.value("client").unwrap_or(&first.remote);
                    Step::working(format!("{who} awaits an answer"), 50).remaining(waiting.len() as u64)
                }
            }
        }
        None => match look::status_page(config)?.map(|page| page.under_way()) {
            None | Some(0) => Step::done(),
            Some(_) if elapsed_ms > WITHOUT_CONNECTIONS_MS => Step::done(),
            Some(count) => Step::working("requests in progress; grant `sockets` to see whose", 50).remaining(count),
        },
    };
    let settling = (step.status != Status::Done).then_some(settling);
    Ok(step.keep(FORMAT, &Memory { settling, ..memory }))
}

pub(crate) fn shut_down(call: &Call, manner: Manner) -> Result<Step, PluginError> {
    match (process::left()?, manner) {
        (Left::Nothing, _) => return Ok(Step::done()),
        // It has been told already.
        (Left::Connections(..) | Left::Process, Manner::Graceful) => {}
        (Left::Listening, Manner::Graceful) => process::run("quit")?,
        (_, Manner::Forced) => return process::stop_all(call.attempt()),
    }
    process::until_gone()
}

pub(crate) fn resume(config: &Config) -> Result<Step, PluginError> {
    process::until_serving(config)
}
