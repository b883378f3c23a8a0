//! The daemon's two clocks: a monotonic one for the machines, the wall's for people and records.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use understudy_protocol::Time;

/// The monotonic clock of the machines: milliseconds since the daemon started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Clock(Instant::now())
    }

    pub(crate) fn now(self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn instant(self, at: Time) -> Instant {
        // A millisecond is added because deadlines are whole milliseconds and the clock was cut to one.
        self.0 + Duration::from_millis(at.0.saturating_add(1))
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
