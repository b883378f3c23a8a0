//! What goes over a connection between hosts, as bytes: JSON objects `{"kind": …, "body": …}`, one a frame.
//!
//! Invariants: every type of the protocol has its mirror here and is converted explicitly, both ways, without a
//! catch-all arm; no bytes make the decoder panic; a kind that this version does not know is an answer
//! ([`Decoded::Unknown`]), not an error; what decodes, encodes again to bytes that decode to the same. Pure: this crate
//! knows nothing of sockets, clocks and files, so that its decoders can be fuzzed (`tests/fuzz`).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod fault;
mod framing;
mod message;
mod number;
mod pause;
mod refusal;
mod request;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use understudy_protocol::{BadName, Envelope, RequestStatus, RoundId, ServiceName};

pub use framing::{FRAME_LIMIT, TooLarge, frame, take_frame};

/// What one host sends to another once they have greeted.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A message of the takeover protocol.
    Protocol {
        /// The service it is about.
        service: ServiceName,
        /// The message with its sender.
        envelope: Envelope,
    },
    /// A part of a compilation; the `Compilation` message that follows says how many requests there are in all.
    CompilationPage {
        /// The service.
        service: ServiceName,
        /// The holder's round.
        round: RoundId,
        /// Counted from 0.
        page: u32,
        /// The requests of this page.
        requests: Vec<RequestStatus>,
    },
    /// What the sender shows of itself; opaque here.
    HostView(serde_json::Value),
    /// A line of the sender's journal; opaque here.
    JournalLine(serde_json::Value),
    /// A question that is answered with [`Frame::Told`]; opaque here.
    Asked {
        /// The asker's number for it.
        id: u64,
        /// The question.
        question: serde_json::Value,
    },
    /// A part of the answer to a question.
    Told {
        /// The asker's number.
        id: u64,
        /// Counted from 0.
        part: u32,
        /// Whether it is the last part.
        last: bool,
        /// The part's text; all parts together are JSON.
        text: String,
    },
}

/// A message of the protocol as JSON, as it stands in a frame.
pub fn message_json(message: &understudy_protocol::Message) -> serde_json::Value {
    // Plain structs with text keys: JSON can always express them.
    serde_json::to_value(message::Message::from(message)).unwrap_or_default()
}

/// A request of a compilation as JSON, as it stands in a frame.
pub fn request_json(request: &RequestStatus) -> serde_json::Value {
    serde_json::to_value(request::RequestStatus::from(request)).unwrap_or_default()
}

/// A request from such JSON.
///
/// # Errors
/// What is wrong with it, in words.
pub fn request_from_json(json: serde_json::Value) -> Result<RequestStatus, String> {
    let wire: request::RequestStatus = serde_json::from_value(json).map_err(|error| error.to_string())?;
    wire.try_into().map_err(|error: BadWire| error.to_string())
}

impl Frame {
    /// The frame's kind on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Frame::Protocol { .. } => PROTOCOL,
            Frame::CompilationPage { .. } => COMPILATION_PAGE,
            Frame::HostView(_) => HOST_VIEW,
            Frame::JournalLine(_) => JOURNAL_LINE,
            Frame::Asked { .. } => ASKED,
            Frame::Told { .. } => TOLD,
        }
    }

    /// A whole compilation as pages that each fit into a frame, unless one request alone does not. An empty compilation
    /// is one empty page.
    pub fn compilation_pages(service: &ServiceName, round: RoundId, requests: Vec<RequestStatus>) -> Vec<Frame> {
        let mut pages: Vec<Vec<RequestStatus>> = vec![Vec::new()];
        let mut room = PAGE_BYTES;
        for request in requests {
            let size = size(&request);
            if size > room && pages.last().is_some_and(|page| !page.is_empty()) {
                pages.push(Vec::new());
                room = PAGE_BYTES;
            }
            room = room.saturating_sub(size);
            if let Some(page) = pages.last_mut() {
                page.push(request);
            }
        }
        let page = |(number, requests)| Frame::CompilationPage {
            service: service.clone(),
            round,
            page: u32::try_from(number).unwrap_or(u32::MAX),
            requests,
        };
        pages.into_iter().enumerate().map(page).collect()
    }
}

/// The first thing each side says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The lowest and the highest version of this wire format that the sender speaks.
    pub protocol: [u32; 2],
    /// The sender's own version, for people.
    pub version: String,
    /// The sender's name.
    pub host: String,
    /// The cluster's fingerprint: that of its certificate authority.
    pub cluster: String,
}

/// Why a connection is refused, instead of a greeting; for the other side's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turned {
    /// One line.
    pub reason: String,
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Whether the sender hears the receiver: a link that carries one direction only is no link.
    pub hears_you: bool,
}

/// Everything that can stand in a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// The first one.
    Greeting(Greeting),
    /// No.
    Turned(Turned),
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// A frame for the daemon.
    Frame(Frame),
}

/// What bytes turned out to be.
#[derive(Debug, Clone, PartialEq)]
// Taken apart as soon as it is made; the small variant is the rare one.
#[expect(clippy::large_enum_variant)]
pub enum Decoded {
    /// A packet.
    Packet(Packet),
    /// Something of this kind that this version can't read: to be ignored, and noted.
    Unknown {
        /// Its kind.
        kind: String,
        /// Why it can't be read.
        because: String,
    },
}

