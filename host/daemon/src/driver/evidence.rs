//! Which messages of a turn are kept as evidence of a takeover, and under which takeover. Pure.
//!
//! Invariant: every message that names a round is kept, on both sides; of the others, those that belong to a takeover
//! by their term, and any message that made a turn write a line of a round. Signs of life and the repeated stay-down
//! orders are kept only where they did something.

use understudy_protocol::{Entry, Envelope, Event, HostName, Message, Output, RoundId, ServiceName, Term};
use understudy_store::{ClockOffset, Direction, Said};

/// What was heard and will be said in a turn, in this order.
pub(super) fn of_turn(
    service: &ServiceName,
    event: &Event,
    output: &Output,
    clock: impl Fn(&HostName) -> Option<ClockOffset>,
) -> Vec<Said> {
    let said = |direction, peer: &HostName, message: &Message, takeover: String| Said {
        takeover,
        direction,
        peer: peer.clone(),
        name: message.name(),
        body: understudy_wire::message_json(message).to_string(),
        clock: clock(peer),
    };
    let entry = output.entry();
    let mut all = Vec::new();
    let mut heard = None;
    if let Event::Received(Envelope { from, message, .. }) = event
        && output.ignored().is_none()
    {
        heard = takeover_of(service, message, entry);
        let of_entry = || Some(entry?.round?.to_string());
        if let Some(takeover) = heard.clone().or_else(of_entry) {
            all.push(said(Direction::Received, from, message, takeover));
        }
    }
    for (to, message) in output.sends() {
        // An answer belongs to what it answers.
        if let Some(takeover) = takeover_of(service, message, entry).or_else(|| heard.clone()) {
            all.push(said(Direction::Sent, to, message, takeover));
        }
    }
    all
}

/// The id of a forced takeover, which has no round.
pub(crate) fn forced_id(service: &ServiceName, term: Term) -> String {
    format!("forced-{service}-{}", term.0)
}

/// The service and the term of a forced takeover's id.
pub(crate) fn parse_forced_id(id: &str) -> Option<(ServiceName, Term)> {
    let (service, term) = id.strip_prefix("forced-")?.rsplit_once('-')?;
    let term = Term(term.parse().ok()?);
    Some((ServiceName::new(service).ok()?, term)).filter(|_| term.is_forced())
}

fn takeover_of(service: &ServiceName, message: &Message, entry: Option<&Entry>) -> Option<String> {
    let forced = |term: Term| term.is_forced().then(|| forced_id(service, term));
    let of_entry = || Some(entry?.round?.to_string());
    match message {
        Message::FaultIndicated { round }
        | Message::FaultReported { round, .. }
        | Message::ShutdownCommanded { round, .. }
        | Message::Declined { round, .. }
        | Message::Cancelled { round, .. }
        | Message::DrainProgressed { round, .. }
        | Message::ExtensionAsked { round, .. }
        | Message::ExtensionAnswered { round, .. }
        | Message::Compilation { round, .. }
        | Message::CompilationStored { round, .. } => Some(RoundId::to_string(round)),
        Message::AdmissionYielded(grant) | Message::Released(grant) => Some(grant.round.to_string()),
        Message::TookOver { held } => of_entry().or_else(|| forced(*held)),
        Message::Refused { .. } | Message::TakeoverAsked { .. } | Message::AskRefused { .. } => of_entry(),
        Message::Fence { term, .. } | Message::FenceAck { term } | Message::FenceRefused { term, .. } => forced(*term),
        Message::Hello(_)
        | Message::HelloReply { .. }
        | Message::StayDown { .. }
        | Message::StayingDown { .. }
        | Message::Cured { .. }
        | Message::PausesTold { .. }
        | Message::ComeBackPermitted { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forced_takeovers_id_is_read_as_it_is_written() {
        let service = ServiceName::new("redis-main").unwrap();
        let term = Term::forced_above(Term(3), 1, 1_795_450_127);
        let id = forced_id(&service, term);
        assert_eq!(parse_forced_id(&id), Some((service, term)));
        for bad in [
            "forced-redis",
            "forced-redis-3",
            "redis-3765327128788992",
            "forced-redis-1.0",
        ] {
            assert_eq!(parse_forced_id(bad), None, "{bad}");
        }
    }
}
