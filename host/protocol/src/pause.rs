//! Pauses: while one is in force, no takeover and no giveback is begun by itself. An operator sets one for a service, a
//! host or the whole cluster; the flap guard sets one for a service that moves too often.
//!
//! Invariants: of two words about one scope the one with the higher stamp holds, on every host; a pause that has ended
//! by itself needs no word, everybody sees the time; a pause of a host is that host's own and is told to nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{HostName, RoundId, Time};

/// What a pause covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PauseScope {
    /// This service on every host, because the whole cluster is paused.
    Cluster,
    /// This service on every host.
    Service,
    /// Every service on one host: nothing moves to it or away from it by itself.
    Host,
    /// This service on every host, because it moved too often by itself.
    Flapping,
}

impl PauseScope {
    /// Every scope.
    pub const ALL: [PauseScope; 4] = [
        PauseScope::Cluster,
        PauseScope::Service,
        PauseScope::Host,
        PauseScope::Flapping,
    ];

    /// The scope's name in the store, on the wire, in REST and the UI.
    pub fn as_str(self) -> &'static str {
        match self {
            PauseScope::Cluster => "cluster",
            PauseScope::Service => "service",
            PauseScope::Host => "host",
            PauseScope::Flapping => "flapping",
        }
    }
}

impl std::fmt::Display for PauseScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who paused, why, since when and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Time,
    /// When it ends by itself; none: when somebody ends it.
    pub until: Option<Time>,
}

/// The last word about one scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PauseWord {
    /// Rises with every word; the higher one holds.
    pub stamp: u64,
    /// Who said it; decides between equal stamps.
    pub from: HostName,
    /// When it was said.
    pub at: Time,
    /// The pause; none: it was ended.
    pub pause: Option<Pause>,
}

impl PauseWord {
    fn rank(&self) -> (u64, &HostName) {
        (self.stamp, &self.from)
    }

    fn in_force(&self, now: Time) -> Option<&Pause> {
        self.pause
            .as_ref()
            .filter(|pause| pause.until.is_none_or(|until| until > now))
    }
}

/// The pauses of one service, and its moves that count against it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Pauses {
    /// The last word about each scope.
    pub words: BTreeMap<PauseScope, PauseWord>,
    /// When the service moved by itself, by the round that moved it.
    pub moves: BTreeMap<RoundId, Time>,
}

/// More moves than any guard counts: the oldest are forgotten.
const MOVES_MOST: usize = 64;

