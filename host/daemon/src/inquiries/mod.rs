//! Questions between hosts beside the takeover protocol: how does your clock stand, what did you record, what would you
//! do? A question has a number and a time to be answered in; a peer that does not answer, or is too old to understand,
//! is silent, and that is an answer too.
//!
//! Invariants: nothing here reaches the machine; a question changes nothing on the host that answers it; questions and
//! answers that wait are bounded; only the host that was asked can answer.

mod clock;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use understudy_protocol::HostName;

use crate::effects::lock;
use crate::peers::{Frame, PeerEvent, Peers};

pub(crate) use clock::Clocks;

/// What one host asks another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(crate) enum Question {
    /// What does your wall clock say?
    Clock,
    /// Your half of a takeover's proof bundle.
    Half {
        /// The takeover's id.
        takeover: String,
    },
    /// You hold this service: what would come of an order to move it?
    RehearseHolder {
        /// The service.
        service: String,
        /// The only host it may go to.
        to: Option<String>,
        /// Whether it would be a giveback.
        giveback: bool,
        /// Who would order it.
        by: String,
        /// Whether soft vetoes are passed over.
        override_vetoes: bool,
    },
    /// What would you say if this service were offered to you?
    RehearseCandidate {
        /// The service.
        service: String,
        /// Who would offer it, and the highest term that it knows to be held.
        holder: String,
        /// See there.
        known: u64,
        /// Whether it would be a giveback.
        giveback: bool,
        /// Who would order it.
        by: String,
        /// Whether soft vetoes are passed over.
        override_vetoes: bool,
    },
}

/// A question that came in, and where it goes.
#[derive(Debug)]
pub(crate) struct Inquiry {
    pub(crate) from: HostName,
    pub(crate) id: u64,
    pub(crate) question: Question,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("{0} is not connected")]
    NotConnected(HostName),
    #[error("{host} did not answer within {after:?}; is it of an older version?")]
    Silent { host: HostName, after: Duration },
    #[error("{host} can't answer: {because}")]
    Refused { host: HostName, because: String },
}

/// Asks peers and takes their answers. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Inquiries(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
    incoming: mpsc::Sender<Inquiry>,
}

#[derive(Debug)]
struct Open {
    host: HostName,
    text: String,
    parts: u32,
    answer: oneshot::Sender<String>,
}

/// An answer as it goes over the wire.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Answer(Value),
    Refused(String),
}

