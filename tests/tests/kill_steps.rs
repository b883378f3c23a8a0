//! A host is struck at the rows of the protocol's table that real runs take: its daemon is killed right after the journal
//! line is durable and right after the actions have begun, stands still, is cut off, loses its disk. The pair recovers each
//! time. Needs root.
//!
//! `make test` plays a share of the list that the last full survey left, another one each day (`UNDERSTUDY_KILL_PART=3/8`
//! plays the third eighth). `make kill-steps` (`UNDERSTUDY_KILL_ALL=1`) makes the list anew and plays all of it;
//! `UNDERSTUDY_KILL_STORY=fault` only what one story reaches. `UNDERSTUDY_KILL_AGAIN=verdicts.jsonl` plays again what went
//! wrong or was not reached in a run that left its verdicts there; `UNDERSTUDY_KILL_KEPT=verdicts.jsonl` only writes the page.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use understudy_tests::kill::{Case, Plan, Survey, Verdict, judge_survey, page, play_all, record, recorded, survey_all};

/// So many cases take about two minutes on two cores.
const SHARE: usize = 36;
/// How often every story is told before the list is made: a row that is taken each time will be taken once more.
const TELLINGS: usize = 2;
/// On a busy machine a story may be too late for a row: so often the survey is made again before that is an error.
const SURVEYS: usize = 3;

#[test]
fn every_row_of_the_table_has_a_story_or_a_reason() {
    let plan = recorded().unwrap();
    assert!(
        plan.unexcused.is_empty(),
        "no story was seen to take these rows, and nobody says why (tests/src/kill/excused.in); with a story that does, \
         `make faults` writes them down: {:#?}",
        plan.unexcused
    );
    assert!(
        plan.unknown.is_empty(),
        "`make faults` is to be run again: the table has no such rows any more: {:#?}",
        plan.unknown
    );
    assert!(plan.stale.is_empty(), "these excuses excuse nothing: {:#?}", plan.stale);
}

#[test]
fn a_host_that_is_struck_at_a_step_comes_back_and_one_serves() {
    if std::env::var_os("UNDERSTUDY_KILL_ALL").is_some() {
        return play_everything();
    }
    if let (Ok(kept), Some(file)) = (std::env::var("UNDERSTUDY_KILL_KEPT"), page_file()) {
        return fs::write(file, page(&kept_in(Path::new(&kept)))).unwrap();
    }
    if let Ok(file) = std::env::var("UNDERSTUDY_KILL_AGAIN") {
        return play_again(Path::new(&file));
    }
    let cases = recorded().unwrap().cases;
    let chosen = match std::env::var("UNDERSTUDY_KILL_PART").ok() {
        Some(part) => part_of(&cases, &part),
        None => todays(&cases),
    };
    println!("{} cases, of which {} are played", cases.len(), chosen.len());
    play_and_judge(&chosen, Vec::new());
}

/// What `make kill-steps` and `make faults` do.
fn play_everything() {
    let only = std::env::var("UNDERSTUDY_KILL_STORY").ok();
    let (survey, plan) = survey(only.as_deref());
    println!("{} cases", plan.cases.len());
    if page_file().is_some() {
        let taken = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kill/taken.jsonl");
        fs::write(taken, record(&survey).unwrap()).unwrap();
    }
    play_and_judge(&plan.cases, Vec::new());
}

/// Plays what went wrong or was not reached in an earlier run; its other verdicts stand.
fn play_again(file: &Path) {
    let earlier = kept_in(file);
    let stands = |verdict: &Verdict| verdict.reached && verdict.wrong.is_none();
    let mut stand: Vec<Verdict> = Vec::new();
    let mut open: Vec<Case> = Vec::new();
    for verdict in earlier {
        match stands(&verdict) {
            true => stand.push(verdict),
            false if !open.contains(&verdict.case) => open.push(verdict.case),
            false => {}
        }
    }
    open.retain(|case| !stand.iter().any(|verdict| verdict.case == *case));
    println!("{} verdicts stand, {} cases are played again", stand.len(), open.len());
    play_and_judge(&open, stand);
}

fn kept_in(file: &Path) -> Vec<Verdict> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn page_file() -> Option<PathBuf> {
    std::env::var("UNDERSTUDY_FAULTS_PAGE").ok().map(PathBuf::from)
}

