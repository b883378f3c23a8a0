//! The conversation with the kernel: a transaction goes out as one message, and it is carried out or refused as a whole.
//!
//! Invariant: a `Link` belongs to the network namespace in which it was made, whichever thread uses it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use netlink_sys::{Socket, SocketAddr};

use super::batch::{Batch, Message};

/// A connection to nftables. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Link {
    talk: Arc<Mutex<Talk>>,
}

/// What the kernel does not do, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The part of the transaction.
    pub(crate) what: String,
    pub(crate) error: io::Error,
}

struct Talk {
    socket: Socket,
    sequence: u32,
}

/// One message of an answer.
pub(super) struct Answer {
    kind: u16,
    sequence: u32,
    pub(super) family: u8,
    /// After the four bytes that begin each message of nftables.
    pub(super) body: Vec<u8>,
}

impl Link {
    pub(crate) fn connect() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        let talk = Talk { socket, sequence: 1 };
        Ok(Link {
            talk: Arc::new(Mutex::new(talk)),
        })
    }

    /// Carries the transaction out.
    pub(crate) async fn apply(&self, batch: Batch) -> Result<(), Refused> {
        self.blocking(move |talk| talk.transact(&batch, true)).await
    }

    /// Asks whether the kernel would carry the transaction out.
    pub(crate) async fn check(&self, batch: Batch) -> Result<(), Refused> {
        self.blocking(move |talk| talk.transact(&batch, false)).await
    }

    /// The answers to a question about what is there.
    pub(super) async fn list(&self, kind: u16, family: u8, body: Vec<u8>) -> Result<Vec<Answer>, Refused> {
        self.blocking(move |talk| {
            talk.list(kind, family, &body).map_err(|error| Refused {
                what: "listing".to_owned(),
                error,
            })
        })
        .await
    }

    /// The kernel may take a while when many change its filters at once.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Talk) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let talk = self.talk.clone();
        let task = tokio::task::spawn_blocking(move || work(&mut talk.lock().unwrap_or_else(PoisonError::into_inner)));
        task.await.map_err(|error| Refused {
            what: "asking the kernel".to_owned(),
            error: error.into(),
        })?
    }
}

impl Talk {
    fn transact(&mut self, batch: &Batch, commit: bool) -> Result<(), Refused> {
        let general = |error| Refused {
            what: "a transaction of nftables".to_owned(),
            error,
        };
        let first = self.sequence;
        let bytes = self.encode(batch, commit);
        self.socket.send(&bytes, 0).map_err(general)?;
        let last = first + u32::try_from(batch.messages.len()).unwrap_or(0);
        loop {
            for answer in self.receive().map_err(general)? {
                let in_batch = (first..=last).contains(&answer.sequence);
                match outcome(&answer) {
                    Some(_) if !in_batch => {}
                    Some(Ok(())) if answer.sequence == last => return Ok(()),
                    Some(Err(error)) => {
                        let place = usize::try_from(answer.sequence - first).unwrap_or(0).checked_sub(1);
                        let message = place.and_then(|place| batch.messages.get(place));
                        let what = message.map_or("a transaction of nftables", |message| &message.what);
                        return Err(Refused {
                            what: what.to_owned(),
                            error,
                        });
                    }
                    _ => {}
                }
            }
        }
    }

    /// The transaction's messages between a beginning and an end; without the end the kernel only looks.
    fn encode(&mut self, batch: &Batch, commit: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.message(BATCH_BEGIN, REQUEST, (0, NFTABLES), &[]));
        let last = batch.messages.len().saturating_sub(1);
        for (
            at,
            Message {
                kind,
                flags,
                family,
                body,
                ..
            },
        ) in batch.messages.iter().enumerate()
        {
            let acknowledged = if at == last { ACKNOWLEDGE } else { 0 };
            bytes.extend(self.message(NFTABLES << 8 | kind, REQUEST | flags | acknowledged, (*family, 0), body));
        }
        if commit {
            bytes.extend(self.message(BATCH_END, REQUEST, (0, NFTABLES), &[]));
        }
        bytes
    }

    fn list(&mut self, kind: u16, family: u8, body: &[u8]) -> io::Result<Vec<Answer>> {
        let sequence = self.sequence;
        let question = self.message(NFTABLES << 8 | kind, REQUEST | DUMP, (family, 0), body);
        self.socket.send(&question, 0)?;
        let mut answers = Vec::new();
        loop {
            for answer in self.receive()? {
                if answer.sequence != sequence {
                    continue;
                }
                match outcome(&answer) {
                    Some(Ok(())) => return Ok(answers),
                    Some(Err(error)) => return Err(error),
                    None => answers.push(answer),
                }
            }
        }
    }

    fn message(&mut self, kind: u16, flags: u16, (family, resource): (u8, u16), body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend([family, 0]);
        bytes.extend(resource.to_be_bytes());
        bytes.extend(body);
        self.sequence = self.sequence.wrapping_add(1);
        bytes
    }

    fn receive(&mut self) -> io::Result<Vec<Answer>> {
        let (bytes, _) = self.socket.recv_from_full()?;
        Ok(answers(&bytes))
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.error)
    }
}

/// The messages in one datagram; ends where they make no sense.
fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut all = Vec::new();
    while let Some(head) = bytes.first_chunk::<16>() {
        let [a, b, c, d, e, f, _, _, i, j, k, l, ..] = *head;
        let length = u32::from_ne_bytes([a, b, c, d]) as usize;
        let Some(rest) = bytes.get(16..length) else { break };
        let (family, body) = match u16::from_ne_bytes([e, f]) {
            ERROR | DONE => (0, rest),
            _ => (
                rest.first().copied().unwrap_or(0),
                rest.get(HEADER - 16..).unwrap_or_default(),
            ),
        };
        all.push(Answer {
            kind: u16::from_ne_bytes([e, f]),
            sequence: u32::from_ne_bytes([i, j, k, l]),
            family,
            body: body.to_vec(),
        });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// How the kernel ends an answer: well, or with an error.
fn outcome(answer: &Answer) -> Option<io::Result<()>> {
    match answer.kind {
        DONE => Some(Ok(())),
        ERROR => {
            let code = answer
                .body
                .first_chunk::<4>()
                .map_or(-5, |bytes| i32::from_ne_bytes(*bytes));
            Some(if code == 0 {
                Ok(())
            } else {
                Err(io::Error::from_raw_os_error(-code))
            })
        }
        _ => None,
    }
}

const NETLINK_NETFILTER: isize = 12;
/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// The header of netlink and the one of netfilter.
const HEADER: usize = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
