//! `docs/faults.md`: for each step of the protocol's table and each fault, what became of the pair and what an operator
//! was shown, as it was seen in runs with real daemons and servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use understudy_protocol::{journaled_rows, row_names};

use super::case::{Fault, Verdict};
use super::plan::EXCUSED;

/// The whole page.
pub fn page(verdicts: &[Verdict]) -> String {
    let mut text = String::from(HEAD);
    for fault in Fault::ALL {
        let of = verdicts
            .iter()
            .filter(|verdict| verdict.case.fault == fault && verdict.reached);
        let mut by_step: BTreeMap<String, Vec<&Verdict>> = BTreeMap::new();
        for verdict in of {
            by_step.entry(step(&verdict.case.row)).or_default().push(verdict);
        }
        section(&mut text, fault, &by_step);
    }
    text.push_str("\n## Steps that no run with two hosts reaches\n\n| row | why |\n|---|---|\n");
    for excuse in EXCUSED {
        let _infallible = writeln!(text, "| `{}` | {} |", excuse.row.replace('|', "\\|"), excuse.why);
    }
    text
}

/// Every step's name, in the table's order, as the page must have them in its first table.
pub fn steps() -> Vec<String> {
    let always: BTreeSet<String> = journaled_rows().into_iter().collect();
    let mut seen = BTreeSet::new();
    let names = row_names()
        .into_iter()
        .filter(|row| always.contains(row))
        .map(|row| step(&row));
    names.filter(|step| seen.insert(step.clone())).collect()
}

fn section(text: &mut String, fault: Fault, by_step: &BTreeMap<String, Vec<&Verdict>>) {
    let (title, what) = describe(fault);
    let _infallible = write!(
        text,
        "\n## {title}\n\n{what}\n\n| step | on | serves afterwards | within | the operator sees |\n|---|---|---|---|---|\n"
    );
    for step in steps() {
        match by_step.get(&step) {
            Some(verdicts) => line(text, &step, verdicts),
            None if fault == Fault::Killed => {
                let _infallible = writeln!(text, "| `{step}` | | not reached in the runs behind this page | | |");
            }
            None => {}
        }
    }
}

fn line(text: &mut String, step: &str, verdicts: &[&Verdict]) {
    let set = |of: fn(&Verdict) -> Vec<String>| verdicts.iter().flat_map(|v| of(v)).collect::<BTreeSet<_>>();
    let hosts = set(|v| vec![v.case.host.clone()]);
    let served = set(|v| v.active.clone().into_iter().collect());
    let alerts = set(|v| v.alerts.iter().map(|alert| alert.replace('|', "\\|")).collect());
    let longest = verdicts.iter().map(|v| v.recovered_ms).max().unwrap_or(0);
    let _infallible = writeln!(
        text,
        "| `{step}` | {} | {} | {}.{} s | {} |",
        join(&hosts, ", "),
        join(&served, " or "),
        longest / 1000,
        longest % 1000 / 100,
        if alerts.is_empty() {
            "nothing but the journal".to_owned()
        } else {
            join(&alerts, "; ")
        }
    );
}

fn join(set: &BTreeSet<String>, with: &str) -> String {
    set.iter().cloned().collect::<Vec<_>>().join(with)
}

/// A row's name begins with its step's.
fn step(row: &str) -> String {
    row.split(':').next().unwrap_or(row).to_owned()
}

fn describe(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::Killed => (
            "The host's daemon is killed",
            "SIGKILL right after the journal's line is durable, and once more right after the actions have begun. The daemon is \
             started again after a tenth of a second.",
        ),
        Fault::Frozen => (
            "The host's daemon stands still",
            "SIGSTOP right after the line is durable, SIGCONT after 3.5 s: longer than every timer of the pair.",
        ),
        Fault::Parted => (
            "The hosts don't hear each other",
            "Every packet between them is dropped for 3.5 s, in both directions; clients reach both.",
        ),
        Fault::Mute => (
            "The other host does not hear it",
            "Packets are dropped in that one direction for 3.5 s.",
        ),
        Fault::DiskFull => (
            "The disk of the host's store is full",
            "From the moment in which the line is durable, for 3.5 s. What can't be stored did not happen.",
        ),
    }
}

const HEAD: &str = "# What happens when\n\n\
Two real daemons with real servers, each in a network namespace, an address that moves between them, and timers of one to\n\
three seconds. At each row of the protocol's table that a run takes, a fault strikes the host that takes it; then the cause\n\
ends, and the pair must come to rest: exactly one host active, the service answering a client, the other standing by.\n\
All the time a watch looks at both hosts, every five milliseconds: never two with the address, never two servers of a\n\
service of which only one may run. Alpha is home.\n\n\
This page is written by `make faults` from what was seen; the times are of a busy machine and promise nothing.\n\
A fault that shows at several rows of one name, or at both moments of a kill, is one line here.\n";
