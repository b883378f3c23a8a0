//! The daemon's two clocks: a monotonic one for the machines, the wall's for people and records.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use understudy_protocol::Time;

/// Monotonic milliseconds for the machines, and the wall's time for records. Cheap to clone. The machines' begin at the
/// wall's time of the daemon's start, so that what they store (the end of a pause) still means something after the next.
#[derive(Clone)]
pub(crate) struct Clock {
    started: Instant,
    begin_ms: u64,
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
            begin_ms: u64::try_from(wall()).unwrap_or_default(),
            wall: Arc::new(wall),
        }
    }

    pub(crate) fn now(&self) -> Time {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Time(self.begin_ms.saturating_add(elapsed))
    }

    pub(crate) fn instant(&self, at: Time) -> Instant {
        // A millisecond is added because deadlines are whole milliseconds and the clock was cut to one.
        self.started + Duration::from_millis(at.0.saturating_sub(self.begin_ms).saturating_add(1))
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
