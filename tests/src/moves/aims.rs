//! What the rows should show, and whether they do. For a reader: nothing depends on it.

use std::fmt;

use super::daemons::Mode;
use super::report::Row;
use super::rounds::{BUSY, BUSY_CONTROL};
use super::subjects::Subject;

/// The aims, judged by these rows.
pub(super) struct Aims<'a>(pub(super) &'a [Row]);

impl Aims<'_> {
    fn row(&self, subject: Subject) -> Option<&Row> {
        self.0.iter().find(|row| row.subject == Some(subject))
    }

    fn of_overlap(&self, row: &Row, said: &mut Vec<(bool, String)>) {
        said.push(nothing_lost(row));
        if let Some(control) = self.row(Subject::Control) {
            let beyond = row.worst_stall.median - control.worst_stall.median;
            let met = beyond <= OVERLAP_STALL;
            said.push((
                met,
                format!(
                    "{}: worst stall at most {OVERLAP_STALL} ms more than the control's: {beyond:+.0} ms",
                    row.label
                ),
            ));
        }
        if let Some(first) = row.first_by_second {
            let met = first.median <= FIRST_ANSWER;
            said.push((
                met,
                format!(
                    "{}: order to first answer at most {FIRST_ANSWER} ms: {first} ms",
                    row.label
                ),
            ));
        }
    }

    fn all(&self) -> Vec<(bool, String)> {
        let mut said = Vec::new();
        for subject in [Subject::Overlap(None), Subject::Daemons(Mode::Overlap)] {
            if let Some(row) = self.row(subject) {
                self.of_overlap(row, &mut said);
            }
        }
        for mode in [Mode::Exclusive, Mode::Proxy] {
            let Some(row) = self.row(Subject::Daemons(mode)) else {
                continue;
            };
            said.push(nothing_lost(row));
            if let Some(made) = row.parts {
                let met = made.beyond.median <= EXCLUSIVE_BEYOND;
                said.push((
                    met,
                    format!(
                        "{}: stall at most drain + stop + start + {EXCLUSIVE_BEYOND} ms: {} ms beyond the three",
                        row.label, made.beyond
                    ),
                ));
            }
        }
        if let Some(busy) = self.0.iter().find(|row| row.label == BUSY) {
            said.push((
                busy.failed.most == 0.0 && busy.requests >= BUSY_REQUESTS,
                format!(
                    "{BUSY}: none of {BUSY_REQUESTS} requests fails: {:.0} of {}",
                    busy.failed.most, busy.requests
                ),
            ));
            if let Some(control) = self.0.iter().find(|row| row.label == BUSY_CONTROL) {
                let (stall, beside) = (busy.worst_stall, control.worst_stall);
                said.push((
                    true,
                    format!("(no aim) {BUSY}: worst stall {stall} ms, {beside} ms where nothing moves"),
                ));
            }
        }
        said
    }
}

/// In every round, not only in most.
fn nothing_lost(row: &Row) -> (bool, String) {
    let (new, kept, slow) = (row.failed.most, row.kept_broken.most, row.slow_broken.most);
    (
        new + kept + slow == 0.0,
        format!("{}: 0 / 0 / 0 in every round: {new} / {kept} / {slow}", row.label),
    )
}

impl fmt::Display for Aims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all();
        if all.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nThe aims:\n")?;
        for (met, what) in all {
            writeln!(f, "- {}: {}", if met { "met" } else { "**not met**" }, what)?;
        }
        Ok(())
    }
}

/// Milliseconds.
const OVERLAP_STALL: f64 = 5.0;
const FIRST_ANSWER: f64 = 20.0;
const EXCLUSIVE_BEYOND: f64 = 20.0;
const BUSY_REQUESTS: usize = 100_000;
