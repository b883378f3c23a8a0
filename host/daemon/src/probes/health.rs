//! From single checks to a standing opinion: rise and fall counts, and the worst of several probes. Pure.
//!
//! Invariant: one bad answer is not a fault, one good answer is not a cure; `unknown` is never turned into `failing`.

use understudy_protocol::{Fault, Verdict};

/// How many equal answers in a row change the opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Towards healthy.
    pub(crate) rise: u32,
    /// Towards anything worse.
    pub(crate) fall: u32,
}

/// The standing opinion of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opinion {
    verdict: Option<Verdict>,
    fault: Option<Fault>,
    streak: (Option<Verdict>, u32),
}

impl Opinion {
    pub(crate) fn none() -> Self {
        Opinion {
            verdict: None,
            fault: None,
            streak: (None, 0),
        }
    }

    /// Takes one answer in. The first answer of all counts at once, unless it is bad.
    pub(crate) fn take(&mut self, counts: Counts, verdict: Verdict, worst: Option<Fault>) {
        self.streak = match self.streak {
            (Some(last), count) if last == verdict => (Some(last), count.saturating_add(1)),
            _ => (Some(verdict), 1),
        };
        let needed = match verdict {
            Verdict::Healthy if self.verdict.is_none() => 1,
            Verdict::Healthy => counts.rise,
            Verdict::Impaired | Verdict::Failing | Verdict::Unknown => counts.fall,
        };
        if self.verdict == Some(verdict) || self.streak.1 >= needed {
            self.verdict = Some(verdict);
            self.fault = worst.filter(|_| matches!(verdict, Verdict::Impaired | Verdict::Failing));
        }
    }

    /// Whether there were answers enough for one.
    pub(crate) fn is_formed(&self) -> bool {
        self.verdict.is_some()
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Unknown)
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }
}

/// The worst fault of a report: shutdown-required before impaired, the sooner before the later.
pub(crate) fn worst(faults: &[Fault]) -> Option<Fault> {
    faults
        .iter()
        .max_by_key(|fault| (fault.severity, std::cmp::Reverse(fault.shutdown_within)))
        .cloned()
}

/// The opinion of several probes together: failing before unknown before impaired before healthy.
pub(crate) fn together<'a>(opinions: impl Iterator<Item = &'a Opinion>) -> (Verdict, Option<Fault>) {
    let weight = |verdict: Verdict| match verdict {
        Verdict::Healthy => 0,
        Verdict::Impaired => 1,
        Verdict::Unknown => 2,
        Verdict::Failing => 3,
    };
    let worst = opinions.max_by_key(|opinion| weight(opinion.verdict()));
    worst.map_or((Verdict::Unknown, None), |opinion| {
        (opinion.verdict(), opinion.fault().cloned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts { rise: 2, fall: 3 };

    #[test]
    fn a_single_bad_answer_is_no_fault() {
        let mut opinion = Opinion::none();
        opinion.take(COUNTS, Verdict::Healthy, None);
        assert_eq!(opinion.verdict(), Verdict::Healthy);
        opinion.take(COUNTS, Verdict::Failing, None);
        opinion.take(COUNTS, Verdict::Failing, None);
        opinion.take(COUNTS, Verdict::Healthy, None);
        assert_eq!(opinion.verdict(), Verdict::Healthy);
        (0..3).for_each(|_| opinion.take(COUNTS, Verdict::Failing, None));
        assert_eq!(opinion.verdict(), Verdict::Failing);
    }

    #[test]
    fn a_single_good_answer_is_no_cure() {
        let mut opinion = Opinion::none();
        (0..3).for_each(|_| opinion.take(COUNTS, Verdict::Failing, None));
        opinion.take(COUNTS, Verdict::Healthy, None);
        assert_eq!(opinion.verdict(), Verdict::Failing);
        opinion.take(COUNTS, Verdict::Healthy, None);
        assert_eq!(opinion.verdict(), Verdict::Healthy);
    }

    #[test]
    fn unknown_is_not_failing() {
        let mut opinion = Opinion::none();
        (0..30).for_each(|_| opinion.take(COUNTS, Verdict::Unknown, None));
        assert_eq!(opinion.verdict(), Verdict::Unknown);
    }
}
