//! Reads every acknowledged write back. Whatever is missing was lost, and nothing else counts as lost.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::redis::{key, value};
use super::resp::{RedisClient, Reply};

/// What was found of the acknowledged writes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReadBack {
    /// How many keys were read.
    pub checked: usize,
    /// The numbers of those that were not there.
    pub missing: Vec<u64>,
    /// The numbers of those that had another value.
    pub wrong: Vec<u64>,
}

impl ReadBack {
    /// How many acknowledged writes are lost.
    pub fn lost(&self) -> usize {
        self.missing.len() + self.wrong.len()
    }
}

/// Keys asked for at once: enough to be quick, few enough not to hold up other clients.
const BATCH: usize = 200;

/// Reads the keys of all these writes from the server at `address`.
///
/// Fails when the server can't be asked; what was not found is in the answer, and no error.
pub async fn read_back(address: SocketAddr, writes: &[u64]) -> Result<ReadBack> {
    let mut client = RedisClient::connect(address)
        .await
        .with_context(|| format!("connecting to {address} to read back"))?;
    let mut found = ReadBack::default();
    for batch in writes.chunks(BATCH) {
        let keys: Vec<String> = batch.iter().map(|id| key(*id)).collect();
        let words: Vec<&[u8]> = std::iter::once(&b"MGET"[..])
            .chain(keys.iter().map(String::as_bytes))
            .collect();
        let Reply::List(values) = client.command(&words).await? else {
            bail!("{address} did not answer MGET")
        };
        if values.len() != batch.len() {
            bail!("{address} answered {} values to {} keys", values.len(), batch.len());
        }
        for (id, reply) in batch.iter().zip(values) {
            found.checked += 1;
            match reply {
                Reply::Bulk(Some(data)) if data == value(*id).as_bytes() => {}
                Reply::Bulk(None) => found.missing.push(*id),
                _ => found.wrong.push(*id),
            }
        }
    }
    Ok(found)
}
