//! `docs/faults.md`: for each step of the protocol's table and each fault, what became of the pair and what an operator
//! was shown, as it was seen in a run with real daemons and servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use understudy_protocol::{journaled_rows, row_names};

use super::case::Verdict;
use super::fault::Fault;
use super::plan::EXCUSED;
use super::told::describe;

/// The whole page.
pub fn page(verdicts: &[Verdict]) -> String {
    let mut said = Said::default();
    let mut text = String::from(HEAD);
    count(&mut text, verdicts);
    overview(&mut text, verdicts);
    for fault in Fault::ALL {
        section(&mut text, fault, &by_step(verdicts, fault), &mut said);
    }
    said.list(&mut text);
    text.push_str("\n## Steps that no run with two hosts reaches for certain\n\n| row | why |\n|---|---|\n");
    for excuse in EXCUSED {
        add(
            &mut text,
            format_args!("| `{}` | {} |\n", excuse.row.replace('|', "\\|"), excuse.why),
        );
    }
    text
}

/// Every step's name, in the table's order.
fn steps() -> Vec<String> {
    let always: BTreeSet<String> = journaled_rows().into_iter().collect();
    let mut seen = BTreeSet::new();
    let names = row_names()
        .into_iter()
        .filter(|row| always.contains(row))
        .map(|row| step(&row));
    names.filter(|step| seen.insert(step.clone())).collect()
}

type BySteps<'a> = BTreeMap<String, Vec<&'a Verdict>>;

fn by_step(verdicts: &[Verdict], fault: Fault) -> BySteps<'_> {
    let mut found: BySteps<'_> = BTreeMap::new();
    for verdict in verdicts.iter().filter(|v| v.case.fault == fault && v.reached) {
        found.entry(step(&verdict.case.row)).or_default().push(verdict);
    }
    found
}

fn count(text: &mut String, verdicts: &[Verdict]) {
    let count = |holds: fn(&&Verdict) -> bool| verdicts.iter().filter(holds).count();
    add(
        text,
        format_args!(
            "\nThe run behind this page: {} cases, of which {} reached their row and came to rest so, {} went wrong, and {} \
             did not come to their row again in three tellings.\n",
            verdicts.len(),
            count(|v| v.reached && v.wrong.is_none()),
            count(|v| v.wrong.is_some()),
            count(|v| !v.reached && v.wrong.is_none()),
        ),
    );
}

/// Who serves afterwards, for each step and fault.
fn overview(text: &mut String, verdicts: &[Verdict]) {
    text.push_str("\n## Who serves afterwards\n\n| step |");
    Fault::ALL
        .iter()
        .for_each(|fault| add(text, format_args!(" {} |", fault.as_str())));
    text.push_str("\n|---|");
    Fault::ALL.iter().for_each(|_| text.push_str("---|"));
    text.push('\n');
    let all: Vec<BySteps<'_>> = Fault::ALL.iter().map(|fault| by_step(verdicts, *fault)).collect();
    for step in steps() {
        add(text, format_args!("| `{step}` |"));
        for (fault, found) in Fault::ALL.iter().zip(&all) {
            let cell = match found.get(&step) {
                Some(verdicts) => served(verdicts),
                None if *fault == Fault::Killed => "not reached".to_owned(),
                None => String::new(),
            };
            add(text, format_args!(" {cell} |"));
        }
        text.push('\n');
    }
}

fn served(verdicts: &[&Verdict]) -> String {
    let wrong = verdicts.iter().any(|verdict| verdict.wrong.is_some());
    let served = join(&set(verdicts, |v| v.active.clone().into_iter().collect()), " or ");
    if wrong { format!("{served} **WRONG**") } else { served }
}

fn section(text: &mut String, fault: Fault, by_step: &BySteps<'_>, said: &mut Said) {
    let (title, what) = describe(fault);
    add(
        text,
        format_args!(
            "\n## {title}\n\n{what}\n\n| step | on | serves meanwhile | serves afterwards | within | the operator sees |\n\
             |---|---|---|---|---|---|\n"
        ),
    );
    for step in steps() {
        let Some(verdicts) = by_step.get(&step) else { continue };
        let longest = verdicts.iter().map(|v| v.recovered_ms).max().unwrap_or(0);
        add(
            text,
            format_args!(
                "| `{step}` | {} | {} | {} | {}.{} s | {} |\n",
                join(&set(verdicts, |v| vec![v.case.host.clone()]), ", "),
                join(&set(verdicts, |v| v.meanwhile.clone().into_iter().collect()), " or "),
                served(verdicts),
                longest / 1000,
                longest % 1000 / 100,
                said.cell(verdicts),
            ),
        );
    }
}

