//! The numbers that fence, on the wire: terms and counters as numbers, stores and digests as hexadecimal text
//! (JSON numbers are not safe beyond 64 bits), durations as milliseconds.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use understudy_protocol as protocol;

use super::BadWire;

/// A round: the holder's store and its counter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Round {
    store: String,
    counter: u64,
}

impl From<protocol::RoundId> for Round {
    fn from(round: protocol::RoundId) -> Self {
        Round {
            store: store_text(round.store),
            counter: round.counter,
        }
    }
}

impl TryFrom<Round> for protocol::RoundId {
    type Error = BadWire;
    fn try_from(round: Round) -> Result<Self, BadWire> {
        Ok(protocol::RoundId {
            store: store_id(&round.store)?,
            counter: round.counter,
        })
    }
}

/// Count and digest of a compilation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Seal {
    count: u64,
    digest: String,
}

impl From<protocol::CompilationSeal> for Seal {
    fn from(seal: protocol::CompilationSeal) -> Self {
        Seal {
            count: seal.count,
            digest: seal.digest.to_string(),
        }
    }
}

impl TryFrom<Seal> for protocol::CompilationSeal {
    type Error = BadWire;
    fn try_from(seal: Seal) -> Result<Self, BadWire> {
        Ok(protocol::CompilationSeal {
            count: seal.count,
            digest: digest(&seal.digest)?,
        })
    }
}

/// A release.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    new_term: u64,
    to: String,
    round: Round,
    seal: Option<Seal>,
}

impl From<&protocol::Grant> for Grant {
    fn from(grant: &protocol::Grant) -> Self {
        let protocol::Grant {
            new_term,
            to,
            round,
            seal,
        } = grant;
        Grant {
            new_term: new_term.0,
            to: to.to_string(),
            round: (*round).into(),
            seal: seal.map(Seal::from),
        }
    }
}

impl TryFrom<Grant> for protocol::Grant {
    type Error = BadWire;
    fn try_from(grant: Grant) -> Result<Self, BadWire> {
        Ok(protocol::Grant {
            new_term: protocol::Term(grant.new_term),
            to: host(&grant.to)?,
            round: grant.round.try_into()?,
            seal: grant.seal.map(TryInto::try_into).transpose()?,
        })
    }
}

/// A host's name, checked.
pub(super) fn host(text: &str) -> Result<protocol::HostName, BadWire> {
    Ok(protocol::HostName::new(text)?)
}

/// Hosts' names, checked.
pub(super) fn hosts(texts: &[String]) -> Result<Vec<protocol::HostName>, BadWire> {
    texts.iter().map(|text| host(text)).collect()
}

/// Hosts' names as texts.
pub(super) fn host_texts(hosts: &[protocol::HostName]) -> Vec<String> {
    hosts.iter().map(ToString::to_string).collect()
}

/// Whole milliseconds; a longer time than 584 million years is cut.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A store's identity as 32 hexadecimal digits.
pub(super) fn store_text(store: protocol::StoreId) -> String {
    format!("{:032x}", store.0)
}

/// A store's identity from its text.
pub(super) fn store_id(text: &str) -> Result<protocol::StoreId, BadWire> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = if plain {
        u128::from_str_radix(text, 16).ok()
    } else {
        None
    };
    number.map(protocol::StoreId).ok_or(BadWire::NotHex {
        what: "a store's identity",
        digits: 32,
    })
}

fn digest(text: &str) -> Result<protocol::Digest, BadWire> {
    let bad = || BadWire::NotHex {
        what: "a digest",
        digits: 64,
    };
    if text.len() != 64 || !text.is_ascii() {
        return Err(bad());
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        let pair = text.get(place * 2..place * 2 + 2).ok_or_else(bad)?;
        if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(bad());
        }
        *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(protocol::Digest(bytes))
}
