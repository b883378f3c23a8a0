//! The daemon's two clocks: a monotonic one for the machines, the wall's for people and records.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use understudy_protocol::Time;

/// Where time comes from: the system, or a simulation.
#[async_trait]
pub(crate) trait Ticks: Send + Sync {
    /// Never goes back. Begins at the wall's time of the daemon's start, so that what machines store of it (the end of a
    /// pause) still means something after the next.
    fn now(&self) -> Time;
    /// Milliseconds since the Unix epoch; may jump in both directions.
    fn wall_ms(&self) -> i64;
    /// Until [`Ticks::now`] is at least this.
    async fn until(&self, at: Time);
}

/// A daemon's clock. Cheap to clone; all clones are the same clock.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Ticks>);

impl Clock {
    pub(crate) fn start() -> Self {
        Clock::of(System {
            started: Instant::now(),
            begin_ms: u64::try_from(wall_ms()).unwrap_or_default(),
        })
    }

    pub(crate) fn of(ticks: impl Ticks + 'static) -> Self {
        Clock(Arc::new(ticks))
    }

    pub(crate) fn now(&self) -> Time {
        self.0.now()
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        self.0.wall_ms()
    }

    pub(crate) async fn until(&self, at: Time) {
        self.0.until(at).await;
    }

    pub(crate) async fn sleep(&self, length: Duration) {
        self.until(self.now() + length).await;
    }

    /// What `work` comes to; none when it takes longer than `bound`.
    pub(crate) async fn within<T>(&self, bound: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(bound) => None,
        }
    }
}

struct System {
    started: Instant,
    begin_ms: u64,
}

#[async_trait]
impl Ticks for System {
    fn now(&self) -> Time {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Time(self.begin_ms.saturating_add(elapsed))
    }

    fn wall_ms(&self) -> i64 {
        wall_ms()
    }

    async fn until(&self, at: Time) {
        // A millisecond is added because deadlines are whole milliseconds and the clock was cut to one.
        let instant = self.started + Duration::from_millis(at.0.saturating_sub(self.begin_ms).saturating_add(1));
        tokio::time::sleep_until(instant.into()).await;
    }
}

/// Milliseconds since the Unix epoch, by the system.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