/// What was said, numbered in the order in which it came up.
#[derive(Default)]
struct Said {
    texts: Vec<String>,
}

impl Said {
    /// `alpha 1, 3; beta 2`
    fn cell(&mut self, verdicts: &[&Verdict]) -> String {
        let mut by_host: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for alert in set(verdicts, |v| v.alerts.clone()) {
            let (who, what) = speaker(&alert);
            let number = self.number(what);
            by_host.entry(who).or_default().insert(number);
        }
        let cells = by_host.into_iter().map(|(who, numbers)| {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("{who} {}", numbers.join(", "))
        });
        let cells: Vec<String> = cells.collect();
        match cells.is_empty() {
            true => "the journal".to_owned(),
            false => cells.join("; "),
        }
    }

    fn number(&mut self, what: String) -> usize {
        let known = self.texts.iter().position(|text| *text == what);
        known.map_or_else(
            || {
                self.texts.push(what);
                self.texts.len()
            },
            |place| place + 1,
        )
    }

    fn list(&self, text: &mut String) {
        text.push_str(
            "\n## What the operator sees\n\nThe numbers in the tables above. Every step is in the journal, too.\n\n",
        );
        for (number, said) in (1..).zip(&self.texts) {
            add(text, format_args!("{number}. {said}\n"));
        }
    }
}

/// Who said it, and what, without what differs from run to run.
fn speaker(alert: &str) -> (String, String) {
    let (who, what) = match alert.split_once(": ") {
        Some((who, what)) if !who.contains(' ') => (who, what),
        _ => alert.split_once(' ').unwrap_or(("", alert)),
    };
    let what = match (what.find("is damaged ("), what.find("): move it")) {
        (Some(from), Some(to)) if from < to => format!("{}is damaged (…{}", &what[..from], &what[to..]),
        _ => what.to_owned(),
    };
    (who.to_owned(), what.replace('|', "\\|"))
}

fn set(verdicts: &[&Verdict], of: fn(&Verdict) -> Vec<String>) -> BTreeSet<String> {
    verdicts.iter().flat_map(|verdict| of(verdict)).collect()
}

fn join(set: &BTreeSet<String>, with: &str) -> String {
    set.iter().cloned().collect::<Vec<_>>().join(with)
}

/// A row's name begins with its step's.
fn step(row: &str) -> String {
    row.split(':').next().unwrap_or(row).to_owned()
}

fn add(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _infallible = text.write_fmt(what);
}

const HEAD: &str = "# What happens when\n\n\
Two real daemons with real servers, each in a network namespace, an address that moves between them, and timers of one to\n\
three seconds. At each row of the protocol's table that a run takes, a fault strikes the host that takes it; then the cause\n\
ends, and the pair must come to rest: exactly one host active, the service answering a client, the other standing by, every\n\
request of every takeover with a disposition, both journals whole. While a fault lasts, one host serves or an operator is\n\
told what is waited for. All the time a watch looks at both hosts, every five milliseconds: never two with the address,\n\
never two servers of a service of which only one may run. Alpha is home.\n\n\
This page is written by `make faults` from what was seen; the times are of a busy machine and promise nothing. A kill is\n\
tried at every row, each other fault along the way of a takeover for a fault, a reload in every role of each host. What\n\
shows at several rows of one name, or at both moments of a kill, is one line here. What a busy machine kept from its row,\n\
or a story's own order upset, was played again; its last verdict counts. A service whose servers may overlap is not among\n\
them yet.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_left_out() {
        let (who, what) = speaker("beta does not start: STATE_DIR/store.sqlite: is damaged (row 7): move it away");
        assert_eq!(who, "beta");
        assert_eq!(
            what,
            "does not start: STATE_DIR/store.sqlite: is damaged (…): move it away"
        );
        assert_eq!(speaker("alpha: a | b"), ("alpha".into(), "a \\| b".into()));
        assert_eq!(
            speaker("alpha waits for: beta"),
            ("alpha".into(), "waits for: beta".into())
        );
    }
}
