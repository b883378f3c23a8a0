//! Did each host take its steps in the protocol's order, in one round and with the right terms?

use super::findings::Findings;
use super::overlap;
use super::story::{Course, Story, round_text};
use crate::proof::statement::{Direction, Statement};

pub(super) fn check(story: &Story<'_>, findings: &mut Findings) {
    let rounds = wrong_rounds(story);
    findings.judge("round", rounds, "every step and every message is of this takeover");
    match story.course {
        Course::Moved => {
            let mut against = Vec::new();
            let (firsts, seconds): (&[Chain], &[Chain]) = if story.overlaps {
                (&overlap::FIRST, &overlap::SECOND)
            } else {
                (&[FIRST], &[SECOND])
            };
            for (half, chains) in [(story.first, firsts), (story.second, seconds)] {
                let Some(half) = half else { continue };
                against.extend(chains.iter().filter_map(|chain| out_of_order(half, chain)));
            }
            findings.judge(
                "order",
                against,
                if story.overlaps {
                    "server warm before the offer, new clients sent on before the yield was said, compilation stored before the release"
                } else {
                    "offer before drain, compilation stored before the server stopped, released before activated"
                },
            );
            findings.judge(
                "terms",
                terms(story),
                "one term given up, a higher one granted to one host, and used by it",
            );
        }
        Course::Kept => findings.holds("order", "no host has gone past the point of no return"),
        Course::Forced => forced(story, findings),
    }
}

