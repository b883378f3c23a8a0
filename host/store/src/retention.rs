//! How long what is kept.

use std::time::Duration;

/// How long, and how much at most, of one kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Older ones go.
    pub for_: Duration,
    /// More than this many: the oldest go.
    pub at_most: u64,
}

/// What is kept of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Journal lines.
    pub journal: Keep,
    /// Compilations, with their requests.
    pub compilations: Keep,
    /// Faults that ended.
    pub faults: Keep,
    /// The audit log.
    pub audit: Keep,
    /// Answers to repeated REST requests.
    pub idempotency: Keep,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            journal: Keep {
                for_: days(90),
                at_most: 200_000,
            },
            compilations: Keep {
                for_: days(30),
                at_most: 100,
            },
            faults: Keep {
                for_: days(90),
                at_most: 20_000,
            },
            audit: Keep {
                for_: days(400),
                at_most: 200_000,
            },
            idempotency: Keep {
                for_: days(1),
                at_most: 20_000,
            },
        }
    }
}

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}
