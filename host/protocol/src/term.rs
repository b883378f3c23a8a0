//! The numbers that fence: terms, rounds, boots, stores.
//!
//! Invariant: negotiated terms lie below [`Term::FIRST_FORCED`] steps of each other's forced range, so a
//! negotiated term can never equal a forced one (PROTOCOL, "Terms").

use std::fmt;

/// The fencing number of a service; rises with every change of the active host.
///
/// The high 40 bits are the forced epoch, the low 24 bits count negotiated changes within it. A forced
/// takeover begins a new epoch that names its host, so two forced terms, or a forced and a negotiated one,
/// are never equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term(pub u64);

const NEGOTIATED_BITS: u32 = 24;
const ORDINAL_BITS: u32 = 6;

impl Term {
    /// Before anybody held the service.
    pub const NONE: Term = Term(0);
    /// The lowest term that only a forced takeover can make.
    pub const FIRST_FORCED: Term = Term(1 << NEGOTIATED_BITS);

    /// The next negotiated term.
    pub fn next(self) -> Term {
        Term(self.0.saturating_add(1))
    }

    /// A term above `floor` for a forced takeover by the host with this ordinal (its place in the
    /// candidate list): unique per host by construction, whatever the clocks say.
    pub fn forced_above(floor: Term, ordinal: u8) -> Term {
        let ordinal = u64::from(ordinal) & ((1 << ORDINAL_BITS) - 1);
        let epoch = (floor.0 >> NEGOTIATED_BITS >> ORDINAL_BITS).saturating_add(1);
        Term((epoch << ORDINAL_BITS | ordinal) << NEGOTIATED_BITS)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.0 >> NEGOTIATED_BITS;
        let count = self.0 & ((1 << NEGOTIATED_BITS) - 1);
        if epoch == 0 {
            write!(f, "{count}")
        } else {
            write!(f, "{epoch}.{count}")
        }
    }
}

/// The identity of one host's records of one service; a lost disk gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u128);

/// How often this store's daemon was started; rises before the first message of each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Boot(pub u64);

/// One attempt of a holder to hand its service to one candidate: unique over restarts and lost disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundId {
    /// The holder's store.
    pub store: StoreId,
    /// The holder's durable round counter.
    pub counter: u64,
}

impl fmt::Display for RoundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{}", self.store.0, self.counter)
    }
}

/// Why a text is not a round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a round: 32 hexadecimal digits, '-', and a number are expected")]
pub struct BadRound;

impl std::str::FromStr for RoundId {
    type Err = BadRound;

    fn from_str(text: &str) -> Result<Self, BadRound> {
        let (store, counter) = text
            .split_once('-')
            .filter(|(store, _)| store.len() == 32)
            .ok_or(BadRound)?;
        let store = StoreId(u128::from_str_radix(store, 16).map_err(|_| BadRound)?);
        Ok(RoundId {
            store,
            counter: counter.parse().map_err(|_| BadRound)?,
        })
    }
}

/// SHA-256 of a compilation's canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the second host proves that it holds the compilation: the number of requests and their digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompilationSeal {
    /// The number of requests.
    pub count: u64,
    /// Over all of them.
    pub digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_read_as_it_is_written() {
        let round = RoundId {
            store: StoreId(0x0f << 100),
            counter: 12,
        };
        assert_eq!(round.to_string().parse(), Ok(round));
        assert_eq!("9f-1".parse::<RoundId>(), Err(BadRound));
    }

    #[test]
    fn forced_terms_are_unique_and_higher() {
        let floor = Term(7);
        let a = Term::forced_above(floor, 0);
        let b = Term::forced_above(floor, 1);
        assert!(a > floor && b > floor && a != b);
        assert!(Term::forced_above(b.next(), 0) > b.next());
        assert!(a >= Term::FIRST_FORCED);
    }
}
