//! What has to be true in the end, and whether it is.

/// All checks so far.
#[derive(Debug, Default)]
pub struct Checks(Vec<Check>);

#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) holds: bool,
    pub(crate) detail: String,
}

impl Checks {
    /// Writes one down, with the figures that decide it.
    pub fn note(&mut self, what: impl Into<String>, holds: bool, detail: impl Into<String>) {
        self.0.push(Check {
            what: what.into(),
            holds,
            detail: detail.into(),
        });
    }

    /// Whether there are checks, and all hold.
    pub fn all_well(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|check| check.holds)
    }

    pub(crate) fn all(&self) -> &[Check] {
        &self.0
    }
}
