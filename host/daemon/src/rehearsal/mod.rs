//! Rehearsal: what would come of a takeover now, without changing anything.
//!
//! ```text
//! whoever is asked ──► the holder: would you? what would you wait for?      sides.rs, on its machine and its plugin
//!                 └──► every candidate: would you take it?                  sides.rs, on theirs
//!                 then forecast.rs puts the words together with earlier takeovers
//! ```
//! Invariants: the answers of hosts are those of their machines, played on a copy (`Machine::rehearse_order`,
//! `Machine::rehearse_offer`); of the plugins only what looks is called (`assess`, the list of requests); a peer that does
//! not answer is silent in the forecast, too.

mod forecast;
mod sides;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;
use understudy_api::wire::{CandidateAnswer, CandidateForecast, JournalLine, Rehearsal, ServiceView, Takeover};
use understudy_protocol::{Cause, HostName, Order, ServiceName, Term};

use crate::driver::{Input, Publisher};
use crate::effects::Context;
use crate::inquiries::{Inquiries, Question};
use crate::peers::Peers;
use forecast::Words;
use sides::HolderWord;

/// What is rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) service: ServiceName,
    /// The only host it may go to; none: the first candidate that can.
    pub(crate) to: Option<HostName>,
    pub(crate) giveback: bool,
    pub(crate) by: String,
    /// Whether soft vetoes are passed over.
    pub(crate) override_vetoes: bool,
}

/// Rehearses. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rehearser {
    me: HostName,
    publisher: Arc<Publisher>,
    inputs: mpsc::Sender<Input>,
    contexts: Arc<BTreeMap<ServiceName, Arc<Context>>>,
    peers: Peers,
    inquiries: Inquiries,
}

impl Wish {
    fn order(&self) -> Order {
        let (by, reason, override_vetoes) = (self.by.clone(), REASON.to_owned(), self.override_vetoes);
        if self.giveback {
            return Order::Giveback {
                by,
                reason,
                override_vetoes,
            };
        }
        Order::TakeOver {
            to: self.to.clone(),
            by,
            reason,
            override_vetoes,
        }
    }

    fn cause(&self) -> Cause {
        let (by, reason, override_vetoes) = (self.by.clone(), REASON.to_owned(), self.override_vetoes);
        if self.giveback {
            return Cause::Giveback {
                by,
                reason,
                override_vetoes,
            };
        }
        Cause::Requested {
            by,
            reason,
            override_vetoes,
        }
    }
}

impl Rehearser {
    pub(crate) fn new(
        me: HostName,
        publisher: Arc<Publisher>,
        inputs: mpsc::Sender<Input>,
        contexts: BTreeMap<ServiceName, Arc<Context>>,
        peers: Peers,
        inquiries: Inquiries,
    ) -> Self {
        Rehearser {
            me,
            publisher,
            inputs,
            contexts: Arc::new(contexts),
            peers,
            inquiries,
        }
    }

    /// What would come of it; none where the service is not known. `history` are the takeovers and steps on record.
    pub(crate) async fn rehearse(&self, wish: &Wish, history: &[Takeover], lines: &[JournalLine]) -> Option<Rehearsal> {
        let view = self.view(&wish.service)?;
        let holder = view.active.as_deref().and_then(|name| HostName::new(name).ok());
        let Some(holder) = holder else {
            return Some(forecast::nobody_holds(&view));
        };
        let word = self.holder(&holder, wish).await;
        let known = word
            .as_ref()
            .map_or(Term(view.known_term.value), |word| Term(word.known));
        let mut candidates = self.candidates(&view, &holder, wish);
        if let Ok(Some(asked)) = word.as_ref().map(|word| word.would_ask.clone()) {
            // In the order in which they would be asked.
            candidates.sort_by_key(|host| host.as_str() != asked);
        }
        let asked = candidates.iter().map(|host| self.candidate(host, &holder, known, wish));
        let answers = futures_util::future::join_all(asked).await;
        let words = Words {
            holder: holder.to_string(),
            word,
            candidates: answers,
        };
        Some(forecast::of(&view, words, wish.giveback, history, lines))
    }

