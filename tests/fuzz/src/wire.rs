//! Targets of the wire: a packet, frames in a stream, and a compilation cut into pages.

use bytes::BytesMut;
use understudy_protocol::{Progress, RequestState, RequestStatus, RoundId, ServiceName, StoreId};
use understudy_wire::{Decoded, FRAME_LIMIT, Frame, Packet, TooLarge, decode, encode, frame, take_frame};

use crate::taker::Taker;

/// Any bytes as one packet: read, written and read again it is the same.
///
/// # Panics
/// When it is not, or when writing it takes unreasonably more room than it came in.
pub fn wire_packet(bytes: &[u8]) {
    let Ok(Decoded::Packet(packet)) = decode(bytes) else {
        return;
    };
    let again = encode(&packet);
    assert!(
        again.len() <= GROWTH * bytes.len() + ROOM,
        "{} bytes became {}",
        bytes.len(),
        again.len()
    );
    match decode(&again) {
        Ok(Decoded::Packet(read)) => assert_eq!(read, packet),
        other => panic!("what was read can't be read again: {other:?}"),
    }
}

/// Any bytes as a stream of frames, as they come from a socket: in whichever pieces they come, the frames are the same.
///
/// # Panics
/// When they are not.
pub fn wire_stream(bytes: &[u8]) {
    let mut taker = Taker(bytes);
    let piece = usize::from(taker.byte()) + 1;
    let stream = taker.0;
    let (whole, in_pieces) = (frames(stream, stream.len().max(1)), frames(stream, piece));
    assert_eq!(whole, in_pieces, "in pieces of {piece}");
    let taken: usize = whole.0.iter().map(|frame| frame.len() + 4).sum();
    assert!(taken <= stream.len());
    for body in whole.0 {
        assert!(body.len() <= FRAME_LIMIT as usize);
        wire_packet(&body);
    }
}

/// A compilation described by any bytes: nothing of it is lost, and every page fits into a frame unless it is one
/// request that is larger than any that a plugin may list.
///
/// # Panics
/// When a page does not fit, or something is lost.
pub fn wire_pages(bytes: &[u8]) {
    let mut taker = Taker(bytes);
    let mut requests = Vec::new();
    while !taker.is_empty() && requests.len() < MOST_REQUESTS {
        requests.push(request(&mut taker, requests.len()));
    }
    let Ok(service) = ServiceName::new("web") else { return };
    let round = RoundId {
        store: StoreId(1),
        counter: 1,
    };
    let mut back = Vec::new();
    for (number, page) in Frame::compilation_pages(&service, round, requests.clone())
        .into_iter()
        .enumerate()
    {
        let Frame::CompilationPage {
            page: says, requests, ..
        } = &page
        else {
            panic!("{page:?} is no page");
        };
        assert_eq!(*says as usize, number);
        back.extend(requests.iter().cloned());
        let must_fit = requests.len() > 1 || requests.iter().all(may_be_listed);
        let framed = frame(&Packet::Frame(page));
        assert!(!must_fit || framed.is_some(), "page {number} is larger than a frame");
    }
    assert_eq!(back, requests);
}

/// What comes out of a stream that is read in pieces: the frames, and why it ended if not by the stream's end.
fn frames(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<TooLarge>) {
    let (mut read, mut frames) = (BytesMut::new(), Vec::new());
    for piece in stream.chunks(piece) {
        read.extend_from_slice(piece);
        loop {
            match take_frame(&mut read) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(refused) => return (frames, Some(refused)),
            }
        }
    }
    (frames, None)
}

fn request(taker: &mut Taker, number: usize) -> RequestStatus {
    let mut text = || {
        let letter = LETTERS[usize::from(taker.byte()) % LETTERS.len()];
        letter.to_string().repeat(usize::from(taker.u16()))
    };
    RequestStatus {
        id: format!("{number}-{}", text()),
        client: text(),
        operation: text(),
        state: RequestState::Running,
        started_at_ms: u64::MAX,
        progress: Some(Progress {
            done: u64::MAX,
            total: Some(u64::MAX),
            unit: text(),
        }),
        idempotency_key: Some(text()),
        resume: Some(text().into_bytes()),
        attributes: vec![(text(), text()); 3],
    }
}

/// Whether the runtime takes it from a plugin (`understudy_runtime`'s `answer.rs`).
fn may_be_listed(request: &RequestStatus) -> bool {
    let unit = request.progress.as_ref().map(|progress| &progress.unit);
    let texts = [
        Some(&request.client),
        Some(&request.operation),
        request.idempotency_key.as_ref(),
        unit,
    ];
    let attributes: usize = request
        .attributes
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    texts.iter().flatten().all(|text| text.len() <= 4096)
        && request.resume.as_ref().is_none_or(|resume| resume.len() <= 64 << 10)
        && request.id.len() <= 256
        && attributes <= 96 << 10
}

/// What JSON writes as one byte, two, three, four, or six.
const LETTERS: [char; 8] = ['a', '"', '\\', '\n', '\u{1}', '\u{7f}', 'é', '\u{10ffff}'];
/// Fields that may be left out are written again as `null`, at most this much larger…
const GROWTH: usize = 3;
/// … and a packet that leaves all of them out is as small as this.
const ROOM: usize = 4096;
/// As much as a second's fuzzing can try many times.
const MOST_REQUESTS: usize = 16;
