//! What one round's samples and steps say. Pure.

use std::time::{Duration, Instant};

use super::clients::{Kind, Sample};
use super::subjects::Round;
use crate::cluster::HOSTS;

/// How long the parts of an exclusive move took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    /// From the first client that waits until the server is told to stop.
    pub(super) drain: Duration,
    /// Until the release is durable: the server is stopped, the address given up.
    pub(super) stop: Duration,
    /// From the grant until the second serves under the address.
    pub(super) start: Duration,
}

impl Parts {
    pub(super) fn sum(&self) -> Duration {
        self.drain + self.stop + self.start
    }
}

impl Round {
    pub(super) fn failed(&self, kind: Kind) -> usize {
        self.of(kind).filter(|one| one.answer.is_err()).count()
    }

    /// Long answers under way when the move was ordered.
    pub(super) fn in_flight(&self) -> usize {
        let Some(ordered) = self.ordered() else { return 0 };
        self.of(Kind::Slow)
            .filter(|one| one.due < ordered && one.due + one.took > ordered)
            .count()
    }

    /// The longest that a short request took, from when it was due.
    pub(super) fn worst_stall(&self) -> Duration {
        let short = self.samples.iter().filter(|one| one.kind != Kind::Slow);
        // The first moments open all the kept connections at once.
        let settled = self.began + Duration::from_millis(500);
        short
            .filter(|one| one.due > settled)
            .map(|one| one.took)
            .max()
            .unwrap_or_default()
    }

    /// From the order until a client has the first answer of the second host.
    pub(super) fn first_by_second(&self) -> Option<Duration> {
        let by_second = |one: &&Sample| one.answer.as_deref() == Ok(HOSTS[1]);
        let first = self
            .samples
            .iter()
            .filter(by_second)
            .map(|one| one.due + one.took)
            .min()?;
        first.checked_duration_since(self.ordered()?)
    }

    /// When the move was ordered.
    pub(super) fn ordered(&self) -> Option<Instant> {
        self.steps.first().map(|(_, at)| *at)
    }

    /// How long after the order each thing happened first.
    pub(super) fn since_order(&self) -> Vec<(&str, Duration)> {
        let Some(ordered) = self.ordered() else {
            return Vec::new();
        };
        let mut all: Vec<(&str, Duration)> = Vec::new();
        for (what, at) in &self.steps {
            if !all.iter().any(|(known, _)| known == what) {
                all.push((what, at.saturating_duration_since(ordered)));
            }
        }
        all
    }

    /// The parts of the move, where two daemons moved the service with one server at a time.
    pub(super) fn parts(&self) -> Option<Parts> {
        let steps = self.since_order();
        let at = |wanted: &str| {
            let step = steps.iter().find(|(what, _)| *what == wanted)?;
            Some(step.1)
        };
        let between = |from: &str, to: &str| at(to)?.checked_sub(at(from)?);
        Some(Parts {
            drain: between("drain-started", "server-stopping")?,
            stop: between("server-stopping", "released")?,
            start: between("grant-accepted", "serving")?,
        })
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |one| one.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_read_from_both_journals() {
        let began = Instant::now();
        let step = |what: &str, ms: u64| (what.to_owned(), began + Duration::from_millis(ms));
        let mut round = Round {
            samples: Vec::new(),
            began,
            steps: vec![
                step("ordered", 1000),
                step("drain-started", 1010),
                step("server-stopping", 2510),
                step("released", 2600),
                step("grant-accepted", 2605),
                step("serving", 2700),
                step("serving", 9000),
            ],
        };
        let parts = round.parts().unwrap();
        let ms = [parts.drain, parts.stop, parts.start, parts.sum()].map(|part| part.as_millis());
        assert_eq!(ms, [1500, 90, 95, 1685]);
        round.steps.retain(|(what, _)| what != "released");
        assert_eq!(round.parts(), None);
    }
}