/// Something a host did or heard.
pub(super) enum Mark {
    Did(&'static str),
    Heard(&'static str),
    Says(&'static str),
}
use Mark::{Did, Heard, Says};

/// What a host does one after the other.
pub(super) struct Chain {
    pub(super) marks: &'static [Mark],
    /// From here on a takeover that is under way may not have come to it; whether it is over is a check of its own.
    pub(super) open_from: usize,
}

const FIRST: Chain = Chain {
    marks: &[
        Heard("ShutdownCommanded"),
        Did("drain-started"),
        Did("compilation-sealed"),
        Says("Compilation"),
        Heard("CompilationStored"),
        Did("server-stopping"),
        Did("server-stopped"),
        Did("released"),
        Says("Released"),
    ],
    open_from: 9,
};
const SECOND: Chain = Chain {
    marks: &[
        Heard("FaultReported"),
        Did("shutdown-commanded"),
        Says("ShutdownCommanded"),
        Heard("Compilation"),
        Did("compilation-stored"),
        Says("CompilationStored"),
        Heard("Released"),
        Did("grant-accepted"),
        Did("server-serves"),
        Did("serving"),
    ],
    open_from: 8,
};

fn out_of_order(half: &Statement, chain: &Chain) -> Option<String> {
    let mut last = (0, "");
    let mut missing = None;
    for (place, mark) in chain.marks.iter().enumerate() {
        let (name, found) = found(half, mark);
        match (found, missing) {
            (None, None) if place < chain.open_from => {
                return Some(format!("{}: {name} is missing, after {}", half.host, last.1));
            }
            (None, _) => missing = missing.or(Some(name)),
            (Some(n), Some(missing)) => {
                return Some(format!("{}.events[{n}]: {name}, and {missing} is missing", half.host));
            }
            (Some(n), None) if n < last.0 => {
                return Some(format!("{}.events[{n}]: {name} comes before {}", half.host, last.1));
            }
            (Some(n), None) => last = (n, name),
        }
    }
    None
}

fn found(half: &Statement, mark: &Mark) -> (&'static str, Option<u64>) {
    match mark {
        Did(name) => (name, half.step(name).map(|(event, _)| event.n)),
        Heard(name) => (name, half.message(Direction::Received, name).map(|(event, _)| event.n)),
        Says(name) => (name, half.message(Direction::Sent, name).map(|(event, _)| event.n)),
    }
}

fn wrong_rounds(story: &Story<'_>) -> Vec<String> {
    if story.course == Course::Forced {
        return Vec::new();
    }
    let mut against = Vec::new();
    for half in story.halves {
        let other = |n: u64| format!("{}.events[{n}]: it is of another round", half.host);
        for (event, step) in half.steps() {
            if step.round.as_deref() != Some(&half.takeover) {
                against.push(other(event.n));
            }
        }
        for (event, said) in half.messages() {
            let round = match said.name.as_str() {
                "Released" | "AdmissionYielded" => &said.body["grant"]["round"],
                _ => &said.body["round"],
            };
            if !round.is_null() && round_text(round).as_deref() != Some(&half.takeover) {
                against.push(other(event.n));
            }
        }
    }
    against
}

fn terms(story: &Story<'_>) -> Vec<String> {
    let mut against = Vec::new();
    let (given_up, token) = if story.overlaps {
        ("admission-yielded", "AdmissionYielded")
    } else {
        ("released", "Released")
    };
    let released = |half: &Statement, direction| {
        let messages = half
            .messages()
            .filter(|(_, said)| said.direction == direction && said.name == token);
        messages
            .last()
            .map(|(event, said)| (event.n, said.body["grant"].clone()))
    };
    if let Some(first) = story.first {
        let held: Vec<(u64, u64)> = first
            .steps()
            .take_while(|(_, step)| step.name != given_up)
            .map(|(event, step)| (event.n, step.term))
            .collect();
        if let Some((n, _)) = held
            .iter()
            .find(|(_, term)| Some(*term) != held.first().map(|(_, first)| *first))
        {
            against.push(format!(
                "{}.events[{n}]: the term changes before the release",
                first.host
            ));
        }
        match (released(first, Direction::Sent), held.first()) {
            (Some((n, grant)), Some((_, held))) if grant["new_term"].as_u64().is_none_or(|new| new <= *held) => {
                against.push(format!(
                    "{}.events[{n}]: the granted term is not above {held}",
                    first.host
                ));
            }
            _ => {}
        }
        let offered = first.message(Direction::Received, "ShutdownCommanded");
        if let (Some((n, grant)), Some((_, offer))) = (released(first, Direction::Sent), offered)
            && (grant["to"].as_str() != Some(&offer.peer)
                || grant["new_term"].as_u64() < offer.body["new_term"].as_u64())
        {
            against.push(format!(
                "{}.events[{n}]: the grant is not what {} offered",
                first.host, offer.peer
            ));
        }
    }
    if let Some(second) = story.second {
        let accepted = second.step("grant-accepted");
        if let (Some((n, grant)), Some((_, step))) = (released(second, Direction::Received), accepted)
            && (grant["to"].as_str() != Some(&second.host) || grant["new_term"].as_u64() != Some(step.term))
        {
            against.push(format!(
                "{}.events[{n}]: the grant is not the one that was accepted",
                second.host
            ));
        }
        if let Some((accepted, with)) = accepted {
            let later = second.steps().filter(|(event, _)| event.n > accepted.n);
            let mut other = later.filter(|(_, step)| step.term < with.term);
            if let Some((event, _)) = other.next() {
                against.push(format!(
                    "{}.events[{}]: its term is below the granted one",
                    second.host, event.n
                ));
            }
        }
    }
    against
}

/// Nobody released: everybody who was not vouched for must have promised.
fn forced(story: &Story<'_>, findings: &mut Findings) {
    let Some(forcer) = story.second else { return };
    let begun = forcer.step("force-begun").map_or("", |(_, step)| step.detail.as_str());
    findings.unproven(
        "vouched",
        format!("it rests on an operator's word, which nothing can prove: {begun}"),
    );
    let Some((serves, _)) = forcer.step("serving") else {
        return;
    };
    let fenced = forcer
        .messages()
        .filter(|(_, said)| said.direction == Direction::Sent && said.name == "Fence");
    let promised = |peer: &str| {
        forcer.messages().any(|(event, said)| {
            said.direction == Direction::Received && said.name == "FenceAck" && said.peer == peer && event.n < serves.n
        })
    };
    let unpromised = fenced.filter(|(_, said)| !promised(&said.peer));
    let against = unpromised
        .map(|(event, said)| format!("{}.events[{}]: {} never promised", forcer.host, event.n, said.peer))
        .collect();
    findings.judge(
        "order",
        against,
        "every host that was not vouched for promised the term before it was used",
    );
}
