//! The figures: median and range over the rounds, and what follows from them.

use serde::Serialize;

use super::rounds::Turn;
use super::subjects::Subject;

/// How many times less CPU than a check script the Redis plugin's probe shall use.
pub(super) const AIM: f64 = 20.0;

/// What was measured, on what, and how.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The machine.
    pub machine: String,
    /// Tasks that wanted to run before (one minute's average); the machine's other work blurs the figures.
    pub load_before: Option<f64>,
    /// The same afterwards.
    pub load_after: Option<f64>,
    /// Turns of each subject.
    pub rounds: u32,
    /// Wait after each check.
    pub pause_ms: f64,
    /// What the host uses with the plugins loaded and nothing to do: microseconds of CPU a second.
    pub idle_us_per_second: f64,
    /// One for each subject.
    pub rows: Vec<Row>,
}

/// One subject's figures, all for one check.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which.
    #[serde(serialize_with = "key")]
    pub subject: Subject,
    /// How many checks were counted.
    pub checks: u32,
    /// CPU time of the asking side with all that it starts, user and system: microseconds.
    pub cpu_us: Spread,
    /// CPU time of the server that is asked: microseconds. None where the kernel does not count it.
    pub server_cpu_us: Option<Spread>,
    /// How long it took: microseconds.
    pub elapsed_us: Spread,
}

/// Median and range over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the rounds had less.
    pub median: f64,
    /// The round with the least.
    pub least: f64,
    /// The round with the most.
    pub most: f64,
}

impl Report {
    /// How many times less CPU a subject's check uses than a check script's.
    pub fn cheaper_than_shell(&self, subject: Subject) -> f64 {
        self.median(Subject::Shell) / self.median(subject)
    }

    /// How many times more CPU a subject's check uses than the host asking the same by itself.
    pub fn dearer_than_native(&self, subject: Subject) -> f64 {
        self.median(subject) / self.median(subject.native())
    }

    /// Whether this way to ask is as cheap as a plugin's probe shall be.
    pub fn meets_aim(&self, subject: Subject) -> bool {
        self.cheaper_than_shell(subject) >= AIM
    }

    fn median(&self, subject: Subject) -> f64 {
        let row = self.rows.iter().find(|row| row.subject == subject);
        row.map_or(f64::NAN, |row| row.cpu_us.median)
    }
}

impl Row {
    pub(super) fn of(subject: Subject, checks: u32, turns: &[Turn]) -> Row {
        let spread = |value: fn(&Turn) -> f64| Spread::of(turns.iter().map(value));
        let server: Option<Vec<f64>> = turns.iter().map(|turn| turn.server_cpu).collect();
        Row {
            subject,
            checks,
            cpu_us: spread(|turn| turn.cpu),
            server_cpu_us: server.map(|values| Spread::of(values.into_iter())),
            elapsed_us: spread(|turn| turn.elapsed),
        }
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (at(middle.wrapping_sub(1)) + at(middle)) / 2.0,
            _ => at(middle),
        };
        Spread {
            median,
            least: at(0),
            most: at(sorted.len().wrapping_sub(1)),
        }
    }
}

fn key<S: serde::Serializer>(subject: &Subject, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(subject.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        let of = |median, least, most| Spread { median, least, most };
        assert_eq!(spread(&[3.0, 1.0, 9.0]), of(3.0, 1.0, 9.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), of(3.0, 1.0, 9.0));
        assert!(spread(&[]).median.is_nan());
    }

    #[test]
    fn the_aim_is_a_ratio_of_medians() {
        let row = |subject, cpu| {
            let turn = Turn {
                cpu,
                elapsed: 1.0,
                server_cpu: None,
            };
            Row::of(subject, 1, &[turn])
        };
        let mut report = Report {
            machine: String::new(),
            load_before: None,
            load_after: None,
            rounds: 1,
            pause_ms: 0.0,
            idle_us_per_second: 0.0,
            rows: vec![row(Subject::Shell, 2000.0), row(Subject::RedisPlugin, 100.0)],
        };
        assert!(report.meets_aim(Subject::RedisPlugin));
        assert!(
            !report.meets_aim(Subject::RedisPluginMinimal),
            "what was not measured is not met"
        );
        report.rows[1] = row(Subject::RedisPlugin, 101.0);
        assert!(!report.meets_aim(Subject::RedisPlugin));
    }
}
