//! Leaves a plugin alone that keeps failing. Pure: the time is an argument.
//!
//! ```text
//!  closed --N failures in a row--> open(for t) --t over--> one trial --good--> closed
//!                                    ^                        |
//!                                    +--- bad: t doubles -----+
//! ```
//!
//! Invariant: only failures of the plugin itself count ([`crate::CallFailure::is_plugins_own`]), never what it
//! says of its server, and never a refusal by this breaker.

use std::time::{Duration, Instant};

use crate::limits::BreakerPolicy;

/// What the breaker of one plugin for one target says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BreakerState {
    /// Failures in a row.
    pub failures: u32,
    /// How long calls are still refused; none: they are not.
    pub retry_in: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
    trial_until: Option<Instant>,
}

impl Breaker {
    /// Whether a call may run now; if not, when to ask again. `trial` is how long a trial may take before
    /// the next is let through.
    pub(crate) fn admit(&mut self, now: Instant, trial: Duration) -> Result<(), Duration> {
        let Some(open_until) = self.open_until else {
            return Ok(());
        };
        let closed_until = self
            .trial_until
            .map_or(open_until, |trial_until| trial_until.max(open_until));
        if now < closed_until {
            return Err(closed_until - now);
        }
        self.trial_until = Some(now + trial);
        Ok(())
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The trial ended without saying anything of the plugin: the next call is a trial again.
    pub(crate) fn undecided(&mut self) {
        self.trial_until = None;
    }

    pub(crate) fn failed(&mut self, now: Instant, policy: &BreakerPolicy) {
        self.trial_until = None;
        self.failures = self.failures.saturating_add(1);
        if let Some(beyond) = self.failures.checked_sub(policy.failures.max(1)) {
            let factor = 2u32.saturating_pow(beyond.min(MOST_DOUBLINGS));
            self.open_until = Some(now + policy.first.saturating_mul(factor).min(policy.longest));
        }
    }

    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        let retry_in = self.open_until.and_then(|until| until.checked_duration_since(now));
        BreakerState {
            failures: self.failures,
            retry_in: retry_in.filter(|left| !left.is_zero()),
        }
    }
}

/// Keeps the factor within its type; the policy's longest time is reached long before.
const MOST_DOUBLINGS: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        first: Duration::from_secs(5),
        longest: Duration::from_secs(15),
    };
    const TRIAL: Duration = Duration::from_secs(1);

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_backs_off() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.failed(start, &POLICY);
        breaker.failed(start, &POLICY);
        assert_eq!(breaker.admit(start, TRIAL), Ok(()));
        breaker.failed(start, &POLICY);
        assert_eq!(breaker.admit(start, TRIAL), Err(Duration::from_secs(5)));
        assert_eq!(breaker.state(at(start, 1)).retry_in, Some(Duration::from_secs(4)));

        assert_eq!(breaker.admit(at(start, 5), TRIAL), Ok(()));
        breaker.failed(at(start, 5), &POLICY);
        assert_eq!(
            breaker.admit(at(start, 6), TRIAL),
            Err(Duration::from_secs(9)),
            "doubled to ten"
        );
        breaker.failed(at(start, 20), &POLICY);
        assert_eq!(
            breaker.admit(at(start, 20), TRIAL),
            Err(Duration::from_secs(15)),
            "bounded"
        );
    }

    #[test]
    fn one_trial_at_a_time() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.failed(start, &POLICY);
        }
        assert_eq!(breaker.admit(at(start, 5), TRIAL), Ok(()));
        assert_eq!(
            breaker.admit(at(start, 5), TRIAL),
            Err(TRIAL),
            "the first trial still runs"
        );
        assert_eq!(
            breaker.admit(at(start, 6), TRIAL),
            Ok(()),
            "a lost trial does not close it for ever"
        );
        breaker.undecided();
        assert_eq!(breaker.admit(at(start, 6), TRIAL), Ok(()));
    }

    #[test]
    fn success_forgets() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.failed(start, &POLICY);
        breaker.failed(start, &POLICY);
        breaker.succeeded();
        breaker.failed(start, &POLICY);
        assert_eq!(
            breaker.state(start),
            BreakerState {
                failures: 1,
                retry_in: None
            }
        );
    }
}