impl Inquiries {
    /// With the questions that come in.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Inquiry>) {
        let (incoming, questions) = mpsc::channel(WAITING);
        let inner = Inner {
            next: AtomicU64::new(1),
            open: Mutex::default(),
            incoming,
        };
        (Inquiries(Arc::new(inner)), questions)
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub(crate) async fn ask(
        &self,
        peers: &Peers,
        host: &HostName,
        question: &Question,
        patience: Duration,
    ) -> Result<Value, Unanswered> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let open = Open {
            host: host.clone(),
            text: String::new(),
            parts: 0,
            answer,
        };
        lock(&self.0.open).insert(id, open);
        let _forgotten = Forgets { inner: &self.0, id };
        let question = serde_json::to_value(question).unwrap_or_default();
        if !peers.send(host, Frame::Asked { id, question }) {
            return Err(Unanswered::NotConnected(host.clone()));
        }
        let refused = |because: String| Unanswered::Refused {
            host: host.clone(),
            because,
        };
        let text = match tokio::time::timeout(patience, answered).await {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => return Err(refused("its answer can't be put together".to_owned())),
            Err(_) => {
                let (host, after) = (host.clone(), patience);
                return Err(Unanswered::Silent { host, after });
            }
        };
        match serde_json::from_str(&text) {
            Ok(Reply::Answer(value)) => Ok(value),
            Ok(Reply::Refused(because)) => Err(refused(because)),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// Takes what belongs here out of what the peers say; the rest is given back.
    pub(crate) fn intercept(&self, peers: Option<&Peers>, event: PeerEvent) -> Option<PeerEvent> {
        match event {
            PeerEvent::Frame(from, Frame::Asked { id, question }) => {
                match serde_json::from_value(question) {
                    // At once, before anything else waits: the time it takes is the measurement's uncertainty.
                    Ok(Question::Clock) => {
                        if let Some(peers) = peers {
                            answer_now(peers, &from, id, clock::answer());
                        }
                    }
                    Ok(question) => {
                        // No room: the asker hears nothing, and says so.
                        let _ = self.0.incoming.try_send(Inquiry { from, id, question });
                    }
                    Err(error) => {
                        tracing::debug!(%from, %error, "a question that this version does not understand");
                    }
                }
                None
            }
            PeerEvent::Frame(from, Frame::Told { id, part, last, text }) => {
                self.told(&from, id, part, last, &text);
                None
            }
            other => Some(other),
        }
    }

    fn told(&self, from: &HostName, id: u64, part: u32, last: bool, text: &str) {
        let mut open = lock(&self.0.open);
        let Some(question) = open.get_mut(&id).filter(|question| question.host == *from) else {
            return;
        };
        let fits = question.parts == part && question.text.len() + text.len() <= ANSWER_LIMIT;
        question.text.push_str(if fits { text } else { "" });
        question.parts += 1;
        if (!fits || last)
            && let Some(question) = open.remove(&id)
            && fits
        {
            // Whoever asked may have stopped waiting.
            let _ = question.answer.send(question.text);
        }
    }
}

/// Answers a question, in as many parts as it takes.
pub(crate) async fn answer(peers: &Peers, inquiry: &Inquiry, answer: Result<Value, String>) {
    for frame in frames(inquiry.id, answer) {
        if !peers.send_waiting(&inquiry.from, frame).await {
            return;
        }
    }
}

fn answer_now(peers: &Peers, to: &HostName, id: u64, answer: Value) {
    for frame in frames(id, Ok(answer)) {
        peers.send(to, frame);
    }
}

fn frames(id: u64, answer: Result<Value, String>) -> Vec<Frame> {
    let reply = answer.map_or_else(Reply::Refused, Reply::Answer);
    let text = serde_json::to_string(&reply).unwrap_or_default();
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    loop {
        let cut = rest.floor_char_boundary(PART.min(rest.len()));
        let (part, after) = rest.split_at(cut);
        let number = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        parts.push(Frame::Told {
            id,
            part: number,
            last: after.is_empty(),
            text: part.to_owned(),
        });
        if after.is_empty() {
            return parts;
        }
        rest = after;
    }
}

/// An answer that nobody waits for any more needs no room.
struct Forgets<'a> {
    inner: &'a Inner,
    id: u64,
}

impl Drop for Forgets<'_> {
    fn drop(&mut self) {
        lock(&self.inner.open).remove(&self.id);
    }
}

/// Questions that wait to be answered here: a few operators at once.
const WAITING: usize = 16;
/// Bytes of one part: JSON within JSON may write a byte as six, and a frame is a mebibyte.
const PART: usize = 128 * 1024;
/// Bytes of one answer: a bundle of a compilation of some ten thousand requests.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_is_put_together_again_and_strangers_are_not_heard() {
        let (inquiries, _questions) = Inquiries::new();
        let (alpha, beta) = (HostName::new("alpha").unwrap(), HostName::new("beta").unwrap());
        let long = Value::String("ü\"\\\n".repeat(PART));
        let (answer, mut answered) = oneshot::channel();
        let open = Open {
            host: beta.clone(),
            text: String::new(),
            parts: 0,
            answer,
        };
        lock(&inquiries.0.open).insert(7, open);
        let frames = frames(7, Ok(long.clone()));
        assert!(frames.len() > 3);
        assert_eq!(
            inquiries.intercept(None, PeerEvent::Frame(alpha, frames[0].clone())),
            None
        );
        for frame in frames {
            assert_eq!(inquiries.intercept(None, PeerEvent::Frame(beta.clone(), frame)), None);
        }
        let reply: Reply = serde_json::from_str(&answered.try_recv().unwrap()).unwrap();
        assert!(matches!(reply, Reply::Answer(value) if value == long));
    }

    #[test]
    fn an_answer_with_a_gap_is_none() {
        let (inquiries, _questions) = Inquiries::new();
        let beta = HostName::new("beta").unwrap();
        let (answer, mut answered) = oneshot::channel();
        let open = Open {
            host: beta.clone(),
            text: String::new(),
            parts: 0,
            answer,
        };
        lock(&inquiries.0.open).insert(1, open);
        for frame in frames(1, Ok(Value::String("x".repeat(3 * PART)))).into_iter().skip(1) {
            inquiries.intercept(None, PeerEvent::Frame(beta.clone(), frame));
        }
        assert!(matches!(answered.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(lock(&inquiries.0.open).is_empty());
    }
}
