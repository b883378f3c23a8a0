//! Who was who in the takeover, and how far it went; and looking things up in what a host states.

use serde_json::Value;
use understudy_api::wire::ProofBundle;

use super::findings::Findings;
use crate::proof::statement::{Direction, Happened, Said, Statement, Step};

/// The takeover, as the halves tell it.
pub(super) struct Story<'a> {
    pub(super) halves: &'a [Statement],
    pub(super) course: Course,
    /// Both servers ran, and admission moved first.
    pub(super) overlaps: bool,
    /// Who gives; of a forced takeover nobody.
    pub(super) first: Option<&'a Statement>,
    /// Who takes.
    pub(super) second: Option<&'a Statement>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// The token moved by a release.
    Moved,
    /// Nothing was released: the first holds the service as before.
    Kept,
    /// An operator vouched that the silent hosts are stopped.
    Forced,
}

impl<'a> Story<'a> {
    pub(super) fn of(halves: &'a [Statement]) -> Self {
        let forced = halves.iter().any(|half| half.takeover.starts_with("forced-"));
        let says = |half: &Statement, name: &str| half.messages().any(|(_, said)| said.name == name);
        let overlaps = halves
            .iter()
            .any(|half| half.step("admission-yielded").is_some() || says(half, "AdmissionYielded"));
        let moved = overlaps
            || halves.iter().any(|half| {
                half.step("released").is_some() || half.step("grant-accepted").is_some() || says(half, "Released")
            });
        let course = match (forced, moved) {
            (true, _) => Course::Forced,
            (false, true) => Course::Moved,
            (false, false) => Course::Kept,
        };
        let (first, second) = if forced {
            (None, halves.iter().find(|half| half.step("force-begun").is_some()))
        } else {
            let says = |direction| {
                halves.iter().find(|half| {
                    half.messages()
                        .any(|(_, said)| said.direction == direction && HOLDERS.contains(&said.name.as_str()))
                })
            };
            (says(Direction::Sent), says(Direction::Received))
        };
        Story {
            halves,
            course,
            overlaps,
            first,
            second,
        }
    }

    /// Says who was who, and whether both words are there.
    pub(super) fn tell(&self, bundle: &ProofBundle, findings: &mut Findings) {
        let name = |half: Option<&Statement>| half.map_or("somebody", |half| half.host.as_str()).to_owned();
        let (first, second) = (name(self.first), name(self.second));
        let what = match self.course {
            Course::Moved => format!("{first} gave {} to {second}", bundle.service),
            Course::Kept => format!(
                "{first} asked {second}, nothing was released, {first} kept {}",
                bundle.service
            ),
            Course::Forced => format!("{second} took {} by force", bundle.service),
        };
        let complete = self.second.is_some() && (self.first.is_some() || self.course == Course::Forced);
        let absent: Vec<String> = bundle
            .absent
            .iter()
            .map(|absence| format!("{}: {}", absence.host, absence.because))
            .collect();
        if complete && absent.is_empty() {
            findings.holds("hosts", what);
        } else if self.halves.len() == 1 {
            let absent = absent.join("; ");
            let host = &self.halves[0].host;
            findings.unproven(
                "hosts",
                format!("one host's word only, {host}'s: {what}; absent: {absent}"),
            );
        } else {
            findings.unproven("hosts", format!("{what}; absent: {}", absent.join("; ")));
        }
        let finished = match self.course {
            Course::Moved => self.second.is_none_or(|second| second.step("took-over").is_some()),
            Course::Forced => self.second.is_none_or(|second| second.step("serving").is_some()),
            Course::Kept => self
                .first
                .is_none_or(|first| first.steps().any(|(_, step)| ENDS.contains(&step.name.as_str()))),
        };
        if finished {
            findings.holds("finished", "it was over when the halves were signed");
        } else {
            findings.unproven(
                "finished",
                "it was still under way when the halves were signed: make the bundle again",
            );
        }
    }
}

impl Statement {
    pub(super) fn steps(&self) -> impl Iterator<Item = (&Happened, &Step)> {
        self.events
            .iter()
            .filter_map(|event| Some((event, event.step.as_ref()?)))
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = (&Happened, &Said)> {
        self.events
            .iter()
            .filter_map(|event| Some((event, event.message.as_ref()?)))
    }

    /// The first step of this name.
    pub(super) fn step(&self, name: &str) -> Option<(&Happened, &Step)> {
        self.steps().find(|(_, step)| step.name == name)
    }

    /// The last step of this name.
    pub(super) fn last_step(&self, name: &str) -> Option<(&Happened, &Step)> {
        self.steps().filter(|(_, step)| step.name == name).last()
    }

    /// The first message of this name that went this way.
    pub(super) fn message(&self, direction: Direction, name: &str) -> Option<(&Happened, &Said)> {
        self.messages()
            .find(|(_, said)| said.direction == direction && said.name == name)
    }

    /// The peer's clock less this host's, and how sure that is, in microseconds.
    pub(super) fn clock_of(&self, peer: &str) -> Option<(i64, i64)> {
        let reading = self.clocks.iter().find(|reading| reading.peer == peer)?;
        Some((reading.offset_us, reading.uncertainty_us))
    }
}

/// How `b`'s clock stands to `a`'s, as either of them measured it: the surer word counts.
pub(super) fn clocks_between(a: &Statement, b: &Statement) -> Option<(i64, i64)> {
    let forth = a.clock_of(&b.host);
    let back = b
        .clock_of(&a.host)
        .map(|(offset, uncertainty)| (offset.saturating_neg(), uncertainty));
    forth
        .into_iter()
        .chain(back)
        .min_by_key(|(_, uncertainty)| *uncertainty)
}

/// A round within a message, as text.
pub(super) fn round_text(round: &Value) -> Option<String> {
    Some(format!("{}-{}", round["store"].as_str()?, round["counter"].as_u64()?))
}

/// What only the holder of the service says.
const HOLDERS: [&str; 7] = [
    "FaultIndicated",
    "FaultReported",
    "Cancelled",
    "DrainProgressed",
    "Compilation",
    "AdmissionYielded",
    "Released",
];
/// How a round ends that moved nothing.
const ENDS: [&str; 7] = [
    "candidate-declined",
    "candidate-silent",
    "ask-ended",
    "drain-aborted",
    "offer-stale",
    "address-not-dropped",
    "parked",
];