    /// What another host asked this one.
    pub(crate) async fn answer(&self, question: &Question) -> Result<Value, String> {
        let name = |text: &str| HostName::new(text).map_err(|error| error.to_string());
        match question {
            Question::RehearseHolder {
                service,
                to,
                giveback,
                by,
                override_vetoes,
            } => {
                let wish = Wish {
                    service: ServiceName::new(service).map_err(|error| error.to_string())?,
                    to: to.as_deref().map(name).transpose()?,
                    giveback: *giveback,
                    by: by.clone(),
                    override_vetoes: *override_vetoes,
                };
                let word = self.as_holder(&wish).await?;
                serde_json::to_value(word).map_err(|error| error.to_string())
            }
            Question::RehearseCandidate {
                service,
                holder,
                known,
                giveback,
                by,
                override_vetoes,
            } => {
                let wish = Wish {
                    service: ServiceName::new(service).map_err(|error| error.to_string())?,
                    to: None,
                    giveback: *giveback,
                    by: by.clone(),
                    override_vetoes: *override_vetoes,
                };
                let word = self.as_candidate(&name(holder)?, Term(*known), &wish).await?;
                serde_json::to_value(word).map_err(|error| error.to_string())
            }
            Question::Clock | Question::Half { .. } => Err("it is not asked here".to_owned()),
        }
    }

    fn view(&self, service: &ServiceName) -> Option<ServiceView> {
        let hosts = self.publisher.view().borrow().clone();
        let mine = hosts.iter().filter(|host| host.me).flat_map(|host| &host.services);
        mine.into_iter().find(|view| view.service == service.as_str()).cloned()
    }

    fn candidates(&self, view: &ServiceView, holder: &HostName, wish: &Wish) -> Vec<HostName> {
        let only = if wish.giveback {
            Some(view.home.as_str())
        } else {
            wish.to.as_ref().map(HostName::as_str)
        };
        let wanted = |host: &&String| host.as_str() != holder.as_str() && only.is_none_or(|only| only == host.as_str());
        let names = view.candidates.iter().filter(wanted);
        names.filter_map(|name| HostName::new(name).ok()).collect()
    }

    async fn holder(&self, holder: &HostName, wish: &Wish) -> Result<HolderWord, String> {
        if *holder == self.me {
            return self.as_holder(wish).await;
        }
        let question = Question::RehearseHolder {
            service: wish.service.to_string(),
            to: wish.to.as_ref().map(ToString::to_string),
            giveback: wish.giveback,
            by: wish.by.clone(),
            override_vetoes: wish.override_vetoes,
        };
        self.ask(holder, &question).await
    }

    async fn candidate(&self, host: &HostName, holder: &HostName, known: Term, wish: &Wish) -> CandidateForecast {
        let answer = if *host == self.me {
            self.as_candidate(holder, known, wish).await
        } else {
            let question = Question::RehearseCandidate {
                service: wish.service.to_string(),
                holder: holder.to_string(),
                known: known.0,
                giveback: wish.giveback,
                by: wish.by.clone(),
                override_vetoes: wish.override_vetoes,
            };
            self.ask(host, &question).await
        };
        answer.unwrap_or_else(|because| CandidateForecast {
            host: host.to_string(),
            answer: CandidateAnswer::Silent,
            refusal: None,
            verdict: None,
            ready: None,
            because: Some(because),
        })
    }

    async fn ask<T: DeserializeOwned>(&self, host: &HostName, question: &Question) -> Result<T, String> {
        let answer = self.inquiries.ask(&self.peers, host, question, PATIENCE).await;
        let answer = answer.map_err(|unanswered| unanswered.to_string())?;
        serde_json::from_value(answer).map_err(|error| format!("{host} answers what can't be read: {error}"))
    }
}

/// What the plugins are told.
const REASON: &str = "rehearsal";
/// A plugin's call is bounded by ten seconds; two of these fit into an answer of the API.
const PATIENCE: Duration = Duration::from_secs(12);
