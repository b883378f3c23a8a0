//! The numbers that fence: terms, rounds, boots, stores.
//!
//! Invariants: of two forced takeovers the later has the higher term, as far as the clocks agree; a forced term names
//! its host, so no two hosts can make the same one; a negotiated term counts on from the last forced one.

use std::fmt;

/// The fencing number of a service; rises with every change of the active host.
///
/// The low 16 bits count negotiated changes. A forced takeover begins anew above them: 5 bits for the host (its place
/// in the candidate list), and above these the Unix second of the operator's order. Until 2106 that fits in 53 bits,
/// which every reader of JSON numbers keeps exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term(pub u64);

/// 65536 negotiated changes after each forced takeover; if they were ever used up, counting goes on in the host's bits,
/// where only a forced takeover of the same second, long past, could have made the same number.
const COUNT_BITS: u32 = 16;
/// The configuration allows no more candidates than this can tell apart.
const ORDINAL_BITS: u32 = 5;
/// Any later second would not fit in 53 bits; such a clock is taken to stand at the end of 2105.
const LAST_SECOND: u64 = (1 << 32) - 2;
/// Below this (2001), a term is not ordered by time: negotiated since the first start, or forced by a version that
/// counted its forced takeovers, `(count << 6 | host) << 24`.
const FIRST_TIMED: u64 = 1_000_000_000 << ORDINAL_BITS << COUNT_BITS;
const COUNTED_BITS: u32 = 24;

impl Term {
    /// Before anybody held the service.
    pub const NONE: Term = Term(0);
    /// More candidates than this can't be told apart in a forced term.
    pub const MOST_CANDIDATES: usize = 1 << ORDINAL_BITS;

    /// The next negotiated term.
    pub fn next(self) -> Term {
        Term(self.0.saturating_add(1))
    }

    /// Whether a forced takeover made this very term; negotiated changes after it only count on from it.
    pub fn is_forced(self) -> bool {
        self.0 >= 1 << (COUNT_BITS + ORDINAL_BITS) && self.0 & ((1 << COUNT_BITS) - 1) == 0
    }

    /// A term for a takeover forced at `at` (Unix seconds) by the host with this ordinal. It is above `floor` although
    /// the clock may be behind; and above every term that was forced earlier, known here or not, by a clock that agrees.
    pub fn forced_above(floor: Term, ordinal: u8, at: u64) -> Term {
        let ordinal = u64::from(ordinal) & ((1 << ORDINAL_BITS) - 1);
        let next = (floor.0 >> COUNT_BITS >> ORDINAL_BITS) + 1;
        let second = next.max(at.min(LAST_SECOND));
        Term((second << ORDINAL_BITS | ordinal) << COUNT_BITS)
    }
}

impl fmt::Display for Term {
    /// `5` for a negotiated term, `2026-11-23T16:08:47Z-1.0` for one that host 1 forced then, with the count of
    /// negotiated changes since.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < FIRST_TIMED {
            let (epoch, count) = (self.0 >> COUNTED_BITS, self.0 & ((1 << COUNTED_BITS) - 1));
            return if epoch == 0 {
                write!(f, "{count}")
            } else {
                write!(f, "{epoch}.{count}")
            };
        }
        let count = self.0 & ((1 << COUNT_BITS) - 1);
        let ordinal = self.0 >> COUNT_BITS & ((1 << ORDINAL_BITS) - 1);
        let second = self.0 >> COUNT_BITS >> ORDINAL_BITS;
        let (year, month, day) = civil(second / 86_400);
        let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z-{ordinal}.{count}"
        )
    }
}

/// Year, month and day of a day since 1970-01-01. Years are counted from March, so that the leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    const FOUR_CENTURIES: u64 = 146_097;
    const MARCH_OF_0000: u64 = 719_468;
    let days = days + MARCH_OF_0000;
    let (era, day) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year, if month < 10 { month + 3 } else { month - 9 });
    (year + u64::from(month <= 2), month, day)
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

    /// 2026-11-23T16:08:47Z
    const NOW: u64 = 1_795_450_127;

    #[test]
    fn forced_terms_are_unique_and_higher() {
        let floor = Term(7);
        let a = Term::forced_above(floor, 0, NOW);
        let b = Term::forced_above(floor, 1, NOW);
        assert!(a > floor && b > floor && a != b);
        assert!(Term::forced_above(b.next(), 0, NOW) > b.next());
        assert!(a.is_forced() && b.is_forced() && Term::forced_above(Term(3), 0, 0).is_forced());
        assert!(!floor.is_forced() && !a.next().is_forced() && !Term(1 << COUNT_BITS).is_forced());
    }

    #[test]
    fn the_later_forced_term_is_higher_whoever_forces() {
        let earlier = Term::forced_above(Term(7), 1, NOW);
        let later = Term::forced_above(Term(7), 0, NOW + 1);
        assert!(later > earlier && later > earlier.next().next());
    }

    #[test]
    fn a_clock_that_is_behind_or_mad_makes_a_term_above_all_that_is_known() {
        let known = Term::forced_above(Term::NONE, 3, NOW);
        for at in [0, NOW - 1000, NOW, u64::MAX] {
            assert!(Term::forced_above(known, 0, at) > known, "{at}");
        }
        let counted = Term((9 << 6 | 1) << COUNTED_BITS);
        assert!(Term::forced_above(counted, 0, NOW) > counted);
        assert!(Term::forced_above(counted, 0, 0) > counted);
        assert!(Term::forced_above(Term::NONE, 31, u64::MAX).0 < 1 << 53);
    }

    #[test]
    fn terms_are_shown_as_people_read_them() {
        assert_eq!(Term(5).to_string(), "5");
        assert_eq!(Term((1 << 6 | 1) << COUNTED_BITS | 2).to_string(), "65.2");
        let forced = Term::forced_above(Term(5), 1, NOW);
        assert_eq!(forced.next().to_string(), "2026-11-23T16:08:47Z-1.1");
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(19_782), (2024, 2, 29));
    }
}
