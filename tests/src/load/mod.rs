//! An open-loop load on a Redis and a web service, with a record of each request.
//!
//! Open loop: requests are due at fixed times, whatever became of the earlier ones; a latency is counted from the time
//! the request was *due*, so that a stall shows in every request it delayed.
//!
//! Invariant: every request that was begun ends in the record exactly once, also when the load is stopped.

mod exchange;
mod pace;
mod record;
mod redis;
mod report;
mod resp;
mod table;
mod verify;
mod web;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use record::{Kind, Mark, Outcome, Recorder, Request, Service};
pub use report::{PhaseReport, Report, ServiceReport, Unanswered};
pub use resp::{RedisClient, Reply};
pub use verify::{ReadBack, read_back};

use crate::servers::WebFile;

/// What is asked, and how often.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where clients find the Redis service; none: it is not asked.
    pub redis: Option<RedisPlan>,
    /// Where clients find the web service; none: it is not asked.
    pub web: Option<WebPlan>,
}

/// The load on Redis: writes of unique keys.
#[derive(Debug, Clone)]
pub struct RedisPlan {
    /// The service's address.
    pub address: SocketAddr,
    /// Writes a second, over all connections.
    pub rate: u32,
    /// How many connections; each has one write under way at most, as most client libraries do it.
    pub connections: u32,
}

impl RedisPlan {
    /// 600 writes a second on 8 connections.
    pub fn at(address: SocketAddr) -> Self {
        RedisPlan {
            address,
            rate: 600,
            connections: 8,
        }
    }
}

/// The load on the web service.
#[derive(Debug, Clone)]
pub struct WebPlan {
    /// The service's address.
    pub address: SocketAddr,
    /// Requests a second on a new connection each.
    pub fresh_rate: u32,
    /// Requests a second on connections that are kept, over all of them.
    pub kept_rate: u32,
    /// How many connections are kept.
    pub kept_connections: u32,
    /// Requests a second for the slow file (see [`crate::servers::SLOW_FILE`]).
    pub slow_rate: u32,
}

impl WebPlan {
    /// 300 requests a second on new connections, 240 on 16 kept ones, and 4 slow ones.
    pub fn at(address: SocketAddr) -> Self {
        WebPlan {
            address,
            fresh_rate: 300,
            kept_rate: 240,
            kept_connections: 16,
            slow_rate: 4,
        }
    }
}

/// How long a client waits for an answer before it gives up; longer than any stall that is not a failure.
pub const CLIENT_PATIENCE: Duration = Duration::from_secs(30);

/// One request on a connection of its own, as a client makes it.
///
/// # Errors
/// When there is no connection, no whole answer, or another one than the file.
pub async fn ask_once(address: SocketAddr, file: &WebFile) -> anyhow::Result<()> {
    let mut connection = exchange::WebConnection::open(address).await?;
    match connection.get(file.path, false, 0).await {
        Ok(answer) if answer.status == 200 && file.is_content(&answer.body) => Ok(()),
        Ok(answer) => anyhow::bail!("status {}, {} bytes", answer.status, answer.body.len()),
        Err(broken) => anyhow::bail!(broken.because),
    }
}

/// A load under way.
#[derive(Debug)]
pub struct Load {
    recorder: Arc<Recorder>,
    stop: CancellationToken,
    clients: JoinSet<()>,
}

impl Load {
    /// Starts all clients. The first phase is called `phase`.
    pub fn start(plan: &Plan, phase: &str) -> Load {
        let recorder = Arc::new(Recorder::new(phase));
        let stop = CancellationToken::new();
        let mut clients = JoinSet::new();
        if let Some(plan) = &plan.redis {
            redis::spawn(plan, &recorder, &stop, &mut clients);
        }
        if let Some(plan) = &plan.web {
            web::spawn(plan, &recorder, &stop, &mut clients);
        }
        Load {
            recorder,
            stop,
            clients,
        }
    }

    /// Begins a new phase of the report.
    pub fn mark(&self, phase: &str) {
        self.recorder.mark(phase);
    }

    /// The record so far; requests under way are not in it yet.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Stops asking, waits for the answers that are still out (at most [`CLIENT_PATIENCE`]), and gives the record.
    pub async fn finish(mut self) -> Arc<Recorder> {
        self.recorder.stop();
        self.stop.cancel();
        while self.clients.join_next().await.is_some() {}
        self.recorder
    }
}
