//! `[service.timing]`: the protocol's timers, by the names of `protocol::Timing`'s fields.

use std::time::Duration;

use understudy_protocol::Timing;

use super::reader::Table;
use super::value;

/// The timers' lengths: the defaults, and what the operator sets.
pub(super) fn timing(table: Option<Table<'_>>, drain: Duration) -> Timing {
    let mut timing = Timing {
        drain,
        ..Timing::default()
    };
    let Some(table) = table else { return timing };
    for (key, field) in FIELDS {
        if let Some(duration) = table.optional(key, value::duration) {
            *field(&mut timing) = duration;
        }
    }
    if table.has("drain") {
        let _ = table.optional("drain", value::duration);
        let problem = table.problem("drain", "`drain`: the drain has a section of its own");
        table.notes().problem(problem.mend("set `deadline` in [service.drain]"));
    }
    table.finish();
    timing
}

type Field = fn(&mut Timing) -> &mut Duration;

/// Every timer but the drain's.
const FIELDS: [(&str, Field); 16] = [
    ("hello", |t| &mut t.hello),
    ("diagnosis", |t| &mut t.diagnosis),
    ("answer", |t| &mut t.answer),
    ("retry", |t| &mut t.retry),
    ("assessment", |t| &mut t.assessment),
    ("offer", |t| &mut t.offer),
    ("compilation", |t| &mut t.compilation),
    ("stop", |t| &mut t.stop),
    ("release", |t| &mut t.release),
    ("serve", |t| &mut t.serve),
    ("stay_down", |t| &mut t.stay_down),
    ("observe", |t| &mut t.observe),
    ("hold", |t| &mut t.hold),
    ("silence", |t| &mut t.silence),
    ("fence", |t| &mut t.fence),
    ("reboot", |t| &mut t.reboot),
];
