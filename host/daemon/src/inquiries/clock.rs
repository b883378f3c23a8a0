//! How the peers' wall clocks stand to this host's: asked now and then, as NTP does it.
//!
//! Invariant: the uncertainty is a true bound. It is half of the time that the question and its answer were on their
//! way or waited, plus what two quartz clocks may drift apart since; only a clock that is set in between can break it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use understudy_protocol::HostName;
use understudy_store::ClockOffset;

use super::{Inquiries, Question};
use crate::effects::lock;
use crate::peers::Peers;

/// What was measured of each peer. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clocks(Arc<Mutex<BTreeMap<HostName, VecDeque<Sample>>>>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    offset: ClockOffset,
    taken: Instant,
}

impl Clocks {
    /// How this peer's clock stands now, from the best of the latest measurements.
    pub(crate) fn of(&self, host: &HostName) -> Option<ClockOffset> {
        let measured = lock(&self.0);
        let now = measured.get(host)?.iter().map(|sample| sample.aged(Instant::now()));
        now.min_by_key(|offset| offset.uncertainty_us)
    }

    /// Measures for as long as the daemon runs.
    pub(crate) async fn keep_measuring(self, inquiries: Inquiries, peers: Peers) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for host in peers.connected() {
                let (asked_us, asked) = (wall_us(), Instant::now());
                let Ok(answer) = inquiries.ask(&peers, &host, &Question::Clock, PATIENCE).await else {
                    continue;
                };
                if let (Some(theirs), way) = (answer["wall_us"].as_i64(), asked.elapsed()) {
                    self.keep(&host, measured(asked_us, way, theirs));
                }
            }
        }
    }

    fn keep(&self, host: &HostName, offset: ClockOffset) {
        let mut measured = lock(&self.0);
        let samples = measured.entry(host.clone()).or_default();
        samples.push_back(Sample {
            offset,
            taken: Instant::now(),
        });
        if samples.len() > SAMPLES {
            samples.pop_front();
        }
    }
}

impl Sample {
    fn aged(&self, now: Instant) -> ClockOffset {
        let age_us = i64::try_from(now.saturating_duration_since(self.taken).as_micros()).unwrap_or(i64::MAX);
        ClockOffset {
            offset_us: self.offset.offset_us,
            uncertainty_us: self.offset.uncertainty_us.saturating_add(age_us / DRIFT),
        }
    }
}

/// This host's answer.
pub(super) fn answer() -> Value {
    json!({ "wall_us": wall_us() })
}

/// They read their clock somewhere on the way: in its middle, give or take half of it.
fn measured(asked_us: i64, way: Duration, theirs_us: i64) -> ClockOffset {
    let way_us = i64::try_from(way.as_micros()).unwrap_or(i64::MAX);
    ClockOffset {
        offset_us: theirs_us.saturating_sub(asked_us.saturating_add(way_us / 2)),
        uncertainty_us: way_us / 2 + 1,
    }
}

fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Often enough that a takeover finds a fresh measurement; two small frames each time.
const EVERY: Duration = Duration::from_secs(2);
/// A peer that is slower than this would give a useless measurement.
const PATIENCE: Duration = Duration::from_secs(1);
/// The best of the last sixteen seconds.
const SAMPLES: usize = 8;
/// A drift of 200 parts in a million, twice what a quartz is allowed: one in five thousand.
const DRIFT: i64 = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_offset_is_always_within_the_uncertainty() {
        let way = Duration::from_micros(10_001);
        for read_after in [0, 1, 5000, 10_001] {
            let truth = -70_000;
            let asked = 1_000_000_000;
            let offset = measured(asked, way, asked + read_after + truth);
            assert!((offset.offset_us - truth).abs() <= offset.uncertainty_us, "{offset:?}");
        }
    }

    #[test]
    fn the_best_measurement_counts_and_grows_old() {
        let (clocks, beta) = (Clocks::default(), HostName::new("beta").unwrap());
        assert_eq!(clocks.of(&beta), None);
        for uncertainty_us in [900, 300, 5000] {
            let offset_us = uncertainty_us;
            clocks.keep(
                &beta,
                ClockOffset {
                    offset_us,
                    uncertainty_us,
                },
            );
        }
        assert_eq!(clocks.of(&beta).unwrap().offset_us, 300);
        let sample = lock(&clocks.0)[&beta][0];
        let later = sample.aged(sample.taken + Duration::from_secs(10));
        assert_eq!(later.uncertainty_us, 900 + 2000);
    }
}
