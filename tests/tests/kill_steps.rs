//! A daemon is killed at every row of the protocol's table that a real run takes, on the host that takes it, right after
//! its journal line is durable and right after its actions have begun. The pair recovers each time. Needs root.
//!
//! `UNDERSTUDY_KILL_PART=3/8` plays the third eighth of the cases (without it, one of twelve that changes every day);
//! all of them are `UNDERSTUDY_KILL_PART=1/1` (`make kill-steps`). `UNDERSTUDY_KILL_STORY=fault` plays one story's alone.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use understudy_tests::kill::{Case, Verdict, judge_survey, page, play_all, survey_all};

/// In how many parts `make test` plays the cases: a part takes a few minutes on two cores.
const PARTS: u64 = 12;

#[test]
#[ignore = "it takes half an hour: `make kill-steps`"]
fn a_daemon_killed_at_any_step_comes_back_and_one_host_serves() {
    let only = std::env::var("UNDERSTUDY_KILL_STORY").ok();
    let survey_all = || survey_all(only.as_deref(), |line| println!("survey: {line}")).unwrap();
    let mut survey = survey_all();
    let mut plan = judge_survey(&survey);
    // On a busy machine a story may be too late for a row: it is told again.
    for _ in 0..2 {
        if plan.unexcused.is_empty() || only.is_some() {
            break;
        }
        println!("not taken this time: {:#?}", plan.unexcused);
        let again = survey_all();
        survey.stories.extend(again.stories);
        survey.after.extend(again.after);
        plan = judge_survey(&survey);
    }
    assert!(
        plan.unexcused.is_empty() || only.is_some(),
        "no story takes these rows, and nobody says why (tests/src/kill/excused.in): {:#?}",
        plan.unexcused
    );
    assert!(plan.stale.is_empty(), "these excuses excuse nothing: {:#?}", plan.stale);
    let (part, of) = part();
    let chosen: Vec<Case> = (0..)
        .zip(&plan.cases)
        .filter(|(number, _)| number % of == part)
        .map(|(_, case)| case.clone())
        .collect();
    println!(
        "{} cases, of which part {} of {of}: {}",
        plan.cases.len(),
        part + 1,
        chosen.len()
    );
    let verdicts = play_all(&chosen, |verdict| println!("{}", line(verdict))).unwrap();
    keep(&verdicts);
    let wrong: Vec<String> = verdicts
        .iter()
        .filter_map(|verdict| Some(format!("{}: {}", verdict.case.name(), verdict.wrong.as_ref()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), verdicts.len(), wrong);
    let missed: Vec<String> = verdicts.iter().filter(|v| !v.reached).map(|v| v.case.name()).collect();
    assert!(
        missed.len() * 10 <= verdicts.len(),
        "too many rows were not reached a second time: {missed:#?}"
    );
}

fn line(verdict: &Verdict) -> String {
    let what = match (&verdict.wrong, verdict.reached) {
        (Some(wrong), _) => format!("WRONG: {}", wrong.lines().next().unwrap_or_default()),
        (None, false) => "not reached".to_owned(),
        (None, true) => format!(
            "{} serves, {} ms",
            verdict.active.as_deref().unwrap_or("nobody"),
            verdict.recovered_ms
        ),
    };
    format!("{}: {what}", verdict.case.name())
}

/// The part to play, counted from zero, and how many there are.
fn part() -> (u64, u64) {
    match std::env::var("UNDERSTUDY_KILL_PART").ok() {
        Some(said) => {
            let (part, of) = said.split_once('/').expect("UNDERSTUDY_KILL_PART is like 3/8");
            let (part, of): (u64, u64) = (part.parse().unwrap(), of.parse().unwrap());
            assert!(
                (1..=of).contains(&part),
                "UNDERSTUDY_KILL_PART is like 3/8, and this is {said}"
            );
            (part - 1, of)
        }
        None => {
            let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
            (days % PARTS, PARTS)
        }
    }
}

/// Writes `docs/faults.md` where that is asked for (`make faults`).
fn keep(verdicts: &[Verdict]) {
    if let Ok(file) = std::env::var("UNDERSTUDY_FAULTS_PAGE").map(PathBuf::from) {
        fs::write(file, page(verdicts)).unwrap();
    }
}
