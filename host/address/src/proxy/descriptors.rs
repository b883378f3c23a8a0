//! Frames with at most one descriptor each, over a unix socket: the wire of a hand-over.
//!
//! A frame is a length (u32, little endian), then that many bytes; a descriptor travels with the frame's first byte.
//! Blocking, with the socket's own time-outs: call it from a blocking thread.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// Sends a frame, with a descriptor if there is one.
pub(super) fn send(stream: &UnixStream, text: &str, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let length = u32::try_from(text.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?
        .to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    let sent =
        rustix::io::retry_on_intr(|| sendmsg(stream, &[IoSlice::new(&length)], &mut control, SendFlags::NOSIGNAL))?;
    let mut stream = stream;
    stream.write_all(length.get(sent..).unwrap_or_default())?;
    stream.write_all(text.as_bytes())
}

/// Receives a frame, with its descriptor if it has one.
pub(super) fn receive(stream: &UnixStream) -> io::Result<(String, Option<OwnedFd>)> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::io::retry_on_intr(|| {
        recvmsg(
            stream,
            &mut [IoSliceMut::new(&mut length)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    if got.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let mut stream = stream;
    stream.read_exact(length.get_mut(got.bytes..).unwrap_or_default())?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes"),
        ));
    }
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text)?;
    let text = String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok((text, descriptor))
}

/// Far above any frame that is sent; a stranger can't make us reserve more.
const LONGEST_FRAME: u32 = 4096;

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn frames_keep_their_descriptors_and_their_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut kept, passed) = UnixStream::pair().unwrap();
        send(&ours, "first", None).unwrap();
        send(&ours, "second", Some(passed.as_fd())).unwrap();
        send(&ours, "", None).unwrap();
        drop((ours, passed));
        assert!(matches!(receive(&theirs).unwrap(), (text, None) if text == "first"));
        let (text, descriptor) = receive(&theirs).unwrap();
        assert_eq!(text, "second");
        UnixStream::from(descriptor.unwrap()).write_all(b"through").unwrap();
        let mut said = [0; 7];
        kept.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"through");
        assert!(matches!(receive(&theirs).unwrap(), (text, None) if text.is_empty()));
        assert_eq!(receive(&theirs).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn an_absurd_length_is_refused() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert_eq!(receive(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
