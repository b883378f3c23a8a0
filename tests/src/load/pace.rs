//! When requests are due.

use std::time::Duration;

use tokio::time::Instant;

/// A fixed rhythm. It never skips: a client that was held up finds its requests overdue and works them off.
#[derive(Debug)]
pub(crate) struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    /// `share` of `of` equal clients who make `rate` requests a second together; their rhythms are shifted against each
    /// other so that they don't all ask at once.
    pub(crate) fn new(rate: u32, share: u32, of: u32) -> Self {
        let of = of.max(1);
        let every = Duration::from_secs(1) * of / rate.max(1);
        Pace {
            next: Instant::now() + every * share / of,
            every,
        }
    }

    /// Waits until the next request is due and tells when that was, which may be long ago. Dropped before it answers, it
    /// has skipped nothing.
    pub(crate) async fn due(&mut self) -> Instant {
        let due = self.next;
        tokio::time::sleep_until(due).await;
        self.next += self.every;
        due
    }
}
