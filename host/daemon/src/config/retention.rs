//! `[retention]`: how long what is kept.

use understudy_store::{Keep, Retention};

use super::reader::Table;
use super::value;

/// Reads the section; the defaults where there is none.
pub(super) fn retention(table: Option<Table<'_>>) -> Retention {
    let mut retention = Retention::default();
    let Some(table) = table else { return retention };
    for (key, field) in FIELDS {
        if let Some(kind) = table.table(key) {
            keep(&kind, field(&mut retention));
        }
    }
    table.finish();
    retention
}

fn keep(table: &Table<'_>, keep: &mut Keep) {
    keep.age = table.optional("age", value::age).unwrap_or(keep.age);
    let at_most = table.optional("at_most", value::number(1, AT_MOST));
    keep.at_most = at_most.map_or(keep.at_most, u64::from);
    table.finish();
}

type Field = fn(&mut Retention) -> &mut Keep;

const FIELDS: [(&str, Field); 4] = [
    ("journal", |r| &mut r.journal),
    ("compilations", |r| &mut r.compilations),
    ("faults", |r| &mut r.faults),
    ("audit", |r| &mut r.audit),
];
/// More lines than any disk of a server should be given to.
const AT_MOST: u32 = 100_000_000;
