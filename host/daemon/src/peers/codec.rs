//! Frames on a byte stream: a length (u32, big endian), then so many bytes.
//!
//! Invariants: no more than [`FRAME_LIMIT`] bytes are ever buffered for one frame, and a length above it ends the
//! connection before anything is allocated; a reader waits for no single byte longer than it was told to.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::LinkError;
use super::wire::{self, Decoded, Packet};

/// The reading end.
pub(super) struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(stream: R) -> Self {
        FrameReader {
            stream,
            buffer: BytesMut::with_capacity(READ_AT_ONCE),
        }
    }

    /// The next packet; gives up when nothing at all comes for `silence`.
    pub(super) async fn next(&mut self, silence: Duration) -> Result<Decoded, LinkError> {
        let bytes = self.bytes(silence).await?;
        Ok(wire::decode(&bytes)?)
    }

    async fn bytes(&mut self, silence: Duration) -> Result<Bytes, LinkError> {
        loop {
            if let Some(frame) = self.complete()? {
                return Ok(frame);
            }
            self.buffer.reserve(READ_AT_ONCE);
            let read = tokio::time::timeout(silence, self.stream.read_buf(&mut self.buffer)).await;
            if read.map_err(|_| LinkError::Silent(silence))?? == 0 {
                return Err(LinkError::Closed);
            }
        }
    }

    fn complete(&mut self) -> Result<Option<Bytes>, LinkError> {
        let Some(head) = self.buffer.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*head);
        if length > FRAME_LIMIT {
            return Err(LinkError::TooLarge {
                bytes: length,
                limit: FRAME_LIMIT,
            });
        }
        let length = length as usize;
        if self.buffer.len() < LENGTH_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

/// A packet as it goes over the wire; none when it is larger than a frame may be.
pub(super) fn frame(packet: &Packet) -> Option<Bytes> {
    let body = wire::encode(packet);
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= FRAME_LIMIT)?;
    let mut whole = BytesMut::with_capacity(LENGTH_BYTES + body.len());
    whole.extend_from_slice(&length.to_be_bytes());
    whole.extend_from_slice(&body);
    Some(whole.freeze())
}

/// Writes a framed packet and sees it off; `patience` is for a peer that does not read.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    stream: &mut W,
    framed: &[u8],
    patience: Duration,
) -> Result<(), LinkError> {
    let write = async {
        stream.write_all(framed).await?;
        stream.flush().await
    };
    Ok(tokio::time::timeout(patience, write)
        .await
        .map_err(|_| LinkError::Stuck(patience))??)
}

/// The largest frame. A page of a compilation is half of it; nothing else comes near.
pub(super) const FRAME_LIMIT: u32 = 1024 * 1024;
const LENGTH_BYTES: usize = 4;
/// One TLS record is 16 KiB at the most.
const READ_AT_ONCE: usize = 16 * 1024;
