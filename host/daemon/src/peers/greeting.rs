//! The first words of a connection: who is there, of which cluster, speaking which versions.
//!
//! Invariant: no frame is read before the greeting has been judged, and the judgement is a text that names both
//! sides' versions, so that an operator in the middle of an upgrade knows which host to upgrade.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use understudy_protocol::HostName;

use super::codec::{self, FrameReader};
use super::error::LinkError;
use understudy_wire::{Decoded, Greeting, Packet, Turned};

/// What this host says of itself.
#[derive(Debug)]
pub(super) struct Me {
    pub(super) host: HostName,
    /// The fingerprint of the cluster's authority.
    pub(super) cluster: String,
}

impl Me {
    fn greeting(&self) -> Greeting {
        Greeting {
            protocol: SPOKEN,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.host.to_string(),
            cluster: self.cluster.clone(),
        }
    }

    /// Sends this host's greeting.
    pub(super) async fn greet<W: AsyncWrite + Unpin>(
        &self,
        stream: &mut W,
        patience: Duration,
    ) -> Result<(), LinkError> {
        say(stream, &Packet::Greeting(self.greeting()), patience).await
    }

    /// Reads the other's greeting and judges it against the name in its certificate.
    pub(super) async fn hear<R: AsyncRead + Unpin>(
        &self,
        reader: &mut FrameReader<R>,
        certified: &HostName,
        patience: Duration,
    ) -> Result<(), LinkError> {
        match reader.next(patience).await? {
            Decoded::Packet(Packet::Greeting(theirs)) => {
                judge(&self.greeting(), &theirs, certified).map_err(LinkError::Refused)
            }
            Decoded::Packet(Packet::Turned(turned)) => Err(LinkError::TurnedAway(printable(&turned.reason))),
            Decoded::Packet(Packet::Heartbeat(_)) => Err(LinkError::NotAGreeting("heartbeat".into())),
            Decoded::Packet(Packet::Frame(frame)) => Err(LinkError::NotAGreeting(frame.kind().into())),
            Decoded::Unknown { kind, .. } => Err(LinkError::NotAGreeting(printable(&kind))),
        }
    }
}

/// Tells the other side why it is refused; whether it arrives does not matter.
pub(super) async fn turn_away<W: AsyncWrite + Unpin>(stream: &mut W, reason: &str, patience: Duration) {
    let _ = say(
        stream,
        &Packet::Turned(Turned {
            reason: reason.to_owned(),
        }),
        patience,
    )
    .await;
}

/// A peer's text, fit for a log line and an operator's terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(PRINTED).collect()
}

async fn say<W: AsyncWrite + Unpin>(stream: &mut W, packet: &Packet, patience: Duration) -> Result<(), LinkError> {
    match understudy_wire::frame(packet) {
        Some(framed) => codec::write(stream, &framed, patience).await,
        None => Ok(()),
    }
}

fn judge(mine: &Greeting, theirs: &Greeting, certified: &HostName) -> Result<(), String> {
    let ([my_min, my_max], [their_min, their_max]) = (mine.protocol, theirs.protocol);
    if theirs.host != certified.as_str() {
        let claimed = printable(&theirs.host);
        return Err(format!("it greets as {claimed}, and its certificate says {certified}"));
    }
    if theirs.cluster != mine.cluster {
        return Err(format!("{certified} belongs to another cluster"));
    }
    if my_max < their_min || their_max < my_min {
        let older = if my_max < their_min { &mine.host } else { &theirs.host };
        return Err(format!(
            "versions do not meet: {} runs understudy {} (speaks {my_min} to {my_max}), {certified} runs understudy {} \
             (speaks {their_min} to {their_max}); upgrade {older}",
            mine.host,
            mine.version,
            printable(&theirs.version),
        ));
    }
    Ok(())
}

/// The versions of the wire format that this daemon speaks: the lowest and the highest. What 2 adds (pauses, longer
/// drains, new reasons to say no) a host of 1 ignores: it loses nothing that is about safety.
const SPOKEN: [u32; 2] = [1, 2];
/// How much of a peer's text is worth a log line.
const PRINTED: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(host: &str, protocol: [u32; 2]) -> Greeting {
        Greeting {
            protocol,
            version: format!("0.{}.0", protocol[1]),
            host: host.into(),
            cluster: "c".into(),
        }
    }

    fn judged(mine: [u32; 2], theirs: [u32; 2]) -> Result<(), String> {
        judge(
            &greeting("alpha", mine),
            &greeting("beta", theirs),
            &HostName::new("beta").unwrap(),
        )
    }

    #[test]
    fn overlapping_versions_meet() {
        for (mine, theirs) in [([1, 1], [1, 1]), ([1, 2], [2, 3]), ([2, 3], [1, 2]), ([1, 9], [4, 5])] {
            assert_eq!(judged(mine, theirs), Ok(()));
        }
    }

    #[test]
    fn a_version_gap_names_both_and_the_one_to_upgrade() {
        assert_eq!(
            judged([1, 2], [3, 4]).unwrap_err(),
            "versions do not meet: alpha runs understudy 0.2.0 (speaks 1 to 2), beta runs understudy 0.4.0 (speaks 3 \
             to 4); upgrade alpha"
        );
        assert!(judged([3, 4], [1, 2]).unwrap_err().ends_with("upgrade beta"));
    }

    #[test]
    fn the_certificate_decides_who_it_is() {
        let judged = judge(
            &greeting("alpha", [1, 1]),
            &greeting("gamma", [1, 1]),
            &HostName::new("beta").unwrap(),
        );
        assert_eq!(judged.unwrap_err(), "it greets as gamma, and its certificate says beta");
    }

    #[test]
    fn a_peers_text_cannot_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a[2Jbc");
        assert_eq!(printable(&"x".repeat(5000)).len(), PRINTED);
    }
}
