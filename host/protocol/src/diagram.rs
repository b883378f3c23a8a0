//! The table for people: as text (`understudy fsm`) and as a Mermaid state diagram (the README's picture).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::RoleName;
use crate::row::Row;
use crate::table::{SECTIONS, rows};

/// A Mermaid state diagram of the roles: one arrow for each pair, labelled with the steps that lead along it.
pub fn diagram() -> String {
    let mut arrows: BTreeMap<(RoleName, RoleName), Vec<&str>> = BTreeMap::new();
    for row in rows() {
        for (from, to) in changes(row) {
            let steps = arrows.entry((from, to)).or_default();
            if !steps.contains(&row.step) {
                steps.push(row.step);
            }
        }
    }
    let mut text = String::from("stateDiagram-v2\n    [*] --> unsynced\n");
    for ((from, to), steps) in arrows {
        // Writing to a String can't fail.
        let _ = writeln!(text, "    {from} --> {to}: {}", steps.join(", "));
    }
    text
}

fn changes(row: &Row) -> Vec<(RoleName, RoleName)> {
    let pairs = row
        .from
        .iter()
        .flat_map(|from| row.to.iter().map(move |to| (*from, *to)));
    pairs.filter(|(from, to)| from != to).collect()
}

/// Every row in a line of words, in the order in which they are tried: [`crate::Output::row`] counts along this list.
pub fn row_names() -> Vec<String> {
    rows().map(ToString::to_string).collect()
}

/// Why a step is taken, in the table's words: those of its first row. None where no row is called so.
pub fn reason_of(step: &str) -> Option<&'static str> {
    rows().find(|row| row.step == step).map(|row| row.reason)
}

/// The rows that write a journal line whatever comes of them, by the names of [`row_names`].
pub fn journaled_rows() -> Vec<String> {
    rows().filter(|row| row.journal).map(ToString::to_string).collect()
}

/// The whole table as text, section by section, with every reason.
pub fn table_text() -> String {
    let mut text = String::new();
    for (section, rows) in SECTIONS {
        let _ = writeln!(text, "{section}");
        for row in *rows {
            let from: Vec<_> = row.from.iter().map(|role| role.as_str()).collect();
            let from = if from.len() == RoleName::ALL.len() {
                "any".to_owned()
            } else {
                from.join("|")
            };
            let to: Vec<_> = row.to.iter().map(|role| role.as_str()).collect();
            let to = if to.is_empty() {
                "(stays)".to_owned()
            } else {
                to.join("|")
            };
            let when = row.when.map(|(words, _)| format!(", if {words}")).unwrap_or_default();
            let _ = writeln!(
                text,
                "  {}\n      {from} --[{}{when}]--> {to}\n      {}",
                row.step, row.on, row.reason
            );
        }
        text.push('\n');
    }
    text
}