/// Why a mirror can't be converted.
#[derive(Debug, thiserror::Error)]
enum BadWire {
    #[error(transparent)]
    Name(#[from] BadName),
    #[error("{what} is not {digits} hexadecimal digits")]
    NotHex { what: &'static str, digits: usize },
    #[error("the resume data is not base64")]
    NotBase64,
}

/// The bytes are no packet at all.
#[derive(Debug, thiserror::Error)]
#[error("not a frame of understudy: {0}")]
pub struct NotAFrame(#[from] serde_json::Error);

/// A packet as bytes.
pub fn encode(packet: &Packet) -> Vec<u8> {
    match packet {
        Packet::Greeting(greeting) => object(GREETING, greeting),
        Packet::Turned(turned) => object(TURNED, turned),
        Packet::Heartbeat(heartbeat) => object(HEARTBEAT, heartbeat),
        Packet::Frame(Frame::Protocol { service, envelope }) => object(
            PROTOCOL,
            &WireProtocol {
                service: service.to_string(),
                envelope: envelope.into(),
            },
        ),
        Packet::Frame(Frame::CompilationPage {
            service,
            round,
            page,
            requests,
        }) => object(
            COMPILATION_PAGE,
            &WirePage {
                service: service.to_string(),
                round: (*round).into(),
                page: *page,
                requests: requests.iter().map(Into::into).collect(),
            },
        ),
        Packet::Frame(Frame::HostView(value)) => object(HOST_VIEW, value),
        Packet::Frame(Frame::JournalLine(value)) => object(JOURNAL_LINE, value),
        Packet::Frame(Frame::Asked { id, question }) => object(
            ASKED,
            &WireAsked {
                id: *id,
                question: question.clone(),
            },
        ),
        Packet::Frame(Frame::Told { id, part, last, text }) => object(
            TOLD,
            &WireTold {
                id: *id,
                part: *part,
                last: *last,
                text: text.clone(),
            },
        ),
    }
}

/// A packet from bytes.
///
/// # Errors
/// Only when the bytes are not `{"kind": …}` in JSON; everything else is [`Decoded`].
pub fn decode(bytes: &[u8]) -> Result<Decoded, NotAFrame> {
    let Kind { kind } = serde_json::from_slice(bytes)?;
    let read = match kind.as_str() {
        GREETING => body(bytes).map(Packet::Greeting),
        TURNED => body(bytes).map(Packet::Turned),
        HEARTBEAT => body(bytes).map(Packet::Heartbeat),
        PROTOCOL => protocol(bytes).map(Packet::Frame),
        COMPILATION_PAGE => page(bytes).map(Packet::Frame),
        HOST_VIEW => body(bytes).map(|value| Packet::Frame(Frame::HostView(value))),
        JOURNAL_LINE => body(bytes).map(|value| Packet::Frame(Frame::JournalLine(value))),
        ASKED => body(bytes).map(|WireAsked { id, question }| Packet::Frame(Frame::Asked { id, question })),
        TOLD => {
            body(bytes).map(|WireTold { id, part, last, text }| Packet::Frame(Frame::Told { id, part, last, text }))
        }
        _ => Err("this version does not know the kind".to_owned()),
    };
    Ok(match read {
        Ok(packet) => Decoded::Packet(packet),
        Err(because) => Decoded::Unknown { kind, because },
    })
}

fn protocol(bytes: &[u8]) -> Result<Frame, String> {
    let wire: WireProtocol = body(bytes)?;
    let service = ServiceName::new(&wire.service).map_err(|error| error.to_string())?;
    let envelope = wire.envelope.try_into().map_err(|error: BadWire| error.to_string())?;
    Ok(Frame::Protocol { service, envelope })
}

fn page(bytes: &[u8]) -> Result<Frame, String> {
    let wire: WirePage = body(bytes)?;
    let bad = |error: BadWire| error.to_string();
    Ok(Frame::CompilationPage {
        service: ServiceName::new(&wire.service).map_err(|error| error.to_string())?,
        round: wire.round.try_into().map_err(bad)?,
        page: wire.page,
        requests: wire
            .requests
            .into_iter()
            .map(TryInto::try_into)
            .collect::<Result<_, _>>()
            .map_err(bad)?,
    })
}

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice::<Body<T>>(bytes)
        .map(|with| with.body)
        .map_err(|error| error.to_string())
}

fn object<T: Serialize>(kind: &'static str, body: &T) -> Vec<u8> {
    // Plain structs with text keys: JSON can always express them.
    serde_json::to_vec(&Object { kind, body }).unwrap_or_default()
}

/// What a request takes on the wire, in bytes, with the comma after it. Written to be measured: how much of a text is
/// escaped, and how, only the writer knows.
fn size(request: &RequestStatus) -> usize {
    serde_json::to_vec(&request::RequestStatus::from(request)).map_or(0, |text| text.len()) + 1
}

#[derive(Serialize)]
struct Object<'a, T> {
    kind: &'static str,
    body: &'a T,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Deserialize)]
struct Body<T> {
    body: T,
}

#[derive(Serialize, Deserialize)]
struct WireProtocol {
    service: String,
    envelope: message::Envelope,
}

#[derive(Serialize, Deserialize)]
struct WirePage {
    service: String,
    round: number::Round,
    page: u32,
    requests: Vec<request::RequestStatus>,
}

#[derive(Serialize, Deserialize)]
struct WireAsked {
    id: u64,
    question: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct WireTold {
    id: u64,
    part: u32,
    last: bool,
    text: String,
}

const GREETING: &str = "greeting";
const TURNED: &str = "turned-away";
const HEARTBEAT: &str = "heartbeat";
const PROTOCOL: &str = "protocol";
const COMPILATION_PAGE: &str = "compilation-page";
const HOST_VIEW: &str = "host-view";
const JOURNAL_LINE: &str = "journal-line";
const ASKED: &str = "asked";
const TOLD: &str = "told";

/// Half of the largest frame: one request that takes as much as a page may is not worth cutting pages close.
const PAGE_BYTES: usize = 512 * 1024;