impl Pauses {
    /// Whether nothing was ever said or counted.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.moves.is_empty()
    }

    /// The pauses in force, the widest first.
    pub fn in_force(&self, now: Time) -> impl Iterator<Item = (PauseScope, &Pause)> {
        self.words
            .iter()
            .filter_map(move |(scope, word)| Some((*scope, word.in_force(now)?)))
    }

    /// When the next of them ends by itself.
    pub(crate) fn next_end(&self, now: Time) -> Option<Time> {
        self.in_force(now).filter_map(|(_, pause)| pause.until).min()
    }

    /// Whether a word is in force, or so new that it may not have reached everybody.
    pub(crate) fn worth_repeating(&self, now: Time, fresh: Duration) -> bool {
        self.words
            .iter()
            .filter(|(scope, _)| **scope != PauseScope::Host)
            .any(|(_, word)| word.in_force(now).is_some() || word.at.until(now) < fresh)
    }

    /// A new word of this host about one scope.
    pub(crate) fn say(&mut self, scope: PauseScope, from: &HostName, at: Time, pause: Option<Pause>) {
        let stamp = self.words.get(&scope).map_or(0, |word| word.stamp) + 1;
        let from = from.clone();
        self.put(scope, PauseWord { stamp, from, at, pause });
    }

    fn put(&mut self, scope: PauseScope, word: PauseWord) {
        if scope == PauseScope::Flapping && word.pause.is_none() {
            let ended = word.at;
            self.moves.retain(|_, at| *at > ended);
        }
        self.words.insert(scope, word);
    }

    /// Takes over what another host knows better. Whether anything changed.
    pub(crate) fn learn(&mut self, theirs: &Pauses) -> bool {
        let before = self.clone();
        for (scope, word) in theirs.words.iter().filter(|(scope, _)| **scope != PauseScope::Host) {
            if self.words.get(scope).is_none_or(|mine| mine.rank() < word.rank()) {
                self.put(*scope, word.clone());
            }
        }
        for (round, at) in &theirs.moves {
            self.count(*round, *at);
        }
        *self != before
    }

    /// Whether another host should be told: it lacks a word or a move of this one.
    pub(crate) fn knows_more_than(&self, theirs: &Pauses) -> bool {
        theirs.clone().learn(self)
    }

    /// Counts a move; one that was forgiven since does not count.
    pub(crate) fn count(&mut self, round: RoundId, at: Time) {
        let forgiven = self
            .words
            .get(&PauseScope::Flapping)
            .filter(|word| word.pause.is_none());
        if forgiven.is_some_and(|word| at <= word.at) {
            return;
        }
        let seen = self.moves.entry(round).or_insert(at);
        *seen = (*seen).min(at);
        while self.moves.len() > MOVES_MOST {
            let oldest = self.moves.iter().min_by_key(|(_, at)| **at).map(|(round, _)| *round);
            self.moves.retain(|round, _| Some(*round) != oldest);
        }
    }

    /// How many moves there were in the time before now.
    pub(crate) fn moves_within(&self, window: Duration, now: Time) -> u32 {
        let count = self.moves.values().filter(|at| at.until(now) < window).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// What other hosts are told: not the pause of this host.
    pub(crate) fn told(&self) -> Pauses {
        let mut told = self.clone();
        told.words.remove(&PauseScope::Host);
        told
    }

    /// After a start with a clock that was set back, nothing lies in the future: lengths are kept.
    pub(crate) fn not_after(&mut self, now: Time) {
        for word in self.words.values_mut() {
            word.at = word.at.min(now);
            if let Some(pause) = &mut word.pause
                && pause.since > now
            {
                pause.until = pause.until.map(|until| now + pause.since.until(until));
                pause.since = now;
            }
        }
        self.moves.values_mut().for_each(|at| *at = (*at).min(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreId;

    fn pause(reason: &str, until: Option<u64>) -> Option<Pause> {
        Some(Pause {
            by: "anna".to_owned(),
            reason: reason.to_owned(),
            since: Time(10),
            until: until.map(Time),
        })
    }

    fn round(counter: u64) -> RoundId {
        let store = StoreId(1);
        RoundId { store, counter }
    }

    fn host(text: &str) -> HostName {
        HostName::new(text).unwrap()
    }

    #[test]
    fn the_later_word_holds_whatever_the_order_of_hearing() {
        let (mut a, mut b) = (Pauses::default(), Pauses::default());
        a.say(PauseScope::Service, &host("a"), Time(1), pause("one", None));
        b.say(PauseScope::Service, &host("b"), Time(1), pause("two", None));
        let (first, second) = (a.clone(), b.clone());
        assert!(a.learn(&second));
        assert!(!b.learn(&first));
        assert_eq!(a, b);
        b.say(PauseScope::Service, &host("b"), Time(2), None);
        assert!(b.knows_more_than(&a) && !a.knows_more_than(&b));
        assert!(a.learn(&b) && a.in_force(Time(3)).next().is_none());
    }

    #[test]
    fn a_host_keeps_its_own_pause_to_itself() {
        let (mut a, mut b) = (Pauses::default(), Pauses::default());
        a.say(PauseScope::Host, &host("a"), Time(1), pause("disk", None));
        assert!(a.told().is_empty());
        assert!(!b.learn(&a));
    }

    #[test]
    fn a_pause_ends_by_itself() {
        let mut pauses = Pauses::default();
        pauses.say(PauseScope::Service, &host("a"), Time(1), pause("short", Some(20)));
        assert_eq!(pauses.in_force(Time(19)).count(), 1);
        assert_eq!(pauses.in_force(Time(20)).count(), 0);
        assert_eq!(pauses.next_end(Time(5)), Some(Time(20)));
    }

    #[test]
    fn moves_count_once_and_can_be_forgiven() {
        let mut pauses = Pauses::default();
        for (counter, at) in [(1, 100), (2, 200), (2, 210), (3, 900)] {
            pauses.count(round(counter), Time(at));
        }
        assert_eq!(pauses.moves_within(Duration::from_millis(750), Time(900)), 2);
        pauses.say(PauseScope::Flapping, &host("a"), Time(901), None);
        assert_eq!(pauses.moves.len(), 0);
        pauses.count(round(3), Time(900));
        assert_eq!(
            pauses.moves.len(),
            0,
            "a forgiven move that is told again does not count"
        );
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_lengthen_a_pause() {
        let mut pauses = Pauses::default();
        pauses.say(
            PauseScope::Service,
            &host("a"),
            Time(5_000),
            Some(Pause {
                since: Time(5_000),
                until: Some(Time(6_000)),
                ..pause("x", None).unwrap()
            }),
        );
        pauses.not_after(Time(100));
        assert_eq!(pauses.next_end(Time(100)), Some(Time(1_100)));
    }
}
