//! Pauses on the wire. Times are milliseconds of the hosts' wall clocks: a pause is about hours, and hosts whose clocks
//! differ by more than a little have been told so otherwise.

use serde::{Deserialize, Serialize};
use understudy_protocol as protocol;
use understudy_protocol::Time;

use super::BadWire;
use super::number::{Round, host};

/// The last words about what is paused, and the moves that count.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pauses {
    words: Vec<Word>,
    moves: Vec<Move>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Word {
    scope: Scope,
    stamp: u64,
    from: String,
    at_ms: u64,
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pause {
    by: String,
    reason: String,
    since_ms: u64,
    until_ms: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Move {
    round: Round,
    at_ms: u64,
}

/// What a pause covers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scope {
    Cluster,
    Service,
    Host,
    Flapping,
}

impl From<protocol::PauseScope> for Scope {
    fn from(scope: protocol::PauseScope) -> Self {
        match scope {
            protocol::PauseScope::Cluster => Scope::Cluster,
            protocol::PauseScope::Service => Scope::Service,
            protocol::PauseScope::Host => Scope::Host,
            protocol::PauseScope::Flapping => Scope::Flapping,
        }
    }
}

impl From<Scope> for protocol::PauseScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Cluster => protocol::PauseScope::Cluster,
            Scope::Service => protocol::PauseScope::Service,
            Scope::Host => protocol::PauseScope::Host,
            Scope::Flapping => protocol::PauseScope::Flapping,
        }
    }
}

impl From<&protocol::Pauses> for Pauses {
    fn from(pauses: &protocol::Pauses) -> Self {
        let protocol::Pauses { words, moves } = pauses;
        let words = words.iter().map(|(scope, word)| word_of(*scope, word)).collect();
        let moves = moves.iter().map(|(round, at)| Move {
            round: (*round).into(),
            at_ms: at.0,
        });
        Pauses {
            words,
            moves: moves.collect(),
        }
    }
}

fn word_of(scope: protocol::PauseScope, word: &protocol::PauseWord) -> Word {
    let protocol::PauseWord { stamp, from, at, pause } = word;
    Word {
        scope: scope.into(),
        stamp: *stamp,
        from: from.to_string(),
        at_ms: at.0,
        pause: pause.as_ref().map(Into::into),
    }
}

impl From<&protocol::Pause> for Pause {
    fn from(pause: &protocol::Pause) -> Self {
        let protocol::Pause {
            by,
            reason,
            since,
            until,
        } = pause;
        Pause {
            by: by.clone(),
            reason: reason.clone(),
            since_ms: since.0,
            until_ms: until.map(|until| until.0),
        }
    }
}

impl From<Pause> for protocol::Pause {
    fn from(pause: Pause) -> Self {
        protocol::Pause {
            by: pause.by,
            reason: pause.reason,
            since: Time(pause.since_ms),
            until: pause.until_ms.map(Time),
        }
    }
}

impl TryFrom<Pauses> for protocol::Pauses {
    type Error = BadWire;
    fn try_from(pauses: Pauses) -> Result<Self, BadWire> {
        let word = |word: Word| {
            let scope: protocol::PauseScope = word.scope.into();
            let word = protocol::PauseWord {
                stamp: word.stamp,
                from: host(&word.from)?,
                at: Time(word.at_ms),
                pause: word.pause.map(Into::into),
            };
            Ok((scope, word))
        };
        let moved = |moved: Move| Ok((moved.round.try_into()?, Time(moved.at_ms)));
        Ok(protocol::Pauses {
            words: pauses.words.into_iter().map(word).collect::<Result<_, BadWire>>()?,
            moves: pauses.moves.into_iter().map(moved).collect::<Result<_, BadWire>>()?,
        })
    }
}
