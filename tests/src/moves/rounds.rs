//! Lets the subjects take turns, round after round.

use std::time::Duration;

use anyhow::{Context, Result};

use super::clients::Load;
use super::forwarding;
use super::report::{Report, Row};
use super::subjects::Subject;
use crate::cluster::Built;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How often each has its turn.
    pub rounds: u32,
    /// Only rows whose name contains this.
    pub only: Option<String>,
}

/// Measures all subjects; says before each turn what comes.
///
/// # Errors
/// When a round can't be played.
pub fn measure(built: &Built, plan: &Plan, mut progress: impl FnMut(String)) -> Result<Report> {
    let wanted = |subject: &Subject| {
        let only = plan.only.as_deref();
        only.is_none_or(|only| subject.label().contains(only))
    };
    let subjects: Vec<_> = Subject::PLAIN
        .into_iter()
        .chain(Subject::HARSH)
        .filter(wanted)
        .collect();
    let mut rounds: Vec<Vec<_>> = vec![Vec::new(); subjects.len()];
    for number in 1..=plan.rounds {
        for (subject, rounds) in subjects.iter().zip(&mut rounds) {
            progress(format!("round {number} of {}: {}", plan.rounds, subject.label()));
            let round = subject.play(built, LOAD, BEFORE);
            rounds.push(round.with_context(|| subject.label())?);
        }
    }
    let mut rows: Vec<_> = subjects
        .iter()
        .zip(&rounds)
        .map(|(subject, rounds)| Row::of(Some(*subject), subject.label().to_owned(), rounds))
        .collect();
    // The busy rows: half of the hundred thousand before the move, the rest during and after it.
    for (label, subject, before) in [
        (BUSY_CONTROL, Subject::Control, BEFORE),
        (BUSY, Subject::Overlap(None), BUSY_BEFORE),
    ] {
        if plan.only.as_deref().is_none_or(|only| label.contains(only)) {
            progress(label.to_owned());
            let round = subject.play(built, BUSY_LOAD, before);
            rows.push(Row::of(None, label.to_owned(), &[round.context(label)?]));
        }
    }
    let picture = subjects.iter().position(|subject| *subject == Subject::Overlap(None));
    let pictured = picture.and_then(|at| rounds.get(at)?.first().cloned());
    let forwarding = plan.only.as_deref().is_none_or(|only| FORWARDING.contains(only));
    let forwarding = forwarding.then(|| {
        progress(FORWARDING.to_owned());
        forwarding::measure().context(FORWARDING)
    });
    Ok(Report {
        rows,
        pictured,
        forwarding: forwarding.transpose()?,
    })
}

const LOAD: Load = Load {
    new: 300,
    kept: 20,
    slow: 10,
};
const BEFORE: Duration = Duration::from_secs(2);
pub(super) const BUSY: &str = "overlap, 1,500 new a second, 100,000 requests";
pub(super) const BUSY_CONTROL: &str = "control, 1,500 new a second";
const FORWARDING: &str = "forwarding";
const BUSY_LOAD: Load = Load {
    new: 1500,
    kept: 20,
    slow: 10,
};
const BUSY_BEFORE: Duration = Duration::from_secs(60);
