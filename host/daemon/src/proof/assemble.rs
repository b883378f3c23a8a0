//! A takeover's bundle: this host's half, and the halves of the others who took part, as they sign them now.
//!
//! Invariants: a host that can't be asked is named as absent, never left out silently; the whole is signed by the host
//! that put it together, so that nothing can be taken out of it either.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use understudy_api::wire::{ProofAbsence, ProofAssembly, ProofBundle, ProofHalf, ProofReport};
use understudy_protocol::HostName;
use understudy_store::{Store, StoreError};

use super::record::Stater;
use super::statement::Statement;
use super::{FORM, Trusted, canonical, keys, record, verify};
use crate::cluster::Identity;
use crate::driver::wall_ms;
use crate::inquiries::{Inquiries, Question};
use crate::peers::Peers;
use crate::shown::millis;

/// Makes bundles, and this host's half of them.
#[derive(Clone)]
pub(crate) struct Prover {
    identity: Arc<Identity>,
    store: Store,
    peers: Peers,
    inquiries: Inquiries,
    others: Vec<HostName>,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotProven {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this host can't sign: {0}")]
    Unsigned(String),
}

impl Prover {
    pub(crate) fn new(
        identity: Identity,
        store: Store,
        peers: Peers,
        inquiries: Inquiries,
        others: Vec<HostName>,
    ) -> Self {
        Prover {
            identity: Arc::new(identity),
            store,
            peers,
            inquiries,
            others,
        }
    }

    /// This host's half; none when it has nothing on record.
    pub(crate) async fn half(&self, id: &str) -> Result<Option<ProofHalf>, NotProven> {
        let (authority, certificate) = (
            keys::digest(&self.identity.authority),
            keys::digest(&self.identity.certificate),
        );
        let stater = Stater {
            host: &self.identity.host,
            authority: &authority,
            certificate: &certificate,
        };
        let Some(statement) = record::statement(&self.store, &stater, id).await? else {
            return Ok(None);
        };
        let statement = serde_json::to_value(statement).map_err(|error| NotProven::Unsigned(error.to_string()))?;
        Ok(Some(ProofHalf {
            host: self.identity.host.to_string(),
            certificate: keys::pem(&self.identity.certificate),
            signature: self.sign(&statement)?,
            statement,
        }))
    }

    /// The whole bundle; none when nobody has anything on record.
    pub(crate) async fn bundle(&self, id: &str) -> Result<Option<ProofBundle>, NotProven> {
        let mut halves: Vec<ProofHalf> = self.half(id).await?.into_iter().collect();
        let asked = self.others.iter().map(|host| self.half_of(host, id));
        let mut silent = BTreeMap::new();
        for (host, half) in self.others.iter().zip(futures_util::future::join_all(asked).await) {
            match half {
                Ok(half) => halves.extend(half),
                Err(because) => {
                    silent.insert(host.to_string(), because);
                }
            }
        }
        let Some(service) = halves.first().and_then(|half| half.statement["service"].as_str()) else {
            return Ok(None);
        };
        let mut bundle = ProofBundle {
            form: FORM.to_owned(),
            takeover: id.to_owned(),
            service: service.to_owned(),
            assembled: ProofAssembly {
                by: self.identity.host.to_string(),
                at_ms: millis(wall_ms()),
                certificate: keys::pem(&self.identity.certificate),
            },
            authority: keys::pem(&self.identity.authority),
            absent: absent(&halves, &silent),
            halves,
            signature: String::new(),
        };
        bundle.signature = self.sign(&unsigned(&bundle))?;
        Ok(Some(bundle))
    }

    /// What verifying a bundle finds, with this host's authority.
    pub(crate) fn verify(&self, bundle: &ProofBundle) -> Result<ProofReport, String> {
        let text = serde_json::to_string(bundle).map_err(|error| error.to_string())?;
        let place = format!("{}'s identity", self.identity.host);
        verify(&text, &Trusted::Authority(self.identity.authority.clone(), place))
    }

    async fn half_of(&self, host: &HostName, id: &str) -> Result<Option<ProofHalf>, String> {
        let question = Question::Half {
            takeover: id.to_owned(),
        };
        let answer = self.inquiries.ask(&self.peers, host, &question, PATIENCE).await;
        let half: Option<ProofHalf> = answer
            .map_err(|unanswered| unanswered.to_string())
            .and_then(|value| serde_json::from_value(value).map_err(|error| error.to_string()))?;
        match half {
            Some(half) if half.host != host.as_str() => Err(format!("it answered in the name of {}", half.host)),
            half => Ok(half),
        }
    }

    fn sign(&self, value: &Value) -> Result<String, NotProven> {
        let bytes = canonical::canonical(value).map_err(NotProven::Unsigned)?;
        keys::sign(&self.identity, &bytes).map_err(NotProven::Unsigned)
    }
}

/// What the assembling host signs: the bundle without that signature.
pub(super) fn unsigned(bundle: &ProofBundle) -> Value {
    let mut value = json!(bundle);
    if let Some(map) = value.as_object_mut() {
        map.remove("signature");
    }
    value
}

/// Everybody who was spoken with and whose half is not there.
fn absent(halves: &[ProofHalf], silent: &BTreeMap<String, String>) -> Vec<ProofAbsence> {
    let here: BTreeSet<&str> = halves.iter().map(|half| half.host.as_str()).collect();
    let spoken_with = halves
        .iter()
        .filter_map(|half| serde_json::from_value::<Statement>(half.statement.clone()).ok())
        .flat_map(|statement| statement.events)
        .filter_map(|event| event.message.map(|message| message.peer));
    let missing: BTreeSet<String> = spoken_with.filter(|host| !here.contains(host.as_str())).collect();
    let because = |host: String| ProofAbsence {
        because: silent
            .get(&host)
            .cloned()
            .unwrap_or_else(|| "it has nothing on record".to_owned()),
        host,
    };
    missing.into_iter().map(because).collect()
}

/// A half of ten thousand requests takes a second or two to read, sign and send.
const PATIENCE: Duration = Duration::from_secs(10);
