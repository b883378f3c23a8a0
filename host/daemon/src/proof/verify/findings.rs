//! What the checks found, one after the other.

use understudy_api::wire::{ProofCheck, ProofResult, ProofVerdict};

/// The checks so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<ProofCheck>);

impl Findings {
    pub(super) fn holds(&mut self, check: &str, found: impl Into<String>) {
        self.add(check, ProofResult::Holds, found.into());
    }

    pub(super) fn unproven(&mut self, check: &str, found: impl Into<String>) {
        self.add(check, ProofResult::Unproven, found.into());
    }

    pub(super) fn fails(&mut self, check: &str, found: impl Into<String>) {
        self.add(check, ProofResult::Fails, found.into());
    }

    /// Holds if nothing was found against it.
    pub(super) fn judge(&mut self, check: &str, against: Vec<String>, found: impl Into<String>) {
        if against.is_empty() {
            self.holds(check, found);
        } else {
            self.fails(check, against.join("; "));
        }
    }

    pub(super) fn failed(&self) -> bool {
        self.0.iter().any(|check| check.result == ProofResult::Fails)
    }

    pub(super) fn verdict(&self) -> ProofVerdict {
        if self.failed() {
            ProofVerdict::Fails
        } else if self.0.iter().all(|check| check.result == ProofResult::Holds) {
            ProofVerdict::Holds
        } else {
            ProofVerdict::HoldsInPart
        }
    }

    pub(super) fn into_checks(self) -> Vec<ProofCheck> {
        self.0
    }

    fn add(&mut self, check: &str, result: ProofResult, found: String) {
        self.0.push(ProofCheck {
            check: check.to_owned(),
            result,
            found,
        });
    }
}
