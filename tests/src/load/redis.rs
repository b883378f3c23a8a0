//! Redis clients: each writes unique keys, one after the other, and remembers what was acknowledged.
//!
//! A write whose connection ends before its answer is *in doubt*; it is not sent again, so that the record stays exact.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::record::{Kind, Outcome, Recorder, Request, Service};
use super::resp::{RedisClient, Reply};
use super::{CLIENT_PATIENCE, RedisPlan};

pub(crate) fn spawn(plan: &RedisPlan, recorder: &Arc<Recorder>, stop: &CancellationToken, clients: &mut JoinSet<()>) {
    for share in 0..plan.connections {
        let pace = Pace::new(plan.rate, share, plan.connections);
        let writer = Writer {
            address: plan.address,
            recorder: Arc::clone(recorder),
            connection: None,
        };
        clients.spawn(writer.run(pace, stop.clone()));
    }
}

/// The key that a request writes.
pub(crate) fn key(id: u64) -> String {
    format!("understudy:load:{id}")
}

/// What it writes there: known from the number, so that a wrong value is seen.
pub(crate) fn value(id: u64) -> String {
    format!("{id}:{:0>96}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

struct Writer {
    address: SocketAddr,
    recorder: Arc<Recorder>,
    connection: Option<RedisClient>,
}

impl Writer {
    async fn run(mut self, mut pace: Pace, stop: CancellationToken) {
        loop {
            let due = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                due = pace.due() => due,
            };
            let mut request = Request {
                id: self.recorder.next_id(),
                service: Service::Redis,
                kind: Kind::Write,
                client: None,
                retried_from: None,
                due: self.recorder.at(due),
                sent: self.recorder.now(),
                first_byte: None,
                end: 0,
                outcome: Outcome::Answered,
                answered_by: None,
            };
            request.outcome = self.write(&mut request).await;
            request.end = self.recorder.now();
            self.recorder.push(request);
        }
    }

    async fn write(&mut self, request: &mut Request) -> Outcome {
        let connection = match self.connected().await {
            Ok(connection) => connection,
            Err(e) => return Outcome::Failed(format!("could not connect: {e}")),
        };
        request.client = Some(connection.local());
        let (key, value) = (key(request.id), value(request.id));
        let answer = tokio::time::timeout(CLIENT_PATIENCE, set(connection, &key, &value)).await;
        match answer {
            Ok(Ok(Reply::Simple(ok))) if ok == "OK" => {
                request.first_byte = Some(self.recorder.now());
                Outcome::Answered
            }
            Ok(Ok(other)) => Outcome::Failed(format!("{other:?}")),
            Ok(Err(e)) => {
                self.connection = None;
                Outcome::InDoubt(format!("{e:#}"))
            }
            Err(_) => {
                self.connection = None;
                Outcome::InDoubt(format!("no answer within {CLIENT_PATIENCE:?}"))
            }
        }
    }

    /// The connection, made anew where the server has closed it.
    async fn connected(&mut self) -> std::io::Result<&mut RedisClient> {
        let usable = self.connection.take().filter(|c| !c.is_closed());
        let connection = match usable {
            Some(connection) => connection,
            None => tokio::time::timeout(CLIENT_PATIENCE, RedisClient::connect(self.address)).await??,
        };
        Ok(self.connection.insert(connection))
    }
}

async fn set(connection: &mut RedisClient, key: &str, value: &str) -> Result<Reply> {
    connection.command(&[b"SET", key.as_bytes(), value.as_bytes()]).await
}