/// Every verdict is kept as it comes: a run that is broken off has not been for nothing.
fn play_and_judge(cases: &[Case], earlier: Vec<Verdict>) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verdicts.jsonl");
    println!("each verdict goes to {}", file.display());
    let mut kept = File::create(&file).unwrap();
    for verdict in &earlier {
        writeln!(kept, "{}", serde_json::to_string(verdict).unwrap()).unwrap();
    }
    let kept = Mutex::new(kept);
    let tell = |verdict: &Verdict| {
        println!("{}", line(verdict));
        let text = serde_json::to_string(verdict).unwrap();
        writeln!(kept.lock().unwrap(), "{text}").unwrap();
    };
    let mut verdicts = earlier;
    verdicts.extend(play_all(cases, tell).unwrap());
    if let Some(file) = page_file() {
        fs::write(file, page(&verdicts)).unwrap();
    }
    judge(&verdicts);
}

fn survey(only: Option<&str>) -> (Survey, Plan) {
    let mut survey = Survey::default();
    for round in 1.. {
        let told = survey_all(only, TELLINGS, |line| println!("survey: {line}")).unwrap();
        survey.stories.extend(told.stories);
        survey.after.extend(told.after);
        let plan = judge_survey(&survey);
        println!(
            "not taken: {:#?}\nexcused without need: {:#?}",
            plan.unexcused, plan.needless
        );
        if plan.unexcused.is_empty() || only.is_some() {
            return (survey, plan);
        }
        assert!(
            round < SURVEYS,
            "no story takes these rows, and nobody says why (tests/src/kill/excused.in): {:#?}",
            plan.unexcused
        );
    }
    unreachable!("the loop ends by itself")
}

fn judge(verdicts: &[Verdict]) {
    let count = |holds: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| holds(verdict)).count();
    let missed: Vec<String> = verdicts.iter().filter(|v| !v.reached).map(|v| v.case.name()).collect();
    println!(
        "{} cases: {} reached their step and recovered, {} went wrong, {} did not reach it: {missed:#?}",
        verdicts.len(),
        count(|v| v.reached && v.wrong.is_none()),
        count(|v| v.wrong.is_some()),
        missed.len()
    );
    let wrong: Vec<String> = verdicts
        .iter()
        .filter_map(|verdict| Some(format!("{}: {}", verdict.case.name(), verdict.wrong.as_ref()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), verdicts.len(), wrong);
    // A row that a story takes only now and then may be missed three times; all others are there to be struck at.
    let surely_missed = count(|v| v.case.sure && !v.reached);
    assert!(
        surely_missed * 10 <= verdicts.len(),
        "{surely_missed} of {} cases did not reach a row that their story takes each time: {missed:#?}",
        verdicts.len()
    );
}

fn line(verdict: &Verdict) -> String {
    let what = match (&verdict.wrong, verdict.reached) {
        (Some(wrong), _) => format!("WRONG: {wrong}"),
        (None, false) => "not reached".to_owned(),
        (None, true) => format!(
            "{} serves, {} ms; {:?}",
            verdict.active.as_deref().unwrap_or("nobody"),
            verdict.recovered_ms,
            verdict.alerts
        ),
    };
    format!("{} [{}]: {what}", verdict.case.name(), verdict.story)
}

/// A share that changes every day, of what is sure to be reached: scattered over the table and over all faults.
fn todays(cases: &[Case]) -> Vec<Case> {
    let sure: Vec<&Case> = cases.iter().filter(|case| case.sure).collect();
    let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let step = sure.len().div_ceil(SHARE).max(1);
    let first = usize::try_from(days).unwrap() % step;
    sure.into_iter().skip(first).step_by(step).cloned().collect()
}

/// `3/8`: the third eighth.
fn part_of(cases: &[Case], said: &str) -> Vec<Case> {
    let (part, of) = said.split_once('/').expect("UNDERSTUDY_KILL_PART is like 3/8");
    let (part, of): (usize, usize) = (part.parse().unwrap(), of.parse().unwrap());
    assert!(
        (1..=of).contains(&part),
        "UNDERSTUDY_KILL_PART is like 3/8, and this is {said}"
    );
    cases.iter().skip(part - 1).step_by(of).cloned().collect()
}
