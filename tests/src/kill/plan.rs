//! The list of cases, made from the table that runs.

use std::collections::{BTreeMap, BTreeSet};

use understudy_protocol::{journaled_rows, row_names};

use super::case::{Case, Fault, Moment};

/// Why a row can't be expected in a run with two real hosts.
#[derive(Debug)]
pub struct Excuse {
    /// The row begins with this.
    pub row: &'static str,
    /// Why.
    pub why: &'static str,
}

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

/// What a survey saw: by story, in the order of [`super::STORIES`].
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The stories' names, and what was taken in each.
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
}

/// Makes the list: every row that was taken, on the first host in the first story that took it, and on the other host in
/// the first story in which that one took it.
pub fn judge_survey(survey: &Survey) -> Plan {
    let mut first: BTreeMap<Taken, &str> = BTreeMap::new();
    for (story, taken) in &survey.stories {
        for taken in taken {
            first.entry(taken.clone()).or_insert(story);
        }
    }
    let of_stories = first.keys().map(|taken| taken.row.as_str());
    let taken: BTreeSet<&str> = of_stories.chain(survey.after.iter().map(String::as_str)).collect();
    let always = journaled_rows();
    let is_excused = |row: &str| EXCUSED.iter().any(|excuse| row.starts_with(excuse.row));
    let unexcused = always
        .iter()
        .filter(|row| !taken.contains(row.as_str()) && !is_excused(row));
    let names = row_names();
    // An excused row may be taken by chance: then it is a case like any other.
    let stale = EXCUSED
        .iter()
        .filter(|excuse| !names.iter().any(|name| name.starts_with(excuse.row)));
    // In the table's order.
    let place = |row: &str| names.iter().position(|name| name == row).unwrap_or(usize::MAX);
    let mut cases: Vec<Case> = Vec::new();
    for (taken, story) in &first {
        let mut add = |moment, fault| {
            cases.push(Case {
                story: (*story).to_owned(),
                host: taken.host.clone(),
                row: taken.row.clone(),
                moment,
                fault,
            });
        };
        add(Moment::Stored, Fault::Killed);
        add(Moment::Acted, Fault::Killed);
        // The other faults end by themselves and take seconds each: they are tried along the way of a takeover.
        if WAY.contains(story) {
            for fault in [Fault::Frozen, Fault::Parted, Fault::Mute, Fault::DiskFull] {
                add(Moment::Stored, fault);
            }
        }
    }
    cases.sort_by_key(|case| (place(&case.row), case.host.clone(), case.fault, case.moment));
    Plan {
        cases,
        unexcused: unexcused.cloned().collect(),
        stale: stale.map(|excuse| excuse.row.to_owned()).collect(),
    }
}
