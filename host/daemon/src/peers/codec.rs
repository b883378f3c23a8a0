//! Reading and writing the frames of `understudy_wire` on a byte stream.
//!
//! Invariants: no more than one frame's limit is ever buffered for a frame, and a length above it ends the connection
//! before anything is allocated; a reader waits for no single byte longer than it was told to.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use understudy_wire::{Decoded, take_frame};

use super::error::LinkError;

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
        Ok(understudy_wire::decode(&bytes)?)
    }

    async fn bytes(&mut self, silence: Duration) -> Result<Bytes, LinkError> {
        loop {
            if let Some(frame) = take_frame(&mut self.buffer)? {
                return Ok(frame);
            }
            self.buffer.reserve(READ_AT_ONCE);
            let read = tokio::time::timeout(silence, self.stream.read_buf(&mut self.buffer)).await;
            if read.map_err(|_| LinkError::Silent(silence))?? == 0 {
                return Err(LinkError::Closed);
            }
        }
    }
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

/// One TLS record is 16 KiB at the most.
const READ_AT_ONCE: usize = 16 * 1024;
