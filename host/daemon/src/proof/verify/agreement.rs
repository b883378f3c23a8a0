//! Do the hosts' words agree? Whatever one heard the other said, in an order that can have been, and at times that fit
//! the clocks.
//!
//! The order is judged without any clock: each host's events happened one after the other, and a message was heard
//! after it was said. If the two accounts can't be laid into one line, one of them is untrue.

use std::collections::BTreeMap;

use super::findings::Findings;
use super::story::{Story, clocks_between};
use crate::proof::statement::{Direction, Happened, Said, Statement};

pub(super) fn check(story: &Story<'_>, findings: &mut Findings) {
    if story.halves.len() < 2 {
        findings.unproven("messages", "there is no second account to compare with");
        return;
    }
    let (mut pairs, mut against) = (Vec::new(), Vec::new());
    for (listener, half) in story.halves.iter().enumerate() {
        for (event, said) in half.messages().filter(|(_, said)| is_compared(said)) {
            let Some(speaker) = story.halves.iter().position(|other| other.host == said.peer) else {
                continue;
            };
            match said_by(&story.halves[speaker], &half.host, said) {
                Some(source) => pairs.push(Pair {
                    speaker,
                    source,
                    listener,
                    event,
                }),
                None => against.push(format!(
                    "{}.events[{}]: {} says that it never said this {} to {}",
                    half.host, event.n, said.peer, said.name, half.host
                )),
            }
        }
    }
    against.extend(impossible(story.halves, &pairs));
    findings.judge(
        "messages",
        against,
        format!(
            "each of the {} messages that were heard was said by the other, and before",
            pairs.len()
        ),
    );
    check_clocks(story.halves, &pairs, findings);
}

/// Of what is kept only where it moved the service on, the one that was heard need not be the one that was kept.
fn is_compared(said: &Said) -> bool {
    said.direction == Direction::Received && ALWAYS_KEPT.contains(&said.name.as_str())
}

/// A message that was heard, and its saying.
struct Pair<'a> {
    speaker: usize,
    source: &'a Happened,
    listener: usize,
    event: &'a Happened,
}

fn said_by<'a>(speaker: &'a Statement, to: &str, heard: &Said) -> Option<&'a Happened> {
    let same = |said: &Said| {
        said.direction == Direction::Sent && said.peer == to && said.name == heard.name && said.body == heard.body
    };
    speaker.messages().find(|(_, said)| same(said)).map(|(event, _)| event)
}

/// Lays all accounts into one line, each event after what it follows; says where that is not possible.
fn impossible(halves: &[Statement], pairs: &[Pair<'_>]) -> Option<String> {
    let after: BTreeMap<(usize, u64), (usize, u64)> = pairs
        .iter()
        .map(|pair| ((pair.listener, pair.event.n), (pair.speaker, pair.source.n)))
        .collect();
    let mut passed = vec![0u64; halves.len()];
    loop {
        let mut moved = false;
        for (host, half) in halves.iter().enumerate() {
            while passed[host] < half.events.len() as u64 {
                let next = passed[host] + 1;
                if after
                    .get(&(host, next))
                    .is_some_and(|(speaker, n)| passed[*speaker] < *n)
                {
                    break;
                }
                passed[host] = next;
                moved = true;
            }
        }
        let stuck = halves
            .iter()
            .zip(&passed)
            .find(|(half, passed)| **passed < half.events.len() as u64);
        match stuck {
            None => return None,
            Some((half, passed)) if !moved => {
                return Some(format!(
                    "{}.events[{}]: it was heard before it can have been said",
                    half.host,
                    passed + 1
                ));
            }
            Some(_) => {}
        }
    }
}

fn check_clocks(halves: &[Statement], pairs: &[Pair<'_>], findings: &mut Findings) {
    let (mut against, mut compared, mut worst) = (Vec::new(), 0, 0);
    for pair in pairs {
        let (speaker, listener) = (&halves[pair.speaker], &halves[pair.listener]);
        let Some((offset_us, uncertainty_us)) = clocks_between(listener, speaker) else {
            continue;
        };
        compared += 1;
        worst = worst.max(uncertainty_us);
        let said_us = i128::from(pair.source.at_ms) * 1000 - i128::from(offset_us);
        let heard_us = i128::from(pair.event.at_ms) * 1000;
        if heard_us + i128::from(uncertainty_us) + ROUNDING_US < said_us {
            against.push(format!(
                "{}.events[{}]: heard {} ms before {} said it, by clocks that were {:.3} ms apart; was one set meanwhile?",
                listener.host,
                pair.event.n,
                (said_us - heard_us) / 1000,
                speaker.host,
                offset_us as f64 / 1000.0,
            ));
        }
    }
    if compared == 0 {
        findings.unproven("clocks", "the hosts' clocks were not compared during the takeover");
    } else {
        let found = format!(
            "the times of {compared} messages fit, by clocks compared to within {:.3} ms",
            worst as f64 / 1000.0
        );
        findings.judge("clocks", against, found);
    }
}

/// What names its round or its forced term, and is therefore kept by whoever says it.
const ALWAYS_KEPT: [&str; 14] = [
    "FaultIndicated",
    "FaultReported",
    "ShutdownCommanded",
    "Declined",
    "Cancelled",
    "DrainProgressed",
    "ExtensionAsked",
    "ExtensionAnswered",
    "Compilation",
    "CompilationStored",
    "Released",
    "Fence",
    "FenceAck",
    "FenceRefused",
];
/// Times are whole milliseconds.
const ROUNDING_US: i128 = 2000;
