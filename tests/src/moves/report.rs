//! What was seen, as Markdown: a table of all rows, what exclusive moves are made of, and when the steps came.

use std::fmt;
use std::time::Duration;

use super::aims::Aims;
use super::clients::Kind;
use super::forwarding::Forwarding;
use super::picture;
use super::seen::Parts;
use super::spread::Spread;
use super::subjects::{Round, Subject};

/// Everything that was seen.
#[derive(Debug, Clone)]
pub struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) pictured: Option<Round>,
    pub(super) forwarding: Option<Forwarding>,
}

/// One way to move, over its rounds.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What was played, where it is one of the table's.
    pub(super) subject: Option<Subject>,
    pub(super) label: String,
    pub(super) rounds: usize,
    pub(super) requests: usize,
    pub(super) failed: Spread,
    pub(super) kept_broken: Spread,
    pub(super) slow_broken: Spread,
    slow_in_flight: Spread,
    pub(super) worst_stall: Spread,
    pub(super) first_by_second: Option<Spread>,
    pub(super) parts: Option<Made>,
    steps: Vec<(String, Spread)>,
    errors: Vec<String>,
}

/// What a stall is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    drain: Spread,
    stop: Spread,
    start: Spread,
    /// What the worst stall has beyond the three.
    pub(super) beyond: Spread,
}

impl Report {
    /// Requests over time by host in one round of an overlap, as SVG.
    pub fn picture(&self) -> Option<String> {
        self.pictured.as_ref().map(picture::draw)
    }
}

impl Row {
    pub(super) fn of(subject: Option<Subject>, label: String, rounds: &[Round]) -> Row {
        let each = |of: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(of).collect()).unwrap_or_default();
        let broken = |kind| each(&|round| round.failed(kind) as f64);
        Row {
            subject,
            label,
            rounds: rounds.len(),
            requests: rounds.iter().map(|round| round.samples.len()).sum(),
            failed: broken(Kind::New),
            kept_broken: broken(Kind::Kept),
            slow_broken: broken(Kind::Slow),
            slow_in_flight: each(&|round| round.in_flight() as f64),
            worst_stall: each(&|round| milliseconds(round.worst_stall())),
            first_by_second: Spread::of(
                rounds
                    .iter()
                    .filter_map(Round::first_by_second)
                    .map(milliseconds)
                    .collect(),
            ),
            parts: made(rounds).filter(|_| subject.is_some_and(Subject::waits)),
            steps: steps(rounds),
            errors: errors(rounds),
        }
    }
}

fn made(rounds: &[Round]) -> Option<Made> {
    let all: Vec<(Parts, f64)> = rounds
        .iter()
        .filter_map(|round| Some((round.parts()?, milliseconds(round.worst_stall()))))
        .collect();
    let each = |of: &dyn Fn(&(Parts, f64)) -> f64| Spread::of(all.iter().map(of).collect());
    Some(Made {
        drain: each(&|(parts, _)| milliseconds(parts.drain))?,
        stop: each(&|(parts, _)| milliseconds(parts.stop))?,
        start: each(&|(parts, _)| milliseconds(parts.start))?,
        beyond: each(&|(parts, stall)| stall - milliseconds(parts.sum()))?,
    })
}

/// When each step came after the order, in the order of the first round.
fn steps(rounds: &[Round]) -> Vec<(String, Spread)> {
    let all: Vec<_> = rounds.iter().map(Round::since_order).collect();
    let names = all
        .first()
        .into_iter()
        .flatten()
        .skip(1)
        .map(|(what, _)| (*what).to_owned());
    let with_times = names.filter_map(|name| {
        let of_name = |(what, after): &(&str, Duration)| (*what == name).then_some(milliseconds(*after));
        let times = all.iter().filter_map(|steps| steps.iter().find_map(of_name)).collect();
        Spread::of(times).map(|spread| (name, spread))
    });
    with_times.collect()
}

fn errors(rounds: &[Round]) -> Vec<String> {
    let samples = rounds.iter().flat_map(|round| &round.samples);
    let failed = samples.filter_map(|one| one.answer.as_ref().err().map(|error| (one.kind, error)));
    let mut errors: Vec<_> = failed.map(|(kind, error)| format!("{kind:?}: {error}")).collect();
    errors.sort();
    errors.dedup();
    errors.truncate(MOST_ERRORS);
    errors
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return self.forwarding.iter().try_for_each(|cost| write!(f, "{cost}"));
        }
        writeln!(
            f,
            "| | rounds | requests | new requests failed | requests lost on 20 kept connections | long answers broken, of those \
             in flight | worst stall, ms | order to first answer by the second, ms |\n|---|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        self.rows.iter().try_for_each(|row| write_row(row, f))?;
        self.write_parts(f)?;
        self.write_steps(f)?;
        self.write_errors(f)?;
        self.forwarding.iter().try_for_each(|cost| write!(f, "{cost}"))?;
        write!(f, "{}", Aims(&self.rows))
    }
}

fn write_row(row: &Row, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let first = row.first_by_second.map_or_else(none, |first| first.to_string());
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
    )
}

fn none() -> String {
    "–".to_owned()
}

impl Report {
    fn write_parts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made: Vec<_> = (self.rows.iter()).filter_map(|row| Some((row, row.parts?))).collect();
        if made.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\nWhat the stall is made of, ms (from the hosts' journals):\n\n\
             | | drain | stop | start | worst stall beyond the three |\n|---|--:|--:|--:|--:|"
        )?;
        for (row, made) in made {
            let Made {
                drain,
                stop,
                start,
                beyond,
            } = made;
            writeln!(f, "| {} | {drain} | {stop} | {start} | {beyond} |", row.label)?;
        }
        Ok(())
    }

    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.iter().all(|row| row.steps.is_empty()) {
            return Ok(());
        }
        writeln!(f, "\nWhen each step came, ms after the order:\n")?;
        for row in self.rows.iter().filter(|row| !row.steps.is_empty()) {
            let steps: Vec<_> = row.steps.iter().map(|(what, at)| format!("{what} {at}")).collect();
            writeln!(f, "- {}: {}", row.label, steps.join(", "))?;
        }
        Ok(())
    }

    fn write_errors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.iter().all(|row| row.errors.is_empty()) {
            return Ok(());
        }
        writeln!(f, "\nWhat those clients saw that lost something:\n")?;
        for row in self.rows.iter().filter(|row| !row.errors.is_empty()) {
            writeln!(f, "- {}: {}", row.label, row.errors.join("; "))?;
        }
        Ok(())
    }
}

/// Errors named for each row.
const MOST_ERRORS: usize = 5;
