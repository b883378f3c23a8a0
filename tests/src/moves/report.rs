//! What was seen, as a table in Markdown.

use std::fmt;
use std::time::{Duration, Instant};

use super::clients::Kind;
use super::picture;
use super::subjects::Round;

/// Everything that was seen.
#[derive(Debug, Clone)]
pub struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) pictured: Option<Round>,
}

/// One way to move, over its rounds.
#[derive(Debug, Clone)]
pub(super) struct Row {
    label: String,
    rounds: usize,
    requests: usize,
    failed: Spread,
    kept_broken: Spread,
    slow_broken: Spread,
    slow_in_flight: Spread,
    worst_stall: Spread,
    first_by_second: Option<Spread>,
    errors: Vec<String>,
}

/// Median, least and most.
#[derive(Debug, Clone, Copy)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Report {
    /// Requests over time by host in one round of an overlap, as SVG.
    pub fn picture(&self) -> Option<String> {
        self.pictured.as_ref().map(picture::draw)
    }
}

impl Row {
    pub(super) fn of(label: String, rounds: &[Round]) -> Row {
        let each = |of: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(of).collect());
        let broken = |kind: Kind| {
            move |round: &Round| {
                let failed = round
                    .samples
                    .iter()
                    .filter(|one| one.kind == kind && one.answer.is_err());
                failed.count() as f64
            }
        };
        let mut errors: Vec<_> = rounds
            .iter()
            .flat_map(|round| &round.samples)
            .filter_map(|one| {
                one.answer
                    .as_ref()
                    .err()
                    .map(|error| format!("{:?}: {error}", one.kind))
            })
            .collect();
        errors.sort();
        errors.dedup();
        let firsts: Vec<_> = rounds.iter().filter_map(first_by_second).map(milliseconds).collect();
        Row {
            label,
            rounds: rounds.len(),
            requests: rounds.iter().map(|round| round.samples.len()).sum(),
            failed: each(&broken(Kind::New)).unwrap_or_default(),
            kept_broken: each(&broken(Kind::Kept)).unwrap_or_default(),
            slow_broken: each(&broken(Kind::Slow)).unwrap_or_default(),
            slow_in_flight: each(&|round| in_flight(round) as f64).unwrap_or_default(),
            worst_stall: each(&|round| milliseconds(worst_stall(round))).unwrap_or_default(),
            first_by_second: Spread::of(firsts),
            errors,
        }
    }
}

/// Long answers under way when the move was ordered.
fn in_flight(round: &Round) -> usize {
    let Some(ordered) = ordered(round) else { return 0 };
    let slow = round.samples.iter().filter(|one| one.kind == Kind::Slow);
    slow.filter(|one| one.due < ordered && one.due + one.took > ordered)
        .count()
}

/// The longest that a short request took, from when it was due.
fn worst_stall(round: &Round) -> Duration {
    let short = round.samples.iter().filter(|one| one.kind != Kind::Slow);
    // The first moments open all the kept connections at once.
    let settled = round.began + Duration::from_millis(500);
    short
        .filter(|one| one.due > settled)
        .map(|one| one.took)
        .max()
        .unwrap_or_default()
}

fn first_by_second(round: &Round) -> Option<Duration> {
    let ordered = ordered(round)?;
    let by_second = round.samples.iter().filter(|one| one.answer.as_deref() == Ok("b"));
    let first = by_second.map(|one| one.due + one.took).min()?;
    first.checked_duration_since(ordered)
}

fn ordered(round: &Round) -> Option<Instant> {
    round.steps.first().map(|(_, at)| *at)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Spread {
            median: *values.get(values.len() / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

impl Default for Spread {
    fn default() -> Self {
        Spread {
            median: 0.0,
            least: 0.0,
            most: 0.0,
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { median, least, most } = self;
        write!(f, "{median:.0}")?;
        if least.round() != most.round() {
            write!(f, " ({least:.0}–{most:.0})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| | rounds | requests | new requests failed | keep-alive requests lost (of 20 connections) | streams broken, of those in flight | \
             worst stall, ms | order to first answer by the second, ms |\n|---|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        for row in &self.rows {
            let first = row
                .first_by_second
                .map_or_else(|| "–".to_owned(), |first| first.to_string());
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} of {} | {} | {first} |",
                row.label,
                row.rounds,
                row.requests,
                row.failed,
                row.kept_broken,
                row.slow_broken,
                row.slow_in_flight,
                row.worst_stall,
            )?;
        }
        for row in self.rows.iter().filter(|row| !row.errors.is_empty()) {
            writeln!(f, "\n{}:", row.label)?;
            for error in row.errors.iter().take(MOST_ERRORS) {
                writeln!(f, "- {error}")?;
            }
        }
        Ok(())
    }
}

/// Errors named for each row.
const MOST_ERRORS: usize = 5;
