//! Frames in a stream of bytes: a length (u32, big endian), then so many bytes.
//!
//! Invariant: a length above [`FRAME_LIMIT`] is refused before anything is allocated for it.

use bytes::{Buf, Bytes, BytesMut};

use super::{Packet, encode};

/// A frame is announced that is larger than any may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {bytes} bytes came, and {FRAME_LIMIT} are the limit")]
pub struct TooLarge {
    /// The announced length, in bytes.
    pub bytes: u32,
}

/// Takes the first frame off what has been read so far; none while it is not there as a whole.
///
/// # Errors
/// When it announces more than [`FRAME_LIMIT`] bytes.
pub fn take_frame(read: &mut BytesMut) -> Result<Option<Bytes>, TooLarge> {
    let Some(head) = read.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let bytes = u32::from_be_bytes(*head);
    if bytes > FRAME_LIMIT {
        return Err(TooLarge { bytes });
    }
    let length = bytes as usize;
    if read.len() < LENGTH_BYTES + length {
        return Ok(None);
    }
    read.advance(LENGTH_BYTES);
    Ok(Some(read.split_to(length).freeze()))
}

/// A packet as it goes over the wire; none when it is larger than a frame may be.
pub fn frame(packet: &Packet) -> Option<Bytes> {
    let body = encode(packet);
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= FRAME_LIMIT)?;
    let mut whole = BytesMut::with_capacity(LENGTH_BYTES + body.len());
    whole.extend_from_slice(&length.to_be_bytes());
    whole.extend_from_slice(&body);
    Some(whole.freeze())
}

/// The largest frame, in bytes. A page of a compilation is half of it; nothing else comes near.
pub const FRAME_LIMIT: u32 = 1024 * 1024;
const LENGTH_BYTES: usize = 4;
