//! Lets the subjects take turns, round after round, and counts what each used.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::report::{Report, Row};
use super::subjects::{Bench, Subject};
use super::{cpu, machine};

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How often each has its turn. One more round before them warms up and is not counted.
    pub rounds: u32,
    /// Checks in a turn; a tenth of it where each check starts a process.
    pub checks: u32,
    /// How long to wait after each check.
    pub pause: Duration,
}

impl Plan {
    fn checks_of(&self, subject: Subject) -> u32 {
        match subject.starts_a_process() {
            true => (self.checks / 10).max(1),
            false => self.checks.max(1),
        }
    }
}

/// What one turn used, for each check: microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) cpu: f64,
    pub(super) elapsed: f64,
    pub(super) server_cpu: Option<f64>,
}

/// Measures all subjects.
///
/// # Errors
/// When a check fails.
pub async fn measure(bench: &Bench, plan: &Plan, mut progress: impl FnMut(u32)) -> Result<Report> {
    let load_before = machine::load();
    let mut turns: Vec<Vec<Turn>> = vec![Vec::new(); Subject::ALL.len()];
    for round in 0..=plan.rounds {
        progress(round);
        for (subject, turns) in Subject::ALL.into_iter().zip(&mut turns) {
            let turn = turn(bench, subject, plan).await?;
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    let rows = Subject::ALL.into_iter().zip(&turns);
    Ok(Report {
        machine: machine::line(),
        load_before,
        load_after: machine::load(),
        rounds: plan.rounds,
        pause_ms: plan.pause.as_secs_f64() * 1e3,
        idle_us_per_second: idle().await?,
        rows: rows
            .map(|(subject, turns)| Row::of(subject, plan.checks_of(subject) * plan.rounds, turns))
            .collect(),
    })
}

async fn turn(bench: &Bench, subject: Subject, plan: &Plan) -> Result<Turn> {
    let checks = plan.checks_of(subject);
    let server = || cpu::used_by(bench.server());
    let (began, server_before, before) = (Instant::now(), server(), cpu::used()?);
    for _ in 0..checks {
        bench.check(subject).await?;
        if !plan.pause.is_zero() {
            tokio::time::sleep(plan.pause).await;
        }
    }
    let (after, server_after, elapsed) = (cpu::used()?, server(), began.elapsed());
    let each = |duration: Duration| duration.as_secs_f64() * 1e6 / f64::from(checks);
    Ok(Turn {
        cpu: each(after.saturating_sub(before)),
        elapsed: each(elapsed.saturating_sub(plan.pause * checks)),
        server_cpu: server_before
            .zip(server_after)
            .map(|(before, after)| each(after.saturating_sub(before))),
    })
}

/// What this process uses with everything loaded and nothing to check: microseconds a second.
async fn idle() -> Result<f64> {
    let before = cpu::used()?;
    tokio::time::sleep(IDLE).await;
    let used = cpu::used()?.saturating_sub(before);
    Ok(used.as_secs_f64() * 1e6 / IDLE.as_secs_f64())
}

/// Long enough for a thread that wakes up a few times a second to show.
const IDLE: Duration = Duration::from_secs(3);
