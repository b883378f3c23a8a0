//! The daemon's two clocks: a monotonic one for the machines, the wall's for people and records.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use understudy_protocol::Time;

/// Monotonic milliseconds since the daemon started for the machines, and the wall's time for records. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clock {
    started: Instant,
    wall: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock::with_wall(wall_ms)
    }

    /// With another wall than the system's.
    pub(crate) fn with_wall(wall: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Clock {
            started: Instant::now(),
            wall: Arc::new(wall),
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn instant(&self, at: Time) -> Instant {
        // A millisecond is added because deadlines are whole milliseconds and the clock was cut to one.
        self.started + Duration::from_millis(at.0.saturating_add(1))
    }

    /// Milliseconds since the Unix epoch; may jump in both directions.
    pub(crate) fn wall_ms(&self) -> i64 {
        (self.wall)()
    }
}

/// Milliseconds since the Unix epoch, by the system.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
