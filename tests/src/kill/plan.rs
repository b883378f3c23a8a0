//! The list of cases, made from the table that runs and from what a survey saw.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use understudy_protocol::{journaled_rows, row_names};

use super::case::{Case, Moment};
use super::fault::Fault;

/// Why a row can't be expected in a run with two real hosts.
#[derive(Debug)]
pub struct Excuse {
    /// The row begins with this.
    pub row: &'static str,
    /// Why.
    pub why: &'static str,
}

/// Why a row is excused that only a service in overlap mode takes.
const OVERLAP: &str = "a service whose servers may overlap: the stories here move exclusive ones; played on the machine, in the simulation and by the model";

/// The rows that no story reaches for certain, each with its reason.
pub const EXCUSED: &[Excuse] = &include!("excused.in");

/// The stories along which every fault is tried at every row.
const WAY: [&str; 1] = ["fault"];

/// A row that was taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taken {
    /// By which host.
    pub host: String,
    /// The row.
    pub row: String,
}

/// What a survey saw.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Every telling of a story, in the order of [`super::STORIES`]: its name, and what was taken.
    pub stories: Vec<(String, Vec<Taken>)>,
    /// The rows that were taken on the way back after a story: seen, and nobody's case.
    pub after: BTreeSet<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The cases.
    pub cases: Vec<Case>,
    /// Rows that always write a journal line, that nobody took, and that nobody excuses.
    pub unexcused: Vec<String>,
    /// Excuses for rows that the table does not have.
    pub stale: Vec<String>,
    /// Rows that were taken once, and that the table does not have any more.
    pub unknown: Vec<String>,
    /// Excuses of which every row was taken.
    pub needless: Vec<String>,
}

/// So many stories are tried for one case.
const STORIES_PER_CASE: usize = 3;

/// A row on a host, with the stories that take it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Source {
    row: String,
    host: String,
    /// Of those that took it at every telling, and of those that took it now and then, those that come first in the list.
    surely: Vec<String>,
    by_chance: Vec<String>,
}

/// What the last full survey saw: `make faults` writes it, `make test` plays a share of it.
const RECORDED: &str = include_str!("taken.jsonl");

/// The list as the last full survey left it.
///
/// # Errors
/// When the record can't be read.
pub fn recorded() -> Result<Plan> {
    let lines = RECORDED.lines().filter(|line| !line.is_empty());
    let sources: Result<Vec<Source>, _> = lines.map(serde_json::from_str).collect();
    Ok(judge(&sources.context("tests/src/kill/taken.jsonl")?))
}

/// The record of a survey, a line for each row and host.
///
/// # Errors
/// None that is known.
pub fn record(survey: &Survey) -> Result<String> {
    let mut text = String::new();
    for source in sources(survey) {
        text.push_str(&serde_json::to_string(&source)?);
        text.push('\n');
    }
    Ok(text)
}

/// Makes the list: every row that was taken, on each host that took it, in the story that takes it the most surely.
pub fn judge_survey(survey: &Survey) -> Plan {
    judge(&sources(survey))
}

fn judge(sources: &[Source]) -> Plan {
    let taken: BTreeSet<&str> = sources.iter().map(|source| source.row.as_str()).collect();
    let always = journaled_rows();
    let is_excused = |row: &str| EXCUSED.iter().any(|excuse| row.starts_with(excuse.row));
    let unexcused = always
        .iter()
        .filter(|row| !taken.contains(row.as_str()) && !is_excused(row));
    let names = row_names();
    let rows_of = |excuse: &Excuse| {
        names
            .iter()
            .filter(|name| name.starts_with(excuse.row))
            .collect::<Vec<_>>()
    };
    let name = |excuse: &Excuse| excuse.row.to_owned();
    let stale = EXCUSED.iter().filter(|excuse| rows_of(excuse).is_empty()).map(name);
    // A row that was taken by chance is a case like any other.
    let all_taken = |excuse: &&Excuse| {
        let rows = rows_of(excuse);
        !rows.is_empty() && rows.iter().all(|row| taken.contains(row.as_str()))
    };
    Plan {
        cases: cases(sources, &names),
        unexcused: unexcused.cloned().collect(),
        stale: stale.collect(),
        unknown: (taken.iter().filter(|row| !names.iter().any(|name| name == *row)))
            .map(|row| (*row).to_owned())
            .collect(),
        needless: EXCUSED.iter().filter(all_taken).map(name).collect(),
    }
}

