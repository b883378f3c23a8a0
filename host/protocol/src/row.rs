//! The shape of one row of the table; the rows themselves are in `table/`.
//!
//! Invariant: a row says in words everything that it does, because people read the table and not only programs.

use crate::RoleName;
use crate::turn::Turn;

/// One transition.
pub(crate) struct Row {
    /// The step's name in the journal.
    pub(crate) step: &'static str,
    pub(crate) from: &'static [RoleName],
    pub(crate) on: &'static str,
    /// In words, and as a function.
    pub(crate) when: When,
    pub(crate) apply: fn(&mut Turn),
    /// Where it may lead; empty: it stays.
    pub(crate) to: &'static [RoleName],
    /// Whether it is worth a journal line although nothing durable changes.
    pub(crate) journal: bool,
    pub(crate) reason: &'static str,
}

impl Row {
    pub(crate) fn applies(&self, from: RoleName, on: &str, turn: &Turn) -> bool {
        self.on == on && self.from.contains(&from) && self.when.is_none_or(|(_, holds)| holds(turn))
    }

    pub(crate) fn leads_to(&self, from: RoleName, to: RoleName) -> bool {
        if self.to.is_empty() {
            from == to
        } else {
            self.to.contains(&to)
        }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from: Vec<_> = self.from.iter().map(|role| role.as_str()).collect();
        let from = if from.len() == RoleName::ALL.len() {
            "any".to_owned()
        } else {
            from.join("|")
        };
        let when = self.when.map(|(words, _)| format!(", if {words}")).unwrap_or_default();
        write!(f, "{}: {from} --[{}{when}]", self.step, self.on)
    }
}

pub(crate) type When = Option<(&'static str, fn(&Turn) -> bool)>;

pub(crate) const fn row(
    step: &'static str,
    from: &'static [RoleName],
    on: &'static str,
    when: When,
    apply: fn(&mut Turn),
    to: &'static [RoleName],
    reason: &'static str,
) -> Row {
    Row {
        step,
        from,
        on,
        when,
        apply,
        to,
        journal: true,
        reason,
    }
}

/// A row that is not worth a journal line by itself.
pub(crate) const fn quiet(
    step: &'static str,
    from: &'static [RoleName],
    on: &'static str,
    when: When,
    apply: fn(&mut Turn),
    to: &'static [RoleName],
    reason: &'static str,
) -> Row {
    Row {
        step,
        from,
        on,
        when,
        apply,
        to,
        journal: false,
        reason,
    }
}

impl Row {
    /// The same row without a journal line.
    pub(crate) const fn quietly(mut self) -> Row {
        self.journal = false;
        self
    }
}
