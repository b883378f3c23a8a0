//! Moves bytes between one client and one server, each direction by itself, so that either may finish first.
//!
//! Invariant: bytes are taken from a side only when the other has taken all earlier ones; so what is not forwarded yet
//! is in the kernel, not here. Stopping an upward pump that waits for the client therefore loses nothing.

use std::io;
use std::net::Shutdown;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::ledger::{Account, Gate};
use super::speech;
use super::through::Through;

/// How one direction ended.
#[derive(Debug)]
pub(super) enum End {
    /// The speaking side has finished, and all it said is delivered.
    Finished,
    /// The speaking side broke off; what it said before is delivered.
    SpeakerBroke,
    /// The listening side takes nothing any more.
    ListenerBroke,
}

/// Client to server, until the client has finished; waits while the client is held back.
pub(super) async fn upward(account: &Account, client: &TcpStream, server: &TcpStream) -> End {
    let mut gate = account.gate();
    let mut through = Through::default();
    let mut first = account.history().untouched();
    loop {
        // The sender lives in the account, so this can't fail.
        let _ = gate.wait_for(|gate| *gate == Gate::Open).await;
        if through.readable(client).await.is_err() {
            return End::SpeakerBroke;
        }
        let taken = account.take_from_client(|| through.take(client, None), |taken| taken.as_ref().ok().copied());
        match taken {
            None => continue,
            Some(Ok(0)) => return finish(server),
            Some(Ok(_)) => {
                if std::mem::take(&mut first) {
                    account.opened_with(through.copied());
                }
                if through.give(server).await.is_err() {
                    return End::ListenerBroke;
                }
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Some(Err(_)) => return End::SpeakerBroke,
        }
    }
}

/// Server to client, until the server has finished. Leaves the client's connection open: the caller decides what the
/// server's end means to the client.
pub(super) async fn downward(account: &Account, client: &TcpStream, server: &TcpStream) -> End {
    let mut through = Through::default();
    loop {
        if through.readable(server).await.is_err() {
            return End::SpeakerBroke;
        }
        match through.take(server, Some(speech::INTERIM)) {
            Ok(0) => return End::Finished,
            Ok(bytes) => {
                account.server_said(through.copied(), bytes);
                if through.give(client).await.is_err() {
                    return End::ListenerBroke;
                }
                account.delivered();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return End::SpeakerBroke,
        }
    }
}

/// Says to `side` that nothing more comes.
pub(super) fn finish(side: &TcpStream) -> End {
    match SockRef::from(side).shutdown(Shutdown::Write) {
        Ok(()) => End::Finished,
        Err(_) => End::ListenerBroke,
    }
}

/// Lets the other side see a break instead of an orderly end, so that it does not take a cut answer for a whole one.
pub(super) fn reset(side: TcpStream) {
    let _ = SockRef::from(&side).set_linger(Some(std::time::Duration::ZERO));
}

/// Writes all of it.
pub(super) async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