fn sources(survey: &Survey) -> Vec<Source> {
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found: BTreeMap<&Taken, Vec<(&str, usize)>> = BTreeMap::new();
    for (story, taken) in &survey.stories {
        *told.entry(story).or_default() += 1;
        for taken in taken.iter().collect::<BTreeSet<_>>() {
            let stories = found.entry(taken).or_default();
            match stories.iter_mut().find(|(name, _)| name == story) {
                Some((_, times)) => *times += 1,
                None => stories.push((story, 1)),
            }
        }
    }
    let mut sources: Vec<Source> = Vec::new();
    for (taken, stories) in found {
        let (surely, by_chance): (Vec<_>, Vec<_>) = stories
            .into_iter()
            .partition(|(name, times)| told.get(name) == Some(times));
        let names = |stories: Vec<(&str, usize)>| {
            let names = stories.into_iter().map(|(name, _)| name.to_owned());
            names.take(STORIES_PER_CASE).collect()
        };
        sources.push(Source {
            row: taken.row.clone(),
            host: taken.host.clone(),
            surely: names(surely),
            by_chance: names(by_chance),
        });
    }
    // Seen on the way back only: nobody's case, and nobody's excuse.
    for row in &survey.after {
        if !sources.iter().any(|source| source.row == *row) {
            sources.push(Source {
                row: row.clone(),
                host: String::new(),
                surely: Vec::new(),
                by_chance: Vec::new(),
            });
        }
    }
    sources.sort_by(|a, b| (&a.row, &a.host).cmp(&(&b.row, &b.host)));
    sources
}

fn cases(sources: &[Source], names: &[String]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut reloaded: BTreeSet<(&str, &str)> = BTreeSet::new();
    for source in sources {
        let all: Vec<&String> = source.surely.iter().chain(&source.by_chance).collect();
        let along: Vec<&String> = all
            .iter()
            .copied()
            .filter(|name| WAY.contains(&name.as_str()))
            .collect();
        let mut add = |moment, fault, stories: &[&String]| {
            if stories.is_empty() {
                return;
            }
            cases.push(Case {
                stories: stories
                    .iter()
                    .take(STORIES_PER_CASE)
                    .map(|name| (*name).clone())
                    .collect(),
                host: source.host.clone(),
                row: source.row.clone(),
                moment,
                fault,
                sure: source.surely.contains(stories[0]),
            });
        };
        add(Moment::Stored, Fault::Killed, &all);
        add(Moment::Acted, Fault::Killed, &all);
        // A reload in every role of each host.
        if reloaded.insert((&source.host, roles(&source.row))) {
            add(Moment::Stored, Fault::Reloaded, &all);
        }
        // The other faults end by themselves and take seconds each: they are tried along the way of a takeover.
        for fault in Fault::ALL {
            if !matches!(fault, Fault::Killed | Fault::Reloaded) {
                add(Moment::Stored, fault, &along);
            }
        }
    }
    // In the table's order.
    let place = |row: &str| names.iter().position(|name| name == row).unwrap_or(usize::MAX);
    cases.sort_by_key(|case| (place(&case.row), case.host.clone(), case.fault, case.moment));
    cases
}

/// The part of a row's name that says in which roles it is taken.
fn roles(row: &str) -> &str {
    let from = row.split_once(": ").map_or(row, |(_, rest)| rest);
    from.split(" --[").next().unwrap_or(from)
}
